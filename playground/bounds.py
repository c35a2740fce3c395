"""
One range check for whatever a visitor, a program or a link may set: its name, its default, what is allowed.

Hyperparameters, decoding, seeds, the fields of a link and the labs' own ranges are all `Bound`s, so a slider, an endpoint
and the work itself cannot disagree. Each is declared beside what it bounds; only the seed, which everything has, is
declared here. Knows nothing about what the values are for.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Rational, Real
from typing import Any, NoReturn

from playground.errors import PlaygroundError

SHOWN = 60  # characters of a refused value that an error repeats


@dataclass(frozen=True)
class Bound:
    """
    One setting: its default and what is allowed.

    A number has `minimum` and `maximum`, a choice has `choices`, a switch is a bool, a text has `maximum` characters.
    `advanced` ones lie behind "More settings" on the page.
    """

    name: str
    default: Any
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()
    advanced: bool = False

    def check(self, value: Any) -> Any:
        """
        `value` as the default's type; a whole float and NumPy's numbers are numbers too, a boolean is none.

        Raises PlaygroundError: `not_a_choice`; `wrong_kind`; `out_of_range`, as well for NaN, infinity and integers of
        any length.
        """
        kind = type(self.default)
        found: Any = _number(value) if kind in (int, float) else value if isinstance(value, kind) else None
        if self.choices:
            if found not in self.choices:
                self._refuse("not_a_choice", value, choices=", ".join(map(str, self.choices)))
        elif found is None or (kind is str and len(found) > (self.maximum or 0)):
            self._refuse("wrong_kind", value, kind=kind.__name__)
        elif kind in (int, float):
            if not self.minimum <= found <= self.maximum:  # type: ignore[operator]  # a number has both; NaN is in no range
                self._refuse("out_of_range", value, minimum=self.minimum, maximum=self.maximum)
            if kind is int and found != int(found):
                self._refuse("wrong_kind", value, kind=kind.__name__)
        return kind(found)

    def _refuse(self, key: str, value: Any, **allowed: Any) -> NoReturn:
        raise PlaygroundError(key, name=self.name, value=shown(value), **allowed)


def _number(value: Any) -> int | float | None:
    """One of Python's own numbers; None for what is no real number, and for booleans and fractions."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    return float(value) if isinstance(value, Real) and not isinstance(value, Rational) else None


def shown(value: object) -> str:
    """What was given, as an error repeats it: the first characters, or the kind of what has no text."""
    try:
        text = str(value)
    except ValueError:  # Python writes integers of up to 4300 digits
        return type(value).__name__
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


SEED = Bound("seed", 0, 0, 2**31 - 1)
RATES = tuple(float(f"{digit}e-{power}") for power in range(6, -1, -1) for digit in (1, 2, 3, 5))
