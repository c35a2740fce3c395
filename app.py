"""
Builds the page and serves it, nothing more.

The page is served at once; the base model is loaded beside it. Host and port come from Gradio's usual environment
variables (GRADIO_SERVER_NAME, GRADIO_SERVER_PORT).
"""

import os
import threading

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from fastapi import Depends, Request

from playground import settings
from playground.errors import PlaygroundError
from playground.model.bases import BASES
from playground.ui.kit.theme import CSS, HEAD, THEME, WORDS
from playground.ui.page import build_page

demo = build_page()


IMPORTED = threading.Event()


def warm_up() -> None:
    """Import torch and what builds on it, and load the default base, while the page is already there."""
    try:
        import peft  # noqa: F401  brings torch, transformers and bitsandbytes
    finally:
        IMPORTED.set()
    try:
        BASES.get(settings.DEFAULT_BASE)
    except PlaygroundError as error:  # the header of the page says the same
        print(error, flush=True)


def imported(request: Request) -> None:
    """What asks for work waits for the imports: a package that two threads import at once is seen half made by one."""
    if request.method == "POST":
        IMPORTED.wait()


def main() -> None:
    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
    demo.queue(default_concurrency_limit=None, max_size=settings.MAX_QUEUE).launch(
        app_kwargs={"dependencies": [Depends(imported)]},
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
    )


if __name__ == "__main__":
    main()
