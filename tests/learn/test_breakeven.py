"""When training has cost less than examples in every prompt, worked out by hand."""

from __future__ import annotations

import pytest

from playground.adapt import tasks
from playground.learn.breakeven import BATCH, Lengths, compared, counted
from playground.learn.families import model
from playground.model.bases import Base

LENGTHS = Lengths(question=30, answer=20, example=40, trained=50)


def test_the_operations_are_those_of_the_rule() -> None:
    found, weights = compared(LENGTHS, shots=4, steps=24, batch=5), model().parameters
    assert found.few_shot == 2 * weights * (4 * 40 + 30 + 20)
    assert found.tuned == 2 * weights * (30 + 20)
    assert found.training == 4 * weights * 24 * 5 * 50
    assert found.totals(10) == (10 * found.few_shot, found.training + 10 * found.tuned)


@pytest.mark.parametrize(
    ("shots", "steps", "even", "paid"),
    [(4, 24, 60.0, 61), (1, 24, 240.0, 241), (8, 24, 30.0, 31), (4, 1, 2.5, 3), (12, 1, 5 / 6, 1)],
)
def test_it_is_even_where_the_weights_have_cancelled_out(shots: int, steps: int, even: float, paid: int) -> None:
    """Training 4 · steps · 4 · 50 tokens' worth, saving 2 · shots · 40 of them with every answer."""
    found = compared(LENGTHS, shots, steps, BATCH)
    assert BATCH == 4
    assert found.even == pytest.approx(even)
    assert found.paid == paid
    examples, trained = found.totals(found.paid)
    assert trained < examples
    examples, trained = found.totals(found.paid - 1)
    assert trained >= examples


def test_lengths_are_those_of_the_tokenizer(tiny: Base) -> None:
    """One token a byte and one a mark; an example before a question is two turns."""
    found, task = counted(tiny.tokenizer), tasks.task("pirate")
    turns = len("user\n\n") + 2, len("assistant\n\n") + 2

    def mean(texts: list[str]) -> float:
        return sum(len(one.encode()) for one in texts) / len(texts)

    opened = len("assistant\n") + 1
    assert found.question == round(mean([one.prompt for one in task.held_out]) + turns[0] + opened)
    assert found.example == round(mean([one.prompt + one.response for one in task.train]) + sum(turns))
    assert found.answer == round(mean([one.response for one in task.held_out]) + 1)
