"""
The one error that a visitor may read.

It carries the key of a sentence in `playground.locales` and what fills it, so that the page can say it in the visitor's
language; `str(error)` is the English sentence, for notebooks and logs. Knows nothing about the page.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from playground import locales

# What a value of that name may be an id of: keys of the locale files
LABELS = {
    "method": ("methods.{}.name",),
    "name": ("hyperparameters.{}", "decoding.{}", "train.{}", "mix.{}", "prune.{}"),
    "kind": ("error.kind.{}",),
    "reason": ("error.reason.{}",),
    "cut": ("error.cut.{}",),
    "unit": ("error.unit.{}",),
}

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # of the system: the disk, what a user may have of it, what a file may


@runtime_checkable
class Worded(Protocol):
    """What each language has its own words for."""

    def text(self, language: str) -> str: ...


@dataclass(frozen=True)
class Columns:
    """How many columns lines have that need others, as (line, columns); `more` if there are further ones."""

    found: tuple[tuple[int, int], ...]
    more: bool = False

    def text(self, language: str) -> str:
        """Line 2 has 3 columns; line 4 has 1."""
        (line, count), *rest = self.found
        said = [locales.counted(language, "error.columns.first", count, line=locales.number(language, line))]
        for line, count in rest:
            numbers = {"line": locales.number(language, line), "count": locales.number(language, count)}
            said.append(locales.text(language, "error.columns.next", **numbers))
        return "; ".join(said) + ("…" if self.more else ".")


class PlaygroundError(ValueError):
    """What is wrong and what would be right, as the sentence `error.<key>`."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key, values)
        self.key, self.values = key, values

    def message(self, language: str) -> str:
        """The sentence as a visitor reads it: numbers as the language writes them, parameters by their labels."""
        values = {name: _written(language, value, LABELS.get(name, ())) for name, value in self.values.items()}
        return _whole(locales.text(language, f"error.{self.key}", **values))

    def told(self, language: str) -> str:
        """The same for a program, notebooks and logs: numbers and names of parameters as Python writes them."""
        values = {name: one.text(language) if isinstance(one, Columns) else one for name, one in self.values.items()}
        for name in values.keys() & {"method", "reason", "cut", "unit"}:
            values[name] = _written(language, values[name], LABELS[name])
        return _whole(locales.text(language, f"error.{self.key}", **values))

    def alone(self) -> PlaygroundError:
        """The same error without its traceback, whose frames would keep alive what they worked on."""
        return PlaygroundError(self.key, **self.values)

    def __str__(self) -> str:
        return self.told(locales.DEFAULT)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.key, self.values)


def unexpected(error: BaseException) -> PlaygroundError:
    """The sentence for an error that no room expected."""
    if isinstance(error, PlaygroundError):
        return error.alone()
    if disk_is_full(error):
        return PlaygroundError("no_space")
    kind = type(error).__name__
    return PlaygroundError("out_of_memory" if memory_is_out(error) else "internal", kind=kind)


def memory_is_out(error: BaseException) -> bool:
    """Whether an allocator says so; torch's for CPUs has no error of its own."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))


def disk_is_full(error: BaseException) -> bool:
    """Whether that is what an error says; safetensors and tokenizers wrap the system's in their own, keeping its words."""
    if isinstance(error, PlaygroundError):
        return error.key == "no_space"
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    return any(os.strerror(code) in str(error) for code in FULL)


def _written(language: str, value: object, labels: Sequence[str]) -> object:
    """
    A number in the language's digits; columns, bases in its words; an id by the first of `labels` that there is, in words;
    anything else as it is.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return locales.number(language, value).replace("-", "−")
    if isinstance(value, Worded):
        return value.text(language)
    if isinstance(value, float):
        return locales.written(language, value)
    keys = (label.format(value) for label in labels)
    return next((locales.text(language, key) for key in keys if key in locales.words(language)), value)


def _whole(sentence: str) -> str:
    """Whole Unicode characters only: a sentence may repeat what somebody sent."""
    return sentence.encode("utf-8", "backslashreplace").decode("utf-8")


def _rebuild(key: str, values: dict[str, object]) -> PlaygroundError:
    return PlaygroundError(key, **values)
