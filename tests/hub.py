"""
A small Hugging Face hub on the loopback address, as huggingface_hub's own client speaks to it: repositories are folders,
some of them gated, private or gone, and all of it can be rate-limited or broken.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

SHA = "1" * 40
RESOLVED = re.compile(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)")
ASKED = re.compile(r"/api/models/([^/]+/[^/?]+)(/tree/[^?]+|/revision/[^?]+)?")


@dataclass
class Hub:
    """`gated` names repositories whose files nobody gets; `status` answers everything where it is set, as 429 does."""

    folders: dict[str, Path] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    status: int = 0
    asked: list[str] = field(default_factory=list)  # paths of all requests
    held: threading.Event | None = None  # weights come only when it is set
    begun: threading.Event = field(default_factory=threading.Event)  # somebody waits for weights
    url: str = ""

    def files(self, repository: str) -> dict[str, bytes]:
        folder = self.folders[repository]
        return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


@contextmanager
def hub_served() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, hub)

        do_HEAD = do_GET  # noqa: N815  http.server asks for this name

        def log_message(self, *said: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        if hub.held:
            hub.held.set()
        server.shutdown()
        server.server_close()


def at(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets huggingface_hub speak to it, as HF_ENDPOINT and HF_HUB_CACHE do before it is imported."""
    told = {
        "ENDPOINT": hub.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": hub.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_OFFLINE": False,
    }
    for name, value in told.items():
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)


def answer(request: Any, hub: Hub) -> None:
    hub.asked.append(request.path)
    resolved, asked = RESOLVED.fullmatch(request.path.partition("?")[0]), ASKED.match(request.path)
    found = resolved or asked
    if hub.status:
        return sent(request, hub.status, b"", {})
    if found is None or found[1] not in hub.folders:
        return sent(request, 401, b"", {"X-Error-Code": "RepoNotFound"})  # what the hub says to who is not signed in
    files = hub.files(found[1])
    if asked:
        tree = (asked[2] or "").startswith("/tree/")
        return sent(request, 200, json.dumps(listed(files) if tree else about(found[1], files, hub)).encode(), {})
    if found[1] in hub.gated:
        return sent(request, 403, b"", {"X-Error-Code": "GatedRepo"})
    if found[2] not in files:
        return sent(request, 404, b"", {"X-Error-Code": "EntryNotFound"})
    weights = found[2].endswith(".safetensors") and request.command == "GET" and "bytes=0-100000" not in ranged(request)
    if hub.held and weights:
        hub.begun.set()
        hub.held.wait(60)
    return send_file(request, files[found[2]])


def about(repository: str, files: dict[str, bytes], hub: Hub) -> dict[str, Any]:
    """As `/api/models/{id}?blobs=true` has it; the card's front matter is README's."""
    card = files.get("README.md", b"").decode().split("---")
    told = yaml.safe_load(card[1]) if len(card) > 2 else {}
    siblings = [{"rfilename": name, "size": len(one)} for name, one in files.items()]
    gated = "manual" if repository in hub.gated else False
    return {
        "id": repository,
        "sha": SHA,
        "siblings": siblings,
        "gated": gated,
        "private": False,
        "tags": [],
        "cardData": told,
    }


def listed(files: dict[str, bytes]) -> list[dict[str, Any]]:
    return [{"type": "file", "path": name, "size": len(one), "oid": oid(one)} for name, one in files.items()]


def oid(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def ranged(request: Any) -> str:
    return request.headers.get("range") or ""


def send_file(request: Any, content: bytes) -> None:
    told = {"ETag": f'"{oid(content)}"', "X-Repo-Commit": SHA, "Accept-Ranges": "bytes"}
    part = re.fullmatch(r"bytes=(\d+)-(\d*)", ranged(request))
    if part is None:
        return sent(request, 200, content, told)
    first, last = int(part[1]), min(int(part[2] or len(content)), len(content) - 1)
    told["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    return sent(request, 206, content[first : last + 1], told)


def sent(request: Any, status: int, content: bytes, told: dict[str, str]) -> None:
    try:
        request.send_response(status)
        for name, value in {**told, "Content-Length": str(len(content))}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content)
    except (BrokenPipeError, ConnectionResetError):  # whoever asked has stopped
        pass
