"""
What happens to others, and to whoever asked, when the disk is full or a program vanishes in the middle of its stream.
"""

from __future__ import annotations

import json
import zipfile
from typing import Any

import httpx
import psutil
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.api.calling import called
from tests.faults import limited

BASE, PROMPT = "smollm2-135m", "Tell me about the sea."
ROOM = 200_000  # bytes of a file: less than an adapter or an upload has, more than the server's log
BOUND = 60.0  # seconds after which an answer is not coming


@pytest.fixture
def process(url: str) -> int:
    """The server's."""
    (one,) = [child for child in psutil.Process().children() if "app.py" in child.cmdline()]
    return int(one.pid)


def sent(url: str, language: str) -> httpx.Response:
    files = {"files": ("mine.zip", bytes(5 * ROOM))}
    return httpx.post(f"{url}/gradio_api/upload", files=files, headers={"accept-language": language}, timeout=BOUND)


def test_a_full_disk_is_said_to_whom_it_concerns_and_the_others_go_on(client: Client, url: str, process: int) -> None:
    with limited(ROOM, process):
        with pytest.raises(AppError, match="is full, so the file could not be written"):
            client.predict("pirate-lora", api_name="/download_adapter")
        for language, said in (("en", "disk of the machine"), ("es", "El disco de la máquina")):
            refused = sent(url, language)
            assert (refused.status_code, said in refused.text) == (507, True)
        *_, last = client.submit(BASE, PROMPT, ["base", "pirate-lora"], 4, api_name="/compare")
        assert [pane["tokens"] for pane in last["panes"]] == [4, 4]
    assert zipfile.ZipFile(client.predict("pirate-lora", api_name="/download_adapter")).testzip() is None
    assert sent(url, "en").status_code == 200


def body(session: str, tokens: int) -> dict[str, Any]:
    return {"data": [BASE, PROMPT, ["base", "pirate-lora"], tokens], "session_hash": session}


def compared(url: str, session: str, tokens: int) -> Any:
    """The stream of a comparison's frames."""
    job = httpx.post(f"{url}/gradio_api/call/compare", json=body(session, tokens), timeout=BOUND).json()["event_id"]
    return httpx.stream("GET", f"{url}/gradio_api/call/compare/{job}", timeout=BOUND)


def frames(stream: httpx.Response) -> Any:
    lines = (line.removeprefix("data: ") for line in stream.iter_lines() if line.startswith("data: ["))
    return (json.loads(line)[0] for line in lines)


def written(frame: Any) -> bool:
    return any(pane["tokens"] for pane in frame["panes"])


@pytest.mark.thorough
def test_a_program_that_vanishes_in_its_stream_leaves_its_company_alone(url: str) -> None:
    with compared(url, "alone", 64) as stream:
        *_, alone = frames(stream)
    with compared(url, "stays", 64) as kept:
        staying = frames(kept)
        with compared(url, "vanishes", 256) as stream:
            next(frame for frame in frames(stream) if written(frame))
        *_, last = staying
    assert [pane["text"] for pane in last["panes"]] == [pane["text"] for pane in alone["panes"]]
    assert called(url, "stop", {"data": [], "session_hash": "vanishes"}) == {"stopped": 0}, "it goes on for nobody"
    after = called(url, "compare", body("vanishes", 2))
    assert [pane["tokens"] for pane in after["panes"]] == [2, 2]
