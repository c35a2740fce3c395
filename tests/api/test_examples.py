"""The README's examples for programs, as they are written: gradio_client, curl, and a client that speaks MCP."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from playground.ui.api.reference import flat
from tests.api.calling import BOUND, awaited

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").partition("## The API")[2]
BASE = "smollm2-135m"


def example(kind: str, mark: str, url: str) -> str:
    """The README's code of a kind that has `mark` in it, for the server of this test."""
    (found,) = [one for one in re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL) if mark in one]
    return str(found).replace("http://127.0.0.1:7860", url)


def printed(*command: str) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.timeout(400)
@pytest.mark.thorough
def test_the_example_for_gradio_client_streams(url: str) -> None:
    lines = printed(sys.executable, "-c", example("python", "gradio_client", url))
    assert [line.split()[0] for line in lines if line[0].isalpha()][-1] == "finished"
    frames = [line for line in lines if line.startswith("[")]
    assert len(frames) > 3
    assert frames[0] != frames[-1]


def test_the_example_for_curl_streams(url: str) -> None:
    lines = printed("bash", "-c", example("sh", "curl", url))
    events = [line for line in lines if line.startswith("event: ")]
    assert events[-1] == "event: complete"
    assert events.count("event: generating") > 3


def test_the_example_for_mcp_streams(url: str) -> None:
    *steps, last = printed(sys.executable, "-c", example("python", "from mcp", url))
    assert len(steps) > 3
    assert len(ast.literal_eval(last)) == 2


# What gradio's MCP server would do otherwise


def called(url: str, word: str, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """The results of tools, one after the other."""

    async def all_of_them() -> list[Any]:
        headers = {"x-session": word} if word else {}
        async with (
            httpx.AsyncClient(headers=headers, timeout=BOUND) as http,
            streamable_http_client(f"{url}/gradio_api/mcp/", http_client=http) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            if not calls:
                return list((await session.list_tools()).tools)
            return [await session.call_tool(name, values) for name, values in calls]

    return list(awaited(all_of_them()))


def test_the_tools_are_the_named_endpoints_with_their_docstrings(url: str, anybody: Client) -> None:
    tools = {one.name: one for one in called(url, "")}
    named = anybody.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert {f"/{name}" for name in tools} == set(named)
    assert "held_out_loss" in tools["train"].description
    assert "An error is: " in tools["train"].description
    assert tools["train"].inputSchema["required"] == ["base", "method", "task"]
    described = [one["description"] for one in tools["quantize"].inputSchema["properties"].values()]
    assert any("each format's own" in one for one in described)  # of a meaning that goes on over two lines


def test_a_session_by_mcp_is_of_whoever_names_its_word(url: str) -> None:
    mixing = ("mix", {"adapters": ["pirate-lora", "pirate-lora-rank-2"], "weights": [1, 1]})
    made, mine = (json.loads(one.content[0].text) for one in called(url, "ana", mixing, ("adapters", {})))
    assert made["adapter"]["id"] in [one["id"] for one in mine]
    for word in ("ben", ""):
        (seen,) = called(url, word, ("adapters", {}))
        assert made["adapter"]["id"] not in [one["id"] for one in json.loads(seen.content[0].text)]


def test_a_stream_without_progress_ends_with_its_last_value(url: str) -> None:
    asked = {"base": BASE, "prompt": "Hi", "adapters": ["base"], "max_new_tokens": 4}
    (found,) = called(url, "", ("compare", asked))
    assert json.loads(found.content[0].text)["panes"][0]["tokens_per_second"] > 0


def test_an_error_is_a_sentence(url: str) -> None:
    (found,) = called(url, "", ("low_rank", {"adapter": "nobody"}))
    assert found.isError
    assert found.content[0].text.startswith("There is no adapter “nobody”")


def test_a_docstring_has_a_line_for_each_thing() -> None:
    def endpoint(one: int, two: int) -> None:
        """
        Adds
        up.

        Args:
            one: the first,
                of two
            two: the second

        Returns:
            what comes
                of it

        Raises:
            no number
        """

    assert flat(endpoint).splitlines() == [
        "Adds up.", "", "Args:", "    one: the first, of two", "    two: the second", "",
        "Returns:", "    what comes of it. An error is: no number",
    ]  # fmt: skip
