"""
Whether memory levels off: two visitors who do everything that the page and the API offer, round after round.

Private memory is the server's anonymous memory (what no file backs, and no other process has); resident is all of it. Both
are read at rest: behind a question that waited until what ran before it had given its memory back. PLAYGROUND_ROUNDS
shortens the study.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from gradio_client import Client, handle_file
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from playground.adapt.library import examples
from playground.adapt.methods import DOWNLOADABLE, FRONT
from playground.model.catalogue import FORMS
from tests.benchmarks.table import write
from tests.browser.conftest import ARGS, open_page
from tests.serving import serving

BASE = "smollm2-135m"
ROUNDS = int(os.environ.get("PLAYGROUND_ROUNDS") or 100)
SHOWN = (1, 5, 10, 20, 30, 40, 50, 75, 100)
PAGE_EVERY = 50  # rounds between two visits with the browser
SLOW = 600_000  # milliseconds; a bound for failing, not a wait
QUESTIONS = ("Do you like rain?", "Tell me about the sea.", "What is a ship?")


class Visitor:
    """One program and one browser, and what comes next in each row of things to do."""

    def __init__(self, url: str, context: BrowserContext, first: int) -> None:
        self.url, self.client, self.page = url, Client(url, verbose=False), context.new_page()
        self.methods, self.forms, self.ready_made, self.questions = (
            islice(cycle(things), first, None) for things in (FRONT, FORMS, examples(), QUESTIONS)
        )
        self.made = "pirate-lora"

    def call(self, name: str, *values: Any) -> Any:
        return self.client.predict(*values, api_name=f"/{name}")

    def round(self, place: int) -> None:
        """What takes no time, and in turns one of what does."""
        question = next(self.questions)
        self.call("compare", BASE, question, ["base", next(self.ready_made), self.made], 2)
        self.call("low_rank", "pirate-lora", "")
        self.call("soft_prompt", "pirate-prompt_tuning", 3)
        self.call("quantize", BASE, "", ["int8", "nf4"], "", 64, False)
        self.call("anatomy", "nf4", 0.3)
        self.call("accumulate")
        if place % 3 == 0:
            self.train(next(self.methods))
        elif place % 3 == 1:
            self.call("compare", BASE, question, ["base", f"base:{next(self.forms)}"], 2)
        else:
            self.call("truncate", "pirate-lora", question, 1, 1.0, [], [], 2)

    def train(self, method: str) -> None:
        """One step on the shortest task; what can be downloaded goes there and back."""
        last = self.call("train", BASE, method, "sentiment", {}, 0 if method == "few_shot" else 1, 0)
        self.made = last["adapter"]["id"]
        if method in DOWNLOADABLE:
            zipped = self.call("download_adapter", self.made)
            self.call("upload_adapter", handle_file(zipped), BASE)

    def visit(self) -> None:
        """What only the page does: the labs drawn, two adapters beside each other, activations, a pair, a merge."""
        page = self.page
        open_page(page, f"{self.url}/?lang=en&max_new_tokens=3")
        for place, press in enumerate((compare, train, lowrank, quantize), start=1):  # after Learn
            page.get_by_role("tab").nth(place).click()
            press(page)


def compare(page: Page) -> None:
    page.locator("#compare").click()
    expect(page.locator("#compare-notice")).to_contain_text("Done", timeout=SLOW)


def train(page: Page) -> None:
    set_number(page, "#steps", 1)
    page.locator("#train").click()
    expect(page.locator("#status")).to_contain_text("1 step in", timeout=SLOW)


def lowrank(page: Page) -> None:
    expect(page.locator("#lab-module")).to_contain_text("effective rank", timeout=SLOW)
    for button, notice in (("#lab-answer", "#lab-notice"), ("#sweep-kinds", "#sweep-notice")):
        page.locator(button).click()
        expect(page.locator(notice)).to_contain_text("Done", timeout=SLOW)
    page.locator("#overlap-go").click()
    expect(page.locator("#overlap-said")).to_contain_text("φ(1, 1)", timeout=SLOW)


def quantize(page: Page) -> None:
    expect(page.locator("#tensor-table table")).to_be_visible(timeout=SLOW)
    expect(page.locator("#calibration-network table")).to_be_visible(timeout=SLOW)
    set_number(page, "#qlora-steps", 1)
    page.locator("#qlora-go").click()
    expect(page.locator("#qlora-status")).to_contain_text("1 step in", timeout=SLOW)
    for button, notice in (("#qlora-ask", "#qlora-notice"), ("#qlora-merge-go", "#qlora-merge-notice")):
        page.locator(button).click()
        expect(page.locator(notice)).to_contain_text("Done", timeout=SLOW)


def set_number(page: Page, element: str, value: int) -> None:
    field = page.locator(f"{element} input[type=number]")
    field.fill(str(value))
    field.press("Tab")


def memory(process_id: int) -> tuple[int, int, int]:
    """(private, resident, highest resident since the last time) bytes of a process."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    kilobytes = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines) if "kB" in value}
    Path(f"/proc/{process_id}/clear_refs").write_text("5")  # the highest begins anew
    return 1024 * kilobytes["RssAnon"], 1024 * kilobytes["VmRSS"], 1024 * kilobytes["VmHWM"]


def rounds(url: str, process_id: int) -> Iterator[tuple[str, float, int, int, int]]:
    """(round, minutes, private, resident, highest resident since the row before) at the start and at each of SHOWN."""
    begin = time.perf_counter()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        visitors = [Visitor(url, browser.new_context(locale="en-US"), first) for first in range(2)]
        rest = partial(visitors[0].call, "compare", BASE, "Hello?", ["base"], 1)
        rest()
        yield "start", 0.0, *memory(process_id)
        for place in range(1, ROUNDS + 1):
            for turn, visitor in enumerate(visitors):
                visitor.round(place + turn)
                if place % PAGE_EVERY == 1:
                    visitor.visit()
            if place in (*SHOWN, ROUNDS):
                rest()
                yield str(place), (time.perf_counter() - begin) / 60, *memory(process_id)
        browser.close()


def study() -> None:
    say: Callable[[int], str] = lambda count: f"{count / 1e9:.2f} GB"  # noqa: E731
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "log.txt") as (url, process_id):
        found = []
        for name, minutes, *sizes in rounds(url, process_id):
            found.append([name, f"{minutes:.0f}", *map(say, sizes)])
            print(*found[-1], flush=True)
    head = ["round", "minutes", "private memory", "resident", "highest resident since"]
    note = (
        "Two visitors in turns. A round each: a comparison of the base, a ready-made adapter and one's own, an adapter "
        "opened, a soft prompt, formats; in turns a training by the next method (full fine-tuning among them) with a "
        "download and an upload, the base beside the next of its forms, an adapter cut, answered with and measured. In "
        "rounds 1 and 51 all four tabs in a browser, with a pair of trainings and a merge. Private: anonymous, at rest. "
        "Highest: while full fine-tuning trains, with gradients and two numbers a weight of its optimizer. "
        "The embedded base is mapped from its file: resident only."
    )
    write("memory", "Memory of the server, two visitors who do everything", head, found, note)
