"""Products in each type: operations and bytes by hand, results that are the same product, times that are there."""

from __future__ import annotations

import pytest
import torch

from playground.learn import timing
from playground.learn.timing import BATCHES, KINDS, layer, products, recorded


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, int], timing.Product]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "SECONDS", 0.0)
        return {(one.kind, one.tokens): one for one in products()}


def test_operations_and_bytes_are_those_of_the_layer(found: dict[tuple[str, int], timing.Product]) -> None:
    assert layer() == (576, 1536)
    assert set(found) == {(kind, tokens) for kind in KINDS for tokens in BATCHES}
    assert found["float32", 64].operations == 2 * 64 * 576 * 1536
    for tokens in BATCHES:
        moved = {kind: found[kind, tokens].moved for kind in KINDS}
        assert moved["float32"] == 4 * (576 * 1536 + tokens * (576 + 1536))
        assert moved["bfloat16"] == moved["float16"] == moved["float32"] / 2
        assert moved["int8"] == 576 * 1536 + tokens * (576 + 4 * 1536)
        assert moved["int8_read_back"] == moved["float32"] + 5 * 576 * 1536 + 4 * 1536
        assert moved["nf4"] == moved["float32"] + 576 * 1536 * (4 + 0.5) + 4 * 576 * 1536 / 64


@pytest.mark.parametrize(("kind", "off"), [("bfloat16", 0.01), ("float16", 0.002), ("int8_read_back", 0.02), ("nf4", 0.15)])
def test_each_is_the_same_product_but_for_its_rounding(kind: str, off: float) -> None:
    generator = torch.Generator().manual_seed(0)
    weight, x = torch.randn(32, 64, generator=generator), torch.randn(5, 64, generator=generator)
    got, wanted = KINDS[kind](weight, x)[1](), x @ weight.T
    assert isinstance(got, torch.Tensor)
    assert float((got.float() - wanted).norm() / wanted.norm()) < off


def test_integers_are_summed_in_int32() -> None:
    got = KINDS["int8"](torch.ones(32, 64), torch.ones(32, 64))[1]()
    assert isinstance(got, torch.Tensor)
    assert got.dtype is torch.int32
    assert (got == 64 * 127**2).all()


def test_a_type_without_a_kernel_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise NotImplementedError

    monkeypatch.setattr(timing, "KINDS", {"float16": lambda weight, x: (0, missing)})
    assert {one.seconds for one in products()} == {None}


def test_only_torch_says_which_types_a_processor_has_instructions_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True, "avx512_fp16": False})
    assert [timing.native(kind, "cpu") for kind in ("bfloat16", "float16", "int8")] == [True, False, None]
    assert timing.native("bfloat16", "cuda") is None


def test_the_record_is_of_all_of_them() -> None:
    machine, found = recorded()
    assert machine
    assert [(one.tokens, one.kind) for one in found] == [(tokens, kind) for tokens in BATCHES for kind in KINDS]
    assert {one.kind for one in found if one.native is not None} == set(timing.INSTRUCTIONS)
