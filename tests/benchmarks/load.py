"""
A class at once: 30 programs open the page and ask for a comparison within 10 seconds, 10 of them train as well, over the
real HTTP interface; the same work one job after another, on a server of its own, is the peer. Sized to end within nine
minutes on two cores.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.benchmarks.table import write
from tests.serving import serving

BASE = "smollm2-135m"
PANES = ["base", "pirate-prompt_tuning", "pirate-lora", "pirate-ia3"]
MORE_PANES = ["base", "pirate-lora"]
QUESTIONS = ("Tell me about the sea.", "What is a ship?", "Do you like rain?", "Why is the sky blue?", "Write a short poem.")
WAYS: Mapping[str, Mapping[str, str]] = {"together": {}, "one after another": {"PLAYGROUND_TOGETHER": "1"}}
BOUND = 300.0  # seconds without a word after which an answer has failed


@dataclass(frozen=True)
class Sizes:
    """How much is asked for; `tests.benchmarks.load.study(Sizes(...))` tries a smaller one."""

    pages: int = 30
    training: int = 10
    within: float = 10.0  # seconds in which all of them ask
    tokens: int = 16
    steps: int = 3
    more: int = 200  # comparisons of the base and LoRA, after which memory is read again
    more_tokens: int = 2


@dataclass(frozen=True)
class Asked:
    """What one program saw, in seconds from its request."""

    first: float  # token, or event of a training
    last: float
    error: str = ""


@dataclass
class Seen:
    """What a class saw, and the resident memory of its server on the way, in bytes."""

    compared: list[Asked]
    trained: list[Asked]
    until: float  # the last comparison is done, in seconds from the first request
    memory: list[int]
    later: list[Asked] = field(default_factory=list)

    def row(self, name: str) -> list[str]:
        first = sorted(one.first for one in self.compared if one.first)
        last = [one.last for one in self.compared if not one.error]
        errors = [one.error for one in (*self.compared, *self.trained, *self.later) if one.error]
        print(*dict.fromkeys(errors), sep="\n")
        if not (first and last):
            return [name, str(len(errors)), *[""] * 6]
        tail = first[min(int(0.95 * len(first)), len(first) - 1)]
        return [
            name, str(len(errors)), f"{statistics.median(first):.1f} s", f"{tail:.1f} s", f"{self.until:.1f} s",
            f"{max(last) / min(last):.1f}", f"{max((one.last for one in self.trained), default=0.0):.0f} s",
            ", ".join(f"{size / 1e9:.2f}" for size in self.memory) + " GB",
        ]  # fmt: skip


def study(sizes: Sizes = Sizes()) -> None:
    begin = time.perf_counter()
    found = {name: _class(settings, sizes) for name, settings in WAYS.items()}
    rows = [seen.row(name) for name, seen in found.items()]
    ratio = found["one after another"].until / found["together"].until
    rows.append(["**ratio** of the last ends", "", "", "", f"**{ratio:.1f}×**", "", "", ""])
    head = [
        "", "errors", "first token, median", "95th percentile", "last comparison is done", "slowest / fastest",
        "longest training", f"resident before, after, after {sizes.more} more",
    ]  # fmt: skip
    note = (
        f"{sizes.pages} programs, each a session of its own with the page open, ask within {sizes.within:.0f} s for "
        f"{len(PANES)} panes of up to {sizes.tokens} tokens; {sizes.training} more train LoRA for {sizes.steps} steps at "
        f"the same time. Seconds count from each one's request, those until the last comparison is done from the first "
        f"one's. The {sizes.more} comparisons after that, {sizes.pages} at once, are the base and LoRA with up to "
        f"{sizes.more_tokens} tokens. The whole study took {time.perf_counter() - begin:.0f} s."
    )
    write("load", "A class at once", head, rows, note)


def _class(settings: Mapping[str, str], sizes: Sizes) -> Seen:
    """What a class sees of a server with these settings; the one together goes on with more comparisons."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "log", **settings) as (url, process):
        server = psutil.Process(process)
        ask(url, "compare", comparison(0, sizes))  # the base and the adapters are there
        seen = at_once(url, sizes, server)
        if not settings:
            asked = [[BASE, QUESTIONS[place % len(QUESTIONS)], MORE_PANES, sizes.more_tokens] for place in range(sizes.more)]
            with ThreadPoolExecutor(sizes.pages) as pool:
                seen.later = list(pool.map(lambda values: ask(url, "compare", values), asked))
            seen.memory.append(server.memory_info().rss)
        return seen


def at_once(url: str, sizes: Sizes, server: psutil.Process) -> Seen:
    """What a class sees of a server that has the base and the adapters; its memory before and after."""
    memory, begin = [server.memory_info().rss], time.perf_counter()
    with ThreadPoolExecutor(sizes.pages + sizes.training) as pool:
        compared = [
            pool.submit(_come, url, sizes.within * place / sizes.pages, "compare", comparison(place, sizes))
            for place in range(sizes.pages)
        ]
        trained = [
            pool.submit(_come, url, sizes.within * place / sizes.training, "train", _training(place, sizes))
            for place in range(sizes.training)
        ]
        answers = [one.result() for one in compared]
        until = time.perf_counter() - begin
        seen = Seen(answers, [one.result() for one in trained], until, memory)
    memory.append(server.memory_info().rss)
    return seen


def comparison(place: int, sizes: Sizes) -> list[Any]:
    return [BASE, QUESTIONS[place % len(QUESTIONS)], PANES, sizes.tokens]


def _training(place: int, sizes: Sizes) -> list[Any]:
    return [BASE, "lora", "pirate", {}, sizes.steps, place]


def _come(url: str, after: float, name: str, values: list[Any]) -> Asked:
    """Open the page, and ask when it is one's time: people do not press at the same moment."""
    begin = time.perf_counter()
    httpx.get(url, timeout=BOUND).raise_for_status()
    time.sleep(max(0.0, begin + after - time.perf_counter()))
    return ask(url, name, values)


def ask(url: str, name: str, values: list[Any]) -> Asked:
    """In a session of its own: over plain HTTP gradio has one stream for all that a session does."""
    begin, first = time.perf_counter(), 0.0
    try:
        for event, data in _events(url, name, {"data": values, "session_hash": uuid.uuid4().hex}):
            if event == "error":
                return Asked(first, time.perf_counter() - begin, f"{name}: {data}")
            if not first and _begun(json.loads(data)):
                first = time.perf_counter() - begin
    except httpx.HTTPError as error:
        return Asked(first, time.perf_counter() - begin, f"{name}: {error!r}")
    return Asked(first, time.perf_counter() - begin)


def _events(url: str, name: str, body: dict[str, Any]) -> Any:
    """The events of a call and what they carry, up to the one that ends it."""
    answer = httpx.post(f"{url}/gradio_api/call/{name}", json=body, timeout=BOUND)
    answer.raise_for_status()
    event = ""
    with httpx.stream("GET", f"{url}/gradio_api/call/{name}/{answer.json()['event_id']}", timeout=BOUND) as stream:
        for line in stream.iter_lines():
            event = line.removeprefix("event: ") if line.startswith("event: ") else event
            if line.startswith("data: ") and event in ("generating", "complete", "error"):
                yield event, line.removeprefix("data: ")
                if event != "generating":
                    return


def _begun(data: Sequence[Any] | None) -> bool:
    """Whether an answer has its first token, or a training its first event."""
    frame = data[0] if data else None
    return isinstance(frame, dict) and ("panes" not in frame or any(pane["tokens"] for pane in frame["panes"]))
