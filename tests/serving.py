"""
The program itself, started for the tests as a visitor starts it: one server for the API tests and the browser tests.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
APP = ("app.py",)
BOUND = 120.0  # seconds after which a server that does not answer has failed


@contextmanager
def served(log: Path) -> Iterator[str]:
    """`python app.py` on a free port, ended when the caller is done; gives its address once it answers."""
    with serving(log) as (url, _):
        yield url


@contextmanager
def serving(log: Path, command: Sequence[str] = APP, **settings: str) -> Iterator[tuple[str, int]]:
    """The same with its process id, perhaps by another `command`; `settings` are environment variables of its own."""
    port = free_port()
    where = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    env = {**os.environ, **settings, **where}
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield answering(process, f"http://127.0.0.1:{port}", log), process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answering(process: subprocess.Popen[bytes], url: str, log: Path) -> str:
    """`url`, once something answers there. Raises RuntimeError with the end of the log if nothing ever does."""
    deadline = time.monotonic() + BOUND
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=2)
        except OSError:
            time.sleep(0.2)
        else:
            return url
    raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}")
