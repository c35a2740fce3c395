"""
A training's recipe as parameters of a link: `tab=train&method=lora&task=pirate&steps=24&train_seed=0&rank=8`.

Knows no components: what is read of such a link is the Train tab's to say (ui/train/linked).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from playground import settings
from playground.adapt.methods import METHODS

SEED = "train_seed"  # `seed` is that of the answers
NAMES = ("method", "task", "steps", SEED, *dict.fromkeys(
    bound.name for one in METHODS.values() for bound in one.hyperparameters
))  # fmt: skip


def link(
    language: str, base: str, method: str, task: str, values: Mapping[str, Any], *, steps: int | None, seed: int
) -> str:
    """
    The query of a link to a recipe: all of it, so that other defaults change nothing; but for the usual base, steps where
    the method has none, and texts that are empty.
    """
    place = {"lang": language, "tab": "train"} | ({} if base == settings.DEFAULT_BASE else {"base": base})
    length = {"steps": steps} if METHODS[method].steps else {}
    recipe = {"method": method, "task": task, **length, SEED: seed, **values}
    return urlencode(place | {name: _written(value) for name, value in recipe.items() if value not in ("", None)})


def _written(value: Any) -> str:
    """A value as it is read again."""
    return str(value).lower() if isinstance(value, bool) else str(value)
