"""
One server and one browser for the browser tests; without Chromium they fail with one line that says what to install.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(log: Path) -> tuple[subprocess.Popen, str]:
    """Start `python app.py` on a free port and wait until it answers."""
    port = free_port()
    env = {**os.environ, "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=env, stdout=log.open("w"), stderr=subprocess.STDOUT)
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(url, timeout=2)
        except OSError:
            time.sleep(0.2)
        else:
            return process, url
    process.kill()
    raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, base) -> Iterator[str]:
    """The page on a free port, its base already prepared (the `base` fixture does that)."""
    process, url = serve(tmp_path_factory.mktemp("server") / "log.txt")
    yield url
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("The browser tests need Chromium: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor of their own: English, light, a laptop."""
    with browser.new_context(locale="en-US", color_scheme="light", viewport={"width": 1280, "height": 900}) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext, server: str) -> Iterator[Page]:
    """The opened page. Console errors and requests to other hosts fail the test."""
    page = context.new_page()
    wrong = watch(page)
    open_page(page, server)
    yield page
    assert wrong == []


LEAVING = ("AbortError", "Connection errored out", "net::ERR_")  # gradio's words when a page with a stream is left


def watch(page: Page) -> list[str]:
    """Collects console errors and requests that leave the machine."""
    wrong: list[str] = []
    page.on("console", lambda m: m.type == "error" and not any(word in m.text for word in LEAVING) and wrong.append(m.text))
    page.on("request", lambda r: r.url.startswith("http") and "//127.0.0.1:" not in r.url and wrong.append(r.url))
    return wrong


def open_page(page: Page, url: str) -> None:
    """Open it and wait until the load handlers have spoken: the visitor's key is stored by them."""
    page.goto(url)
    page.wait_for_selector("#panes .pp-pane")
    page.wait_for_function("localStorage.getItem('peft-playground-visitor') !== null")
