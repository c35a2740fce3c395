"""
How long the page takes to be there: with an empty cache, and the second time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request

from playwright.sync_api import sync_playwright

from tests.benchmarks.table import write
from tests.browser.conftest import ARGS
from tests.serving import ROOT, free_port


def start(cache: str) -> dict[str, float]:
    """Seconds until the page answers, shows its panes, has its base loaded, and shows a live first token."""
    port = free_port()
    env = {**os.environ, "PLAYGROUND_CACHE": cache, "GRADIO_SERVER_PORT": str(port), "HF_HUB_OFFLINE": "1"}
    begin = time.perf_counter()
    seconds: dict[str, float] = {}
    process = subprocess.Popen(
        [sys.executable, "app.py"], cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    try:
        while "answers" not in seconds:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=2)
                seconds["answers"] = time.perf_counter() - begin
            except OSError:
                time.sleep(0.05)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{port}")
            page.wait_for_selector("#panes .pp-pane")
            seconds["usable page"] = time.perf_counter() - begin
            page.wait_for_selector(".pp-state.pp-ready", timeout=600_000)
            seconds["base loaded"] = time.perf_counter() - begin
            clicked = time.perf_counter()
            page.locator("#compare").click()
            page.wait_for_selector("#panes .pp-caret", timeout=600_000)
            seconds["click to first token"] = time.perf_counter() - clicked
            browser.close()
    finally:
        process.kill()
        process.wait()
    return seconds


def study() -> None:
    with tempfile.TemporaryDirectory() as cache:
        first, second = start(cache), start(cache)
    head = ["", *first]
    rows = [[name, *(f"{value:.1f} s" for value in run.values())] for name, run in (("first", first), ("second", second))]
    note = "First: empty cache, the base is downloaded and converted. Both after installing the requirements."
    write("starting", "Starting the page", head, rows, note)
