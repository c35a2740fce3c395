"""
Calls of endpoints over plain HTTP.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

BOUND = 120.0  # seconds after which what does not answer has failed


def awaited(work: Coroutine[Any, Any, Any]) -> Any:
    """What it comes to, in a thread without a loop: Playwright's runs in this one once a browser test has begun."""
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, work).result()


def posted(url: str, name: str, body: Any, **headers: str) -> httpx.Response:
    """The answer to a POST of JSON, or of bytes that are none."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json", **headers}
    return httpx.post(f"{url}/gradio_api/call/{name}", content=content, headers=headers, timeout=BOUND)


def called(url: str, name: str, body: Any) -> Any:
    """What an endpoint gives at last. Its stream may go on for other calls of the same session."""
    job = posted(url, name, body).json()["event_id"]
    with httpx.stream("GET", f"{url}/gradio_api/call/{name.removeprefix('v2/')}/{job}", timeout=BOUND) as stream:
        lines = stream.iter_lines()
        event = next(line for line in lines if re.fullmatch("event: (complete|error)", line))
        data = next(lines).removeprefix("data: ")
    assert event == "event: complete", data
    return json.loads(data)[0]
