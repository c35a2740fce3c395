"""
Which linear layers a method adapts, by what they are for in a model: the same choice means the same in every family.
"""

from __future__ import annotations

from collections.abc import Container

from playground.errors import PlaygroundError
from playground.model.architecture import EXPERTS, Architecture, Linear
from playground.model.modules import ATTENTION, FEED_FORWARD, FUSED, OTHER_ATTENTION

# What LoRA's choices mean (see `model.modules.roles`)
TARGETS: dict[str, tuple[str, ...]] = {
    "query_value": ("q_proj", "v_proj", FUSED),
    "attention": (*ATTENTION, OTHER_ATTENTION),
    "mlp": FEED_FORWARD,
}
# What IA3 scales (Liu et al. 2022, section 3.3): keys, values, and what the feed-forward block has inside
IA3_FEEDFORWARD = ("down_proj", "dense_4h_to_h")
IA3_TARGETS = ("k_proj", "v_proj", FUSED, *IA3_FEEDFORWARD)


def targeted(architecture: Architecture, targets: str) -> list[Linear]:
    """The linear layers that LoRA's `targets` means in this architecture. Raises PlaygroundError as `used_as` does."""
    return used_as(architecture, TARGETS.get(targets), targets)


def used_as(architecture: Architecture, roles: Container[str] | None, asked: str) -> list[Linear]:
    """
    The linear layers with one of these roles, or with any; experts' never. Raises PlaygroundError, which names what was
    `asked`, if there are none.
    """
    reached = [layer for layer in architecture.linears if layer.role != EXPERTS]
    found = [layer for layer in reached if roles is None or layer.role in roles]
    if not found:
        known = ", ".join(dict.fromkeys(layer.name for layer in reached))
        raise PlaygroundError("no_such_targets", targets=asked, known=known or "–")
    return found
