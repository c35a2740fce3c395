"""
The ladder as HTML: one layer under every rung with what to see in it, the whole base under one, and a cache of fewer bits.

Takes plain values: what runs and what was recorded look alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from operator import itemgetter
from typing import Any

from playground import locales
from playground.locales import number
from playground.model.catalogue import split_id
from playground.plots.kit.figures import nats, short
from playground.plots.quantize import ladder as plots
from playground.plots.quantize.ladder import cache_name, rung_name, share
from playground.plots.quantize.names import path_name
from playground.ui.kit.html import folded, words
from playground.ui.kit.sections import soft

Values = Mapping[str, Any]
NEAREST = "nearest"  # what a rung that reads is held against: the same blocks, without reading


# One layer


def layer(found: Values, language: str) -> str:
    """What was read, the drawing, what to see in it once all rungs are there, and the table in a fold."""
    steps: Sequence[Values] = found["steps"]
    done = f'<p class="pp-conclusion" role="status">{" ".join(_compared(steps, language))}</p>' if found["done"] else ""
    drawn = plots.errors(steps, language)
    legend = f'<p class="pp-soft pp-small">{words(language, "ladder.legend")}</p>'
    table = folded(language, "tensor.fold.table", plots.table(steps, language) + soft(language, "ladder.table.help"))
    return f"{_about(found, language)}{drawn}{legend}{done}{table}{_how(found, language)}"


def _about(found: Values, language: str) -> str:
    sides = " × ".join(number(language, side) for side in found["shape"])
    seen, unseen = (number(language, found[name]) for name in ("seen", "unseen"))
    values = {"module": path_name(language, found["module"]), "shape": sides, "seen": seen, "unseen": unseen}
    return soft(language, "ladder.about", **values)


def calibration(tokens: int, text: str, language: str) -> str:
    """The text that rungs which read are given."""
    return soft(language, "ladder.text.lead", tokens=number(language, tokens)) + f'<pre class="pp-text">{escape(text)}</pre>'


def _compared(steps: Sequence[Values], language: str) -> list[str]:
    """Who has the least error of the weight and of what comes out, on which text; and what a rung that reads paid for it."""
    least = {name: min(steps, key=itemgetter(name)) for name in plots.ERRORS}
    values = {f"{name}_rung": rung_name(language, one["rung"]) for name, one in least.items()}
    values |= {name: share(language, one[name]) for name, one in least.items()}
    same = least["weight"]["rung"] == least["unseen"]["rung"]
    said = [words(language, "ladder.said.same" if same else "ladder.said.differ", **values)]
    nearest, best = next(one for one in steps if one["rung"] == NEAREST), least["seen"]
    if best["rung"] == NEAREST:
        return said
    key = "ladder.said.seen" if best["unseen"] <= nearest["unseen"] else "ladder.said.fitted"
    times = locales.significant(language, best["weight"] / nearest["weight"], 2)
    more = {"times": times, "new": share(language, best["unseen"]), "nearest": share(language, nearest["unseen"])}
    return [*said, words(language, key, **values, **more)]


def _how(found: Values, language: str) -> str:
    stored = [soft(language, "stored.q4_1")] if split_id(found["base"])[0].source == "embedded" else []
    return folded(language, "lab.how", "".join([soft(language, "ladder.how"), *stored]))


# The whole base


def ran(found: Values, grid: Values, language: str) -> str:
    """One rung on the whole base, with the base's own numbers and both answers."""
    if not found["reading"]:
        return ""
    table = plots.rungs(found["base_reading"], [found], grid, language)
    return table + answers(
        [
            (locales.text(language, "rungs.base"), found["base_answers"]),
            (rung_name(language, found["rung"]), found["answers"]),
        ]
    )


