"""
The named endpoints of the low-rank lab.
"""

# No postponed annotations here: see endpoints.py.
from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.actions import lowrank
from playground.actions.lowrank import effects, start_edited
from playground.actions.work import own_place
from playground.ui.api.endpoints import frames, key_of
from playground.ui.api.served import gone


def low_rank(adapter: str, request: gr.Request, module: str = "") -> dict[str, Any]:
    """
    The update that a LoRA made to one module: its singular values, energy, effective rank, norms, amplification.

    Args:
        adapter: an adapter id, or "id@step" for a checkpoint
        module: the module's path in the base; empty: the most changed one

    Returns:
        {module, shape: [out, in], rank, scaling, singular_values, energy (shares, growing to 1), effective_rank,
            frobenius_weight, frobenius_update, relative, within, amplification, …}

    Raises:
        an unknown adapter or module, and an adapter that has no low-rank update
    """
    return lowrank.low_rank(key_of(request), adapter, module)


def truncate(  # type: ignore[misc]
    adapter: str,
    prompt: str,
    request: gr.Request,
    rank: int = -1,
    strength: float = 1.0,
    layers: list[Any] = [],  # noqa: B006
    kinds: list[Any] = [],  # noqa: B006
    max_new_tokens: int = 40,
) -> dict[str, Any]:
    """
    Answer a prompt with the base, an adapter, and what is left of it: a stream of frames as in `compare`. The last one
    has `effects`: held-out loss and mean KL from the base, in nats, of the whole adapter and of what is left; null if
    the adapter's held-out examples are not here.

    Args:
        adapter: an adapter id, or "id@step" for a checkpoint
        prompt: the question
        rank: how many directions of every update stay (SVD); -1: all
        strength: what the update is scaled with, from -1 to 2
        layers: [first, last] layer that stays on; empty: all
        kinds: kinds of modules that stay on, such as "q_proj"; empty: all
        max_new_tokens: the longest answer

    Returns:
        a stream like that of /compare with the panes base, adapter, and what is left of it. The last one has
            effects: {base, whole, left: {held_out_loss, kl_from_base}}, null where numbers overflow

    Raises:
        an unknown adapter, an edit that this method cannot have, a value outside its range
    """
    edit = {
        "rank": None if rank == -1 else rank,
        "strength": strength,
        "layers": layers or None,
        "kinds": kinds or None,
    }
    key = key_of(request)
    with own_place(key) as place:
        last: dict[str, Any] = {}
        for last in frames(start_edited(key, place, adapter, edit, prompt, {"max_new_tokens": max_new_tokens})):
            yield last
        yield {**last, "effects": effects(key, adapter, edit, place, gone)}


def soft_prompt(adapter: str, request: gr.Request, nearest: int = 3) -> dict[str, Any]:
    """
    The virtual tokens of a prompt-tuning adapter: norms, nearest vocabulary tokens before and after training.

    Args:
        adapter: an adapter id, or "id@step" for a checkpoint
        nearest: how many vocabulary tokens for each

    Returns:
        {tokens: [{position, norm, nearest: [{token, cosine}], start_nearest, cosine_to_start, …}], …}

    Raises:
        an unknown adapter, one without virtual tokens, more than 10 nearest
    """
    return lowrank.soft_prompt(key_of(request), adapter, nearest)


ENDPOINTS: dict[str, Callable[..., Any]] = {"low_rank": low_rank, "truncate": truncate, "soft_prompt": soft_prompt}
