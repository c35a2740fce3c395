"""
A small Hugging Face hub on the loopback address, which huggingface_hub's own client reads data sets from: whole ones, gated
and missing ones, and one that answers too many requests.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

STATE = "0123456789abcdef0123456789abcdef01234567"  # the commit that everything is in
REFUSED = {  # by the data set's name: status and what the hub says about it
    "gated": (403, "GatedRepo"),
    "busy": (429, ""),
    "broken": (500, ""),
}


@contextmanager
def hub(files: Mapping[str, Mapping[str, bytes]]) -> Iterator[tuple[str, list[str]]]:
    """A hub with data sets by their ids, each with its files; its address, and the requests that it has had."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            asked.append(f"{self.command} {path} {self.headers.get('range', '')}".strip())
            parts = path.strip("/").split("/")
            parts = parts[1:] if parts[0] == "api" else parts
            name, rest = "/".join(parts[1:3]), parts[3:]
            status, code = REFUSED.get(parts[2] if len(parts) > 2 else "", (0, ""))
            if status:
                self.say(status, b"{}", {"X-Error-Code": code} if code else {})
            elif name not in files:
                self.say(401, b'{"error": "Invalid username or password."}', {"X-Error-Code": "RepoNotFound"})
            elif rest[:1] == ["resolve"]:
                self.send_file(files[name].get("/".join(rest[2:])))
            elif rest[:1] == ["paths-info"] or rest[:1] == ["tree"]:
                self.say(200, json.dumps([self.entry(name, one) for one in files[name]]).encode())
            else:
                told = {"id": name, "sha": STATE, "gated": False, "private": False, "tags": [], "downloads": 0, "likes": 0}
                self.say(200, json.dumps(told | {"siblings": [{"rfilename": one} for one in files[name]]}).encode())

        def entry(self, name: str, path: str) -> dict[str, object]:
            return {"type": "file", "path": path, "size": len(files[name][path]), "oid": STATE}

        def send_file(self, data: bytes | None) -> None:
            if data is None:
                self.say(404, b"", {"X-Error-Code": "EntryNotFound"})
                return
            about = {"ETag": '"1"', "X-Repo-Commit": STATE, "Accept-Ranges": "bytes"}
            wanted = self.headers.get("range")
            if wanted:
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                end = min(int(last) + 1 if last else len(data), len(data))
                about["Content-Range"] = f"bytes {first}-{end - 1}/{len(data)}"
                self.say(206, data[int(first) : end], about)
            else:
                self.say(200, data, about)

        def say(self, status: int, data: bytes, about: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in {
                "Content-Length": str(len(data)),
                "Content-Type": "application/json",
                **(about or {}),
            }.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing: the tests look at what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
