"""
A model and what to prune in, another model out: fewer neurons, layers, attentions or weights, over the tensors that it
shares with the first one, of which nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from playground.disk import explained
from playground.errors import PlaygroundError
from playground.model.pruning import Pruning
from playground.model.weights import is_quantized, view_of
from playground.prune.bypass import bypass
from playground.prune.depth import shorten
from playground.prune.readings import Windows
from playground.prune.sparse import thin
from playground.prune.width import narrow

DOING: dict[str, Callable[[PreTrainedModel, Pruning, Windows], Any]] = {
    "width": narrow,
    "depth": shorten,
    "bypass": bypass,
    "sparse": thin,
    "pattern": thin,
}


@dataclass(frozen=True, eq=False)
class Pruned:
    """
    What is left. `kept`: of width the neurons of every layer that stay, of depth and bypass the layers, of sparse kinds how
    many weights are zero; None where nothing was done.
    """

    model: PreTrainedModel
    pruning: Pruning
    kept: Any = None

    @property
    def parameters(self) -> int:
        """Those that are there; zeros among them."""
        return sum(one.numel() for one in self.model.parameters())

    @property
    def bytes(self) -> int:
        """Of the parameters, as they are held and as a file has them."""
        return sum(one.nbytes for one in self.model.parameters())

    def save(self, folder: Path) -> None:
        """
        As safetensors that plain transformers loads, with the changed config. Raises PlaygroundError where its architecture
        has no config for what is left.
        """
        if not self.pruning.loads:
            raise PlaygroundError("pruned_not_saved")
        with explained(folder, self.bytes):
            self.model.save_pretrained(folder)


def prune(model: PreTrainedModel, pruning: Pruning, calibration: Windows = ()) -> Pruned:
    """
    A pruned view of a model in floats, also of one without weights (on the meta device) where no text has to be read. With
    a share of 0 it is the model itself over again.

    Raises PlaygroundError: a quantized model, no gated MLP (or no attention, or layers that are not a list) where one is
    needed, no calibration text where the rule reads one, layers that transformers would not build again.
    """
    if any(is_quantized(parameter) for parameter in model.parameters()):
        raise PlaygroundError("prune_first")
    view = view_of(model)
    if pruning.share == 0:
        return Pruned(view, pruning)
    kept = DOING[pruning.kind](view, pruning, calibration)
    if pruning.loads:
        _check_loads(view)
    return Pruned(view, pruning, kept)


def _check_loads(view: PreTrainedModel) -> None:
    """Raises PlaygroundError unless the config, written and read again, builds the same tensors (without their numbers)."""
    config = view.config
    name = str(config._name_or_path or config.model_type)
    try:
        again = type(config).from_dict(config.to_dict())
        with torch.device("meta"):
            built = AutoModelForCausalLM.from_config(again)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError) as error:
        raise PlaygroundError("pruned_not_built", base=name, reason=str(error)[:200]) from error
    wanted, found = ({path: tuple(one.shape) for path, one in each.state_dict().items()} for each in (built, view))
    if wanted != found:
        different = sorted(wanted.items() ^ found.items())[0][0]
        raise PlaygroundError("pruned_not_built", base=name, reason=different)
