"""
Builds the page and serves it, nothing more.

The page is served at once; the base model is loaded beside it. Host and port come from Gradio's usual environment
variables (GRADIO_SERVER_NAME, GRADIO_SERVER_PORT).
"""

import os
import signal
import tempfile
import threading
from types import FrameType

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("GRADIO_TEMP_DIR", (FILES := tempfile.TemporaryDirectory(prefix="peft-playground-")).name)

from playground import settings
from playground.actions import work
from playground.actions.export import BIG, DOWNLOADS
from playground.errors import PlaygroundError
from playground.model import libraries
from playground.model.bases import BASES
from playground.ui.api.http import APP
from playground.ui.kit.theme import CSS, HEAD, THEME, WORDS
from playground.ui.page import build_page

demo = build_page()


def warm_up() -> None:
    """Import torch and all that builds on it, and load the default base, while the page is already there."""
    libraries.import_all()
    try:
        BASES.get(settings.DEFAULT_BASE)
    except PlaygroundError as error:  # the header of the page says the same
        print(error, flush=True)


def end(number: int, frame: FrameType | None) -> None:
    """As on Ctrl-C."""
    raise KeyboardInterrupt


def main() -> None:
    try:
        work.go(settings.RAY)
    except PlaygroundError as error:
        raise SystemExit(str(error)) from error
    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
    try:
        serve()
    finally:  # now: at the interpreter's end, a base that is being loaded would be waited for first
        for folder in (FILES, DOWNLOADS, BIG):
            folder.cleanup()


def serve() -> None:
    """Until somebody stops it."""
    demo.queue(default_concurrency_limit=None, max_size=settings.MAX_QUEUE).launch(
        app_kwargs=APP,
        theme=THEME,
        css=CSS,
        head=HEAD,
        i18n=WORDS,
        run_history=False,  # it would keep every question in the browser, for whoever sits there next
        footer_links=["api"],  # its settings would be a second switch of language and colours
        max_threads=4 * settings.MAX_QUEUE,  # every page that follows a job holds one
        max_file_size=settings.MAX_UPLOAD_BYTES,
        state_session_capacity=settings.MAX_PAGES,
        ssr_mode=False,
        mcp_server=True,
        # All that it turns off: gradio gives up where the page does not answer itself within three seconds, which is too
        # short where the first requests of many come at once
        _frontend=False,
    )


if __name__ == "__main__":
    main()
