"""
The page's state in its address: one row per setting that a link can carry, one reader, one writer.

Bad or missing values fall back to the default: a link is made by hand now and then. What is not taken can be asked for
(`refused`), so that the page says it. Knows no components.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from playground import locales, settings
from playground.bounds import Bound
from playground.compare.job import DECODING
from playground.compare.many import TIMES
from playground.learn.route import LESSONS

TABS = ("compare", "learn", "train", "lowrank", "quantization")  # the first one opens
SECTIONS = {  # of the labs, in the order of their lists; the first one opens
    "lowrank": (
        "toy",
        "picture",
        "updates",
        "module",
        "edits",
        "sweep",
        "repair",
        "overlap",
        "softprompt",
        "mixing",
        "initialization",
        "arithmetic",
    ),
    "quantization": (
        "number",
        "ruler",
        "tensor",
        "blocks",
        "calibration",
        "outliers",
        "activations",
        "accumulators",
        "sums",
        "aware",
        "wholemodel",
        "map",
        "answers",
        "ladder",
        "rungs",
        "kvcache",
        "speed",
        "qlora",
        "rivals",
        "merging",
        "prune",
        "prunecurve",
        "healing",
    ),
}
# Parameters that others add to an address: Gradio, Spaces, and whoever counts clicks
THEIRS = re.compile("__.*|utm_.*|view|deep_link|logs|fbclid|gclid")
PUBLIC = f"https://huggingface.co/spaces/{settings.SPACE}" if settings.SPACE else ""
# What every link to this page begins with, in JavaScript: on a Space its public page, not the frame in it that this is
HERE = f"({json.dumps(PUBLIC)} || location.origin + location.pathname)"
ADDRESS = re.compile(r"https?://[-.~\w:/\[\]%]{1,200}", re.ASCII)
READERS = ("teachers",)  # for whom Learn has a page besides its lessons
TITLE = 40  # characters of an adapter's title that a link carries


@dataclass(frozen=True)
class Field:
    """
    One setting; `read` makes its value from text, and raises ValueError (as a PlaygroundError is) where it cannot; `left` is
    what of a text it does not take.
    """

    name: str
    default: Any
    read: Callable[[str], Any] = str
    write: Callable[[Any], str] = str
    left: Callable[[str], str] = lambda value: ""


def parts(value: str) -> list[str]:
    """The parts of a list as a link has it, none of them twice."""
    return list(dict.fromkeys(part for part in value.split(",") if part))


def _list(value: str) -> list[str]:
    return parts(value)[: settings.MAX_PANES]


def _rest(value: str) -> str:
    return ", ".join(parts(value)[settings.MAX_PANES :])


def short(title: str) -> str:
    """An adapter's title as a link carries it."""
    return title.replace(",", " ")[:TITLE].strip()


def _titles(value: str) -> dict[str, str]:
    """Ids of adapters with what their owner calls them."""
    pairs = [part.partition(":") for part in _named(value)]
    return {one: title[:TITLE].strip() for one, _, title in pairs[: settings.MAX_PANES]}


def _named(value: str) -> list[str]:
    """Those parts that hold an id and a title."""
    return [part for part in parts(value) if all(one.strip() for one in part.partition(":"))]


def _untitled(value: str) -> str:
    """Parts that do not, and those that are too many."""
    return ", ".join(part for part in parts(value) if part not in _named(value)[: settings.MAX_PANES])


def _write_titles(titles: Mapping[str, str]) -> str:
    return ",".join(f"{one}:{short(title)}" for one, title in titles.items())


def number(bound: Bound) -> Field:
    """A number that a slider shows; one beyond its ends is as bad as none."""
    kind = type(bound.default)
    return Field(bound.name, bound.default, lambda value: bound.check(kind(value)))


def one_of(known: Collection[str]) -> Callable[[str], str]:
    """A reader that takes one of the `known`."""

    def read(value: str) -> str:
        if value not in known:
            raise ValueError(value)
        return value

    return read


def _language(value: str) -> str:
    """The language that is asked for (locales.choose)."""
    code = locales.choose(value)
    if code != value.strip().lower().split("-")[0]:
        raise ValueError(value)
    return code


