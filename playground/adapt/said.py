"""
What is said of a setting: what it does, and its value in words, or as a number is written in a language.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playground.locales import DEFAULT, number, text, words, written

if TYPE_CHECKING:
    from playground.bounds import Bound


def help_key(method_id: str, bound: Bound) -> str:
    """The key of the sentence on what a setting does; some methods have their own."""
    own = f"hyperparameters.{bound.name}.help.{method_id}"
    return own if own in words(DEFAULT) else f"hyperparameters.{bound.name}.help"


def choice(bound: Bound, value: Any, language: str) -> str:
    """A choice of a setting in words; a number speaks for itself."""
    said = isinstance(value, str)
    return text(language, f"hyperparameters.{bound.name}.{value}") if said else written(language, value)


def value(bound: Bound, found: Any, language: str) -> str:
    """A setting's value: a choice or a switch in words, a number as it is written, a text as it is."""
    if bound.choices:
        return choice(bound, found, language)
    if isinstance(found, bool):
        return text(language, "setting.on" if found else "setting.off")
    if isinstance(found, int):
        return number(language, found)
    return written(language, found) if isinstance(found, float) else str(found)
