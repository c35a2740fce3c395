"""
The race of the initializations as HTML: a chart each, and what came out of it in a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from playground.adapt.initialization import RANDOM
from playground.locales import listed, number, seconds, significant, text, written
from playground.lowrank.initialization import SEEDS, STARTS, STEPS, Start, verdicts
from playground.plots.lowrank.initialization import Panel, panels
from playground.ui.kit.html import words
from playground.ui.kit.methods import start_name
from playground.ui.kit.sections import soft

if TYPE_CHECKING:
    from playground.lowrank.initialization import Race, Verdict

OUTCOMES = ("better", "worse", "inside", "diverged")


def race(race: Race, language: str) -> str:
    """Those starts that have a run which is over, and the verdict on those that have all of them."""
    found = {one.start: one for one in verdicts(race)}
    shown = [_panel(race, start, found.get(start), language) for start in STARTS if race.of(start)]
    return verdict(list(found.values()), race.rate, language) + panels(shown, STEPS, language) + zero(found, language)


def zero(found: Mapping[Start, Verdict], language: str) -> str:
    """What the starts answer before anything is trained, by their losses then; "" before all have been measured."""
    places = {"whole": Start("lora", RANDOM), "rounded": Start("qlora", RANDOM), "loftq": Start("qlora", "loftq")}
    if not set(places.values()) <= set(found):
        return ""
    losses = {name: number(language, found[start].first, 3) for name, start in places.items()}
    return f'<p class="pp-soft pp-small">{words(language, "initialization.zero", **losses)}</p>'


def verdict(found: Sequence[Verdict], rate: float, language: str) -> str:
    """Who ended lower, higher, or inside the noise, against a random start of the same method; "" while nobody has."""
    told = [(kind, [one for one in found if outcome(one) == kind]) for kind in OUTCOMES]
    parts = [
        text(
            language, f"initialization.verdict.{kind}", names=listed(language, [title(one.start, language) for one in those])
        )
        for kind, those in told
        if those
    ]
    asked = {"steps": number(language, STEPS), "rate": written(language, rate), "parts": "; ".join(parts)}
    return soft(language, "initialization.verdict", **asked) if parts else ""


def outcome(one: Verdict) -> str:
    """One of OUTCOMES; "plain" for the random one, which the others are held against."""
    if one.diverged:
        return "diverged"
    if one.start == one.start.plain:
        return "plain"
    return "inside" if not one.differs else "better" if one.difference < 0 else "worse"


def standing(race: Race, language: str) -> str:
    """How far it is."""
    done = sum(bool(one.ended) for one in race.curves)
    last = race.curves[-1]
    place = {"done": number(language, done), "all": number(language, len(STARTS) * len(SEEDS))}
    now = f"{title(last.start, language)} · {text(language, 'train.run_seed', seed=number(language, last.seed))}"
    return f'<p class="pp-soft" role="status">{words(language, "initialization.standing", now=now, **place)}</p>'


def title(start: Start, language: str) -> str:
    """LoRA · PiSSA."""
    return f"{text(language, f'methods.{start.method}.name')} · {start_name(start.initialization, language)}"


def _panel(race: Race, start: Start, found: Verdict | None, language: str) -> Panel:
    runs, plain = race.of(start), race.of(start.plain)
    name = title(start, language)
    below = _below(found, language) if found else _partly(len(runs), "initialization.partly", language)
    last = significant(language, sum(one.held_out[-1][1] for one in runs) / len(runs), 3)
    summary = text(language, "initialization.summary", name=name, loss=last, steps=number(language, STEPS))
    curves = [one.held_out for one in runs], [] if start == start.plain else [one.held_out for one in plain]
    return Panel(name, start.method, *curves, summary, below)


def _below(found: Verdict, language: str) -> str:
    """The last loss with its spread, how it compares, and what beginning took."""
    losses = {name: significant(language, getattr(found, name), 3) for name in ("mean", "low", "high")}
    parts = [words(language, "initialization.loss", **losses)]
    kind = outcome(found)
    if kind in ("better", "worse", "inside"):
        side = "better" if found.difference < 0 else "worse"
        parts.append(words(language, f"initialization.{side}", difference=significant(language, abs(found.difference))))
    if kind == "inside":
        parts[-1] += ", " + words(language, "initialization.inside")
    elif kind == "diverged":
        parts.append(_partly(found.diverged, "initialization.diverged", language))
    if found.beginning:
        parts.append(words(language, "initialization.seconds", time=seconds(language, found.beginning)))
    return " · ".join(parts)


def _partly(count: int, key: str, language: str) -> str:
    return words(language, key, count=number(language, count), all=number(language, len(SEEDS)))
