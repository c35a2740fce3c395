"""The mask that is added is transformers' own in other numbers, and lies as torch's attention reads it without a copy."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AttentionMaskInterface, DynamicCache, LlamaConfig
from transformers.masking_utils import create_causal_mask, create_sliding_window_causal_mask, sdpa_mask

from playground.compare.masks import ALIGNED, added

ROWS = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1, 1, 1, 1], [1] * 9])
MAKERS = {"all": create_causal_mask, "window": create_sliding_window_causal_mask}


def made(maker: Any, read: int, monkeypatch: pytest.MonkeyPatch, function: Any, rows: torch.Tensor = ROWS) -> Any:
    """What a model would get for the last positions of rows, with all but `read` of them in its cache."""
    monkeypatch.setitem(AttentionMaskInterface._global_mapping, "sdpa", function)
    past = torch.zeros(3, 1, 9 - read, 4)
    config: Any = LlamaConfig(num_hidden_layers=1)
    config.sliding_window, config._attn_implementation = 4, "sdpa"
    return maker(config, torch.zeros(3, read, 4), rows, DynamicCache([(past, past)]))


@pytest.mark.parametrize("kind", MAKERS)
def test_one_position_sees_what_transformers_lets_it_see(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = (made(MAKERS[kind], 1, monkeypatch, function) for function in (sdpa_mask, added))
    assert ours.shape == theirs.shape == (3, 1, 1, 9)
    assert torch.equal(ours, torch.zeros(theirs.shape).masked_fill(~theirs, -torch.inf))
    assert ours.stride()[0] % ALIGNED == 0
    assert theirs.sum(-1).flatten().tolist() == ([6, 8, 9] if kind == "all" else [4, 4, 4])


@pytest.mark.parametrize("kind", MAKERS)
def test_several_positions_have_their_mask_as_it_is(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = (made(MAKERS[kind], 3, monkeypatch, function) for function in (sdpa_mask, added))
    assert ours.dtype == torch.bool
    assert torch.equal(ours, theirs)


def test_none_is_made_where_nothing_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    for function in (sdpa_mask, added):
        assert made(create_causal_mask, 1, monkeypatch, function, torch.ones_like(ROWS)) is None


def test_it_stands_where_models_ask_for_it() -> None:
    assert AttentionMaskInterface()["sdpa"] is added
