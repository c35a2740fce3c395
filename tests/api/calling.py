"""
Calls of endpoints over plain HTTP.
"""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

BOUND = 120.0  # seconds after which what does not answer has failed


def posted(url: str, name: str, body: Any, **headers: str) -> httpx.Response:
    """The answer to a POST of JSON, or of bytes that are none."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json", **headers}
    return httpx.post(f"{url}/gradio_api/call/{name}", content=content, headers=headers, timeout=BOUND)


def called(url: str, name: str, body: Any) -> Any:
    """What an endpoint gives at last."""
    job = posted(url, name, body).json()["event_id"]
    answer = httpx.get(f"{url}/gradio_api/call/{name.removeprefix('v2/')}/{job}", timeout=BOUND).text
    event, data = re.findall(r"event: (\w+)\ndata: (.*)", answer)[-1]
    assert event == "complete", data
    return json.loads(data)[0]
