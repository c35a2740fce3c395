"""
What many answers say, in sentences: what of a pane, and which panes differ by more than chance explains. Pure: values and a
language in, plain text out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playground.adapt.variant import BASE
from playground.locales import NO_BREAK, counted, listed, number, percent, text, written
from playground.ui.compare.panes import pane_title
from playground.ui.kit.html import Values

SMALLEST = 0.0001  # p; below it the page says "less than"


def right_or_wrong(frame: Values) -> bool:
    """Whether answers are scored, and none with a part."""
    scores = [answer["score"] for pane in frame["panes"] for answer in pane["answers"]]
    return bool(frame["task"]) and all(score in (0, 1) for score in scores)


def summed(pane: Values, frame: Values, language: str) -> str:
    """What the answers of a pane amount to: 6 of 8 right, a mean score, or lengths; "" before there is one."""
    answers = pane["answers"]
    if not answers:
        return ""
    if right_or_wrong(frame):
        counts = {"right": sum(answer["score"] for answer in answers), "count": len(answers)}
        return text(language, "many.right_of", **{name: number(language, one) for name, one in counts.items()})
    if frame["task"]:
        return text(language, "many.mean", score=percent(language, 100 * pane["mean"]))
    sizes = [answer["tokens"] for answer in answers]
    ends = {"least": number(language, min(sizes)), "most": number(language, max(sizes))}
    return text(language, "many.lengths", mean=number(language, pane["mean"], 1), **ends)


def verdict(found: Values, language: str) -> str:
    key = "many.differs" if found["differs"] else "many.noise"
    p = probability(found["corrected"], language)
    return text(language, key, p=p if p.startswith("<") else f"={NO_BREAK}{p}")


def probability(p: float, language: str) -> str:
    """0.031, 1, < 0.0001."""
    return f"<{NO_BREAK}{written(language, SMALLEST)}" if p < SMALLEST else written(language, p, 2)


def base_place(frame: Values) -> int | None:
    """Where the plain base answers, if it does."""
    return next((place for place, pane in enumerate(frame["panes"]) if pane["id"] == BASE), None)


def between(frame: Values, one: int, other: int) -> Any:
    """The verdict on two panes, by their places; None before there is one."""
    return next((found for found in frame["verdicts"] if {found["one"], found["other"]} == {one, other}), None)


def conclusion(frame: Values, language: str) -> str:
    """Which panes differ by more than chance explains; "" while that is not known."""
    titles = [pane_title(pane, language) for pane in frame["panes"]]
    if not frame["finished"]:
        return ""
    if len(titles) == 1:
        return text(language, "many.said.alone", title=titles[0], value=summed(frame["panes"][0], frame, language))
    base = base_place(frame)
    if len(titles) == 2:
        return _pair(frame, titles, *((1, 0) if base == 0 else (0, 1)), language)
    if base is None:
        return _any(frame, titles, language)
    return " ".join([_against(frame, titles, base, language), _others(frame, titles, base, language)])


def _pair(frame: Values, titles: Sequence[str], one: int, other: int, language: str) -> str:
    values = [summed(pane, frame, language) for pane in frame["panes"]]
    said = {"title": titles[one], "value": values[one], "other": titles[other], "other_value": values[other]}
    return text(language, "many.said.pair", **said, verdict=verdict(between(frame, one, other), language))


def _against(frame: Values, titles: Sequence[str], base: int, language: str) -> str:
    """How the others stand against the base model."""
    apart: list[str] = []
    inside: list[str] = []
    for place, title in enumerate(titles):
        if place != base:
            (apart if between(frame, base, place)["differs"] else inside).append(title)
    if not apart:
        return text(language, "many.said.none", times=number(language, frame["times"]))
    said = [counted(language, "many.said.apart", len(apart), titles=listed(language, apart))]
    said += [text(language, "many.said.inside", titles=listed(language, inside))] if inside else []
    return " ".join(said)


def _others(frame: Values, titles: Sequence[str], base: int, language: str) -> str:
    """How those stand against each other."""
    found = [one for one in frame["verdicts"] if one["differs"] and base not in (one["one"], one["other"])]
    if not found:
        return text(language, "many.said.others.none")
    return text(language, "many.said.others", pairs=_pairs(found, titles, language))


def _any(frame: Values, titles: Sequence[str], language: str) -> str:
    """The same of panes without the base model among them."""
    found = [one for one in frame["verdicts"] if one["differs"]]
    if not found:
        return text(language, "many.said.pairs.none", times=number(language, frame["times"]))
    rest = [text(language, "many.said.rest")] if len(found) < len(frame["verdicts"]) else []
    return " ".join([text(language, "many.said.pairs", pairs=_pairs(found, titles, language)), *rest])


def _pairs(found: Sequence[Values], titles: Sequence[str], language: str) -> str:
    return "; ".join(listed(language, [titles[one["one"]], titles[one["other"]]]) for one in found)
