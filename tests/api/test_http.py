"""
Plain HTTP, without a client that knows Gradio: what is left out, what is no call, and what README shows.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from playground import locales
from tests.api.calling import called, posted

BASE = "smollm2-135m"
README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```sh\n(.*?)```", README.split("## The API")[1].split("\n## ")[0], re.DOTALL)


def test_what_is_left_out_takes_its_default(url: str) -> None:
    by_place = called(url, "count_parameters", {"data": [BASE, "lora"]})
    by_name = called(url, "v2/count_parameters", {"base": BASE, "method": "lora"})
    assert by_place == by_name == called(url, "count_parameters", {"data": [BASE, "lora", {"rank": 8}]})
    assert called(url, "accumulate", {"data": []})["addition"]["exact"] == 254


@pytest.mark.parametrize(
    "body",
    [
        None, 5, "x", [], {}, {"data": None}, {"data": {"base": BASE}}, {"data": "x"}, b"", b"{", b"\xff", b'{"data": NaN}',
        b'{"data": [' + b"9" * 6000 + b"]}", b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"data": ["\\ud800"], "session_hash": 5}',
    ],
)  # fmt: skip
def test_a_body_that_is_no_call_is_told_what_one_is(url: str, body: Any) -> None:
    answer = posted(url, "soft_prompt", body)
    assert answer.status_code == 422
    assert answer.json() == {"detail": 'This cannot be read. Send JSON like {"data": [adapter, nearest]}.'}


@pytest.mark.parametrize("body", [None, [], {"adapter": "x", "speed": 1}, {"nearest": 3}, b"{"])
def test_names_that_nobody_takes_are_told_which_there_are(url: str, body: Any) -> None:
    answer = posted(url, "v2/soft_prompt", body)
    assert answer.status_code == 422
    assert answer.json() == {"detail": 'This cannot be read. Send JSON like {"adapter": …, "nearest": …}.'}


@pytest.mark.parametrize("version", ["", "v2/"])
def test_an_endpoint_that_does_not_exist_is_told_which_do(url: str, version: str) -> None:
    answer = posted(url, f"{version}juggle", {"data": []})
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("There is no endpoint /juggle. Known: /bases, ")


def test_a_job_that_nobody_knows_any_more_is_a_sentence_in_the_language_of_the_request(url: str) -> None:
    answer = httpx.get(f"{url}/gradio_api/call/train/0123abc", headers={"accept-language": "es"})
    assert answer.status_code == 404
    assert answer.json() == {"detail": locales.text("es", "error.unknown_job", job="0123abc")}


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_commands_that_readme_shows_work_as_they_are_written(url: str) -> None:
    assert len(SHOWN) == 1
    command = SHOWN[0].replace("http://127.0.0.1:7860", url)
    done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, timeout=120, check=True)
    last = re.findall(r"event: complete\ndata: (.*)", done.stdout)[-1]
    panes = json.loads(last)[0]["panes"]
    assert [pane["adapter"] for pane in panes] == ["base", "pirate-lora"]
    assert all(pane["text"] for pane in panes)
