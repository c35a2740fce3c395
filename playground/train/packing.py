"""
A batch read as one row: what all its examples begin with once, then what each goes on with, one after the other.

Nothing is padded, and the opening of a chat template, or the virtual tokens of a soft prompt, is read once instead of once
an example; its gradients add up by themselves. A mask says which token sees which, and positions are counted as in a row of
its own. Not every model can be asked so: `packs` tries.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from peft.tuners.pvera import PveraLayer
from torch import nn

from playground.adapt.tasks import IGNORE
from playground.compare.reading import is_prefixed, tree_of, virtual_tokens
from playground.compare.routing import scaled_from
from playground.model.tokens import context_of
from playground.train.batches import Encoded

WINDOWS = ("sliding_window", "window_size", "attention_chunk_size")  # of transformers' configs: how far a layer sees back
TRIED = ([3, 4, 5, 6, 7, 8], [3, 4, 5, 6, 9, 10])  # two examples with one opening
log = logging.getLogger(__name__)
_LONGEST: dict[tuple[type, str], float] = {}  # by a model's class and config


@dataclass(frozen=True)
class Packed:
    """
    T tokens: an opening, and what each example goes on with. Logits at `sources` (N,) tell the N `targets`, example after
    example.
    """

    ids: torch.Tensor  # (1, T)
    positions: torch.Tensor  # (1, T)
    owners: torch.Tensor  # (T,): which example a token belongs to; -1 for the opening
    sources: torch.Tensor
    targets: torch.Tensor


def pack(batch: Sequence[Encoded], device: torch.device) -> Packed:
    """One row of a batch."""
    columns = zip(*(ids for ids, _ in batch), strict=False)
    opening = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
    tokens, positions, owners = list(batch[0][0][:opening]), list(range(opening)), [-1] * opening
    sources, targets = [], []
    for owner, (ids, labels) in enumerate(batch):
        shift = len(tokens) - opening  # of what stands behind the opening
        heard = [place for place, label in enumerate(labels) if label != IGNORE]
        sources += [place - 1 + (shift if place > opening else 0) for place in heard]
        targets += [labels[place] for place in heard]
        tokens += ids[opening:]
        positions += range(opening, len(ids))
        owners += [owner] * (len(ids) - opening)
    found = [torch.tensor(one, device=device) for one in (tokens, positions, owners, sources, targets)]
    return Packed(found[0][None], found[1][None], *found[2:])


def side_by_side(batch: Sequence[Encoded], pad: int, device: torch.device) -> tuple[Packed, int]:
    """One row of a batch whose examples share nothing and are filled up to one length, which is given, too."""
    length = max(len(ids) for ids, _ in batch)
    tokens = [token for ids, _ in batch for token in [*ids, *[pad] * (length - len(ids))]]
    heard = [
        (length * owner + place - 1, label)
        for owner, (_, labels) in enumerate(batch)
        for place, label in enumerate(labels)
        if label != IGNORE
    ]
    owners = [owner for owner in range(len(batch)) for _ in range(length)]
    positions = [*range(length)] * len(batch)
    sources, targets = zip(*heard, strict=True)
    found = [torch.tensor(one, device=device) for one in (tokens, positions, owners, sources, targets)]
    return Packed(found[0][None], found[1][None], *found[2:]), length


def sight(owners: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The mask (…, T, T) that is added to attention's scores: a token sees what its owner, or the opening, has up to it."""
    seen = ((owners[..., :, None] == owners[..., None, :]) | (owners[..., None, :] == -1)).tril()
    return torch.zeros_like(seen, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)


def packed_logits(model: Any, packed: Packed) -> torch.Tensor:
    """Logits of the targets, (N, vocabulary), with gradients; behind the virtual tokens of a soft prompt."""
    inputs, positions, owners, sources = {"input_ids": packed.ids}, packed.positions, packed.owners, packed.sources
    if hasattr(model, "prompt_encoder"):
        embeddings = model.get_input_embeddings()(packed.ids)
        prompt = model.get_prompt(batch_size=1).to(embeddings.dtype)
        inputs = {"inputs_embeds": torch.cat([prompt, embeddings], dim=1)}
        virtual = torch.arange(prompt.shape[1], device=owners.device)
        positions = torch.cat([virtual[None], len(virtual) + positions], dim=1)
        owners = torch.cat([torch.full_like(virtual, -1), owners])
        sources, model = len(virtual) + sources, model.get_base_model()
    mask = sight(owners, model.dtype)[None, None]
    output = model(**inputs, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=sources)
    logits: torch.Tensor = output.logits[0]
    return logits


def packs(model: Any, batch: Sequence[Encoded]) -> bool:
    """
    Whether a batch may be read as one row: the model computes the same so, nothing is dropped at random (each example has
    its own dice), and no layer sees less far than the row is long.
    """
    if len(batch) == 1 or is_prefixed(model):
        return False
    tree, tokens = tree_of(model), virtual_tokens(model) + sum(len(ids) for ids, _ in batch)
    return tokens <= longest(tree) and not (model.training and drops(tree))


def longest(tree: Any) -> float:
    """How many tokens a packed row of a model may have; 0 if it cannot be read so. Tried once for models of one config."""
    kind = type(tree), str(vars(tree.config))
    if kind not in _LONGEST:
        config = tree.config.get_text_config()
        limits = [context_of(tree), *(getattr(config, name, None) for name in WINDOWS)]
        most = min([scaled_from(tree), *(one for one in limits if isinstance(one, int) and one > 0)])
        _LONGEST[kind] = most if _reads_alike(tree) else 0
    return _LONGEST[kind]


def _reads_alike(tree: Any) -> bool:
    """Whether two examples have the same logits in one row as in two."""
    training, vocabulary = tree.training, len(tree.get_input_embeddings().weight)
    batch = [([token % vocabulary for token in ids], [IGNORE, *ids[1:]]) for ids in TRIED]
    packed = pack(batch, tree.device)
    tree.eval()
    try:
        with torch.no_grad():
            apart = tree(input_ids=torch.tensor([ids for ids, _ in batch], device=tree.device), use_cache=False).logits
            together = packed_logits(tree, packed)
            far = (apart[:, :-1].flatten(0, 1) - together).float().abs().amax() / apart.float().abs().amax()
    except (RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError, NotImplementedError) as error:
        log.info("%s reads its examples side by side: %s", type(tree).__name__, error)
        return False
    finally:
        tree.train(training)
    log.info("%s reads two examples in one row as in two but for %.1e", type(tree).__name__, far)
    return bool(far <= (1e-4 if tree.dtype == torch.float32 else 5e-2))


def drops(tree: nn.Module) -> bool:
    """Whether a model in training drops something at random, or draws its values as PVeRA does."""
    config: Any = tree.config
    told = any(
        value for name, value in vars(config.get_text_config()).items() if "drop" in name and isinstance(value, float)
    )
    return told or any(
        isinstance(module, PveraLayer) or (isinstance(module, nn.Dropout) and module.p > 0) for module in tree.modules()
    )
