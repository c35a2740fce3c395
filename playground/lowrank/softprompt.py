"""
The soft-prompt view: what the virtual tokens of prompt tuning (Lester et al. 2021, arXiv 2104.08691) became.

Nearest vocabulary tokens, lengths and positions are plain numbers and strings; leaving virtual tokens out gives an
adapter like any other. Positions count from 1, as on the page. Knows nothing about the page or its figures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cosine_similarity

from playground import settings
from playground.adapt import tasks
from playground.adapt.adapters import Adapter
from playground.adapt.attach import PROMPT as TENSOR
from playground.adapt.attach import attach
from playground.adapt.tasks import Example
from playground.adapt.variant import Variant
from playground.bounds import SEED, Bound
from playground.errors import PlaygroundError
from playground.lowrank.vocabulary import COUNT, Near, chance, input_embeddings, nearest, vocabulary, word
from playground.model.bases import Base
from playground.train.evaluation import held_out_losses
from playground.train.pauses import between

PEFT_TYPE = "PROMPT_TUNING"  # PEFT's name
SAMPLE = Bound("sample", 400, 2, settings.MAX_PROJECTED_TOKENS)
Point = tuple[float, float]


@dataclass(frozen=True)
class VirtualToken:
    """One virtual token; what needs its start is None (or empty) where the start is not known."""

    position: int  # from 1
    norm: float
    nearest: tuple[Near, ...]  # closest first
    start_norm: float | None = None
    start_nearest: tuple[Near, ...] = ()
    cosine_to_start: float | None = None
    distance_from_start: float | None = None


@dataclass(frozen=True)
class Report:
    tokens: tuple[VirtualToken, ...]
    norm_quantiles: tuple[float, float, float]  # of the vocabulary's embeddings: 5, 50 and 95 %
    step_nearest: tuple[Near, ...]  # to the mean step from start to now; empty where that is unknown or nothing moved
    chance: float  # the largest cosine with the vocabulary that a random direction has, on average


@dataclass(frozen=True)
class Projection:
    """
    Points on the two main axes; `shares` of the variance of all of them, from 0 to 1. `step_share` is how much of the
    virtual tokens' steps from start to now, squared, the two axes show; where the start is unknown, `start` is empty.
    """

    words: tuple[str, ...]  # of `vocabulary`, in its order
    vocabulary: tuple[Point, ...]
    start: tuple[Point, ...]
    now: tuple[Point, ...]
    shares: tuple[float, float]
    step_share: float | None  # None, too, where nothing has moved
    width: int  # dimensions before projecting


@dataclass(frozen=True)
class Importance:
    """Held-out losses in nats, as far as measured: `losses[i]` is that without virtual token i + 1, `none` without any."""

    tokens: int  # of the whole prompt
    examples: int
    whole: float
    none: float | None = None
    losses: tuple[float, ...] = ()


def is_soft_prompt(adapter: Adapter) -> bool:
    """Whether the adapter has virtual tokens that lie among the vocabulary's embeddings."""
    return (adapter.config or {}).get("peft_type") == PEFT_TYPE


def virtual_tokens(adapter: Adapter) -> torch.Tensor:
    """
    The learned embeddings, (tokens, width), float32 on the CPU. Raises PlaygroundError if the adapter has none, or if
    they hold infinity, NaN or numbers so large that their norms overflow.
    """
    if not is_soft_prompt(adapter):
        raise PlaygroundError("not_a_soft_prompt", method=adapter.record.method)
    tokens = adapter.tensors[TENSOR].float()
    if not bool(tokens.norm(dim=1).isfinite().all()):
        raise PlaygroundError("soft_prompt_not_finite")
    return tokens


def initial(base: Base, adapter: Adapter) -> torch.Tensor | None:
    """
    The virtual tokens before training, (tokens, width), float32 on the CPU: the run's checkpoint of step 0, else drawn
    again as PEFT drew them. None if the record does not tell how they began (an upload; a prompt cut by `without`).
    """
    for checkpoint in adapter.checkpoints:
        if checkpoint.step == 0:
            return checkpoint.tensors[TENSOR].float()
    values = adapter.record.hyperparameters
    if "initialization" not in values:
        return None
    return _drawn(base, adapter.record.seed, values)


