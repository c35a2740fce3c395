"""A push to a small hub on the loopback address, by huggingface_hub's own client (HF_ENDPOINT), and what that may refuse."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from playground import locales
from playground.errors import PlaygroundError
from playground.export.hub import push

ROOT = Path(__file__).parents[2]
GOOD, READS = "hf_writes", "hf_reads"
PUSHES = """
import json, sys
from pathlib import Path
from playground.errors import PlaygroundError
from playground.export.hub import push
for name, token in json.loads(sys.argv[2]):
    try:
        print(json.dumps(["there", push(Path(sys.argv[1]), name, token)]))
    except PlaygroundError as error:
        print(json.dumps([error.key, error.message("es")]))
"""


class Hub(ThreadingHTTPServer):
    """Repositories by their names: whether they are private, and their files. Whoever writes is "ana"."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.private: dict[str, bool] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.tokens: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *told: Any) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        self.server.tokens.add(token)
        if token not in (GOOD, READS):
            return self._say(401, {"error": "Invalid username or password."})
        if token == READS:
            return self._say(403, {"error": "You don't have the rights to create a model."})
        if self.path == "/api/repos/create":
            return self._create(json.loads(body))
        if self.path == "/api/validate-yaml":
            return self._say(200, {"errors": [], "warnings": []})
        name, action = "/".join(self.path.split("/")[3:5]), self.path.split("/")[5]
        if action == "preupload":
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in json.loads(body)["files"]
            ]
            return self._say(200, {"files": files})
        lines = [json.loads(line) for line in body.splitlines()]
        put = {line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"}
        self.server.files[name] |= put
        self._say(200, {"success": True, "commitOid": "0" * 40, "commitUrl": f"{self.server.url}/{name}/commit/{'0' * 40}"})

    def do_GET(self) -> None:
        self._say(404, {"error": "not here"})

    do_HEAD = do_GET  # noqa: N815

    def _create(self, asked: Any) -> None:
        name = f"{asked.get('organization') or 'ana'}/{asked['name']}"
        if name.startswith("busy/"):
            return self._say(429, {"error": "Too many requests"})
        there = name in self.server.files
        self.server.private.setdefault(name, bool(asked.get("private") or asked.get("visibility") == "private"))
        self.server.files.setdefault(name, {})
        self._say(409 if there else 200, {"url": f"{self.server.url}/{name}", "name": name, "id": name})

    def _say(self, status: int, answer: Any) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "adapter"
    made.mkdir()
    (made / "README.md").write_text("---\nlibrary_name: peft\n---\n# Mine\n")
    (made / "adapter_model.safetensors").write_bytes(bytes(range(256)))
    return made


def pushed(folder: Path, asked: list[tuple[str, str]], **environment: str) -> list[tuple[str, str]]:
    """What a process of its own makes of pushes, one after the other: the client reads HF_ENDPOINT when it is imported."""
    known = {"HF_HOME": str(folder.parent / "home"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PUSHES, str(folder), json.dumps(asked)]
    done = subprocess.run(
        command, env={**os.environ, **known, **environment}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not any(token in done.stdout + done.stderr for _, token in asked if token)  # no token is written anywhere
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_a_folder_is_in_the_repository_afterwards_and_other_ends_are_sentences(hub: Hub, folder: Path) -> None:
    names = ["mine", "mine", "busy/one", "a/b/c", "other/one", "mine"]
    tokens = [GOOD, GOOD, GOOD, GOOD, READS, "hf_nobody"]
    found = pushed(folder, list(zip(names, tokens, strict=True)), HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="0")
    keys = ["there", "there", "push_rate", "push_name", "push_forbidden", "push_token"]
    assert [key for key, _ in found] == keys
    assert found[0][1] == f"{hub.url}/ana/mine"
    assert hub.files == {"ana/mine": {one.name: one.read_bytes() for one in folder.iterdir()}}
    assert hub.private == {"ana/mine": True}
    assert hub.tokens == {GOOD, READS, "hf_nobody"}
    assert "other/one" in found[4][1]


@pytest.mark.parametrize(
    "environment", [{"HF_HUB_OFFLINE": "1"}, {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"}]
)
def test_without_a_network_it_says_so(folder: Path, environment: dict[str, str]) -> None:
    ((key, said),) = pushed(folder, [("mine", GOOD)], **environment)
    assert key == "push_offline"
    assert said == locales.text("es", "error.push_offline")


@pytest.mark.parametrize(("name", "token", "key"), [(" ", GOOD, "push_no_name"), ("mine", " ", "push_no_token")])
def test_what_is_missing_is_said_before_anybody_is_asked(folder: Path, name: str, token: str, key: str) -> None:
    with pytest.raises(PlaygroundError) as error:
        push(folder, name, token)
    assert error.value.key == key
