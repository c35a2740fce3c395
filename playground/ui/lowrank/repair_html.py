"""
Intruder dimensions and their repair as HTML. Knows no components and no events.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from playground.actions.scores import moved
from playground.locales import counted, number, percent, significant, text, trimmed
from playground.lowrank.intruders import directions
from playground.model.modules import kind_of, layer_of
from playground.plots.kit.figures import change
from playground.plots.lowrank.intruders import marked
from playground.plots.lowrank.table import row_head, table
from playground.ui.kit.html import colour, words
from playground.ui.kit.sections import soft
from playground.ui.lowrank.pieces import small

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playground.adapt.adapters import Adapter
    from playground.lowrank.intruders import Repair
    from playground.lowrank.repair import Repaired
    from playground.model.bases import Base
    from playground.train.scoring import Scored

SHOWN = 32  # directions
WHO = ("base", "whole", "repaired")
NONE = "–"


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
    return said + standings(done, method, language) + answers(done.worth, method, language)


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
        said.append(text(language, key, change=change(language, done.apart.change)))
    if len(done.worth) == len(WHO):
        whole, left = ([one.score for one in worth.examples] for worth in done.worth[1:])
        if by := moved(whole, left):
            key = f"repair.score.{'differs' if by['differs'] else 'noise'}"
            said.append(text(language, key, change=change(language, 100 * by["change"])))
    return said


def standings(done: Repaired, method: str, language: str) -> str:
    """A row for each that is measured."""
    heads = [text(language, f"repair.column.{name}") for name in ("who", "score", "loss", "neutral")]
    neutral: list[float | None] = [None, None, None]
    for place, one in enumerate(done.worth):
        if one.forgetting:
            neutral[0], neutral[place] = one.forgetting.before, one.forgetting.after
    rows = []
    for place, one in enumerate(done.worth):
        cells = [
            NONE if one.score is None else percent(language, 100 * one.score),
            _nats(one.held_out_loss, language),
            _nats(neutral[place], language),
        ]
        head = row_head(title(WHO[place], done, language))
        rows.append(head + "".join(f"<td>{cell}</td>" for cell in cells))
    return table("pp-effects", heads, rows) if rows else ""


def title(who: str, done: Repaired, language: str) -> str:
    """What a pane is called: the repaired one with its λ."""
    strength = trimmed(language, done.repair.mitigation_lambda)
    return text(language, f"repair.who.{who}", strength=strength)


def answers(worth: Sequence[Scored], method: str, language: str) -> str:
    """The first held-out question, answered by each; the others behind a fold."""
    asked = [one for one in worth if one.examples]
    if not asked:
        return ""
    blocks = [_question(place, asked, method, language) for place in range(len(asked[0].examples))]
    more = f'<details class="pp-behind"><summary>{words(language, "score.read")}</summary>{"".join(blocks[1:])}</details>'
    return blocks[0] + (more if len(blocks) > 1 else "")


def _question(place: int, asked: Sequence[Scored], method: str, language: str) -> str:
    panes = "".join(
        f"<div {colour('base' if who == 'base' else method)}><dt>{words(language, f'repair.pane.{who}')}</dt>"
        f"<dd>{escape(one.examples[place].answer) or words(language, 'pane.empty')}</dd></div>"
        for who, one in zip(WHO, asked, strict=False)
    )
    return f'<h3 class="pp-name">{escape(asked[0].examples[place].prompt)}</h3><dl class="pp-said">{panes}</dl>'


def _nats(value: float | None, language: str) -> str:
    return NONE if value is None else significant(language, value, 3)
