"""
Comparing: one prompt, many panes, one decode loop.

Every pane reads the prompt alone (so that its first-token distribution is exactly its own model's), then all of them
write together: one row of a batch each, through a tree of modules in which only what differs between panes is routed
row by row. Greedy rows equal what PEFT's own `generate` gives for the same adapter. Knows nothing about training or
the page.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers import DynamicCache, LogitsProcessorList, PreTrainedModel, PreTrainedTokenizerBase
from transformers.generation import RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopPLogitsWarper

from playground import adapters, settings, tasks
from playground.adapters import Adapter
from playground.bases import Base
from playground.errors import PlaygroundError
from playground.methods import Hyperparameter


@dataclass(frozen=True)
class Decoding:
    """How tokens are chosen; temperature 0 is greedy. Raises PlaygroundError if out of range."""

    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for bounds in DECODING:
            object.__setattr__(self, bounds.name, bounds.check(getattr(self, bounds.name)))


DECODING = (
    Hyperparameter("max_new_tokens", 64, 1, settings.MAX_NEW_TOKENS),
    Hyperparameter("temperature", 0.0, 0.0, 2.0),
    Hyperparameter("top_p", 1.0, 0.05, 1.0),
    Hyperparameter("repetition_penalty", 1.0, 1.0, 2.0),
    Hyperparameter("seed", 0, 0, 2**31 - 1),
)


@dataclass(frozen=True)
class CompareJob:
    """`adapters` in the order of the panes; None is the plain base."""

    base: str
    prompt: str
    adapters: tuple[Adapter | None, ...]
    decoding: Decoding = Decoding()

    def check(self) -> None:
        """Raises PlaygroundError if this cannot be served."""
        if not self.prompt.strip():
            raise PlaygroundError("empty_prompt")
        if len(self.prompt) > settings.MAX_PROMPT_CHARACTERS:
            raise PlaygroundError("prompt_too_long", found=len(self.prompt), maximum=settings.MAX_PROMPT_CHARACTERS)
        if not 1 <= len(self.adapters) <= settings.MAX_PANES:
            raise PlaygroundError("pane_count", found=len(self.adapters), maximum=settings.MAX_PANES)


@dataclass(frozen=True)
class Pane:
    """What one pane shows. `first_divergence` counts generated tokens from 0; `kl_from_base` is in nats."""

    adapter: str
    summary: dict[str, Any]
    text: str = ""
    tokens: int = 0
    finished: bool = False
    finish_reason: str | None = None  # "stop" (an end token) or "length"
    first_divergence: int | None = None
    divergence_span: tuple[int, int] | None = None
    tokens_per_second: float | None = None
    kl_from_base: float | None = None
    top_tokens: tuple[dict[str, Any], ...] = ()
    weights_untouched: bool | None = None


@dataclass(frozen=True)
class Frame:
    base: str
    base_parameters: int
    prompt: str
    decoding: Decoding
    panes: tuple[Pane, ...]
    finished: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain values; a pane's summary lies beside its other fields."""
        frame = asdict(self)
        frame["panes"] = [{**pane.pop("summary"), **pane} for pane in frame["panes"]]
        return frame


def compare(job: CompareJob, get_base: Callable[[str], Base]) -> Iterator[Frame]:
    """
    Frames with every pane's text so far, from the first token on; the last frame also has the measurements.

    The base answers even if no pane asks for it: divergence is measured from it. Raises PlaygroundError before the
    first frame if the job cannot be served.
    """
    job.check()
    base = get_base(job.base)
    plain = _Shown(None, Row.of(base, None, job))
    shown = [plain if adapter is None else _adapted(adapter, job, get_base) for adapter in job.adapters]
    rows = [plain.row, *(one.row for one in shown if one is not plain)]

    def frame(finished: bool = False, untouched: bool | None = None) -> Frame:
        panes = tuple(one.pane(plain.row, base, untouched) for one in shown)
        return Frame(job.base, base.architecture.parameters, job.prompt, job.decoding, panes, finished)

    for row in rows:
        row.prefill()
        row.kl_from_base = kl(row.logits, rows[0].logits)
        yield frame()
    for _ in write(rows):
        yield frame()
    yield frame(finished=True, untouched=base.untouched())


def _adapted(adapter: Adapter, job: CompareJob, get_base: Callable[[str], Base]) -> _Shown:
    return _Shown(adapter, Row.of(get_base(adapters.base_id(adapter, job.base)), adapter, job))


