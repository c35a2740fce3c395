"""
Caches of fewer bits beside each other on one base: what each takes, how the base reads a text with it, and what it answers.

Knows nothing about the page.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from transformers.cache_utils import DynamicCache

from playground.adapt import tasks
from playground.adapt.attach import attached
from playground.adapt.variant import Variant
from playground.model.bases import Base
from playground.model.beside import beside
from playground.model.neutral import text_windows
from playground.quantize.kvcache import KIVI, Kept, cache_bytes, cached_log_probabilities, rounded_cache
from playground.quantize.wholemodel import Reading, log_probabilities, read_against
from playground.train.pauses import between

TOKENS = 1000  # what the bytes are of
ANSWER_TOKENS = 40
CACHES = tuple(replace(KIVI, bits=bits, keys=keys, values=values) for bits in (8, 4) for keys, values in (
    ("token", "token"), ("channel", "channel"), ("channel", "token"),
))  # fmt: skip


@dataclass(frozen=True)
class CacheJob:
    """Read the neutral text and answer a prompt with every cache of `kept`, after the base's own. `base` is a plain id."""

    base: str
    prompt: str
    kept: tuple[Kept, ...] = CACHES


@dataclass(frozen=True)
class Cached:
    """One cache (`kept` None: the base's own, as it computes). `bytes` of TOKENS tokens, scales included."""

    kept: Kept | None
    bytes: int
    reading: Reading
    answer: str


@dataclass(frozen=True)
class Caches:
    """All caches so far; `fraction` of the job is done."""

    base: str
    prompt: str
    found: tuple[Cached, ...] = ()
    fraction: float = 0.0


def caches(job: CacheJob, get_base: Callable[[str], Base]) -> Iterator[Caches]:
    """Grows by a cache, and pauses within. Raises PlaygroundError before the first: a base, bits, a way that is none."""
    wanted = (None, *(one.checked() for one in job.kept))
    base = yield from beside(partial(get_base, job.base), lambda: Caches(job.base, job.prompt))
    prompt = tasks.prompt_ids(base.tokenizer, job.prompt)
    base.check_room(len(prompt) + ANSWER_TOKENS)
    windows, done = text_windows(base), Caches(job.base, job.prompt)
    there: list[torch.Tensor] = []
    for window in windows:
        yield done
        there.append(log_probabilities(base, window))
    for place, kept in enumerate(wanted, start=1):
        here = there if kept is None else (cached_log_probabilities(base, window, kept) for window in windows)
        reading = yield from between(read_against(here, there, windows), done)
        answer = yield from between(answered(base, kept, prompt), done)
        found = Cached(kept, cache_bytes(base, TOKENS, kept), reading, answer)
        done = replace(done, found=(*done.found, found), fraction=place / len(wanted))
        yield done


def answered(base: Base, kept: Kept | None, prompt: list[int]) -> Generator[None, None, str]:
    """What the base answers greedily with such a cache; pauses after every token."""
    model = attached(base, Variant(base.id)).model
    cache: Any = rounded_cache(kept) if kept else DynamicCache()
    ends = model.generation_config.eos_token_id
    known = {base.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}
    written: list[int] = []
    read = prompt
    while len(written) < ANSWER_TOKENS:
        with torch.inference_mode():
            ids = torch.tensor([read], device=base.device)
            token = int(model(input_ids=ids, past_key_values=cache, use_cache=True).logits[0, -1].argmax())
        if token in known:
            break
        written.append(token)
        read = [token]
        yield
    return str(base.tokenizer.decode(written, skip_special_tokens=True)).strip()
