"""
Fewer layers: the last ones, or those that change least what passes them.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import PreTrainedModel

from playground.errors import PlaygroundError
from playground.model.pruning import Pruning
from playground.prune.blocks import blocks
from playground.prune.importance import layers, least
from playground.prune.readings import Windows


def shorten(model: PreTrainedModel, pruning: Pruning, calibration: Windows = ()) -> tuple[int, ...]:
    """
    Take layers out of a private view, in place, and say so in its config; the numbers of those that stay. All of them are
    ranked at once, by what the whole model reads.
    """
    found = blocks(model)
    total, config = len(found), model.config.get_text_config()
    path = found[0].path.rpartition(".")[0] if found else ""
    if not path or not isinstance(model.get_submodule(path), nn.ModuleList) or total != config.num_hidden_layers:
        raise PlaygroundError("no_layers_to_remove", base=str(config._name_or_path or config.model_type))
    gone = chosen(model, pruning, total, calibration)
    stay = [place for place in range(total) if place not in gone]
    kept = nn.ModuleList(model.get_submodule(path)[place] for place in stay)  # type: ignore[index]
    model.set_submodule(path, kept)
    for place, layer in enumerate(kept):
        module: Any
        for module in layer.modules():
            if hasattr(module, "layer_idx"):
                module.layer_idx = place  # where the cache keeps its keys and values
    for name, value in _lists(config, total).items():
        setattr(config, name, [value[place] for place in stay])
    config.num_hidden_layers = len(stay)
    return tuple(stay)


def chosen(model: PreTrainedModel, pruning: Pruning, total: int, calibration: Windows) -> set[int]:
    """The numbers of the layers that go."""
    count = pruning.removed(total)
    if pruning.rule == "last":
        return set(range(total - count, total))
    return set(least(layers(model, calibration), count).tolist())


def _lists(config: Any, total: int) -> dict[str, list[Any]]:
    """What a config tells of every layer, such as which of them slide."""
    told = vars(config).items()
    return {name: list(one) for name, one in told if isinstance(one, list | tuple) and len(one) == total}
