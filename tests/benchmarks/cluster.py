"""
The class of `load` on a Ray cluster of this machine: on the page's own thread, on one worker with both cores, and on two
workers with a core each. What the page itself computes of it says how far more workers can help.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psutil

from tests.benchmarks.load import Seen, Sizes, ask, at_once, comparison
from tests.benchmarks.table import write
from tests.serving import serving

WAYS: Mapping[str, Mapping[str, str]] = {
    "the page's thread": {},
    "one worker, two cores": {"PLAYGROUND_RAY": "auto", "PLAYGROUND_RAY_CORES": "2"},
    "two workers, a core each": {"PLAYGROUND_RAY": "auto", "PLAYGROUND_RAY_CORES": "1"},
}
RAY = Path(sys.executable).with_name("ray")
WARM = 4  # comparisons at once, after which every worker has the base and the adapters
WORKERS = 2, 4, 8  # machines like this one, of which is calculated


CLASS = Sizes(more=0)


def study(sizes: Sizes = CLASS) -> None:
    begin = time.perf_counter()
    found = {name: _class(settings, sizes) for name, settings in WAYS.items()}
    rows = [[*seen.row(name), f"{page:.0f} s"] for name, (seen, page) in found.items()]
    head = [
        "", "errors", "first token, median", "95th percentile", "last comparison is done", "slowest / fastest",
        "longest training", "the page's process, resident before and after", "its processor time",
    ]  # fmt: skip
    seen, page = found["one worker, two cores"]
    whole = max(seen.until, *(one.last for one in seen.trained))
    beyond = ", ".join(f"{count} of them {max(whole / count, page):.0f} s" for count in WORKERS)
    note = (
        f"{sizes.pages} programs ask within {sizes.within:.0f} s as in load.md, {sizes.training} more train LoRA for "
        f"{sizes.steps} steps. Calculated beyond, for workers on machines like this one: if the {whole:.0f} s of one worker "
        f"are shared evenly, and the page's {page:.0f} s of processor time are not, a class takes at least {beyond}; what "
        f"travels (events of a few kilobytes) is left out. The whole study took {time.perf_counter() - begin:.0f} s."
    )
    write("cluster", "A class at once, on a Ray cluster of this machine", head, rows, note)


def _class(settings: Mapping[str, str], sizes: Sizes) -> tuple[Seen, float]:
    """What a class sees, and the seconds of processor time that the page's process takes for it."""
    with (
        tempfile.TemporaryDirectory() as folder, ray_cluster() if settings else nullcontext(),
        serving(Path(folder) / "log", **settings) as (url, process),
    ):  # fmt: skip
        server = psutil.Process(process)
        with ThreadPoolExecutor(WARM) as pool:
            list(pool.map(lambda place: ask(url, "compare", comparison(place, sizes)), range(WARM)))
        before = server.cpu_times()
        seen, after = at_once(url, sizes, server), server.cpu_times()
        return seen, after.user + after.system - before.user - before.system


@contextmanager
def ray_cluster() -> Iterator[None]:
    """A Ray cluster of two cores, by Ray's own command; it goes with the command."""
    start = [RAY, "start", "--head", "--block", "--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats"]
    command = subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert command.stdout
        assert any("Ray runtime started" in line for line in command.stdout), "Ray did not start"
        yield
    finally:
        command.terminate()
        command.wait(timeout=30)
