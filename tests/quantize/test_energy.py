"""Energy: the estimate by hand, and counters that are read from a folder, begin again, and may be missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from playground.quantize import energy
from playground.quantize.energy import ARITHMETIC, Nvml, estimates, meter, rapl


def test_a_token_is_its_multiply_adds_and_the_bytes_that_it_reads() -> None:
    found = {one.form: one for one in estimates(1000, 100, dict.fromkeys(ARITHMETIC, 800))}
    assert found["float32"].arithmetic == pytest.approx(1100 * 4.6e-12)
    assert found["bfloat16"].arithmetic == pytest.approx(1000 * 1.5e-12 + 100 * 4.6e-12)
    assert found["int8_vectorwise"].arithmetic == pytest.approx(1000 * 0.3e-12 + 100 * 4.6e-12)
    one = found["nf4"]
    assert (one.least, one.most) == pytest.approx((100 * 1.3e-9, 100 * 2.6e-9))
    assert one.total == pytest.approx((one.arithmetic + one.least, one.arithmetic + one.most))
    assert one.reading == pytest.approx(one.least / one.total[0])


def zone(folder: Path, place: str, name: str, counter: Any = 0, last: int = 1000) -> Path:
    made = folder / place
    made.mkdir(parents=True)
    for file, content in (("name", name), ("energy_uj", counter), ("max_energy_range_uj", last)):
        (made / file).write_text(f"{content}\n")
    return made / "energy_uj"


def test_processors_and_their_memory_count_and_their_parts_do_not(tmp_path: Path) -> None:
    first, second = zone(tmp_path, "intel-rapl:0", "package-0", 10), zone(tmp_path, "intel-rapl:1", "package-1", 20)
    memory = zone(tmp_path, "intel-rapl:0:1", "dram", 30)
    others = zone(tmp_path, "intel-rapl:0:0", "core", 40), zone(tmp_path, "intel-rapl:2", "psys", 50)
    found = rapl(tmp_path)
    assert found
    assert {one.counter for one in found.zones} == {first, second, memory}

    def run() -> None:
        for counter, now in ((first, 110), (second, 25), (memory, 31), *((one, 900) for one in others)):
            counter.write_text(str(now))

    assert found.joules(run) == pytest.approx(106e-6)


def test_a_counter_that_begins_again_goes_on_from_its_end(tmp_path: Path) -> None:
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 990, last=1000)
    found = rapl(tmp_path)
    assert found
    assert found.joules(lambda: counter.write_text("15") and None) == pytest.approx(25e-6)


def test_where_nothing_may_be_read_nothing_is_measured(tmp_path: Path) -> None:
    assert rapl(tmp_path) is None
    assert meter("cpu", tmp_path / "no folder") is None
    (tmp_path / "intel-rapl:0").mkdir()  # its counter is the administrator's
    assert rapl(tmp_path) is None
    counter = zone(tmp_path, "intel-rapl:1", "package-0")
    found = meter("cpu", tmp_path)
    assert found
    assert found.joules(counter.unlink) is None


def test_a_gpu_s_power_is_energy_by_the_time_that_it_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 12.0])
    assert Nvml(lambda: 300_000, lambda: next(times)).joules(lambda: None) == pytest.approx(600)

    def none(device: Any = None) -> int:
        raise ModuleNotFoundError("nvidia-ml-py does not seem to be installed")

    monkeypatch.setattr(torch.cuda, "power_draw", none)
    assert energy.meter("cuda") is None
    monkeypatch.setattr(torch.cuda, "power_draw", lambda: 250_000)
    found = energy.meter("cuda")
    assert isinstance(found, Nvml)
    assert found.draw() == 250_000
