"""Products in each type: operations and bytes by hand, results that are the same product, times that are there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from playground.errors import PlaygroundError
from playground.learn import timing
from playground.learn.products import GROUP, KINDS, MIDDLE, Kind, Made, codes, grouped
from playground.learn.timing import BATCHES, LAYERS, TOKENS, Ceilings, Product, Timed, products, recorded, shape

Found = dict[tuple[str, int], Product]


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("SECONDS", 0.0), ("LEAST", 1), ("COLD", 1), ("SIDE", 16), ("AGAIN", 1)):
            patch.setattr(timing, name, value)
        yield


@pytest.fixture(scope="module")
def found(quick: None) -> Found:
    return {(one.kind, one.tokens): one for one in products()}


def test_operations_and_bytes_are_those_of_the_layer(found: Found) -> None:
    assert shape() == (576, 1536)
    assert set(found) == {(kind, tokens) for kind in KINDS for tokens in BATCHES}
    assert found["float32", 64].operations == 2 * 64 * 576 * 1536
    weights = 576 * 1536
    for tokens in BATCHES:
        moved = {kind: found[kind, tokens].moved for kind in KINDS}
        assert moved["float32"] == 4 * (weights + tokens * (576 + 1536))
        assert moved["bfloat16"] == moved["float16"] == moved["float32"] / 2
        assert moved["int8"] == weights + tokens * (576 + 4 * 1536)
        assert moved["int8_weights"] == weights + 2 * 1536 + 2 * tokens * (576 + 1536)
        assert moved["int4_weights"] == weights / 2 + 2 * 2 * weights / GROUP + 2 * tokens * (576 + 1536)
        assert moved["int8_read_back"] == moved["float32"] + 5 * weights + 4 * 1536
        assert moved["nf4"] == moved["float32"] + weights * (4 + 0.5) + 4 * weights / 64


def test_the_layers_are_those_of_the_base() -> None:
    assert {layer: shape(layer) for layer in LAYERS} == {
        "q_proj": (576, 576), "k_proj": (576, 192), "up_proj": (576, 1536), "down_proj": (1536, 576), "head": (576, 49152),
    }  # fmt: skip
    with pytest.raises(PlaygroundError):
        shape("lm_head")


def given(outputs: int, inputs: int, tokens: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(outputs, inputs, generator=generator), torch.randn(tokens, inputs, generator=generator)


def product(kind: str, weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    made = KINDS[kind].make(weight, x)
    got = made.multiply(*made.held)
    assert isinstance(got, torch.Tensor)
    return got


def off(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((got.float() - wanted).norm() / wanted.norm())


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("bfloat16", 0.01), ("float16", 0.002), ("int8_weights", 0.02), ("int4_weights", 0.12), ("int8_read_back", 0.02),
        ("nf4", 0.15),
    ],
)  # fmt: skip
def test_each_is_the_same_product_but_for_its_rounding(kind: str, most: float) -> None:
    weight, x = given(32, 64)
    assert off(product(kind, weight, x), x @ weight.T) < most


@pytest.mark.parametrize("tokens", [1, 16])
@pytest.mark.parametrize(("outputs", "inputs"), [(32, 64), (192, 576)])
def test_torch_s_kernels_multiply_the_numbers_that_the_codes_stand_for(outputs: int, inputs: int, tokens: int) -> None:
    """What is left is bfloat16's rounding of the result."""
    weight, x = given(outputs, inputs, tokens)
    read = x.bfloat16().float()
    held, scales = codes(weight)
    assert off(product("int8_weights", weight, x), read @ (held.float() * scales.bfloat16().float()).T) < 0.004
    found, both = grouped(weight)
    scales, zeros = both.float().transpose(0, 1)[..., None].unbind(2)
    numbers = (found.view(outputs, -1, GROUP) - MIDDLE) * scales + zeros
    assert off(product("int4_weights", weight, x), read @ numbers.view(outputs, inputs).T) < 0.004
    assert ((numbers - weight.view_as(numbers)).abs() <= 0.6 * scales + 0.02).all()
    assert (found.min(), found.max()) == (0, 15)


