"""
The figures of the lessons on what adapting costs: full fine-tuning, prompt tuning, GPT-3.

All of them are counts of `playground.adapt.cost`. Nothing is loaded.
"""

from __future__ import annotations

from playground.adapt.cost import Memory, cost, whole_update
from playground.adapt.published import PUBLISHED
from playground.learn.figures import Bar, Figure, Figures

GIGA, MEGA = 1e9, 1e6
RANKS = (1, 4, 8, 64)  # of the lesson on GPT-3, in the order of its choices
CLAIM = 0.02  # percent of GPT-3 that LoRA is said to train (Hu et al. 2021, table 4: 37.7 of 175,255.8 million)
TASKS, VIRTUAL_TOKENS = 100, 100  # the length is that of Lester et al. 2021, section 3


def gigabytes(count: float, digits: int = 1) -> Figure:
    return Figure(count / GIGA, "GB", digits)


def full_fine_tuning() -> Figures:
    """Memory to train Llama-2-7B in 16 bits with Adam: all of it, LoRA r = 8 on q and v, the same over 4 bits."""
    model = PUBLISHED["llama-2-7b"].architecture
    found = cost(model, "lora", {"rank": 8})
    full, lora, qlora = found.memory
    bars = [_memory(one, way) for one, way in ((full, "full_fine_tuning"), (lora, "lora"), (qlora, "qlora"))]
    more = {
        "parameters": Figure(model.parameters),
        "model": gigabytes(found.model_bytes),
        "gradients": gigabytes(full.gradients),
        "optimizer": gigabytes(full.optimizer),
        "trained": Figure(found.trainable),
    }
    return Figures(full.total / GIGA, tuple(bars), more)


def _memory(one: Memory, way: str) -> Bar:
    return Bar(way, gigabytes(one.total), way)


def one_model() -> Figures:
    """A hundred tasks on T5-XXL in 16 bits: one model with a soft prompt each, or a model each."""
    found = cost(PUBLISHED["t5-xxl"].architecture, "prompt_tuning", {"virtual_tokens": VIRTUAL_TOKENS}, tasks=TASKS, width=2)
    grown = 100 * (found.stored_adapters / found.model_bytes - 1)
    bars = (
        Bar("one", gigabytes(found.model_bytes), "base"),
        Bar("prompts", gigabytes(found.stored_adapters), "prompt_tuning"),
        Bar("models", gigabytes(found.stored_models), "full_fine_tuning"),
    )
    more = {
        "tasks": Figure(TASKS),
        "virtual_tokens": Figure(VIRTUAL_TOKENS),
        "grown": Figure(grown, "%", 2),
        "prompt": Figure(found.adapter_bytes / GIGA * 1000, "MB", 1),
        "trained": Figure(found.trainable),
    }
    return Figures(grown, bars, more)


def gpt_3() -> Figures:
    """Which rank the 0.02 % of GPT-3 is, on q and v of 96 layers; and the update of a 7B model written out."""
    model = PUBLISHED["gpt-3"].architecture
    found = {rank: cost(model, "lora", {"rank": rank}) for rank in RANKS}
    nearest = min(RANKS, key=lambda rank: abs(found[rank].percent - CLAIM))
    bars = tuple(Bar(f"rank_{rank}", Figure(one.percent, "%", 4)) for rank, one in found.items())
    small, update = found[4], whole_update(PUBLISHED["llama-2-7b"].architecture)
    more = {
        "trained": Figure(found[8].trainable),
        "file": Figure(small.adapter_bytes / MEGA, "MB", 1),
        "model": gigabytes(small.model_bytes, 0),
        "entries": Figure(update.entries),
        "factors": Figure(update.factors),
    }
    return Figures(RANKS.index(nearest), bars, more)
