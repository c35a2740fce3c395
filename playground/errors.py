"""
The one error that a visitor may read.

It carries the key of a sentence in `playground.locales` and what fills it, so that the page can say it in the visitor's
language; `str(error)` is the English sentence, for notebooks and logs. Knows nothing about the page.
"""

from __future__ import annotations

from typing import Any

from playground import locales


class PlaygroundError(ValueError):
    """What is wrong and what would be right, as the sentence `error.<key>`."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key, values)
        self.key, self.values = key, values

    def message(self, language: str) -> str:
        """The sentence, whole Unicode characters only: it may repeat what somebody sent."""
        values, method = dict(self.values), f"methods.{self.values.get('method')}.name"
        if method in locales.words(language):
            values["method"] = locales.text(language, method)
        sentence = locales.text(language, f"error.{self.key}", **values)
        return sentence.encode("utf-8", "backslashreplace").decode("utf-8")

    def alone(self) -> PlaygroundError:
        """The same error without its traceback, whose frames would keep alive what they worked on."""
        return PlaygroundError(self.key, **self.values)

    def __str__(self) -> str:
        return self.message(locales.DEFAULT)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.key, self.values)


def unexpected(error: BaseException) -> PlaygroundError:
    """The sentence for an error that no room expected."""
    if isinstance(error, PlaygroundError):
        return error.alone()
    kind = type(error).__name__
    return PlaygroundError("out_of_memory" if kind in ("MemoryError", "OutOfMemoryError") else "internal", kind=kind)


def _rebuild(key: str, values: dict[str, object]) -> PlaygroundError:
    return PlaygroundError(key, **values)
