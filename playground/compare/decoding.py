"""
Writing an answer: a row, which reads its prompt and chooses token after token. Knows neither panes nor other rows.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from transformers import LogitsProcessorList, PreTrainedTokenizerBase
from transformers.generation.logits_process import (
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from playground import settings
from playground.adapt import tasks
from playground.adapt.adapters import Record
from playground.adapt.attach import attached
from playground.adapt.variant import Variant
from playground.compare import divergence
from playground.compare.overflow import OVERFLOW
from playground.compare.reading import KeptOpening, Opening, Read, common, read, tree_of
from playground.model.bases import Base
from playground.model.tokens import context_of

if TYPE_CHECKING:
    from playground.compare.job import CompareJob, Decoding


def kl(logits: torch.Tensor, reference: torch.Tensor) -> float:
    """KL(p || q) in nats, p from `logits` and q from `reference`, both (vocabulary,), at temperature 1."""
    return float(divergence.kl(logits.double().log_softmax(-1), reference.double().log_softmax(-1)))


class Row:
    """One answer being written: its model, the ids that it has read and written, its cache, its way of choosing."""

    def __init__(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        prompt: list[int],
        decoding: Decoding,
        record: Record | None = None,
        opening: Opening | None = None,
    ) -> None:
        self.model, self.tokenizer, self.prompt, self.decoding = model, tokenizer, prompt, decoding
        self.record = record  # of what is left of an adapter
        self.tree = tree = tree_of(model)
        self.opening = opening  # what other prompts to this model begin with, too
        self.tokens: list[int] = []
        self.finish_reason: str | None = None
        self.error: Exception | None = None  # where it can be written no further
        self.logits = torch.empty(0)  # of the first token, (vocabulary,), float32 on the CPU
        self.kl_from_base: float | None = None
        self.cache: Any = None  # transformers' own, of whatever kind the model keeps
        self.most = context_of(tree)  # positions that there are
        self.length = 0  # positions read and written, virtual tokens included
        self.steps, self.seconds = 0, 0.0  # of writing, after the prompt
        self._choose = _processors(decoding)
        self._generator = torch.Generator().manual_seed(decoding.seed)
        ends = tree.generation_config.eos_token_id
        self._ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}

    @classmethod
    def of(cls, base: Base, variant: Variant, job: CompareJob) -> Row:
        found = attached(base, variant)
        shots = [tasks.Example(*shot) for shot in found.record.shots] if found.record else []
        prompt = tasks.prompt_ids(base.tokenizer, job.prompt, shots)
        opening = KeptOpening(base, variant, common(tasks.any_two(base.tokenizer, shots)))
        return cls(found.model, base.tokenizer, prompt, job.decoding, found.record, opening)

    @property
    def read(self) -> bool:
        """Whether the prompt has been read and the first token chosen."""
        return self.logits.numel() > 0

    @property
    def finished(self) -> bool:
        return self.finish_reason is not None or self.error is not None

    @property
    def overflows_at_once(self) -> bool:
        """Whether the prompt alone makes the numbers overflow, so that not even the first token means anything."""
        return self.finish_reason == OVERFLOW and not self.tokens

    @property
    def tokens_per_second(self) -> float | None:
        """How fast the row has written, with those that write in one batch with it; reading the prompt does not count."""
        return self.steps / self.seconds if self.seconds else None

    def prefill(self) -> None:
        """Read the prompt, behind the virtual tokens if there are any, and choose the first token."""
        self.begin(self.reading())

    def reading(self) -> Read:
        """What the model reads of the prompt and of what is written, but for the last token, into a new cache."""
        return read(self.model, self.prompt + self.tokens[:-1], self.opening)

    def begin(self, found: Read) -> None:
        """Choose the first token after the prompt, which was read by this row or by another one of its model."""
        self.go_on(found)
        self.logits = found.logits
        self.choose(found.logits, found.overflows)

    def go_on(self, found: Read) -> None:
        """Write behind what was read."""
        self.cache, self.length = found.cache, found.length

    def choose(self, logits: torch.Tensor, overflows: bool = False, likeliest: int | None = None) -> None:
        """Append the next token, chosen from `logits` (vocabulary,), or finish. Whoever knows the `likeliest` may say so."""
        token = None if overflows else self._chosen(logits, likeliest)
        if token is None:
            self.finish_reason = OVERFLOW
        elif token in self._ends:
            self.finish_reason = "stop"
        else:
            self.tokens.append(token)
            if len(self.tokens) == self.decoding.max_new_tokens or self.length == self.most:
                self.finish_reason = "length"

    def _chosen(self, logits: torch.Tensor, likeliest: int | None) -> int | None:
        """A token; none where the numbers do not say one."""
        if likeliest is not None and not self._choose and not self.decoding.temperature:
            return likeliest
        read: Any = torch.tensor([self.prompt + self.tokens])
        scores: Any = self._choose(read, logits[None].cpu().clone())
        if not scores.max().isfinite():
            return None
        if self.decoding.temperature:
            return int(torch.multinomial(scores.softmax(-1), 1, generator=self._generator))
        return int(scores.argmax(-1))

    def release(self) -> None:
        """Let go of the model and the cache of an answer that has ended; what was written and measured stays."""
        self.model = self.tree = self.cache = self.opening = None

    def text(self, count: int | None = None) -> str:
        """The first `count` tokens as text; a character that still lacks bytes is left out."""
        decoded: Any = self.tokenizer.decode(self.tokens[:count], skip_special_tokens=True)
        text: str = decoded.rstrip("\N{REPLACEMENT CHARACTER}")
        return text

    def span(self, index: int | None) -> tuple[int, int] | None:
        """Where in the text the token at `index` stands; a byte of a character marks the whole character."""
        if index is None:
            return None
        start = len(self.text(index))
        ends = (len(self.text(count)) for count in range(index + 1, len(self.tokens) + 1))
        end = next((end for end in ends if end > start), None)
        return None if end is None else (start, end)

    @cached_property
    def top_tokens(self) -> tuple[dict[str, Any], ...]:
        """The likeliest first tokens with their probabilities at temperature 1; none if reading the prompt overflows."""
        if self.overflows_at_once:
            return ()
        top = self.logits.softmax(-1).topk(settings.TOP_TOKENS)
        pairs = zip(top.indices.tolist(), top.values.tolist(), strict=True)
        return tuple({"token": self.tokenizer.decode([token]), "probability": p} for token, p in pairs)


def _processors(decoding: Decoding) -> LogitsProcessorList:
    """transformers' own, in the order of its `generate`."""
    chain = LogitsProcessorList()
    if decoding.repetition_penalty != 1.0:
        chain.append(RepetitionPenaltyLogitsProcessor(decoding.repetition_penalty))
    if decoding.temperature:
        chain.append(TemperatureLogitsWarper(decoding.temperature))
        if decoding.top_p < 1.0:
            chain.append(TopPLogitsWarper(decoding.top_p))
    return chain
