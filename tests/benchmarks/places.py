"""
The same training, asked for on the page of every place where work can run: when its first step and its adapter are there,
how far its losses are from those of the page's own thread, and what travelled to whoever follows it.

Not the real ones everywhere: ZeroGPU is `spaces` itself with this machine's processor for a GPU (`tests.zero_space`), the
hub of Hugging Face Jobs is on the loopback address, and the script that a job would run runs here (`tests.jobs_hub`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gradio_client import Client

from playground.model import embedded
from tests.benchmarks.cluster import ray_cluster
from tests.benchmarks.table import write
from tests.jobs_hub import ANA, JobsHub, jobs_hub
from tests.serving import APP, serving

BASE, THERE, REPOSITORY = "smollm2-135m", "ana/smollm2", "mine"
STEPS = 8
TRAINING: list[Any] = [BASE, "lora", "pirate", {}, STEPS, 0]
POLL = 0.2  # seconds from one look at a job's output to the next


@dataclass(frozen=True)
class Run:
    """What a program saw of a training: seconds from its request, the loss of each step, bytes that it was told."""

    first: float
    last: float
    losses: Mapping[int, float]
    told: int
    adapter: str


def study() -> None:
    with _page() as client:
        _train(client)
        thread = _train(client)
    rows = [_row("the page's thread", thread, thread)]
    with _page(command=("-m", "tests.zero_space", "serve")) as client:
        _train(client)
        rows.append(_row("ZeroGPU", _train(client), thread))
    if find_spec("ray"):
        with ray_cluster(), _page(PLAYGROUND_RAY="auto", PLAYGROUND_RAY_CORES="2") as client:
            _train(client)
            rows.append(_row("a Ray worker", _train(client), thread))
    rows.append(_row("a job of the hub", _job(), thread))
    head = [
        "", "first step", "adapter is there", "against the thread", "largest difference of a step's loss", "told, kB",
    ]  # fmt: skip
    note = (
        f"LoRA on the pirate, {STEPS} steps, for the second time on the same page (a job: for the first and only time, in a "
        "process of its own that downloads the base first, in bfloat16). ZeroGPU is `spaces` itself with a processor for a "
        "GPU; nothing of it was measured on a GPU, on a Space or on the real hub."
    )
    write("places", "The same training in every place", head, rows, note)


def _row(name: str, seen: Run, thread: Run) -> list[str]:
    apart = max(abs(seen.losses[step] - loss) for step, loss in thread.losses.items())
    ratio = f"{seen.last / thread.last:.2f} ×"
    return [name, f"{seen.first:.1f} s", f"{seen.last:.1f} s", ratio, f"{apart:.4f}", f"{seen.told / 1000:.1f}"]


@contextmanager
def _page(command: tuple[str, ...] = APP, **settings: str) -> Iterator[Client]:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "log", command, **settings) as (url, _):
        yield Client(url, verbose=False)


def _train(client: Client) -> Run:
    def found(told: Mapping[str, Any]) -> list[tuple[int, float]]:
        return [(told["step"], told["loss"])] if told["event"] == "step" else []

    return _followed(client.submit(*TRAINING, api_name="/train"), found)


def _followed(events: Any, found: Callable[[Mapping[str, Any]], list[tuple[int, float]]]) -> Run:
    begin, first, size, losses, told = time.perf_counter(), 0.0, 0, dict[int, float](), dict[str, Any]()
    for told in events:
        size += len(json.dumps(told))
        losses |= dict(found(told))
        first = first or (time.perf_counter() - begin if losses else 0.0)
    adapter = (told.get("adapter") or {}).get("id", "")
    return Run(first, time.perf_counter() - begin, losses, size, adapter)


def _job() -> Run:
    """Trained on the page's thread, and the same recipe sent as a job on the same weights."""
    with jobs_hub() as hub, tempfile.TemporaryDirectory() as folder:
        hub.folders[THERE] = embedded.prepare()
        settings = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
        with _page(**settings, HF_HUB_CACHE=f"{folder}/page", PLAYGROUND_ANY_BASE="on") as client:
            adapter = _train(client).adapter
            runner = threading.Thread(target=_run_as_a_job, args=(hub, Path(folder), settings), daemon=True)
            runner.start()
            asked = client.submit(adapter, REPOSITORY, ANA, THERE, "l4x1", api_name="/run_gpu_job")
            return _followed(asked, lambda told: [(int(step), loss) for step, loss in told["losses"]])


def _run_as_a_job(hub: JobsHub, folder: Path, settings: Mapping[str, str]) -> None:
    """What a machine of the hub does with the script that was sent; its output so far is the job's log."""
    hub.stages = [("SCHEDULING", [])]
    while not hub.jobs:
        time.sleep(POLL)
    work = folder / "job"
    work.mkdir()
    for name, content in hub.files_of[f"ana/{REPOSITORY}"].items():
        (work / name).write_bytes(content)
    env = os.environ | settings | {"HF_TOKEN": ANA, "HF_HUB_CACHE": f"{folder}/there", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "train.py"], cwd=work, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:  # fmt: skip
        lines: list[str] = []
        for line in process.stdout or ():
            lines.append(line.rstrip())
            hub.stages = [("RUNNING", list(lines))]
    hub.stages = [("ERROR" if process.returncode else "COMPLETED", lines)]
