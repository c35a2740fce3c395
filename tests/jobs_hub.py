"""
A small hub on the loopback address that also runs jobs, as huggingface_hub's own client speaks to it: repositories can be
written, prices are told, and a job goes through the stages and prints the lines that a test has given it.

What it answers was recorded from the client's source (huggingface_hub 2.4.0: `hf_api.py`, `_jobs_api.py`) and the Hub's
documentation of Jobs.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.hub import RESOLVED, SHA, about, listed, send_file, sent

ANA, READS, POOR, BARRED = "hf_ana", "hf_reads", "hf_poor", "hf_barred"  # tokens: may all, may not write, has no credit …
KNOWN = (ANA, READS, POOR, BARRED)
HARDWARE = [
    {"name": "cpu-basic", "prettyName": "CPU Basic", "cpu": "2 vCPU", "ram": "16 GB", "accelerator": None,
     "unitCostMicroUSD": 167, "unitCostUSD": 0.000167, "unitLabel": "minute"},
    {"name": "l4x1", "prettyName": "1x Nvidia L4", "cpu": "8 vCPU", "ram": "30 GB", "ephemeralStorage": "400 GB",
     "accelerator": {"type": "gpu", "model": "L4", "quantity": "1", "vram": "24 GB", "manufacturer": "Nvidia"},
     "unitCostMicroUSD": 15000, "unitCostUSD": 0.015, "unitLabel": "minute"},
]  # fmt: skip
JOB = re.compile(r"/api/jobs/ana/([^/?]+)(/logs|/cancel)?")


@dataclass
class JobsHub:
    """
    `stages`: what a job is at each look with the lines of its log, the last one from then on. `gated` is nobody.
    """

    url: str = ""
    files_of: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)  # models that anybody may read
    gated: set[str] = field(default_factory=set)
    hardware: list[dict[str, Any]] = field(default_factory=lambda: list(HARDWARE))
    stages: list[tuple[str, list[str]]] = field(default_factory=lambda: [("COMPLETED", [])])
    looks: int = 0
    fails: int = 0  # looks that the hub does not answer
    message: str = ""
    jobs: list[dict[str, Any]] = field(default_factory=list)  # as they were asked for
    cancelled: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def now(self) -> tuple[str, list[str]]:
        return (
            ("CANCELED", self.stages[-1][1])
            if self.cancelled
            else self.stages[max(1, min(self.looks, len(self.stages))) - 1]
        )

    def told(self, job: str) -> dict[str, Any]:
        return {
            "id": job, "createdAt": "2026-01-02T09:00:00.000Z", "dockerImage": "ghcr.io/astral-sh/uv:python3.12-bookworm",
            "command": self.jobs[-1]["command"], "arguments": [], "environment": {}, "flavor": self.jobs[-1]["flavor"],
            "status": {"stage": self.now()[0], "message": self.message or None}, "durations": {"runningSecs": 90},
            "owner": {"id": "1", "name": "ana", "type": "user"}, "type": "job",
        }  # fmt: skip


@contextmanager
def jobs_hub() -> Iterator[JobsHub]:
    hub = JobsHub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer_get(self, hub)

        do_HEAD = do_GET  # noqa: N815  http.server asks for this name

        def do_POST(self) -> None:
            answer_post(self, hub, self.rfile.read(int(self.headers["content-length"] or 0)))

        def log_message(self, *said: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def token_of(request: Any, hub: JobsHub) -> str:
    found: str = (request.headers.get("authorization") or "").removeprefix("Bearer ")
    hub.tokens.add(found)
    return found


def say(request: Any, status: int, found: Any, **told: str) -> None:
    sent(request, status, json.dumps(found).encode(), {"content-type": "application/json", **told})


def answer_get(request: Any, hub: JobsHub) -> None:
    hub.asked.append(request.path)
    path, token = request.path.partition("?")[0], token_of(request, hub)
    if path == "/api/jobs/hardware":
        return say(request, 200, hub.hardware)
    if path == "/api/whoami-v2":
        who = {"type": "user", "name": "ana"} if token in KNOWN else {"error": "Invalid username or password."}
        return say(request, 200 if token in KNOWN else 401, who)
    if job := JOB.fullmatch(path):
        if hub.fails:
            hub.fails -= 1
            return say(request, 502, {"error": "Bad gateway"})
        if job[1] != "job-1" or not hub.jobs:
            return say(request, 404, {"error": "Job not found"})
        if job[2] == "/logs":
            lines = ["===== Job started at 2026-01-02 09:00:00 =====", *hub.now()[1]]
            events = [{"data": line, "timestamp": "2026-01-02T09:00:01.000Z"} for line in lines]
            body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
            return sent(request, 200, body.encode(), {"content-type": "text/event-stream"})
        hub.looks += 1
        return say(request, 200, hub.told(job[1]))
    resolved = RESOLVED.fullmatch(path)
    name = resolved[1] if resolved else "/".join(path.split("/")[3:5])
    hidden = hub.private.get(name) and token not in KNOWN  # all of them are tokens of one account
    files = None if hidden else hub.files_of.get(name)
    if name in hub.folders:
        folder = hub.folders[name]
        files = {one.name: one.read_bytes() for one in sorted(folder.iterdir()) if one.is_file()}
    if files is None:
        return say(request, 401, {"error": "Repository not found"}, **{"X-Error-Code": "RepoNotFound"})
    if resolved is None:
        told = {**about(name, files, hub), "private": hub.private.get(name, False)}
        return say(request, 200, listed(files) if "/tree/" in path else told)
    if resolved[2] not in files:
        return say(request, 404, {"error": "Entry not found"}, **{"X-Error-Code": "EntryNotFound"})
    return send_file(request, files[resolved[2]])


def answer_post(request: Any, hub: JobsHub, body: bytes) -> None:
    hub.asked.append(request.path)
    token = token_of(request, hub)
    if token not in KNOWN:
        return say(request, 401, {"error": "Invalid username or password."})
    if request.path == "/api/validate-yaml":
        return say(request, 200, {"errors": [], "warnings": []})
    if request.path == "/api/jobs/ana":
        if token == POOR:
            return say(request, 402, {"error": "Pre-paid credit balance is insufficient."})
        if token == BARRED:
            return say(request, 403, {"error": "Missing permission: job.write"})
        hub.jobs.append(json.loads(body))
        return say(request, 200, hub.told("job-1"))
    if job := JOB.fullmatch(request.path):
        hub.cancelled.append(job[1])
        return say(request, 200, {"ok": True})
    if token == READS:
        return say(request, 403, {"error": "You don't have the rights to create a model."})
    if request.path == "/api/repos/create":
        asked = json.loads(body)
        name = f"{asked.get('organization') or 'ana'}/{asked['name']}"
        there = name in hub.files_of
        hub.private.setdefault(name, bool(asked.get("private") or asked.get("visibility") == "private"))
        hub.files_of.setdefault(name, {})
        return say(request, 409 if there else 200, {"url": f"{hub.url}/{name}", "name": name, "id": name})
    return written(request, hub, "/".join(request.path.split("/")[3:5]), body)


def written(request: Any, hub: JobsHub, name: str, body: bytes) -> None:
    """A commit, and what is asked before one."""
    if request.path.split("/")[5] == "preupload":
        listed = json.loads(body)["files"]
        files = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in listed]
        return say(request, 200, {"files": files})
    lines = [json.loads(line) for line in body.splitlines()]
    put = {line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"}
    hub.files_of[name] |= put
    return say(request, 200, {"success": True, "commitOid": SHA, "commitUrl": f"{hub.url}/{name}/commit/{SHA}"})
