"""
A training's recipe as parameters of a link: `tab=train&method=lora&task=pirate&steps=24&seed=0&rank=8`.

Knows no components: those of the Train tab say what they can hold (ui/train/link).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from playground import settings
from playground.adapt.methods import METHODS

TAB = "train"
SEED = "seed"  # of a question in Compare too: a link that gives no other part of a recipe means that one
OWN = frozenset(["method", "task", "steps", *(bound.name for one in METHODS.values() for bound in one.hyperparameters)])
# Once a recipe is touched or trained the session has it, and the address would bring back another one at a reload
FORGET = f"""() => {{
  const address = new URL(location.href);
  if (address.searchParams.get("tab") !== "{TAB}" || !{sorted(OWN)}.some(name => address.searchParams.has(name))) return;
  for (const name of {sorted([*OWN, SEED])}) address.searchParams.delete(name);
  history.replaceState(history.state, "", address);
}}"""


def of_link(query: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a query that are a recipe's; none in a link to another tab."""
    if query.get("tab") != TAB or not OWN & set(query):
        return {}
    return {name: value for name, value in query.items() if name in OWN or name == SEED}


def link(
    language: str, base: str, method: str, task: str, values: Mapping[str, Any], *, steps: int | None, seed: int
) -> str:
    """
    The query of a link to a recipe: all of it, so that other defaults change nothing; but for the usual base, steps where
    the method has none, and texts that are empty.
    """
    place = {"lang": language, "tab": TAB} | ({} if base == settings.DEFAULT_BASE else {"base": base})
    length = {"steps": steps} if METHODS[method].steps else {}
    recipe = {"method": method, "task": task, **length, SEED: seed, **values}
    return urlencode(place | {name: written(value) for name, value in recipe.items() if value not in ("", None)})


def written(value: Any) -> str:
    """A value as a link has it, and the fields of components read it (kit/fields)."""
    whole = isinstance(value, bool) or (isinstance(value, float) and value.is_integer())
    return str(int(value)) if whole else str(value)
