"""
One range check for whatever a visitor, a program or a link may set: its name, its default, what is allowed.

Hyperparameters, decoding, seeds, the fields of a link and the labs' own ranges are all `Bound`s, so a slider, an endpoint
and the work itself cannot disagree. Knows nothing about what the values are for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from playground.errors import PlaygroundError


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
        """`value` as the default's type. Raises PlaygroundError if it is of another kind or out of range."""
        kind = type(self.default)
        if self.choices:
            if value not in self.choices:
                raise PlaygroundError("not_a_choice", name=self.name, value=value, choices=", ".join(map(str, self.choices)))
            return value
        if kind is bool or kind is str:
            if not isinstance(value, kind) or (kind is str and len(value) > (self.maximum or 0)):
                raise PlaygroundError("wrong_kind", name=self.name, value=str(value)[:60], kind=kind.__name__)
            return value
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or (kind is int and value != int(value)):
            raise PlaygroundError("wrong_kind", name=self.name, value=str(value)[:60], kind=kind.__name__)
        if not self.minimum <= value <= self.maximum:  # type: ignore[operator]
            raise PlaygroundError("out_of_range", name=self.name, value=value, minimum=self.minimum, maximum=self.maximum)
        return kind(value)


RATES = tuple(float(f"{digit}e-{power}") for power in range(6, -1, -1) for digit in (1, 2, 3, 5))
