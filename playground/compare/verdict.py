"""
Whether panes that have answered many times differ by more than chance explains: one rule for right and wrong, for scores
and for lengths. Knows nothing about models or panes.

A test of two panes is the exact permutation test of the difference of their means (Fisher, The Design of Experiments, 1935,
section 21; Pitman 1937): if it made no difference which pane an answer came from, every way to hand the answers out would be
as likely. Of right and wrong from as many answers each, this is Fisher's exact test, two-sided. Holm (1979) makes up for
looking at several pairs: the chance to be wrong about any of them stays LEVEL.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np

LEVEL = 0.05
FINEST = 1000  # the largest denominator of a value: scores are shares of a few parts, lengths are whole


@dataclass(frozen=True)
class Verdict:
    """
    Two panes by their places: the difference of their means (`other` less `one`), its `p`, that after Holm, and whether it
    is more than chance explains; otherwise it is inside the noise.
    """

    one: int
    other: int
    difference: float
    p: float
    corrected: float

    @property
    def differs(self) -> bool:
        return self.corrected <= LEVEL


def verdicts(values: Sequence[Sequence[float]]) -> tuple[Verdict, ...]:
    """Of every two panes, by the values of their answers; none where a pane has no values."""
    if not all(values):
        return ()
    pairs = list(combinations(range(len(values)), 2))
    found = [p_value(values[one], values[other]) for one, other in pairs]
    means = [sum(own) / len(own) for own in values]
    return tuple(
        Verdict(one, other, means[other] - means[one], p, corrected)
        for (one, other), p, corrected in zip(pairs, found, holm(found), strict=True)
    )


def p_value(one: Sequence[float], other: Sequence[float]) -> float:
    """
    The share of all ways to hand the values out to two panes, as many to each as it has, in which the means are at least as
    far apart as they are. Counted, not drawn.
    """
    shares = [Fraction(value).limit_denominator(FINEST) for value in (*one, *other)]
    unit = math.lcm(*(share.denominator for share in shares))
    parts = [int(share * unit) for share in shares]  # whole numbers of a smallest part
    least, count = min(parts), len(one)
    ways = _ways([part - least for part in parts], count)
    # how far apart the means are, in whole numbers: both by the number of answers of either
    apart = abs(len(parts) * (np.arange(len(ways)) + count * least) - count * sum(parts))
    seen = abs(len(parts) * sum(parts[:count]) - count * sum(parts))
    return float(ways[apart >= seen].sum() / ways.sum())


def _ways(parts: Sequence[int], count: int) -> np.ndarray:
    """In how many ways `count` of these whole numbers ≥ 0 add up to 0, 1, 2, …."""
    most = sum(sorted(parts)[-count:])
    ways = np.zeros((count + 1, most + 1))
    ways[0, 0] = 1
    for part in parts:
        if part <= most:
            ways[1:, part:] += ways[:-1, : most + 1 - part].copy()
    found: np.ndarray = ways[count]
    return found


def holm(found: Sequence[float]) -> list[float]:
    """p values as they count when all of them are looked at (Holm 1979): in their order, none above 1."""
    order = sorted(range(len(found)), key=found.__getitem__)
    corrected, least = [0.0] * len(found), 0.0
    for place, index in enumerate(order):
        least = max(least, min(1.0, (len(found) - place) * found[index]))
        corrected[index] = least
    return corrected
