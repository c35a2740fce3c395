"""What a rented GPU would cost, before it is asked for."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from playground.adapt.methods import METHODS
from playground.adapt.tasks import task
from playground.errors import PlaygroundError
from playground.model.catalogue import CATALOGUE
from playground.train import gpu_cost
from playground.train.gpu_cost import FLAVORS, estimate

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def of(
    base_id: str, flavor: str = "l4x1", method_id: str = "lora", steps: int = 24, dollars: Any = None, **values: Any
) -> Any:
    architecture = CATALOGUE[base_id].architecture
    assert architecture is not None
    complete = METHODS[method_id].complete(values)
    return estimate(base_id, architecture, method_id, complete, task("pirate"), steps, FLAVORS[flavor], dollars)


def test_it_is_billed_by_the_minute_and_never_beyond_its_limit() -> None:
    one = of("smollm2-1.7b", dollars=1.2)
    assert one.minutes == math.ceil((one.begin + 24 * one.step) / 60)
    assert one.total == pytest.approx(one.minutes * 0.02)
    assert one.total < one.most == pytest.approx(one.limit * 0.02)
    assert of("smollm2-1.7b").dollars == FLAVORS["l4x1"].dollars


def test_it_grows_with_steps_base_and_batch_and_shrinks_with_the_card() -> None:
    usual = of("smollm2-1.7b")
    assert of("smollm2-1.7b", steps=240).seconds > usual.seconds
    assert of("smollm3-3b").step > usual.step > of("smollm2-360m", batch_size=1).step
    assert of("smollm2-1.7b", batch_size=8).tokens == pytest.approx(2 * usual.tokens)
    assert of("smollm2-1.7b", flavor="h200").step < usual.step


def test_a_base_that_the_card_cannot_hold_is_refused_before_it_costs_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    assert of("smollm3-3b").memory > 2 * of("smollm3-3b", method_id="qlora").memory
    monkeypatch.setitem(FLAVORS, "l4x1", gpu_cost.Flavor("l4x1", "L4", 4, 0.8, 121e12))
    with pytest.raises(PlaygroundError) as error:
        of("smollm3-3b")
    assert error.value.key == "gpu_memory"
    assert of("smollm3-3b", method_id="qlora").memory < 4e9


def test_an_unknown_machine_names_those_that_there_are() -> None:
    with pytest.raises(PlaygroundError, match="l4x1, a10g-small"):
        gpu_cost.flavor("tpu")


def test_the_time_of_a_layer_is_what_was_measured() -> None:
    table = (RESULTS / "gpu_training.md").read_text(encoding="utf-8")
    (measured,) = re.findall(r"\| bfloat16 \| one run \| ([\d.]+) ms", table)
    architecture = CATALOGUE["smollm2-135m"].architecture  # a model of that shape
    assert architecture is not None
    assert pytest.approx(float(measured) / 1000 / architecture.layers) == gpu_cost.LAYER
    assert "H200" in table
