"""
One browser for the browser tests; without Chromium they fail with one line that says what to install.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, expect, sync_playwright

ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
expect.set_options(timeout=180_000)  # milliseconds; a bound for failing, not a wait


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("The browser tests need Chromium: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """An English laptop in daylight. Its cached files make the second opening of the page half as dear as the first."""
    with browser.new_context(locale="en-US", color_scheme="light", viewport={"width": 1280, "height": 900}) as context:
        context.set_default_timeout(180_000)  # as above
        yield context


@pytest.fixture
def page(context: BrowserContext, server: str) -> Iterator[Page]:
    """The page, opened by a visitor of this test's own."""
    with visitor(context, server) as page:
        yield page


@contextmanager
def visitor(context: BrowserContext, url: str) -> Iterator[Page]:
    """
    Somebody new opens a page in this browser, which keeps its cached files but remembers nobody. Console errors and
    requests to other hosts fail the test.
    """
    page = context.new_page()
    context.new_cdp_session(page).send(
        "Storage.clearDataForOrigin", {"origin": url.partition("/?")[0], "storageTypes": "local_storage"}
    )
    wrong = watch(page)
    open_page(page, url)
    yield page
    page.close()
    assert wrong == []


LEAVING = ("AbortError", "Connection errored out", "net::ERR_")  # gradio's words when a page with a stream is left


def watch(page: Page) -> list[str]:
    """Collects console errors, what the server failed to answer, and requests that leave the machine."""
    wrong: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(word in message.text for word in LEAVING):
            wrong.append(message.text)

    def asked(request: Request) -> None:
        if request.url.startswith("http") and "//127.0.0.1:" not in request.url:
            wrong.append(request.url)

    def answered(response: Response) -> None:
        if response.status >= 500:
            wrong.append(f"{response.status} {response.url} {(response.request.post_data or '')[:500]}")

    page.on("console", heard)
    page.on("request", asked)
    page.on("response", answered)
    return wrong


def section(page: Page, name: str) -> None:
    """Open a section of the lab that is open; on a phone its list is a select."""
    tab, pick = page.locator(f".pp-sections > .tab-wrapper [role=tab][data-tab-id={name}]"), page.locator(".pp-pick select")
    expect(tab.or_(pick).filter(visible=True).first).to_be_visible()  # the lab is there
    if tab.is_visible():
        tab.click()
    else:
        page.locator(".pp-pick:visible select").select_option(name)
    expect(page.locator(f"#copy-{name}")).to_be_visible()


def unfold(page: Page, *titles: str) -> None:
    """Open folds of the section that is open, where they are closed."""
    for title in titles:
        fold = page.locator(".pp-more:visible .label-wrap", has_text=title)
        if "open" not in (fold.get_attribute("class") or "").split():
            fold.click()


def open_page(page: Page, url: str) -> None:
    """Open it and wait until the load handlers have spoken: the visitor's key is stored by them."""
    page.set_default_timeout(180_000)  # as above, also in a context of a test's own
    page.goto(url)
    page.wait_for_selector("#panes .pp-pane", state="attached")  # a link may open another tab
    page.wait_for_function("localStorage.getItem('peft-playground-visitor') !== null")
