"""
The layers of a decoder as pruning sees them: where each keeps its attention and its gated MLP, whatever a family calls them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playground.errors import PlaygroundError
from playground.model.modules import ATTENTION, roles

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

GATED = ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Block:
    """One layer by the paths of its parts; "" where it has no attention, or no gated MLP as `gated` has it."""

    path: str
    attention: str = ""
    gate: str = ""
    up: str = ""
    down: str = ""

    def gated(self, model: nn.Module) -> tuple[Any, Any, Any]:
        """Its gate and up (neurons, width) and down (width, neurons), as layers."""
        gate, up, down = (model.get_submodule(path) for path in (self.gate, self.up, self.down))
        return gate, up, down


def blocks(model: PreTrainedModel) -> list[Block]:
    """The layers in which there is something linear, in their order."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path, role in roles(model).items():
        if layer := re.match(r".*?\.\d+(?=\.)", path):
            found[layer[0]][role].append(path)
    return [_block(path, parts) for path, parts in found.items()]


def _block(path: str, parts: dict[str, list[str]]) -> Block:
    attention = {one.rpartition(".")[0] for role in ATTENTION for one in parts.get(role, ())}
    gated = [parts.get(role, []) for role in GATED]
    owners = {one.rpartition(".")[0] for group in gated for one in group}
    whole = len(owners) == 1 and all(len(group) == 1 for group in gated)
    gate, up, down = (group[0] if whole else "" for group in gated)
    return Block(path, attention.pop() if len(attention) == 1 else "", gate, up, down)


def gated_blocks(model: PreTrainedModel, name: str = "") -> list[Block]:
    """
    The same of a model every layer of which has a gated MLP, all equally wide. Raises PlaygroundError for another, as GPT-2
    (no gate), Phi-3 (gate and up in one) and mixtures of experts.
    """
    found = blocks(model)
    widths = {block.gated(model)[0].out_features if block.gate else 0 for block in found}
    if len(widths) != 1 or 0 in widths or widths != {getattr(model.config.get_text_config(), "intermediate_size", None)}:
        raise PlaygroundError("no_gated_mlp", base=name or _name(model))
    return found


def attending_blocks(model: PreTrainedModel, name: str = "") -> list[Block]:
    """The same of a model every layer of which adds what its attention hands out. Raises PlaygroundError for another."""
    found = gated_blocks(model, name)
    if not all(block.attention for block in found):
        raise PlaygroundError("no_attention_to_bypass", base=name or _name(model))
    return found


def _name(model: PreTrainedModel) -> str:
    return str(model.config._name_or_path or model.config.model_type)
