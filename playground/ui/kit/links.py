"""
The page's state in its address: one row per setting that a link can carry, one reader, one writer.

Bad or missing values fall back to the default: a link is made by hand now and then. Knows no components.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from playground import settings
from playground.bounds import Bound
from playground.compare.job import DECODING

TITLE = 40  # characters of an adapter's title that a link carries


@dataclass(frozen=True)
class Field:
    """One setting; `read` makes its value from text, and raises ValueError (as a PlaygroundError is) where it cannot."""

    name: str
    default: Any
    read: Callable[[str], Any] = str
    write: Callable[[Any], str] = str


def _list(value: str) -> list[str]:
    return list(dict.fromkeys(part for part in value.split(",") if part))[: settings.MAX_PANES]


def short(title: str) -> str:
    """An adapter's title as a link carries it."""
    return title.replace(",", " ")[:TITLE].strip()


def _titles(value: str) -> dict[str, str]:
    """Ids of adapters with what their owner calls them."""
    pairs = [part.partition(":") for part in value.split(",")]
    return {one: title[:TITLE].strip() for one, _, title in pairs[: settings.MAX_PANES] if one and title.strip()}


def _write_titles(titles: Mapping[str, str]) -> str:
    return ",".join(f"{one}:{short(title)}" for one, title in titles.items())


def _number(bound: Bound) -> Field:
    """A number that a slider shows; one beyond its ends is as bad as none."""
    kind = type(bound.default)
    return Field(bound.name, bound.default, lambda value: bound.check(kind(value)))


FIELDS = (
    Field("tab", "compare"),
    Field("base", settings.DEFAULT_BASE),
    Field("prompt", ""),
    Field("panes", [], _list, ",".join),
    Field("own", {}, _titles, _write_titles),  # what panes are called that only their owner's session has
    *map(_number, DECODING),
    Field("answers", ""),  # those to keep under another question, for a page that is opened again in another language
)

DEFAULTS = {field.name: field.default for field in FIELDS if field.name != "tab"}  # of what makes a question
# Once another question is asked, which is done in Compare, the address names neither the former one nor another tab: what
# it named would come back at a reload
FORGET = f"""() => {{
  const address = new URL(location.href);
  for (const name of {[*DEFAULTS, "tab"]}) address.searchParams.delete(name);
  history.replaceState(history.state, "", address);
}}"""


def read(query: Mapping[str, str]) -> dict[str, Any]:
    """Every field, from the query or its default."""
    return {field.name: _read(field, query.get(field.name)) for field in FIELDS}


def _read(field: Field, value: str | None) -> Any:
    try:
        return field.read(value) if value else copy(field.default)
    except ValueError:
        return copy(field.default)


def refused(query: Mapping[str, str]) -> dict[str, str]:
    """What a query gives for numbers of decoding that they cannot be, by their names."""
    return {bound.name: query[bound.name] for bound in DECODING if not _readable(_number(bound), query.get(bound.name))}


def _readable(field: Field, value: str | None) -> bool:
    try:
        return not value or field.read(value) is not None
    except ValueError:
        return False


def asks(values: Mapping[str, Any]) -> bool:
    """Whether a link names a question, or anything of how it is asked."""
    return any(values[name] != default for name, default in DEFAULTS.items())


def write(values: Mapping[str, Any]) -> str:
    """The query string of what differs from the default."""
    changed = {f.name: f.write(values[f.name]) for f in FIELDS if f.name in values and values[f.name] != f.default}
    return urlencode(changed)
