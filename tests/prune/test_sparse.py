"""
Weights set to zero: how many, which, and what it is to the base.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from playground.errors import PlaygroundError
from playground.model.checksum import checksum
from playground.model.modules import linear_layers
from playground.model.pruning import KINDS, Pruning
from playground.prune import sparse
from playground.prune.prune import prune
from playground.prune.sparse import packed_bytes, zeros_of
from tests.families import logits, tiny_model

SHARE_ZERO = [(kind.id, rule) for kind in KINDS.values() for rule in kind.rules if kind.id != "pattern"]


@pytest.mark.parametrize("family", ["llama", "qwen2"])
@pytest.mark.parametrize(("kind", "rule"), SHARE_ZERO)
def test_a_share_of_nothing_is_the_base_to_the_bit(family: str, kind: str, rule: str) -> None:
    model = tiny_model(family)
    found = prune(model, Pruning(kind, 0, rule))
    assert torch.equal(logits(found.model), logits(model))
    assert checksum(found.model) == checksum(model)
    assert found.parameters == sum(one.numel() for one in model.parameters())


@pytest.mark.parametrize("rule", ["magnitude", "wanda"])
def test_two_of_every_four_are_zero(rule: str, text: list[torch.Tensor]) -> None:
    model = tiny_model("llama")
    before = checksum(model)
    found = prune(model, Pruning("pattern", 0.5, rule), text)
    for layer in linear_layers(found.model).values():
        assert ((layer.weight.reshape(-1, 4) == 0).sum(1) == 2).all()
    assert checksum(model) == before


def test_the_two_smallest_of_four_go() -> None:
    rows = torch.tensor([[1.0, -4.0, 3.0, 2.0, 0.0, 0.0, 0.0, 0.0]])
    gone = sparse.two_of_four(rows.abs())
    assert gone[0, :4].tolist() == [True, False, False, True]
    assert int(gone[0, 4:].sum()) == 2


def test_magnitude_zeroes_the_smallest_of_a_matrix() -> None:
    model = tiny_model("qwen2")
    found = prune(model, Pruning("sparse", 0.3, "magnitude"))
    for path, layer in linear_layers(found.model).items():
        whole, gone = model.get_submodule(path).weight, layer.weight == 0
        assert int(gone.sum()) == int(0.3 * whole.numel() + 1e-9)
        assert whole[gone].abs().max() <= whole[~gone].abs().min()
        assert torch.equal(layer.weight[~gone], whole[~gone])
    weights, zeros = zeros_of(found.model)
    assert zeros == found.kept
    assert weights == sum(layer.weight.numel() for layer in linear_layers(model).values())


def test_wanda_with_uniform_activations_is_magnitude_in_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def uniform(model: Any, paths: Any, calibration: Any) -> Any:
        return {path: torch.full((linear_layers(model)[path].in_features,), 3.0, dtype=torch.float64) for path in paths}

    monkeypatch.setattr(sparse, "input_norms", uniform)
    model = tiny_model("llama")
    found = prune(model, Pruning("sparse", 0.5, "wanda"), [torch.arange(4)])
    for path, layer in linear_layers(found.model).items():
        whole = model.get_submodule(path).weight
        for row, left in zip(whole, layer.weight, strict=True):
            median = row.abs().sort().values[len(row) // 2]
            assert torch.equal(left, torch.where(row.abs() >= median, row, 0.0))


def test_wanda_keeps_what_reads_large_inputs(text: list[torch.Tensor]) -> None:
    """By the law of one row: |w| ‖x‖₂, as it is computed by hand."""
    model: Any = tiny_model("llama")
    read: list[torch.Tensor] = []
    layer = model.model.layers[1].mlp.down_proj
    hook = layer.register_forward_pre_hook(lambda one, given: read.append(given[0][0]))
    with torch.no_grad():
        for window in text:
            model(window[None])
    hook.remove()
    scores = layer.weight.abs() * torch.cat(read).norm(dim=0)
    found: Any = prune(model, Pruning("sparse", 0.25, "wanda"), text).model
    gone = found.model.layers[1].mlp.down_proj.weight == 0
    assert (gone.sum(1) == 32).all()
    for row, out in zip(scores, gone, strict=True):
        assert row[out].max() <= row[~out].min() * (1 + 1e-5)


def test_zeros_save_nothing_unless_they_are_left_out() -> None:
    model = tiny_model("llama")
    found = prune(model, Pruning("pattern", 0.5, "magnitude"))
    assert found.bytes == sum(one.nbytes for one in model.parameters())
    assert packed_bytes(64, 32, 2) == 32 * 2 + 8
    assert packed_bytes(100, 10, 4) == 90 * 4 + 13  # a tenth of zeros saves less than a tenth


def test_what_four_does_not_divide_is_refused() -> None:
    with pytest.raises(PlaygroundError) as error:
        sparse.two_of_four(torch.ones(2, 6), "up_proj")
    assert error.value.key == "not_in_fours"
