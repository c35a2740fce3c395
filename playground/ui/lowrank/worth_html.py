"""
What a base, an adapter and something made of it are worth, side by side, as HTML. Knows no components and no events.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from playground.locales import percent, significant, text
from playground.plots.lowrank.table import row_head, table
from playground.ui.compare.scores_html import expected
from playground.ui.kit.html import colour, words

if TYPE_CHECKING:
    from playground.train.scoring import Scored

NONE = "–"


def measured(worth: Sequence[Scored], titles: Sequence[str], method: str, language: str) -> str:
    """A table of base, adapter and what was made of it, as far as measured, and their answers."""
    return standings(worth, titles, language) + answers(worth, titles, method, language) if worth else ""


def standings(worth: Sequence[Scored], titles: Sequence[str], language: str) -> str:
    """A row for each."""
    heads = [text(language, f"repair.column.{name}") for name in ("who", "score", "loss", "neutral")]
    neutral: list[float | None] = [None] * len(worth)
    for place, one in enumerate(worth):
        if one.forgetting:
            neutral[0], neutral[place] = one.forgetting.before, one.forgetting.after
    rows = []
    for one, named, read in zip(worth, titles, neutral, strict=False):
        score = NONE if one.score is None else percent(language, 100 * one.score)
        cells = [score, _nats(one.held_out_loss, language), _nats(read, language)]
        rows.append(row_head(named) + "".join(f"<td>{cell}</td>" for cell in cells))
    return table("pp-effects", heads, rows)


def answers(worth: Sequence[Scored], titles: Sequence[str], method: str, language: str) -> str:
    """The first held-out question, answered by each; the others behind a fold."""
    if not worth[0].examples:
        return ""
    blocks = [_question(place, worth, titles, method, language) for place in range(len(worth[0].examples))]
    more = f'<details class="pp-behind"><summary>{words(language, "score.read")}</summary>{"".join(blocks[1:])}</details>'
    return blocks[0] + (more if len(blocks) > 1 else "")


def _question(place: int, worth: Sequence[Scored], titles: Sequence[str], method: str, language: str) -> str:
    panes = "".join(
        f"<div {colour(method if who else 'base')}><dt>{escape(named)}</dt>"
        f"<dd>{escape(one.examples[place].answer) or words(language, 'pane.empty')}</dd></div>"
        for who, (one, named) in enumerate(zip(worth, titles, strict=False))
    )
    asked = worth[0].examples[place]
    head = f'<h3 class="pp-name">{escape(asked.prompt)}</h3>{expected(asked.expected, language)}'
    return f'{head}<dl class="pp-said">{panes}</dl>'


def _nats(value: float | None, language: str) -> str:
    return NONE if value is None else significant(language, value, 3)
