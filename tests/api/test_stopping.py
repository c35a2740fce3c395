"""
What a program gives up stops, and what it asks for twice waits or is told so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.api.calling import called

BASE = "smollm2-135m"
BOUND = 60.0  # seconds after which what was stopped has not ended
LONG: tuple[Any, ...] = (BASE, "lora", "pirate", {}, 300, 0)  # steps of a training that nobody waits for
QUESTION = (BASE, "Tell me about the sea.", ["base", "pirate-lora"])


def within(done: Callable[[], Any]) -> Any:
    """What `done` gives once it gives something."""
    deadline = time.monotonic() + BOUND
    while not (found := done()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def begun(training: Any) -> Any:
    """A training of which something will be left: it has made a step."""
    next(event for event in training if event["event"] == "step")
    return training


def own(client: Client) -> list[Any]:
    """The adapters of the client's own session."""
    return [one for one in client.predict(api_name="/adapters") if one["own"]]


def test_a_cancelled_training_ends_and_keeps_what_it_has_learned(client: Client) -> None:
    begun(client.submit(*LONG, api_name="/train")).cancel()
    (kept,) = within(lambda: own(client))
    assert kept["steps"] < 300
    events = list(client.submit(*LONG[:4], 1, 0, api_name="/train"))  # its place is free
    assert events[-1]["event"] == "finished"


def test_a_training_whose_stream_is_closed_ends(url: str) -> None:
    call, session = f"{url}/gradio_api/call/train", "closed-stream"
    posted = httpx.post(call, json={"data": LONG, "session_hash": session}).json()
    with httpx.stream("GET", f"{call}/{posted['event_id']}", timeout=BOUND) as stream:
        next(line for line in stream.iter_lines() if '"event": "step"' in line)
    asked = {"data": [], "session_hash": session}
    (kept,) = within(lambda: [one for one in called(url, "adapters", asked) if one["own"]])
    assert kept["steps"] < 300
    assert called(url, "stop", asked) == {"stopped": 0}


def test_a_training_over_plain_http_is_stopped_beside_its_stream(url: str) -> None:
    asked = {"data": [], "session_hash": "beside"}
    posted = httpx.post(f"{url}/gradio_api/call/train", json={**asked, "data": LONG}).json()
    with httpx.stream("GET", f"{url}/gradio_api/call/train/{posted['event_id']}", timeout=BOUND) as stream:
        lines = stream.iter_lines()
        next(line for line in lines if '"event": "step"' in line)
        told = httpx.post(f"{url}/gradio_api/run/stop", json=asked, timeout=BOUND).json()
        assert told["data"] == [{"stopped": 1}]
        assert any('"event": "stopped"' in line for line in lines)


def test_stop_ends_whatever_runs_for_the_client_and_nothing_else(client: Client, url: str) -> None:
    training = begun(client.submit(*LONG, api_name="/train"))
    assert Client(url, verbose=False).predict(api_name="/stop") == {"stopped": 0}
    assert client.predict(api_name="/stop") == {"stopped": 1}
    *_, last = training
    assert (last["event"], last["adapter"]["steps"] < 300) == ("stopped", True)
    assert client.predict(api_name="/stop") == {"stopped": 0}


def test_a_stopped_comparison_says_so(client: Client) -> None:
    job = client.submit(*QUESTION, 256, api_name="/compare")
    next(job)
    client.predict(api_name="/stop")
    with pytest.raises(AppError, match="stopped before it had ended"):
        job.result(timeout=BOUND)


def test_comparisons_of_one_client_wait_for_each_other_and_a_second_training_is_refused(client: Client) -> None:
    first = client.submit(*LONG, api_name="/train")
    next(first)
    with pytest.raises(AppError, match="still running"):
        client.predict(*LONG, api_name="/train")
    jobs = [client.submit(*QUESTION, length, api_name="/compare") for length in (2, 3, 4)]
    assert [list(job)[-1]["panes"][0]["tokens"] for job in jobs] == [2, 3, 4]
    first.cancel()