FIELDS = (
    Field("tab", TABS[0], one_of(TABS)),
    Field("section", "", one_of([one for tab in SECTIONS.values() for one in tab])),
    Field("lesson", "", one_of(LESSONS)),
    Field("for", "", one_of(READERS)),
    Field("base", settings.DEFAULT_BASE),
    Field("prompt", ""),
    Field("panes", [], _list, ",".join, _rest),
    Field("own", {}, _titles, _write_titles, _untitled),  # what panes are called that only their owner's session has
    *map(number, (*DECODING, TIMES)),
    Field("lock", [], parts, ",".join),
    Field("hide", [], parts, ",".join),
    Field("answers", ""),  # those to keep under another question, for a page that is opened again in another language
)

LANGUAGE = Field("lang", "", _language)  # of the page, which chooses it by the browser's wishes too
PLACE = ("tab", "section", "lesson", "for")  # where a page opens, not what it asks
WITHIN = "."  # between a section and its control in a parameter's name, so that it can be nobody else's
COPY = f"query => navigator.clipboard.writeText({HERE} + '?' + query)"
HOLDING = ("lock", "hide")  # the names of controls that keep what the link gives them (ui/kit/locks.py)
DEFAULTS = {one.name: one.default for one in FIELDS if one.name not in (*PLACE, *HOLDING)}  # of what makes a question
# Once another question is asked, which is done in Compare, the address names neither the former one nor another tab: what
# it named would come back at a reload

# In JavaScript, the parameters that outlast what is done on the page: locks, hiding, and what is locked and hidden
HELD = f"""(query => [...{[*HOLDING]}, ...{[*HOLDING]}.flatMap(name => (query.get(name) || "").split(","))])"""


def forget(names: Collection[str]) -> str:
    """A script: the address no longer names these settings, but what is held."""
    return f"""() => {{
  const address = new URL(location.href), held = {HELD}(address.searchParams);
  for (const name of [...address.searchParams.keys()]) {{
    const named = {[*names]}.includes(name) || name.includes("{WITHIN}");
    if (named && !held.includes(name)) address.searchParams.delete(name);
  }}
  history.replaceState(history.state, "", address);
}}"""


FORGET = forget([*DEFAULTS, *PLACE])


def here(told: object) -> str:
    """What links begin with, as a browser tells it (HERE); "" for what is no address."""
    return PUBLIC or (told if isinstance(told, str) and ADDRESS.fullmatch(told) else "")


def read(query: Mapping[str, str]) -> dict[str, Any]:
    """Every field, from the query or its default."""
    return {field.name: _read(field, query.get(field.name)) for field in FIELDS}


def _read(field: Field, value: str | None) -> Any:
    try:
        return field.read(value) if value else copy(field.default)
    except ValueError:
        return copy(field.default)


def section_of(query: Mapping[str, str]) -> str:
    """The section of a lab that a query opens; "" without one, and for one that its tab has not."""
    section = query.get("section", "")
    return section if section in SECTIONS.get(query.get("tab", ""), ()) else ""


def refused(query: Mapping[str, str], more: Collection[Field] = ()) -> dict[str, str]:
    """
    What a query gives and no field takes, by the names of parameters, `more` fields among them; what is nobody's too. What
    it gives of the section that it opens is that section's to say (ui/kit/fields).
    """
    fields = {field.name: field for field in (*FIELDS, LANGUAGE, *more)}
    own = f"{section_of(query)}{WITHIN}"
    given = {name: value for name, value in query.items() if value and not THEIRS.fullmatch(name)}
    given = {name: value for name, value in given.items() if len(own) == 1 or not name.startswith(own)}
    left = {name: left_of(fields[name], value) if name in fields else value for name, value in given.items()}
    if "section" in given and not section_of(query):
        left["section"] = given["section"]
    return {name: value for name, value in left.items() if value}


def left_of(field: Field, value: str) -> str:
    """What of a text a field does not take."""
    try:
        field.read(value)
    except ValueError:
        return value
    return field.left(value)


def asks(values: Mapping[str, Any]) -> bool:
    """Whether a link names a question, or anything of how it is asked, that is not held."""
    held = holds(values)
    return any(values[name] != default for name, default in DEFAULTS.items() if name not in held)


def holds(values: Mapping[str, Any]) -> set[str]:
    """The names of what a link locks or hides."""
    return {name for one in HOLDING for name in values.get(one, ())}


def write(values: Mapping[str, Any]) -> str:
    """The query string of what differs from the default."""
    changed = {f.name: f.write(values[f.name]) for f in FIELDS if f.name in values and values[f.name] != f.default}
    return urlencode(changed)