@dataclass(frozen=True)
class _Shown:
    adapter: Adapter | None
    row: Row

    def pane(self, base_row: Row, base: Base, untouched: bool | None) -> Pane:
        row, divergence = self.row, None
        if self.adapter is not None and base_row.read and row.read:
            divergence = first_difference(row.tokens, base_row.tokens, row.finished and base_row.finished)
        return Pane(
            adapter=self.adapter.id if self.adapter else adapters.BASE,
            summary=self.adapter.summary() if self.adapter else base_summary(base),
            text=row.text(),
            tokens=len(row.tokens),
            finished=row.finished,
            finish_reason=row.finish_reason,
            first_divergence=divergence,
            divergence_span=row.span(divergence),
            tokens_per_second=len(row.tokens) / row.seconds if row.finished and row.seconds else None,
            kl_from_base=row.kl_from_base if self.adapter else None,
            top_tokens=row.top_tokens if row.read else (),
            weights_untouched=untouched if self.adapter is None else None,
        )


def base_summary(base: Base) -> dict[str, Any]:
    parameters = base.architecture.parameters
    numbers = {"trainable_parameters": 0, "total_parameters": parameters, "percent": 0.0, "bytes": 0}
    named = {"id": adapters.BASE, "name": "", "base": base.id, "method": "base", "task": None}
    return {**named, "hyperparameters": {}, "steps": 0, **numbers}


def first_difference(tokens: Sequence[int], others: Sequence[int], both_finished: bool) -> int | None:
    """Index of the first token that differs; where one answer has ended and the other goes on, that index. Else None."""
    for index, (token, other) in enumerate(zip(tokens, others, strict=False)):
        if token != other:
            return index
    return min(len(tokens), len(others)) if both_finished and len(tokens) != len(others) else None


def kl(logits: torch.Tensor, reference: torch.Tensor) -> float:
    """KL(p || q) in nats, p from `logits` and q from `reference`, both (vocabulary,), at temperature 1."""
    p, q = logits.double().log_softmax(-1), reference.double().log_softmax(-1)
    return at_least_zero(float((p.exp() * (p - q)).sum()))


def at_least_zero(divergence: float) -> float:
    """A divergence without the rounding below zero; one that is no number stays none."""
    return divergence if divergence != divergence else max(0.0, divergence)


class Row:
    """One answer being written: its model, the ids that it has read and written, its cache, its way of choosing."""

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, prompt: list[int], decoding: Decoding) -> None:
        self.model, self.tokenizer, self.prompt, self.decoding = model, tokenizer, prompt, decoding
        tree: Any = model.get_base_model() if isinstance(model, PeftModel) else model
        self.tree = tree
        self.tokens: list[int] = []
        self.finish_reason: str | None = None
        self.logits = torch.empty(0)  # of the first token, (vocabulary,), float32 on the CPU
        self.kl_from_base: float | None = None
        self.cache: DynamicCache | None = None
        self.length = 0  # positions read and written, virtual tokens included
        self.seconds = 0.0
        self._choose = _processors(decoding)
        self._generator = torch.Generator().manual_seed(decoding.seed)
        ends = tree.generation_config.eos_token_id
        self._ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}

    @classmethod
    def of(cls, base: Base, adapter: Adapter | None, job: CompareJob) -> Row:
        shots = [tasks.Example(*shot) for shot in adapter.record.shots] if adapter else []
        prompt = tasks.prompt_ids(base.tokenizer, job.prompt, shots)
        return cls(adapters.attached(base, adapter), base.tokenizer, prompt, job.decoding)

    @property
    def read(self) -> bool:
        """Whether the prompt has been read and the first token chosen."""
        return self.logits.numel() > 0

    @property
    def finished(self) -> bool:
        return self.finish_reason is not None

    @torch.inference_mode()
    def prefill(self) -> None:
        """Read the prompt, behind the virtual tokens if there are any, and choose the first token."""
        start = time.perf_counter()
        ids = torch.tensor([self.prompt], device=self.tree.device)
        inputs: dict[str, torch.Tensor] = {"input_ids": ids}
        if hasattr(self.model, "prompt_encoder"):
            embeddings = self.tree.get_input_embeddings()(ids)
            virtual = self.model.get_prompt(batch_size=1).to(embeddings.dtype)
            inputs = {"inputs_embeds": torch.cat([virtual, embeddings], dim=1)}
        output = self.tree(**inputs, use_cache=True, logits_to_keep=1)
        self.cache, self.length = output.past_key_values, next(iter(inputs.values())).shape[1]
        self.logits = output.logits[0, -1].float().cpu()
        self.choose(self.logits)
        self.seconds += time.perf_counter() - start

    def choose(self, logits: torch.Tensor) -> None:
        """Append the next token, chosen from `logits` (vocabulary,), or finish."""
        read: Any = torch.tensor([self.prompt + self.tokens])
        scores: Any = self._choose(read, logits[None].clone())
        if self.decoding.temperature:
            token = int(torch.multinomial(scores.softmax(-1), 1, generator=self._generator))
        else:
            token = int(scores.argmax(-1))
        if token in self._ends:
            self.finish_reason = "stop"
            return
        self.tokens.append(token)
        if len(self.tokens) == self.decoding.max_new_tokens:
            self.finish_reason = "length"

    def text(self, count: int | None = None) -> str:
        """The first `count` tokens as text; a character that still lacks bytes is left out."""
        text: Any = self.tokenizer.decode(self.tokens[:count], skip_special_tokens=True)
        return text.rstrip("\N{REPLACEMENT CHARACTER}")

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
        """The likeliest first tokens with their probabilities at temperature 1."""
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


