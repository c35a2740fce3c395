"""
Reading a prompt. What many prompts to one model begin with (the virtual tokens of a soft prompt, the opening of the chat
template, few-shot examples) is read once; whoever begins so goes on from its keys and values.

Read in two parts, a prompt has the logits that it has in one, but for rounding. Not every model can be asked so: the first
prompt that one of its class and config reads is read both ways. Knows neither answers nor how a token is chosen.
"""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import torch
from peft import PeftModel
from torch import nn
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from playground.adapt.variant import Variant
from playground.compare.overflow import norms_of, overflowing, watched
from playground.compare.routing import scaled_from
from playground.model.bases import Base
from playground.model.memory import STORE

LEAST = 4  # positions that are worth a pass of their own
log = logging.getLogger(__name__)
_GOES_ON: dict[tuple[type, str], bool] = {}  # by a model's class and config: whether it may read in two parts


@dataclass(frozen=True, eq=False)
class Read:
    """What a model has read: logits (vocabulary,) of what follows on the CPU, its cache, how many positions, overflow."""

    logits: torch.Tensor
    cache: Any  # transformers' own, of whatever kind the model keeps
    length: int  # virtual tokens included
    overflows: bool


class Opening:
    """
    The `ids` that prompts to one model begin with, read once as long as this is held; of a model in training that is between
    two steps. They are read apart, so that a prompt has the same logits to the bit whenever it comes, or `cut` from the
    first prompt, as a few prompts do not pay for a pass more.
    """

    def __init__(self, ids: Sequence[int], cut: bool = False) -> None:
        self.ids, self.cut = list(ids), cut
        self._read: Read | None = None

    def find(self) -> Read | None:
        """What was read of it, if it was."""
        return self._read

    def keep(self, read: Read) -> None:
        self._read = read


class KeptOpening(Opening):
    """
    The same for all who ask one variant of a base, neither of which ever changes: within the store's budget, and no longer
    than the base and the adapter are there.
    """

    def __init__(self, base: Base, variant: Variant, ids: Sequence[int]) -> None:
        super().__init__(ids)
        self._key = ("opening", base, variant, tuple(ids))
        self._of = (base, *([variant.adapter] if variant.adapter else []))

    def find(self) -> Read | None:
        found: Read | None = STORE.find(self._key)
        return found

    def keep(self, read: Read) -> None:
        tensors = [tensor for layer in read.cache.layers for tensor in (layer.keys, layer.values)]
        STORE.keep(self._key, read, sum(one.untyped_storage().nbytes() for one in tensors), of=self._of)


def common(prompts: Sequence[Sequence[int]]) -> list[int]:
    """The ids that all of several prompts begin with, which leave something of each."""
    columns = zip(*(prompt[:-1] for prompt in prompts), strict=False)
    return [column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns)]


@torch.inference_mode()
def read(model: Any, ids: Sequence[int], opening: Opening | None = None) -> Read:
    """`ids`, behind the virtual tokens if there are any, into a cache of its own; from an `opening` on if it has one."""
    found = _in_two(model, ids, opening) if opening else None
    found = found or _read(model, ids)
    return replace(found, overflows=found.overflows or not bool(found.logits.isfinite().all()))


def _in_two(model: Any, ids: Sequence[int], opening: Opening) -> Read | None:
    """The same in two parts; None where that is not worth it, or might give something else."""
    tree, begins, virtual = tree_of(model), len(opening.ids), virtual_tokens(model)
    if begins + virtual < LEAST or begins >= len(ids) or list(ids[:begins]) != opening.ids:
        return None
    if virtual + len(ids) > scaled_from(tree) or _rounds_together(tree):
        return None
    kind = type(tree), str(vars(tree.config))
    if kind not in _GOES_ON:
        return _tried(model, ids, opening, kind)
    if not _GOES_ON[kind]:
        return None
    before = opening.find()
    if before is None and opening.cut:
        whole = _read(model, ids)
        if begun := _cut(whole, virtual + begins):
            opening.keep(begun)
        return whole
    return _parts(model, ids, opening)


def _parts(model: Any, ids: Sequence[int], opening: Opening) -> Read | None:
    """From the opening on, which is read now if it was not; None where its cache is not plain."""
    before = opening.find()
    if before is None:
        before = replace(_read(model, opening.ids), logits=torch.empty(0))
        if not is_plain(before.cache):
            return None
        opening.keep(before)
    return _read(model, ids[len(opening.ids) :], before)