def test_integers_are_summed_in_int32() -> None:
    got = product("int8", torch.ones(32, 64), torch.ones(32, 64))
    assert got.dtype is torch.int32
    assert (got == 64 * 127**2).all()


def test_a_weight_takes_turns_with_its_copies_until_they_fill_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "COLD", 2 * 400 + 1)
    seen: list[int] = []
    multiply = timing.in_turn(Made((torch.zeros(100),), lambda held: seen.append(held.data_ptr())))
    for _ in range(6):
        multiply()
    assert len(set(seen[:3])) == 3
    assert seen[3:] == seen[:3]


def missing(*held: torch.Tensor) -> None:
    raise NotImplementedError


def refused(weight: torch.Tensor, x: torch.Tensor) -> Made:
    raise RuntimeError


@pytest.mark.parametrize("kind", [Kind(lambda weight, x: Made((weight,), missing)), Kind(refused)])
def test_a_type_without_a_kernel_is_none(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "KINDS", {"float16": kind})
    assert {one.seconds for one in products()} == {None}


def test_only_torch_says_which_types_a_processor_has_instructions_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True, "avx512_fp16": False})
    assert [timing.native(kind, "cpu") for kind in ("bfloat16", "float16", "int8", "nf4")] == [True, False, False, None]
    assert timing.native("bfloat16", "cuda") is None


def test_the_ceilings_meet_at_the_ridge() -> None:
    limits = Ceilings(10e9, 80e9)
    assert limits.ridge == 8
    assert [limits.most(one) for one in (0.5, 8, 100)] == [5e9, 80e9, 80e9]
    here = timing.ceilings()
    assert here.moved > 0 < here.rate


class Counted:
    """A meter that takes every product for 2 joules."""

    seconds = 0.0

    def __init__(self) -> None:
        self.runs = 0

    def joules(self, run: Any) -> float:
        self.runs += 1
        run()
        return 2.0


def test_a_layer_is_timed_one_product_after_the_other_and_metered_for_one_token() -> None:
    meter = Counted()
    events = list(timing.timed("k_proj", (1, 16), meter=meter))
    assert [len(one.products) for one in events] == list(range(2 * len(KINDS) + 1))
    last: Timed = events[-1]
    assert {(one.tokens, one.joules) for one in last.products} == {(1, 2.0), (16, None)}
    assert meter.runs == len(KINDS)
    assert {one.layer for one in last.products} == {"k_proj"}


def test_the_record_is_read_by_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(timing, "LAYERS", ("k_proj", "up_proj"))
        patch.setattr(timing, "TOKENS", (1, 64))
        made = timing.recording("here")
    monkeypatch.setattr(timing, "RECORD", tmp_path / "products.json")
    timing.RECORD.write_text(json.dumps(made), encoding="utf-8")
    timing._read.cache_clear()
    try:
        machine, lesson = recorded()
        assert (machine, {one.layer for one in lesson}) == ("here", {"up_proj"})
        kept = timing.recorded_layer("k_proj")
        assert kept
        assert (kept.machine, len(kept.products)) == ("here", 2 * len(KINDS))
        assert timing.recorded_layer("q_proj") is None
    finally:
        timing._read.cache_clear()


def test_the_record_has_the_lesson_s_products() -> None:
    machine, found = recorded()
    assert machine
    kinds = [one.kind for one in found if one.tokens == BATCHES[0]]
    assert [(one.tokens, one.kind) for one in found] == [(tokens, kind) for tokens in BATCHES for kind in kinds]
    assert [kind for kind in KINDS if kind in kinds] == kinds
    assert {"bfloat16", "float16"} <= {one.kind for one in found if one.native is not None} <= set(timing.INSTRUCTIONS)


@pytest.mark.parametrize("layer", LAYERS)
def test_what_is_recorded_of_a_layer_is_all_of_it(layer: str) -> None:
    """Without ceilings there is no record for the quantization lab: `python examples/record.py products` makes it."""
    kept = timing.recorded_layer(layer)
    if kept is not None:
        assert {(one.kind, one.tokens) for one in kept.products} == {(kind, tokens) for kind in KINDS for tokens in TOKENS}
