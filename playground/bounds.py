"""
One range check for whatever a visitor, a program or a link may set: its name, its default, what is allowed.

Hyperparameters, decoding, seeds, the fields of a link and the labs' own ranges are all `Bound`s, so a slider, an endpoint
and the work itself cannot disagree. Each is declared beside what it bounds; only the seed, which everything has, is
declared here. Knows nothing about what the values are for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Rational, Real
from typing import Any

from playground.errors import PlaygroundError

SHOWN = 60  # characters of a refused value that an error repeats


def finite(value: Any) -> Any:
    """A nested value as JSON can hold it: None where a number is infinite or none at all, because float32 overflowed."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    return type(value)(map(finite, value)) if type(value) in (list, tuple) else value


@dataclass(frozen=True)
class Bound:
    """
    One setting: its default and what is allowed.

    A number has `minimum` and `maximum`, and `least` where 0 is allowed but nothing between the two; a choice has
    `choices`, a switch is a bool, a text has `maximum` characters.
    `advanced` ones lie behind "More settings" on the page.
    """

    name: str
    default: Any
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()
    advanced: bool = False
    least: float = 0.0

    def check(self, value: Any) -> Any:
        """
        `value` as the default's type; a whole float and NumPy's numbers are numbers too, a boolean is none.

        Raises PlaygroundError: `not_a_choice`, `wrong_kind`, `out_of_range` (NaN, infinity and endless integers are out of
        every range), `too_small`, or `half_character`.
        """
        kind = type(self.default)
        found: Any = _number(value) if kind in (int, float) else value if isinstance(value, kind) else None
        if self.choices:
            if found not in self.choices:
                choices = ", ".join(map(str, self.choices))
                raise PlaygroundError("not_a_choice", name=self.name, value=shown(value), choices=choices)
        elif found is None or (kind is int and found % 1 > 0) or (kind is str and len(found) > (self.maximum or 0)):
            raise PlaygroundError("wrong_kind", name=self.name, value=shown(value), kind=kind.__name__)
        elif kind in (int, float) and not self.minimum <= found <= self.maximum:  # both are set
            raise PlaygroundError(
                "out_of_range", name=self.name, value=shown(value), minimum=self.minimum, maximum=self.maximum
            )
        elif kind in (int, float) and 0 < abs(found) < self.least:
            raise PlaygroundError("too_small", name=self.name, value=shown(value), least=self.least)
        elif kind is str:
            check_text(self.name, found)
        return kind(found)


def _number(value: Any) -> int | float | None:
    """One of Python's own numbers; None for what is no real number, and for booleans and fractions."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    return float(value) if isinstance(value, Real) and not isinstance(value, Rational) else None


def check_text(name: str, text: str) -> None:
    """Raises PlaygroundError for half a character (a surrogate alone, as JSON may hold one): no tokenizer can read it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise PlaygroundError("half_character", name=name, position=error.start + 1) from error


def shown(value: object, characters: int = SHOWN) -> str:
    """What was given, as an error repeats it: the first characters, or the kind of what has no text."""
    try:
        text = str(value)
    except ValueError:  # Python writes integers of up to 4300 digits
        return type(value).__name__
    return text if len(text) <= characters else text[: characters - 1] + "…"


SEED = Bound("seed", 0, 0, 2**31 - 1)
RATES = tuple(float(f"{digit}e-{power}") for power in range(6, -1, -1) for digit in (1, 2, 3, 5))
