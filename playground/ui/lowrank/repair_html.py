"""
Intruder dimensions and their repair as HTML. Knows no components and no events.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from playground.actions.scores import moved
from playground.locales import counted, number, significant, text, trimmed
from playground.lowrank.intruders import directions
from playground.model.modules import kind_of, layer_of
from playground.plots.kit.figures import change, needed, points
from playground.plots.lowrank.intruders import marked
from playground.ui.kit.html import colour, words
from playground.ui.kit.sections import soft
from playground.ui.lowrank.pieces import small
from playground.ui.lowrank.worth_html import measured

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter
    from playground.lowrank.intruders import Repair
    from playground.lowrank.repair import Repaired
    from playground.model.bases import Base

SHOWN = 32  # directions
WHO = ("base", "whole", "repaired")


def in_module(base: Base, adapter: Adapter, module: str, repair: Repair, language: str) -> str:
    """The strongest directions of one tuned weight, the intruders marked and named. Raises PlaygroundError."""
    found = directions(base, adapter, module)
    there = found.intruders(repair.top_k, repair.threshold_epsilon)
    shown = max(SHOWN, repair.top_k)
    drawn = marked(found.values[:shown].tolist(), found.cosines[:shown].tolist(), there, repair.top_k, language)
    place = text(language, "lowrank.module", layer=layer_of(module), kind=kind_of(module))
    least = significant(language, float(found.cosines[: repair.top_k].min()))
    epsilon, top_k = trimmed(language, repair.threshold_epsilon), min(repair.top_k, len(found.values))
    said = counted(language, "repair.module", len(there), module=place, least=least, epsilon=epsilon, top_k=top_k)
    line = f'<p class="pp-outcome">{escape(said)}</p>'
    return f"<div {colour(adapter.record.method)}>{drawn}{line}{small(words(language, 'repair.module.help'))}</div>"


def drawn(done: Repaired, method: str, language: str) -> str:
    """Everything that is known so far of a repair of an adapter that `method` has made."""
    if len(done.found.counts) < done.found.modules or not done.found.modules:
        figures = {"done": len(done.found.counts), "count": done.found.modules}
        return soft(language, "repair.looking", **{name: number(language, one) for name, one in figures.items()})
    lines = [found(done, language), *compared(done, language)]
    said = f'<p class="pp-outcome">{escape(" ".join(lines))}</p>'
    titles = [title(who, done, language) for who in WHO]
    return said + measured(done.worth, titles, method, language)


def found(done: Repaired, language: str) -> str:
    """How many intruders there are, in how many modules."""
    if not done.found.total:
        return text(language, "repair.found.none", epsilon=trimmed(language, done.repair.threshold_epsilon))
    figures = {"intruded": done.found.intruded, "modules": done.found.modules}
    written = {name: number(language, one) for name, one in figures.items()}
    return counted(language, "repair.found", done.found.total, **written)


def compared(done: Repaired, language: str) -> list[str]:
    """The repaired adapter beside the whole one: neutral loss and score, and whether each is noise."""
    said = []
    if done.apart:
        key = f"repair.neutral.{'differs' if done.apart.differs else 'noise'}"
        said.append(
            text(
                language,
                key,
                change=change(language, done.apart.change, needed(done.apart.change) if done.apart.differs else 2),
            )
        )
    if len(done.worth) == len(WHO):
        whole, left = ([one.score for one in worth.examples] for worth in done.worth[1:])
        if by := moved(whole, left):
            key = f"repair.score.{'differs' if by['differs'] else 'noise'}"
            said.append(text(language, key, change=points(language, by["change"])))
    return said


def title(who: str, done: Repaired, language: str) -> str:
    """What a pane is called: the repaired one with its λ."""
    return text(language, f"repair.who.{who}", strength=trimmed(language, done.repair.mitigation_lambda))
