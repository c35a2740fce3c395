"""
What is left of a base that was pruned, as one row: how large it is, how fast it writes, how well it reads a text, what it
answers; and a table of many. Knows nothing about the page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from playground.adapt import tasks
from playground.adapt.attach import attached
from playground.adapt.variant import Variant
from playground.model.bases import Base
from playground.model.modules import linear_layers
from playground.model.neutral import text_windows
from playground.model.pruning import HALF, KINDS, Pruning
from playground.prune.rows import Row, Table
from playground.train.pauses import between

QUESTION = "What is the capital of France?"
TOKENS = 24  # of its answer
CHUNK = 128  # tokens whose distributions are looked at together
SHARES = (0.1, 0.2, 0.4)  # that a table of all rules has


def everything() -> list[Pruning]:
    """Every rule of every kind at every share of SHARES that it may have."""
    shares = {one.id: (0.5,) if one.share is HALF else SHARES for one in KINDS.values()}
    return [Pruning(one.id, share, rule) for one in KINDS.values() for rule in one.rules for share in shares[one.id]]


def row(base: Base, name: str) -> Generator[None, None, Row]:
    """Measure a base, called `name`; pauses in between."""
    model = attached(base, Variant(base.id)).model
    answer, speed = written(model, base)
    yield
    loss, right = yield from read(model, base)
    held = list(model.parameters())
    weights = [layer.weight for layer in linear_layers(model).values() if layer.weight.dtype.is_floating_point]
    zeros = sum(int((one == 0).sum()) for one in weights) if name.startswith(("sparse", "pattern")) else 0
    return Row(name, base.architecture.parameters, sum(one.nbytes for one in held), zeros, speed, loss, right, answer)


@torch.inference_mode()
def written(model: Any, base: Base) -> tuple[str, float]:
    """The answer to QUESTION, greedily, and tokens a second of writing it: TOKENS of them, whatever comes."""
    ids, cache, found = torch.tensor([tasks.prompt_ids(base.tokenizer, QUESTION)], device=base.device), None, list[int]()
    begin = time.perf_counter()
    for _ in range(TOKENS + 1):
        out = model(input_ids=ids, past_key_values=cache, use_cache=True)
        ids, cache = out.logits[:, -1:].argmax(-1), out.past_key_values
        begin = begin if found else time.perf_counter()  # reading the question is no writing
        found.append(int(ids))
    taken = time.perf_counter() - begin
    end = base.tokenizer.eos_token_id
    kept = found[: found.index(end)] if end in found else found[:TOKENS]
    answer = str(base.tokenizer.decode(kept, skip_special_tokens=True))
    return answer.strip(), TOKENS / taken


@torch.inference_mode()
def read(model: Any, base: Base) -> Generator[None, None, tuple[float, float]]:
    """
    The mean loss in nats over the neutral text's tokens, and the share of them that were the likeliest; pauses after each
    window. The first token of a window has no context.
    """
    sums, count = torch.zeros(2, dtype=torch.float64), 0
    for window in text_windows(base):
        wanted = window[1:].to(base.device)
        for logits, targets in zip(
            _logits(model, window[None].to(base.device)).split(CHUNK), wanted.split(CHUNK), strict=True
        ):
            loss = cross_entropy(logits.float(), targets, reduction="sum")
            sums += torch.stack([loss, (logits.argmax(-1) == targets).sum()]).cpu()
        count += len(wanted)
        yield
    loss_and_right: tuple[float, float] = tuple((sums / count).tolist())
    return loss_and_right


def _logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Of every token but the first, (tokens - 1, vocabulary)."""
    found: torch.Tensor = model(input_ids=ids, use_cache=False).logits[0, :-1]
    return found


# Many


def table(
    base_id: str, prunings: Iterable[Pruning], get_base: Callable[[str], Base], stop: Callable[[], bool] = lambda: False
) -> Iterator[Table]:
    """Tables that grow, again and again, also where it has only paused. Raises PlaygroundError as `prune`."""
    found = Table(base_id)
    for name in ("", *map(str, prunings)):
        found = replace(found, working=name)
        yield found
        if stop():
            return
        base = get_base(f"{base_id}:{name}" if name else base_id)
        one = yield from between(row(base, name), found)
        found = replace(found, rows=(*found.rows, one), working=None)
        yield found
