"""
A process as on a Space with ZeroGPU, for `test_real_zero`: the real `spaces`, which emulates CUDA here, forks,
and asks whoever lends GPUs; that is a server on the loopback address, and the GPU is this machine's processor.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import runpy
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from typing import Any
from urllib.parse import parse_qs, urlsplit

GRANTED = {"nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "token"}
NO_MORE = {"left": 3, "wait": "PT1H"}  # a quota, as the device API tells it with status 429


@dataclass
class Lender:
    """The device API: lends its one GPU to whoever asks, until it is told to refuse."""

    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    refuses: bool = False
    lent: bool = False

    def answer(self, path: str) -> tuple[int, Any]:
        url = urlsplit(path)
        self.asked.append((url.path, {name: one[0] for name, one in parse_qs(url.query).items()}))
        if url.path != "/schedule":
            return 200, None
        if self.refuses:
            return 429, NO_MORE
        idle, self.lent = self.lent, True  # from the second time on the process that had it is still there
        return 200, GRANTED | {"idle": idle}

    def seconds(self) -> list[int]:
        """What was asked for, each time."""
        return [int(values["durationSeconds"]) for path, values in self.asked if path == "/schedule"]


@contextmanager
def lending(lender: Lender) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, told = lender.answer(self.path)
            body = b"" if told is None else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def emulate() -> None:
    """Import `spaces` with a torch that was built for a CPU, and have what is on "cuda" stay in this machine's memory."""
    import torch

    torch.version.cuda = "13.0"
    torch._C._cuda_init = lambda: None
    torch.cuda._is_in_bad_fork = bool
    import bitsandbytes  # noqa: F401  it looks at once for what such a torch has not
    from spaces.zero import torch as emulated
    from spaces.zero.torch import patching

    def move(callback: Any = None) -> None:
        for there, here in patching.cuda_aliases.items():
            if here is not None:
                there.data = here
        for pack in patching.tensor_packs:  # what the page had on "cuda" when it was served lies on the disk
            with open(pack.path(), "rb") as file:
                for like, size, held in chain(*pack.batches, pack.big_tensors):
                    read = torch.frombuffer(bytearray(file.read(held)[:size]), dtype=torch.uint8).untyped_storage()
                    for there in pack.fakes[like]:
                        there.data = torch.empty(0, dtype=like.dtype).set_(read, 0, like.shape, like.stride())

    emulated.init, emulated.move = lambda uuid: None, move


@contextmanager
def space(lender: Lender) -> Iterator[None]:
    """Everything that is imported from now on is on such a Space."""
    with lending(lender) as url, tempfile.TemporaryDirectory() as packed:
        here = {"SPACES_ZERO_DEVICE_API_URL": url, "ZEROGPU_OFFLOAD_DIR": packed}
        os.environ |= {"SPACES_ZERO_GPU": "true", **here}
        emulate()
        yield


def serve() -> None:
    """The page there."""
    with space(Lender()):
        runpy.run_path("app.py", run_name="__main__")


def main() -> None:
    """Train twice there, once here, and once more when the quota is gone; print what came of it as JSON."""
    lender = Lender()
    with space(lender):
        from playground import settings
        from playground.actions import work
        from playground.actions.kinds import TRAINING
        from playground.actions.lanes import TRAIN
        from playground.adapt import tasks
        from playground.model import libraries
        from playground.model.bases import BASES
        from playground.train.job import Step, TrainingJob
        from playground.work.places import Work
        from playground.work.sessions import PLACES

        work.go(settings.RAY)
        libraries.IMPORTING.acquire()  # another thread loads something while the process is forked
        job = TrainingJob(settings.DEFAULT_BASE, "lora", tasks.task("sentiment"), {}, steps=2)

        def ended(place: Any) -> Any:
            run = place.submit(TRAIN, Work(TRAINING, job))
            for _ in run.changes():
                pass
            return run

        assert PLACES.away
        told: dict[str, Any] = {"where": PLACES.where().name, "here": str(BASES.get(settings.DEFAULT_BASE).device)}
        runs = [ended(place) for place in (PLACES.away, PLACES.away)]
        libraries.IMPORTING.release()
        runs.append(ended(PLACES.here))
        told["losses"] = [[one.loss for one in run.events if isinstance(one, Step)] for run in runs]
        told["states"] = [run.state for run in runs]
        lender.refuses = True
        told["refused"] = ended(PLACES.away).error.key
        told |= {"processes": sum(path == "/allow" for path, _ in lender.asked), "seconds": lender.seconds()}
    print(json.dumps(told))
    for process in multiprocessing.active_children():  # the one that was forked listens on
        process.kill()


if __name__ == "__main__":
    (serve if sys.argv[1:] == ["serve"] else main)()
