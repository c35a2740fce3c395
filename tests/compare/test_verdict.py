"""Whether panes differ by more than chance: against counting by hand, Fisher's test, and how often the rule cries wolf."""

from __future__ import annotations

from itertools import combinations
from math import comb, isclose

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.compare.verdict import LEVEL, holm, p_value, verdicts

LAW = settings(deadline=None, derandomize=True, database=None, max_examples=15)


def right(count: int, times: int) -> list[float]:
    return [1.0] * count + [0.0] * (times - count)


def fisher(one: int, other: int, times: int) -> float:
    """Fisher's exact test, two-sided: the tables with these margins that are at most as likely as the one that was found."""
    total = one + other
    ways = {a: comb(times, a) * comb(times, total - a) for a in range(times + 1) if 0 <= total - a <= times}
    return sum(way for way in ways.values() if way <= ways[one]) / sum(ways.values())


@pytest.mark.parametrize("times", [2, 5, 8])
def test_for_right_and_wrong_it_is_fisher_s_exact_test(times: int) -> None:
    for one in range(times + 1):
        for other in range(times + 1):
            assert isclose(p_value(right(one, times), right(other, times)), fisher(one, other, times)), (one, other)


def test_fourteen_of_sixteen_against_two_is_no_chance_and_three_is() -> None:
    assert p_value(right(14, 16), right(2, 16)) == pytest.approx(4.9e-5, rel=0.01)
    assert p_value(right(3, 16), right(2, 16)) == 1.0


values = st.lists(st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 2 / 3, 1.0, 7.0, 64.0]), min_size=1, max_size=5)


@LAW
@given(values, values)
def test_it_is_the_share_of_the_ways_to_hand_the_values_out(one: list[float], other: list[float]) -> None:
    pooled = [*one, *other]

    def apart(chosen: tuple[int, ...]) -> float:
        own = sum(pooled[place] for place in chosen) / len(one)
        return abs(own - sum(pooled[place] for place in range(len(pooled)) if place not in chosen) / len(other))

    ways = list(combinations(range(len(pooled)), len(one)))
    as_far = sum(apart(way) >= apart(tuple(range(len(one)))) - 1e-9 for way in ways)
    assert isclose(p_value(one, other), as_far / len(ways))


@pytest.mark.parametrize("times", [8, 16])
def test_equal_panes_are_called_different_in_at_most_five_of_a_hundred_cases(times: int) -> None:
    """Whatever the chance to be right is; counted over all outcomes, not drawn."""
    called = [
        (one, other)
        for one in range(times + 1)
        for other in range(times + 1)
        if p_value(right(one, times), right(other, times)) <= LEVEL
    ]
    assert called
    for chance in (0.01, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9):
        likely = [comb(times, count) * chance**count * (1 - chance) ** (times - count) for count in range(times + 1)]
        assert sum(likely[one] * likely[other] for one, other in called) <= LEVEL


def test_the_same_random_numbers_make_panes_answer_alike_and_the_rule_more_careful() -> None:
    """Two panes with other distributions over 12 tokens, which are as often right: those of the first half."""
    weights = torch.Generator().manual_seed(0)
    chances = torch.rand(2, 2, 6, generator=weights).softmax(-1).flatten(1) / 2
    drawn = []
    for seed in range(1200):
        tokens = [int(torch.multinomial(one, 1, generator=torch.Generator().manual_seed(seed))) for one in chances]
        drawn.append([float(token < 6) for token in tokens])
    found = torch.tensor(drawn)
    assert float(torch.cov(found.T)[0, 1]) > 0.05
    groups = found.reshape(-1, 8, 2).transpose(1, 2).tolist()
    assert sum(p_value(*group) <= LEVEL for group in groups) / len(groups) <= LEVEL


def test_holm_corrects_from_the_smallest_on() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == [1.0, 1.0]


def test_verdicts_are_on_every_two_panes_with_their_difference() -> None:
    found = verdicts([right(1, 8), right(8, 8), right(7, 8)])
    assert [(one.one, one.other, one.difference) for one in found] == [(0, 1, 0.875), (0, 2, 0.75), (1, 2, -0.125)]
    assert [one.differs for one in found] == [True, True, False]
    assert found[0].corrected == pytest.approx(3 * fisher(1, 8, 8))


def test_without_values_there_is_no_verdict() -> None:
    assert verdicts([right(1, 2), []]) == ()
