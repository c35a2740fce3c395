"""oneDNN's product is torch's, forwards and backwards; what was measured is kept and found again; copies go and come."""

from __future__ import annotations

import copy
import gc
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import linear

from playground import settings
from playground.adapt import tasks
from playground.adapt.methods import METHODS
from playground.model import kernels
from playground.model.bases import Base
from playground.model.kernels import (
    NEVER,
    Choice,
    Linear,
    halved,
    halved_bytes,
    halves,
    install,
    measure,
    pack,
    packed_of,
)  # fmt: skip
from playground.model.memory import STORE
from playground.train.trainable import wrap
from tests.adapt.test_registry import SMALL
from tests.conftest import needs_bfloat16, walk
from tests.families import tiny_base

PROMPTS = ["Tell me about the sea.", "¿Qué tal?", "1. one\n2. two\n3.", "def f(x):\n    return"]


def layer(bias: bool = True, from_rows: int = 0) -> Linear:
    torch.manual_seed(0)
    made: Any = nn.Linear(24, 40, bias)
    made.__class__, made.choice = Linear, Choice(from_rows)
    return made  # type: ignore[no-any-return]


@pytest.mark.parametrize("shape", [(24,), (1, 24), (3, 24), (2, 5, 24), (0, 24)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_product_is_torchs(shape: tuple[int, ...], bias: bool) -> None:
    one, x = layer(bias), torch.randn(shape)
    torch.testing.assert_close(one(x), linear(x, one.weight, one.bias))
    x = torch.randn(48, *shape[:-1]).movedim(0, -1)[..., ::2]  # not contiguous
    torch.testing.assert_close(one(x), linear(x, one.weight, one.bias))


@pytest.mark.parametrize("trained", [(), ("weight",), ("bias",), ("weight", "bias")])
def test_gradients_are_torchs(trained: tuple[str, ...]) -> None:
    one = layer().requires_grad_(False)
    for name in trained:
        getattr(one, name).requires_grad_(True)
    other: Any = copy.deepcopy(one)
    other.__class__ = nn.Linear
    x, weights = torch.randn(2, 3, 24), torch.randn(2, 3, 40)
    found = []
    for module in (one, other):
        own = x.clone().requires_grad_(True)
        (module(own) * weights).sum().backward()
        found.append([own.grad, *(getattr(module, name).grad for name in ("weight", "bias"))])
    for ours, torchs in zip(*found, strict=True):
        assert (ours is None) == (torchs is None)
        if torchs is not None:
            torch.testing.assert_close(ours, torchs)


def test_infinity_and_nan_stay_in_their_rows() -> None:
    x = torch.randn(3, 24)
    x[0, 3], x[1, 4] = torch.inf, torch.nan
    y = layer()(x)
    assert not y[0].isfinite().any()
    assert y[1].isnan().all()
    assert y[2].isfinite().all()


def test_fewer_rows_than_chosen_and_other_numbers_are_torchs_bit_for_bit() -> None:
    one, x = layer(from_rows=4), torch.randn(8, 24)
    with torch.no_grad():
        assert torch.equal(one(x[:3]), linear(x[:3], one.weight, one.bias))
        half = copy.deepcopy(one).bfloat16()
        assert torch.equal(half(x.bfloat16()), linear(x.bfloat16(), half.weight, half.bias))


# Copies in oneDNN's own layout


def test_a_copy_serves_few_rows_as_long_as_it_is_held_and_true() -> None:
    net = nn.Sequential(layer(), layer(from_rows=NEVER))
    one: Any = net[0]
    held = pack(net)
    assert len(held) == 1, "one that torch multiplies needs none"
    assert packed_of(copy.deepcopy(net, {id(p): p for p in net.parameters()})[0].weight) is held[0], "a view has it too"
    x = torch.randn(3, 24)
    with torch.inference_mode():
        torch.testing.assert_close(one(x), linear(x, one.weight, one.bias))
    with torch.no_grad():
        one.weight.add_(1.0)
        assert packed_of(one.weight) is None
        torch.testing.assert_close(one(x), linear(x, one.weight, one.bias))
    held = pack(net)
    assert packed_of(one.weight) is held[0]
    del held
    gc.collect()
    assert packed_of(one.weight) is None


def test_a_base_holds_its_copies_in_the_budget_and_only_where_there_is_room(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight, size = base.model.model.layers[0].mlp.up_proj.weight, kernels.packed_bytes(base.model)
    base.pack()
    assert packed_of(weight) is not None
    assert STORE.held_of(base) >= size
    STORE.forget(STORE.find(("packed", base)))
    assert packed_of(weight) is None
    monkeypatch.setattr(settings, "KEPT_BYTES", STORE.held() + size - 1)
    base.pack()
    assert packed_of(weight) is None, "nothing gives way to it"


@pytest.fixture(scope="module")
def written(base: Base) -> list[tuple[list[int], torch.Tensor]]:
    """What the base writes with torch's own product, and the logits of that in float64."""
    STORE.forget(STORE.find(("packed", base)))
    found = []
    exact = _with(copy.deepcopy(base.model), Choice(NEVER)).double()
    for tokens, logits in _answers(_with(base.view(), Choice(NEVER)), base):
        with torch.inference_mode():
            read = exact(input_ids=torch.tensor([tokens])).logits[0]
        found.append((tokens, read[-len(logits) - 1 : -1]))
    return found


@pytest.mark.parametrize("way", walk(["torch", "onednn", "packed"], ["packed"]))
def test_the_real_base_writes_the_same_tokens_in_every_way(base: Base, written: Any, way: str) -> None:
    """
    And gives the logits of float64 but for float32's rounding: torch's own are up to 9e-5 from those, and how far another
    order of the sums is from them, 6e-5 to 1.6e-4, depends on the processor.
    """
    model = _with(base.view(), Choice(NEVER if way == "torch" else 0))
    held = pack(model) if way == "packed" else []
    for (tokens, logits), (expected, exact) in zip(_answers(model, base), written, strict=True):
        assert tokens == expected
        assert (logits - exact).square().mean().sqrt() <= 4e-5
        torch.testing.assert_close(logits.double(), exact, rtol=0, atol=2e-4)
    del held


def _with(model: Any, choice: Choice) -> Any:
    for module in model.modules():
        if isinstance(module, Linear):
            module.choice = choice
    return model


def _answers(model: Any, base: Base) -> list[tuple[list[int], torch.Tensor]]:
    found = []
    for prompt in PROMPTS:
        ids = torch.tensor([tasks.prompt_ids(base.tokenizer, prompt)])
        made = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False, output_logits=True,
            return_dict_in_generate=True,
        )  # fmt: skip
        found.append((made.sequences[0].tolist(), torch.cat(made.logits)))
    return found


# bfloat16 where it was measured to be much faster

SLOW, FAST = (1.0,) * len(kernels.ROWS), (0.5,) * len(kernels.ROWS)
HALVES = Choice(0, SLOW, SLOW, FAST)


@pytest.fixture
def precise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "PRECISION", "auto")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (HALVES, True),
        (Choice(0, SLOW, FAST, FAST), False),  # no faster than oneDNN in float32
        (Choice(0, SLOW, SLOW, (*FAST[:-1], 0.9)), False),  # not worth it where there are many rows
        (Choice(0), False),  # never measured
    ],
)
def test_a_weight_is_halved_where_that_is_much_faster_and_never_where_float32_is_set(
    choice: Choice, expected: bool, precise: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = layer()
    one.choice = choice
    assert bool(halves(one)) == expected
    assert halved_bytes(one) == (2 * one.weight.numel() if expected else 0)
    monkeypatch.setattr(settings, "PRECISION", "float32")
    assert halves(one) == {}


@needs_bfloat16
@pytest.mark.parametrize("bias", [True, False])
def test_halved_products_and_gradients_are_torchs_of_rounded_factors(bias: bool, precise: None) -> None:
    one: Any = layer(bias).requires_grad_(False)
    one.choice = HALVES
    x, weights = torch.randn(2, kernels.FEW, 24), torch.randn(2, kernels.FEW, 40)
    own = x.clone().requires_grad_(True)
    with halved(halves(one)):
        y = one(own)
    (y * weights).sum().backward()  # also when it is no longer in force
    short = one.weight.bfloat16().float()
    expected = linear(x.bfloat16().float(), short)
    assert y.dtype == own.grad.dtype == torch.float32
    torch.testing.assert_close(y, expected + one.bias if bias else expected, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(own.grad, weights.bfloat16().float() @ short, rtol=1e-2, atol=1e-2)
    assert not torch.equal(y, one(x))


@needs_bfloat16
def test_few_rows_other_weights_and_other_threads_stay_in_float32(precise: None) -> None:
    one, other = layer(), layer()
    one.choice = HALVES
    many, few = torch.randn(kernels.FEW + 1, 24), torch.randn(kernels.FEW, 24)
    with torch.no_grad(), ThreadPoolExecutor(1) as pool:
        expected, less = one(many), one(few)
        with halved(halves(one)):
            assert not torch.equal(one(many), expected)
            assert torch.equal(one(few), less)
            assert torch.equal(other(many), expected)
            with halved({}):
                assert torch.equal(one(many), expected)
            assert torch.equal(pool.submit(torch.no_grad()(one), many).result(), expected)
        assert torch.equal(one(many), expected)


# What was measured


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes that were measured; oneDNN is found to be faster from 4 rows on."""
    seen: list[tuple[int, ...]] = []

    def measured(weights: Any) -> Choice:
        seen.append(tuple(weights[0].shape))
        return Choice(4, (0.5,), (0.25,))

    monkeypatch.setattr(settings, "KERNELS", "auto")
    monkeypatch.setattr(kernels, "measure", measured)
    return seen


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 4), nn.Linear(4, 6), nn.Linear(6, 4).double())


def test_what_was_measured_is_found_again(measuring: list[tuple[int, ...]], tmp_path: Path) -> None:
    cache = tmp_path / "new" / "kernels.json"
    for _ in range(2):
        model = net()
        install(model.modules(), cache)
        chosen = [getattr(one, "choice", None) for one in model.children()]
        assert chosen == [Choice(4, (0.5,), (0.25,)) if place in (0, 2, 3) else None for place in range(5)]
    assert sorted(measuring) == [(4, 6), (6, 4)]
    assert list(cache.parent.iterdir()) == [cache]
    install(nn.Linear(4, 9).modules(), cache)  # another base: only what is new is measured
    assert measuring[-1] == (9, 4)
    assert len(measuring) == 3
    kept = json.loads(cache.read_text())
    cache.write_text(json.dumps({"another machine": next(iter(kept.values()))}))
    install(nn.Linear(4, 6).modules(), cache)
    assert len(measuring) == 4
    assert set(json.loads(cache.read_text())) == {"another machine", kernels.machine()}


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no JSON": lambda file: file.write_text("{"),
    "a list": lambda file: file.write_text("[]"),
    "other fields": lambda file: file.write_text(json.dumps({kernels.machine(): {"6x4": [1]}})),
    "a folder": lambda file: file.mkdir(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_measured_again(damage: str, measuring: list[tuple[int, ...]], tmp_path: Path) -> None:
    DAMAGES[damage](tmp_path / "kernels.json")
    one = nn.Linear(4, 6)
    install(one.modules(), tmp_path / "kernels.json")
    assert measuring == [(6, 4)]
    assert isinstance(one, Linear)


def test_a_measurement_times_both_at_every_count_of_rows() -> None:
    found = measure([torch.randn(64, 32), torch.randn(64, 32)])
    assert len(found.default) == len(found.onednn) == len(kernels.ROWS)
    assert min(*found.default, *found.onednn) > 0
    faster = [rows for rows, a, b in zip(kernels.ROWS, found.default, found.onednn, strict=True) if b <= a]
    assert found.from_rows == NEVER or all(rows in faster for rows in kernels.ROWS if rows >= found.from_rows)


def test_a_processor_without_bfloat16_is_measured_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    found = measure([torch.randn(64, 32)])
    assert found.bfloat16 == ()
    assert not found.halves


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A base whose layers are of this class, as they are once a page has loaded it."""
    made = tiny_base("llama")
    install(made.model.modules(), tmp_path_factory.mktemp("kernels") / "kernels.json")
    return made


# QLoRA's layers are those of its quantized base
@pytest.mark.parametrize("method_id", [name for name, one in METHODS.items() if one.config and name != "qlora"])
def test_every_method_of_peft_goes_around_these_layers(fast: Base, method_id: str) -> None:
    one, values = METHODS[method_id], SMALL.get(method_id, {})
    model, _ = wrap(fast, one, one.complete(values))
    assert model.get_nb_trainable_parameters()[0] == one.trainable(fast.architecture, values)
