"""
What a model's modules see while it reads a calibration text: how large their inputs are, and how little a layer or an
attention changes what passes it. Read through a private view, so nothing of the model is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch.nn.functional import cosine_similarity
from transformers import PreTrainedModel

from playground.model.weights import view_of
from playground.prune.blocks import Block

Windows = Sequence[torch.Tensor]  # ids (tokens,) each, read one by one


def input_norms(model: PreTrainedModel, paths: Sequence[str], calibration: Windows) -> dict[str, torch.Tensor]:
    """Of every input of those linear layers ‖x‖₂ over all tokens, (inputs,) float64 on the CPU."""
    view, squares = view_of(model), dict[str, torch.Tensor]()

    def see(path: str, layer: Any, given: tuple[torch.Tensor, ...]) -> None:
        read = given[0].detach().flatten(0, -2).double().square().sum(0).cpu()
        squares[path] = squares[path] + read if path in squares else read

    for path in paths:
        view.get_submodule(path).register_forward_pre_hook(partial(see, path))
    _read(view, calibration)
    return {path: squares[path].sqrt() for path in paths}


def layer_changes(model: PreTrainedModel, found: Sequence[Block], calibration: Windows) -> torch.Tensor:
    """
    Of every layer 1 − cosine of what goes in and what comes out, (layers,) float64: the mean over tokens (block influence,
    Men et al. 2024, arXiv 2403.03853).
    """
    view, seen = view_of(model), _Means(len(found))
    for place, block in enumerate(found):

        def see(place: int, layer: Any, given: Any, named: Any, out: Any) -> None:
            seen.add(place, _first(given, named), out[0] if isinstance(out, tuple) else out)

        view.get_submodule(block.path).register_forward_hook(partial(see, place), with_kwargs=True)
    _read(view, calibration)
    return seen.means()


def attention_changes(model: PreTrainedModel, found: Sequence[Block], calibration: Windows) -> torch.Tensor:
    """
    The same of what passes a layer before and after its attention was added (He et al. 2024, arXiv 2406.15786), (layers,).
    """
    view, seen = view_of(model), _Means(len(found))
    for place, block in enumerate(found):
        _Around(view, block, partial(seen.add, place))
    _read(view, calibration)
    return seen.means()


class _Around:
    """
    What passes a layer before and after its attention. After it: what the first part that follows reads, unless that is
    the attention's own output (Gemma 2 norms it before it is added) or input (Cohere's MLP stands beside it); if there is
    no such part, input plus output.
    """

    def __init__(self, view: Any, block: Block, tell: Callable[[torch.Tensor, torch.Tensor], None]) -> None:
        self.tell = tell
        self.before: Any = None
        self.read: Any = None
        self.out: Any = None
        self.after: Any = None
        layer, attention = view.get_submodule(block.path), view.get_submodule(block.attention)
        layer.register_forward_pre_hook(self._begin, with_kwargs=True)
        attention.register_forward_hook(self._attended, with_kwargs=True)
        for child in layer.children():
            if child is not attention:
                child.register_forward_pre_hook(self._follow, with_kwargs=True)
        layer.register_forward_hook(self._end)

    def _begin(self, layer: Any, given: Any, named: Any) -> None:
        self.before, self.out, self.after = _first(given, named), None, None

    def _attended(self, layer: Any, given: Any, named: Any, out: Any) -> None:
        self.read, self.out = _first(given, named), out[0] if isinstance(out, tuple) else out

    def _follow(self, layer: Any, given: Any, named: Any) -> None:
        read = _first(given, named)
        if self.out is not None and self.after is None and read is not self.out and read is not self.read:
            self.after = read

    def _end(self, layer: Any, given: Any, out: Any) -> None:
        assert self.before is not None
        assert self.out is not None
        self.tell(self.before, self.before + self.out if self.after is None else self.after)


class _Means:
    """Of every place the mean of 1 − cosine over tokens."""

    def __init__(self, count: int) -> None:
        self.sums, self.tokens = torch.zeros(count, dtype=torch.float64), torch.zeros(count, dtype=torch.float64)

    def add(self, place: int, before: torch.Tensor, after: torch.Tensor) -> None:
        changed = 1 - cosine_similarity(before.double(), after.double(), dim=-1)
        self.sums[place] += changed.sum().cpu()
        self.tokens[place] += changed.numel()

    def means(self) -> torch.Tensor:
        return self.sums / self.tokens


def _first(given: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """What a module is handed, by place or by name."""
    return given[0] if given else named["hidden_states"]


@torch.no_grad()
def _read(view: PreTrainedModel, calibration: Windows) -> None:
    """One pass a window, without the output head."""
    for window in calibration:
        view.base_model(window[None].to(view.device), use_cache=False)
