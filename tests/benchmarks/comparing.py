"""
Panes that write together, against the base alone, and against transformers' and PEFT's own `generate` in the same run;
prompts read from their opening on, against the same prompts read whole.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from playground import settings
from playground.adapt import tasks
from playground.adapt.attach import attached
from playground.adapt.library import examples
from playground.adapt.variant import Variant
from playground.compare.decoding import Row
from playground.compare.job import CompareJob, Decoding
from playground.compare.pool import Pool
from playground.compare.reading import Opening, common, read
from playground.model.bases import BASES, Base
from playground.model.weights import tensors_of
from playground.train.evaluation import SAMPLES
from tests.benchmarks.table import write_all

ROUNDS, TOKENS = 5, 48
FOUR = (None, "pirate-prompt_tuning", "pirate-ia3", "pirate-lora")
SIX = (None, "pirate-prompt_tuning", "pirate-lora", "sentiment-lora", "json-lora", "pirate-dora")
QUESTION = "Tell me about the sea. Which fish live where no light comes down?"
SHOTS, READINGS = 4, 15
NOTE = (
    f"{TOKENS} tokens a pane, greedy, float32; medians of {ROUNDS} rounds in turn; reading the prompt is left out. Reading: "
    f"medians of {READINGS} in turn, the base, float32."
)


def study() -> None:
    base = BASES.get(settings.DEFAULT_BASE)
    panes = {name: Variant.of(base.id, examples()[name] if name else None) for name in (*FOUR, *SIX)}
    ids = torch.tensor([tasks.prompt_ids(base.tokenizer, QUESTION)])
    stock = [_stock(base, panes[name]) for name in FOUR]

    def together(names: tuple[str | None, ...]) -> float:
        """Seconds of a token of every pane."""
        job = CompareJob(base.id, QUESTION, tuple(panes[name] for name in names), Decoding(TOKENS + 8))
        rows = [Row.of(base, one, job) for one in job.variants]
        base.pack()
        for row in rows:
            row._ends = set()
            row.prefill()
        pool = Pool()
        pool.join(rows)
        pool.step()
        begin = time.perf_counter()
        for _ in range(TOKENS):
            pool.step()
        return (time.perf_counter() - begin) / TOKENS

    def in_turn(models: list[Any]) -> float:
        """The same with `generate`, model after model, without reading the prompt."""
        spent = [_generated(model, ids, count) for model in models for count in (TOKENS + 1, 1)]
        return (sum(spent[::2]) - sum(spent[1::2])) / TOKENS

    ways: dict[str, Callable[[], float]] = {
        "the base alone": lambda: together((None,)),
        "four panes: base, prompt tuning, IA3, LoRA": lambda: together(FOUR),
        "six panes: base, prompt tuning, three LoRA, DoRA": lambda: together(SIX),
        "transformers' `generate`, the base, torch's own products": lambda: in_turn(stock[:1]),
        "PEFT's `generate`, the four panes in turn, torch's own products": lambda: in_turn(stock),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            spent = way()
            if round_:  # the first one warms up
                found[name].append(spent)
    alone = found["the base alone"]
    rows = []
    for name, seconds in found.items():
        ratio = statistics.median(one / other for one, other in zip(seconds, alone, strict=True))
        rows.append([name, f"{1000 * statistics.median(seconds):.1f} ms", f"**{ratio:.2f}×**"])
    tables = [
        ("Writing together", ["", "a token of every pane", "against the base alone"], rows),
        ("Reading a prompt", ["", "tokens", "of them the opening", "whole", "from the opening on", "ratio"], openings(base)),
    ]
    write_all("comparing", "Comparing", tables, NOTE)


def openings(base: Base) -> list[list[str]]:
    """
    Seconds of reading in one part and in two, in turn: a question, also to examples, whose opening others have read before;
    the two sample questions of a run, with their opening.
    """
    task = tasks.task("pirate")
    held_out, shots = [one.prompt for one in task.held_out[:SAMPLES]], task.train[:SHOTS]
    cases = {
        "a question": ([QUESTION], (), True),
        f"a question to {SHOTS} examples": ([QUESTION], shots, True),
        "two sample questions, their opening included": (held_out, (), False),
    }
    rows = []
    for name, (questions, examples_, before) in cases.items():
        prompts = [tasks.prompt_ids(base.tokenizer, question, examples_) for question in questions]
        begins = common(tasks.any_two(base.tokenizer, examples_))
        opening, spent = Opening(begins, cut=True), [list[float](), list[float]()]
        for round_ in range(READINGS + 1):
            for parts, seconds in enumerate(spent):
                opening = opening if before else Opening(begins, cut=True)
                begin = time.perf_counter()
                for ids in prompts:
                    read(base.model, ids, opening if parts else None)
                if round_:
                    seconds.append(time.perf_counter() - begin)
        ratio = statistics.median(two / one for one, two in zip(*spent, strict=True))
        times = [f"{1000 * statistics.median(seconds):.0f} ms" for seconds in spent]
        rows.append([name, str(sum(map(len, prompts))), str(len(begins)), *times, f"**{ratio:.2f}×**"])
    return rows


def _stock(base: Any, pane: Variant) -> Any:
    """A pane's model as transformers and PEFT run it, with torch's own products."""
    model: Any = attached(base, pane).model
    own = copy.deepcopy(model, {id(tensor): tensor for tensor in tensors_of(model)})
    layer: Any
    for layer in own.modules():
        if hasattr(layer, "choice"):  # of `model.kernels`
            layer.__class__ = torch.nn.Linear
    return own


def _generated(model: Any, ids: torch.Tensor, count: int) -> float:
    begin = time.perf_counter()
    model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, min_new_tokens=count, do_sample=False
    )
    return time.perf_counter() - begin