def _drawn(base: Base, seed: int, values: dict[str, Any]) -> torch.Tensor:
    """
    What peft.tuners.prompt_tuning.PromptEmbedding gives right after `torch.manual_seed(seed)`. Not by asking PEFT: its
    draw goes through torch's global generator, which a training beside us may be using.
    """
    embeddings, count = input_embeddings(base), values["virtual_tokens"]
    if values["initialization"] == "text":
        ids: Any = base.tokenizer(values["initialization_text"])["input_ids"]
        chosen = torch.tensor((list(ids) * count)[:count])
    else:
        generator = torch.Generator().manual_seed(seed)
        random = torch.empty(count, embeddings.shape[1]).normal_(generator=generator)  # torch.nn.Embedding starts so
        if values["initialization"] == "random":
            return random
        chosen = torch.randint(0, embeddings.shape[0], (count,), generator=generator)
    return embeddings[chosen.to(embeddings.device)].float().cpu()


# Against the vocabulary


def _both(base: Base, adapter: Adapter) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The virtual tokens now and at the start. Raises PlaygroundError if they are none, or not of this base's width."""
    now, width = virtual_tokens(adapter), base.architecture.hidden_size
    if now.shape[1] != width:
        raise PlaygroundError("does_not_fit", base=base.spec.name, reason=f"{TENSOR}: {now.shape[1]} ≠ {width}")
    return now, initial(base, adapter)


def report(base: Base, adapter: Adapter, count: int = COUNT.default) -> Report:
    """
    Every virtual token against the vocabulary and against its own start, with its `count` nearest tokens.

    Raises PlaygroundError: no soft prompt, another base's, or `count` out of range.
    """
    now, start = _both(base, adapter)
    words, norms = nearest(base, now, count), now.norm(dim=1).tolist()
    tokens = [VirtualToken(row + 1, norms[row], words[row]) for row in range(len(now))]
    shared: tuple[Near, ...] = ()
    if start is not None:
        words, norms = nearest(base, start, count), start.norm(dim=1).tolist()
        cosines = cosine_similarity(now, start).clamp(-1.0, 1.0).tolist()
        steps = now - start
        distances = steps.norm(dim=1).tolist()
        shared = nearest(base, steps.mean(dim=0, keepdim=True), count)[0] if steps.any() else ()
        tokens = [
            dataclasses.replace(
                token,
                start_norm=norms[row],
                start_nearest=words[row],
                cosine_to_start=cosines[row],
                distance_from_start=distances[row],
            )
            for row, token in enumerate(tokens)
        ]
    return Report(tuple(tokens), vocabulary(base).quantiles, shared, chance(base))


def projection(base: Base, adapter: Adapter, sample: int = SAMPLE.default, seed: int = SEED.default) -> Projection:
    """
    The two main axes (PCA: centred, then SVD) of `sample` vocabulary embeddings, drawn without repetition by `seed`,
    together with the virtual tokens at the start and now, each point counting once. An axis points to where its largest
    loading is positive.

    Raises PlaygroundError: no soft prompt, another base's, or `sample` or `seed` out of range.
    """
    now, start = _both(base, adapter)
    drawn = torch.Generator().manual_seed(SEED.check(seed))
    table = vocabulary(base).embeddings  # (tokens, width)
    ids = torch.randperm(len(table), generator=drawn)[: SAMPLE.check(sample)]
    sampled = table[ids.to(table.device)].float().cpu()
    points = torch.cat([sampled, *([] if start is None else [start]), now]).double()
    centred = points - points.mean(dim=0)
    _, values, axes = torch.linalg.svd(centred, full_matrices=False)
    axes = axes[:2]
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))  # (2, 1)
    flat: list[Point] = [(x, y) for x, y in (centred @ (axes * largest.sign()).T).tolist()]
    steps = None if start is None else (now - start).double()  # (tokens, width)
    first, second = (values[:2].square() / values.square().sum()).tolist()
    return Projection(
        words=tuple(word(base, token) for token in ids.tolist()),
        vocabulary=tuple(flat[: len(ids)]),
        start=tuple(flat[len(ids) : -len(now)]),
        now=tuple(flat[-len(now) :]),
        shares=(first, second),
        step_share=float((steps @ axes.T).square().sum() / steps.square().sum())
        if steps is not None and steps.any()
        else None,
        width=points.shape[1],
    )


