"""
What a written token costs in energy: estimated from what was published of each operation, measured where a machine tells.

    M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figure 1.1.9: 45 nm, 0.9 V

A token takes a multiply-add for each weight and reads each weight once; what it reads of the cache, and what processors
spend on fetching instructions, is not counted. Knows nothing about models or pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PICO, MICRO, MILLI = 1e-12, 1e-6, 1e-3
SOURCE = ("Horowitz, Computing’s energy problem, ISSCC 2014", "https://doi.org/10.1109/ISSCC.2014.6757323")
ADD = {"int8": 0.03, "int32": 0.1, "float16": 0.4, "float32": 0.9}  # pJ
MULTIPLY = {"int8": 0.2, "int32": 3.1, "float16": 1.1, "float32": 3.7}  # pJ
# pJ for the 64 bits that the table's memories give at a time; Sze et al. (2017, arXiv 1703.09039) have it as 640 pJ for 32
DRAM = (1300.0, 2600.0)
WORD = 8  # bytes
# What forms are multiplied and added in; bfloat16 is in no table of 2014, and stands at float16
ARITHMETIC = {
    "float32": ("float32", "float32"),
    "bfloat16": ("float16", "float16"),
    "int8_vectorwise": ("int8", "int32"),
    "nf4": ("float16", "float16"),  # turned back first
}
REST = "float32"  # the head's
POWERCAP = Path("/sys/class/powercap")  # Linux


@dataclass(frozen=True)
class Estimate:
    """Joules of a written token: all its multiply-adds, and reading the weights, at least and at most."""

    form: str
    arithmetic: float
    least: float
    most: float

    @property
    def total(self) -> tuple[float, float]:
        return self.arithmetic + self.least, self.arithmetic + self.most

    @property
    def reading(self) -> float:
        """The share of the least total that reading takes."""
        return self.least / self.total[0]


def multiply_add(form: str) -> float:
    """Joules of one."""
    multiplied, added = ARITHMETIC[form]
    return PICO * (MULTIPLY[multiplied] + ADD[added])


def estimates(inside: int, head: int, held: Mapping[str, int]) -> tuple[Estimate, ...]:
    """
    Each form of a base: `inside` weights of its layers are in the form, the `head`'s are not; `held` are the bytes of all.
    """
    least, most = (PICO * one / WORD for one in DRAM)
    return tuple(
        Estimate(
            form,
            inside * multiply_add(form) + head * multiply_add(REST),
            held[form] * least,
            held[form] * most,
        )
        for form in ARITHMETIC
    )


# Where a machine tells


class Meter(Protocol):
    """What measures the energy of something that runs for at least `seconds`; None where it fails to."""

    @property
    def seconds(self) -> float: ...

    def joules(self, run: Callable[[], None]) -> float | None: ...


@dataclass(frozen=True)
class Zone:
    """A counter of Linux's powercap in microjoules, which begins again from 0 after `last`."""

    counter: Path
    last: int

    def read(self) -> int:
        return int(self.counter.read_text())

    def since(self, before: int) -> int:
        """Microjoules, as long as it has not begun again twice."""
        grown = self.read() - before
        return grown if grown >= 0 else grown + self.last


@dataclass(frozen=True)
class Rapl:
    """Intel's and AMD's running average power limit: the whole processors, and their memory where it has a counter."""

    zones: tuple[Zone, ...]
    seconds: float = 0.3  # the counters move every millisecond

    def joules(self, run: Callable[[], None]) -> float | None:
        try:
            before = [zone.read() for zone in self.zones]
            run()
            return MICRO * sum(zone.since(one) for zone, one in zip(self.zones, before, strict=True))
        except (OSError, ValueError):
            return None


@dataclass(frozen=True)
class Nvml:
    """What a GPU draws, over the last second at most: `draw` gives milliwatts."""

    draw: Callable[[], float]
    clock: Callable[[], float]
    seconds: float = 1.5

    def joules(self, run: Callable[[], None]) -> float | None:
        began = self.clock()
        run()
        watts = MILLI * self.draw()
        return watts * (self.clock() - began)


def rapl(folder: Path = POWERCAP) -> Rapl | None:
    """The counters that may be read; since 2020 that takes the administrator's leave on most machines."""
    zones = []
    for place in sorted(folder.glob("intel-rapl:*")):
        try:
            name = (place / "name").read_text().strip()
            zone = Zone(place / "energy_uj", int((place / "max_energy_range_uj").read_text()))
            zone.read()
        except (OSError, ValueError):
            continue
        if name.startswith("package") or name == "dram":  # core and uncore are parts of a package, psys is all of them
            zones.append(zone)
    return Rapl(tuple(zones)) if zones else None


def meter(device: str, folder: Path = POWERCAP) -> Meter | None:
    """What measures on a device; None where nothing does."""
    if device != "cuda":
        return rapl(folder)
    import time

    import torch

    try:
        torch.cuda.power_draw()
    except Exception:  # noqa: BLE001 - NVML's own error, or that of a missing package or driver
        return None
    return Nvml(lambda: float(torch.cuda.power_draw()), time.perf_counter)
