"""
The route: which lessons there are, in which order and group, and what computes the figures of each.

A lesson is one line here and a file in examples/lessons for every language. Knows nothing about the page.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from playground.learn import adapting, bits, comparing, families, lora, notebooks, pruning
from playground.learn.figures import Figures

ROUTE: dict[str, dict[str, Callable[[], Figures]]] = {
    "why": {"full-fine-tuning": adapting.full_fine_tuning, "families": families.families},
    "prompt_tuning": {"one-model": adapting.one_model, "size": comparing.size},
    "lora": {
        "fifty": lora.fifty,
        "start": lora.the_start,
        "rank": lora.rank,
        "gpt-3": adapting.gpt_3,
        "explosion": lora.explosion,
    },
    "cheaper": {"long-prompt": comparing.long_prompt, "as-good": comparing.as_good},
    "bits": {
        "fewer-bits": bits.fewer_bits,
        "sums": bits.sums,
        "outlier": bits.outlier,
        "nf4": bits.nf4,
        "answer-error": bits.answer_error,
        "energy": bits.energy,
        "mixed": bits.mixed,
        "ternary": bits.ternary,
    },
    "less": {"left-out": pruning.left_out},
    "notebooks": {"notebook-prompts": notebooks.prompts, "notebook-lora": notebooks.lora},
}
FIGURES = {lesson: compute for group in ROUTE.values() for lesson, compute in group.items()}
LESSONS = tuple(FIGURES)


@cache
def figures(lesson_id: str) -> Figures:
    """What the lesson shows after the guess. Raises KeyError for a lesson that there is not."""
    return FIGURES[lesson_id]()
