"""
A survey as HTML: the table with what to see in it, and the map of one format's errors with its ends in words.

Takes surveys in plain values: a running one's and the recorded one look alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from playground import locales
from playground.model.catalogue import split_id
from playground.plots.kit.figures import short
from playground.plots.quantize import wholemodel as plots
from playground.plots.quantize.names import format_name, module_name
from playground.plots.quantize.wholemodel import network
from playground.ui.kit.events import note
from playground.ui.kit.html import alike, counted, folded
from playground.ui.kit.sections import soft

if TYPE_CHECKING:
    from playground.quantize.wholemodel import Measured


SIXTEEN = "float16"
FOUR_BIT = ("nf4", "nf4_double", "fp4", "int4")


def working(measured: Measured, fraction: float, language: str) -> str:
    """The format that is being measured, and how much of the whole survey is done."""
    values = {"format": format_name(language, measured.format), "percent": locales.number(language, 100 * fraction)}
    if not measured.modules:
        return note(language, "wholemodel.rounding", **values)
    return note(language, "wholemodel.working", **values)


def table(seen: Mapping[str, Any], language: str) -> str:
    """The base's name, its formats, what to see in the numbers, and how they were measured."""
    name = f'<h3 class="pp-name">{escape(split_id(seen["base"])[0].name)}</h3>'
    said, how = "".join(_compared(seen, language)), folded(language, "lab.how", "".join(_method(seen, language)))
    return f'{name}{plots.table(seen, language)}<div class="pp-read">{said}{how}</div>'


def _readings(seen: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """By format, of those that have read the text."""
    return {one["format"]: one["reading"] for one in seen["found"] if one["reading"]}


def _compared(seen: Mapping[str, Any], language: str) -> list[str]:
    """The best of four bits, and what is left with three levels."""
    read, said = _readings(seen), []
    four = [name for name in FOUR_BIT if name in read]
    if len(four) > 1:
        best = min(four, key=lambda name: read[name]["perplexity"])
        values = _perplexities(read, best, language)
        equal = [name for name in four if short(language, read[name]["perplexity"]) == values["perplexity"]]
        formats = locales.listed(language, [format_name(language, name) for name in equal])
        key = "wholemodel.said.four.alike" if len(equal) > 1 else "wholemodel.said.four"
        said.append(soft(language, key, formats=formats, **values))
    if "ternary" in read:
        said.append(soft(language, "wholemodel.said.ternary", **_perplexities(read, "ternary", language)))
    return said


def _perplexities(read: Mapping[str, Mapping[str, float]], name: str, language: str) -> dict[str, str]:
    return {
        "format": format_name(language, name),
        "perplexity": short(language, read[name]["perplexity"]),
        "base": short(language, read[plots.PLAIN]["perplexity"]),
    }


def _method(seen: Mapping[str, Any], language: str) -> list[str]:
    read = _readings(seen)
    if not read:
        return []
    stored = [soft(language, "stored.q4_1")] if split_id(seen["base"])[0].source == "embedded" else []
    tokens = locales.number(language, next(iter(read.values()))["tokens"])
    values = {"tokens": tokens, "rest": locales.size(language, seen["rest"]), "dtype": seen["dtype"]}
    return [*stored, soft(language, "wholemodel.method", **values), *_half(seen, language)]


def _half(seen: Mapping[str, Any], language: str) -> list[str]:
    """Why 16 bits are not half of 32, if both were measured."""
    disk = {one["format"]: one["disk"] for one in seen["found"] if one["reading"]}
    if plots.PLAIN not in disk or SIXTEEN not in disk:
        return []
    sizes = {"half": locales.size(language, disk[SIXTEEN]), "whole": locales.size(language, disk[plots.PLAIN])}
    return [soft(language, "wholemodel.method.half", **sizes)]


def errors_map(modules: Sequence[Mapping[str, Any]], language: str) -> str:
    """The map and its ends in words."""
    changed = [one for one in modules if one["sqnr_db"] is not None]
    if not changed:
        return soft(language, "wholemodel.map.empty")
    count, faintest = _end(changed, min, language)
    said = counted(language, "wholemodel.map.worst", count, **faintest)
    count, strongest = _end(changed, max, language)
    said += " " + counted(language, "wholemodel.map.best", count, **strongest)
    return network(modules, language) + f'<p class="pp-soft">{said}</p>'


def _end(modules: Sequence[Mapping[str, Any]], pick: Callable[..., float], language: str) -> tuple[int, dict[str, str]]:
    """The modules with the ratio that `pick` takes out, as it is written: how many, their names, and the ratio."""
    sqnr = locales.number(language, pick(one["sqnr_db"] for one in modules), 1)
    there = [one for one in modules if locales.number(language, one["sqnr_db"], 1) == sqnr]
    return len(there), {"names": alike([module_name(language, one["kind"], one["layer"]) for one in there]), "sqnr": sqnr}