def write(rows: Sequence[Row]) -> Iterator[None]:
    """Continue prefilled rows together, one token each per step, until all are finished."""
    rows = [row for row in rows if not row.finished]
    if not rows:
        return
    tree = mixed([row.tree for row in rows])
    cache, mask = _join(rows)
    while not all(row.finished for row in rows):
        start = time.perf_counter()
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
        logits = _column(tree, rows, cache, mask)
        spent = time.perf_counter() - start
        for row, row_logits in zip(rows, logits, strict=True):
            row.length += 1
            if not row.finished:
                row.seconds += spent
                row.choose(row_logits)
        yield


@torch.inference_mode()
def _column(tree: PreTrainedModel, rows: Sequence[Row], cache: DynamicCache, mask: torch.Tensor) -> torch.Tensor:
    """One more token a row: (rows, vocabulary) logits on the CPU. A finished row repeats its last token, unheard."""
    device = mask.device
    ids = torch.tensor([[(row.tokens or row.prompt)[-1]] for row in rows], device=device)
    positions = torch.tensor([[row.length] for row in rows], device=device)
    output = tree(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True)
    return output.logits[:, -1].float().cpu()


@torch.inference_mode()
def _join(rows: Sequence[Row]) -> tuple[DynamicCache, torch.Tensor]:
    """The caches of rows as one batch, shorter ones padded on the left, and the mask (rows, longest) over them."""
    longest = max(row.length for row in rows)
    mask = torch.zeros(len(rows), longest, dtype=torch.long, device=rows[0].tree.device)
    for row, line in zip(rows, mask, strict=True):
        line[longest - row.length :] = 1
    layers = []
    for layer in zip(*(row.cache.layers for row in rows), strict=True):  # type: ignore[union-attr]
        # (1, heads, positions, head size) each
        keys = [nn.functional.pad(one.keys, (0, 0, longest - one.keys.shape[2], 0)) for one in layer]
        values = [nn.functional.pad(one.values, (0, 0, longest - one.values.shape[2], 0)) for one in layer]
        layers.append((torch.cat(keys), torch.cat(values)))
    for row in rows:
        row.cache = None
    return DynamicCache(layers), mask


def mixed(trees: Sequence[nn.Module]) -> Any:
    """
    One module tree whose row i computes what `trees[i]` computes.

    Where the trees hold the same tensors the first one's module stands; where they differ in a leaf or in a PEFT layer
    a RowRouter does. The modules themselves do the work, so any method that changes modules can take part.
    """
    first = trees[0]
    if all(_same(first, tree) for tree in trees):
        return first
    alike = all(type(tree) is type(first) for tree in trees)
    if not alike or not first._modules or isinstance(first, BaseTunerLayer):
        return RowRouter(trees)
    tree = copy.copy(first)
    tree._modules = {name: mixed([one.get_submodule(name) for one in trees]) for name in first._modules}
    return tree


def _same(one: nn.Module, other: nn.Module) -> bool:
    """Whether two modules compute the same because they are one, or are alike over the very same tensors."""
    if one is other:
        return True
    if type(one) is not type(other) or any(isinstance(part, BaseTunerLayer) for part in one.modules()):
        return False
    own, others = list(one.parameters()), list(other.parameters())
    return len(own) == len(others) and all(a is b for a, b in zip(own, others, strict=True))


class RowRouter(nn.Module):
    """Stands for one module of several trees: row i of the input goes through `variants[i]`, equal variants together."""

    def __init__(self, variants: Sequence[nn.Module]) -> None:
        super().__init__()
        self.groups: list[tuple[list[int], nn.Module]] = []
        for row, variant in enumerate(variants):
            for rows, module in self.groups:
                if _same(module, variant):
                    rows.append(row)
                    break
            else:
                self.groups.append(([row], variant))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (rows, positions[, inputs]) → (rows, positions, outputs)."""
        whole: torch.Tensor | None = None
        for rows, module in self.groups:
            part = module(x[rows])
            if whole is None:
                whole = part.new_empty(len(x), *part.shape[1:])
            whole[rows] = part
        assert whole is not None
        return whole