def answers(pairs: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Answers beside their names, those that are there."""
    rows = (f"<dt>{escape(name)}</dt><dd>{escape(one)}</dd>" for name, told in pairs for one in told)
    inside = "".join(rows)
    return f'<dl class="pp-told">{inside}</dl>' if inside else ""


def recorded(found: Values, language: str) -> str:
    """Every rung on the embedded base, what to see in that, and what each answers."""
    rungs: Sequence[Values] = found["rungs"]
    base = rungs[0]["base_reading"]
    told = [(locales.text(language, "rungs.base"), rungs[0]["base_answers"])]
    told += [(rung_name(language, one["rung"]), one["answers"]) for one in rungs]
    prompt = f'<p class="pp-soft">{escape(found["prompt"])}</p>'
    said = " ".join(_ranked(rungs, _of_grid(found), language))
    return (
        f'<p class="pp-conclusion">{said}</p>{plots.rungs(base, rungs, found["grid"], language)}'
        f"{folded(language, 'rungs.answers', prompt + answers(told))}{folded(language, 'lab.how', _method(base, language))}"
    )


def _of_grid(found: Values) -> Sequence[Values]:
    """The steps of the one layer with the bits and the block of the whole models."""
    steps: Sequence[Values] = next(one["steps"] for one in found["layers"] if one["grid"] == found["grid"])
    return steps


def _ranked(rungs: Sequence[Values], steps: Sequence[Values], language: str) -> list[str]:
    """Which rung the base reads best with; and what the rung with the least weight error in one layer is worth here."""
    best = min(rungs, key=lambda one: one["reading"]["kl_from_base"])
    nearest = next(one for one in rungs if one["rung"] == NEAREST)

    def values(one: Values, name: str) -> dict[str, str]:
        read = one["reading"]
        return {
            name: rung_name(language, one["rung"]),
            f"{name}_kl": nats(language, read["kl_from_base"]),
            f"{name}_perplexity": short(language, read["perplexity"]),
        }

    said = [words(language, "rungs.said.best", **values(best, "best"), **values(nearest, "nearest"))]
    weight = {one["rung"]: one["weight"] for one in steps}
    worse = [
        one for one in rungs
        if weight[one["rung"]] > weight[NEAREST] and one["reading"]["kl_from_base"] < nearest["reading"]["kl_from_base"]
    ]  # fmt: skip
    if worse:
        names = locales.listed(language, [rung_name(language, one["rung"]) for one in worse])
        said.append(words(language, "rungs.said.worse" if len(worse) > 1 else "rungs.said.worse.one", names=names))
    return said


def _method(base: Values, language: str) -> str:
    return soft(language, "rungs.method", tokens=number(language, base["tokens"])) + soft(language, "stored.q4_1")


# The cache


def caches(found: Values, language: str) -> str:
    """What each cache takes and does, and what to see in it."""
    rows: Sequence[Values] = found["found"]
    if not rows:
        return ""
    told = [(cache_name(language, one["kept"]), [one["answer"]]) for one in rows]
    prompt = f'<p class="pp-soft">{escape(found["prompt"])}</p>'
    how = soft(language, "kvcache.how", tokens=number(language, rows[0]["reading"]["tokens"]))
    return (
        f'<p class="pp-conclusion">{_smallest(rows, language)}</p>{plots.caches(rows, language)}'
        f"{folded(language, 'rungs.answers', prompt + answers(told))}"
        f"{folded(language, 'lab.how', how)}"
    )


def _smallest(rows: Sequence[Values], language: str) -> str:
    """The best and the worst of the fewest bits; nothing before both are there."""
    kept = [one for one in rows if one["kept"]]
    few = [one for one in kept if one["kept"]["bits"] == min(each["kept"]["bits"] for each in kept)]
    if len(few) < 2:
        return ""
    best, worst = (pick(few, key=lambda one: one["reading"]["kl_from_base"]) for pick in (min, max))
    values = {
        f"{name}_{what}": written
        for name, one in (("best", best), ("worst", worst))
        for what, written in (
            ("name", cache_name(language, one["kept"])),
            ("kl", nats(language, one["reading"]["kl_from_base"])),
        )
    }
    full = rows[0]["bytes"]
    size, whole = (locales.size(language, one) for one in (best["bytes"], full))
    times = locales.number(language, full / best["bytes"], 1)
    return words(language, "kvcache.said", size=size, whole=whole, times=times, **values)