# Leaving virtual tokens out


@dataclass(frozen=True)
class LeftOut:
    """An edit of a variant: the virtual tokens at `positions` (from 1) are left out."""

    positions: tuple[int, ...]

    def applied(self, base: Base, adapter: Adapter) -> Adapter:
        """Raises PlaygroundError as `without`."""
        return without(adapter, self.positions)


def without(adapter: Adapter, positions: Sequence[int]) -> Adapter:
    """
    The same adapter with the virtual tokens at `positions` (from 1) left out, as an adapter of its own. Its record no
    longer tells how the tokens began: a shorter run would have begun with others.

    Raises PlaygroundError: no soft prompt, a position that does not exist, or none would stay.
    """
    count, width = virtual_tokens(adapter).shape
    unknown = [position for position in positions if type(position) is not int or not 1 <= position <= count]
    if unknown:
        raise PlaygroundError("unknown_virtual_token", position=str(unknown[0])[:20], tokens=count)
    kept = [row for row in range(count) if row + 1 not in set(positions)]
    if not kept:
        raise PlaygroundError("last_virtual_token")
    rows, gone = adapter.tensors[TENSOR][kept].clone(), (count - len(kept)) * width
    values = {name: value for name, value in adapter.record.hyperparameters.items() if not name.startswith("initialization")}
    record = dataclasses.replace(
        adapter.record,
        hyperparameters=values | {"virtual_tokens": len(kept)},
        trainable_parameters=adapter.record.trainable_parameters - gone,
        total_parameters=adapter.record.total_parameters - gone,
        bytes=rows.numel() * rows.element_size(),
    )
    config = {**(adapter.config or {}), "num_virtual_tokens": len(kept)}
    return dataclasses.replace(adapter, record=record, config=config, loaded={TENSOR: rows}, folder=None, checkpoints=())


def importance(base: Base, adapter: Adapter, examples: Sequence[Example]) -> Iterator[Importance | None]:
    """
    The held-out loss with the whole prompt, then with none of it, then with each virtual token left out in turn: one
    event each, which holds all before it, and comes again between two batches (None: nothing yet). At most
    `settings.MAX_IMPORTANCE_EXAMPLES` of the examples are used.

    Raises PlaygroundError before the first event: no soft prompt, a single virtual token, another base's, no examples.
    """
    count = len(virtual_tokens(adapter))
    without(adapter, [1])  # raises if none would stay
    if not examples:
        raise PlaygroundError("no_held_out")
    encoded = [tasks.encode(base.tokenizer, example) for example in examples[: settings.MAX_IMPORTANCE_EXAMPLES]]
    model: Any = attach(base, Variant(base.id, adapter)).model  # private: the prompt is cut inside it
    prompt = model.prompt_encoder[model.active_adapter].embedding
    whole, pad = prompt.weight.detach(), base.tokenizer.pad_token_id
    event = Importance(count, len(encoded), (yield from between(held_out_losses(model, encoded, pad), None)))
    yield event
    event = dataclasses.replace(event, none=(yield from between(held_out_losses(base.model, encoded, pad), event)))
    yield event
    model.active_peft_config.num_virtual_tokens = count - 1
    for row in range(count):
        rest = torch.cat([whole[:row], whole[row + 1 :]])
        prompt.weight = torch.nn.Parameter(rest, requires_grad=False)
        loss = yield from between(held_out_losses(model, encoded, pad), event)
        event = dataclasses.replace(event, losses=(*event.losses, loss))
        yield event