def _cut(read: Read, length: int) -> Read | None:
    """The first positions of what was read; None where they do not tell whether they overflow, or are gone by now."""
    gone = any(layer.is_sliding and layer.get_seq_length() >= layer.sliding_window for layer in read.cache.layers)
    if gone or read.overflows:
        return None
    cache = _lent(read.cache)
    for layer in cache.layers:
        layer.crop(length - read.length)
    return Read(torch.empty(0), cache, length, overflows=False)


def _tried(model: Any, ids: Sequence[int], opening: Opening, kind: tuple[type, str]) -> Read:
    """In two parts, if that gives what reading in one gives. Remembered, unless numbers overflow."""
    whole = _read(model, ids)
    try:
        parts = _parts(model, ids, opening)
    except (RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError, NotImplementedError) as error:
        log.info("%s reads a prompt in one part: %s", kind[0].__name__, error)
        parts = None
    if not whole.logits.isfinite().all():
        return whole
    far = float((parts.logits - whole.logits).abs().amax() / whole.logits.abs().amax()) if parts else math.inf
    _GOES_ON[kind] = far <= (1e-4 if tree_of(model).dtype == torch.float32 else 5e-2)
    log.info("%s reads a prompt in two parts as in one but for %.1e", kind[0].__name__, far)
    return parts if parts and _GOES_ON[kind] else whole


def _read(model: Any, ids: Sequence[int], before: Read | None = None) -> Read:
    """In one pass, behind what was read `before`, or behind the virtual tokens."""
    tree = tree_of(model)
    tokens = torch.tensor([list(ids)], dtype=torch.long, device=tree.device)
    inputs: dict[str, Any] = {"input_ids": tokens}
    length = len(ids) + (before.length if before else virtual_tokens(model))
    if before:
        inputs[cache_name(tree)] = _lent(before.cache)
        if counts(tree):
            inputs["position_ids"] = torch.arange(before.length, length, device=tree.device)[None]
    elif virtual_tokens(model):
        virtual = model.get_prompt(batch_size=1)
        if is_prefixed(model):
            inputs[cache_name(tree)] = virtual
        else:
            embeddings = tree.get_input_embeddings()(tokens)
            inputs = {"inputs_embeds": torch.cat([virtual.to(embeddings.dtype), embeddings], dim=1)}
    with watched(norms_of(tree)) as seen:
        output = tree(**inputs, use_cache=True, logits_to_keep=1)
    overflows = bool(overflowing(seen, 1)) or bool(before and before.overflows)
    return Read(output.logits[0, -1].float().cpu(), _cache_of(output), length, overflows)


def _lent(cache: Any) -> Any:
    """A cache to go on with, over the same keys and values: what is added to one of these layers makes new tensors."""
    own = copy(cache)
    own.layers = [copy(layer) for layer in cache.layers]
    return own


def shared(found: Read) -> Read | None:
    """The same for one more to go on from; None where its cache would change for all of them."""
    return replace(found, cache=_lent(found.cache)) if is_plain(found.cache) else None


def is_plain(cache: Any) -> bool:
    """Whether a cache is keys and values alone."""
    layers = getattr(cache, "layers", [None])
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def _rounds_together(tree: nn.Module) -> bool:
    """Whether a token is rounded as its neighbours are: LLM.int8() takes columns of outliers out for all of them."""
    return any(type(parameter).__name__ == "Int8Params" for parameter in tree.parameters())


def tree_of(model: Any) -> Any:
    """The tree of modules that reads tokens."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def virtual_tokens(model: Any) -> int:
    """How many a soft prompt puts before what is read."""
    return int(model.active_peft_config.num_virtual_tokens) if hasattr(model, "prompt_encoder") else 0


def is_prefixed(model: Any) -> bool:
    """Whether its virtual tokens are keys and values (prefix tuning), which no embeddings stand for."""
    return hasattr(model, "prompt_encoder") and model.active_peft_config.peft_type == "PREFIX_TUNING"


def counts(tree: nn.Module) -> bool:
    """Whether a model can be told where its tokens stand: Bamba would begin with 0 again."""
    return "position_ids" in inspect.signature(tree.forward).parameters


def cache_name(tree: nn.Module) -> str:
    """What a model calls the cache that it is handed."""
    return "cache_params" if "cache_params" in inspect.signature(tree.forward).parameters else "past_key_values"


def _cache_of(output: Any) -> Any:
    """The cache that a model gives back."""
    return output.cache_params if "cache_params" in output else output.past_key_values
