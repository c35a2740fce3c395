"""
A class at once: 30 programs ask for a comparison within 10 seconds, 10 of them train as well, over the real HTTP
interface; the same work one job after another, on a server of its own, is the peer.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.benchmarks.table import write
from tests.serving import serving

BASE = "smollm2-135m"
CLASS, TRAINING, WITHIN = 30, 10, 10.0  # pages, those that train, seconds in which all of them ask
PANES = ["base", "pirate-prompt_tuning", "pirate-lora", "pirate-ia3"]
TOKENS, STEPS = 48, 6
MORE = 200  # comparisons, after which memory is read again
BOUND = 900.0  # seconds after which the study has failed
QUESTIONS = ("Tell me about the sea.", "What is a ship?", "Do you like rain?", "Why is the sky blue?", "Write a short poem.")


@dataclass(frozen=True)
class Asked:
    """What one program saw, in seconds from its request."""

    first: float  # token
    last: float
    error: str = ""


def study() -> None:
    rows = []
    found = {
        name: _class(settings) for name, settings in (("together", {}), ("one after another", {"PLAYGROUND_TOGETHER": "1"}))
    }
    for name, (compared, trained, memory) in found.items():
        first, last = sorted(one.first for one in compared), [one.last for one in compared]
        errors = sum(bool(one.error) for one in (*compared, *trained))
        slowest = max(last) / min(last)
        rows.append([
            name, str(errors), f"{statistics.median(first):.1f} s", f"{first[int(0.95 * len(first))]:.1f} s",
            f"{max(last):.1f} s", f"{slowest:.1f}", f"{max(one.last for one in trained):.0f} s", memory,
        ])  # fmt: skip
    ratio = max(one.last for one in found["one after another"][0]) / max(one.last for one in found["together"][0])
    rows.append(["**ratio** of the last ends", "", "", "", f"**{ratio:.1f}×**", "", "", ""])
    head = [
        "", "errors", "first token, median", "95th percentile", "last comparison ends", "slowest / fastest",
        "last training ends", f"resident before, after, after {MORE} more",
    ]  # fmt: skip
    note = (
        f"{CLASS} programs, each a session of its own, ask within {WITHIN:.0f} s for {len(PANES)} panes of up to {TOKENS} "
        f"tokens; {TRAINING} more train LoRA for {STEPS} steps at the same time. Seconds count from each request."
    )
    write("load", "A class at once", head, rows, note)


def _class(settings: dict[str, str]) -> tuple[list[Asked], list[Asked], str]:
    """Every comparison, every training, and resident memory on the way, of a server with these settings."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "log", **settings) as (url, process):
        server = psutil.Process(process)
        _ask(url, "compare", _comparison(0))  # the base and the adapters are there
        sizes = [server.memory_info().rss]
        with ThreadPoolExecutor(CLASS + TRAINING) as pool:
            trained = [pool.submit(_later, place, TRAINING, url, "train", _training(place)) for place in range(TRAINING)]
            compared = [pool.submit(_later, place, CLASS, url, "compare", _comparison(place)) for place in range(CLASS)]
            seen = [one.result() for one in compared], [one.result() for one in trained]
        sizes.append(server.memory_info().rss)
        if not settings:
            with ThreadPoolExecutor(CLASS) as pool:
                list(pool.map(lambda place: _ask(url, "compare", _comparison(place)), range(MORE)))
            sizes.append(server.memory_info().rss)
        return *seen, ", ".join(f"{size / 1e9:.2f}" for size in sizes) + " GB"


def _comparison(place: int) -> list[Any]:
    return [BASE, QUESTIONS[place % len(QUESTIONS)], PANES, TOKENS]


def _training(place: int) -> list[Any]:
    return [BASE, "lora", "pirate", {}, STEPS, place]


def _later(place: int, of: int, *asked: Any) -> Asked:
    time.sleep(WITHIN * place / of)  # people do not press at the same moment
    return _ask(*asked)


def _ask(url: str, name: str, values: list[Any]) -> Asked:
    begin, first = time.perf_counter(), 0.0
    body = {"data": values, "session_hash": uuid.uuid4().hex}
    answer = httpx.post(f"{url}/gradio_api/call/{name}", json=body, timeout=BOUND)
    answer.raise_for_status()
    address = f"{url}/gradio_api/call/{name}/{answer.json()['event_id']}"
    event, error = "", ""
    with httpx.stream("GET", address, timeout=BOUND) as stream:
        for line in stream.iter_lines():
            event = line.removeprefix("event: ") if line.startswith("event: ") else event
            if line.startswith("data: ") and event == "error":
                error = line
            if (
                line.startswith("data: ")
                and event in ("generating", "complete")
                and not first
                and _begun(json.loads(line[6:]))
            ):
                first = time.perf_counter() - begin
            if event in ("complete", "error") and line.startswith("data: "):
                break
    return Asked(first, time.perf_counter() - begin, error)


def _begun(data: Sequence[Any]) -> bool:
    """Whether an answer has its first token, or a training its first event."""
    frame = data[0] if data else None
    return isinstance(frame, dict) and ("panes" not in frame or any(pane["tokens"] for pane in frame["panes"]))
