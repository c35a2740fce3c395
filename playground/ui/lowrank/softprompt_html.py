"""
What the virtual tokens of a prompt-tuning adapter became, as HTML. Knows no components and no events.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from playground.locales import number, percent, text
from playground.plots.lowrank.table import table
from playground.ui.compare.tokens_html import VISIBLE_SPACES, visible
from playground.ui.kit.html import counted, heading, words
from playground.ui.kit.sections import soft

if TYPE_CHECKING:
    from playground.lowrank.softprompt import Importance, Projection, Report, VirtualToken
    from playground.lowrank.vocabulary import Near


SLOT = "\N{OBJECT REPLACEMENT CHARACTER}"  # where tokens go into a sentence: they are HTML already
ROOM = 1.06  # the lengths' scale reaches a little further than the longest


def tokens(found: Report, language: str) -> str:
    """The table of virtual tokens between what it shows and how to read its bars."""
    known = found.tokens[0].cosine_to_start is not None
    heads = [text(language, key) for key in ("softprompt.number", "softprompt.now", "softprompt.norm")]
    if known:
        heads[1:2] = [text(language, key) for key in ("softprompt.start", "softprompt.now", "softprompt.moved")]
    end = ROOM * max(found.norm_quantiles[2], *(token.norm for token in found.tokens))
    rows = (row(token, heads, end, found.norm_quantiles, language) for token in found.tokens)
    low, median, high = (number(language, value, 1) for value in found.norm_quantiles)
    mean = number(language, sum(token.norm for token in found.tokens) / len(found.tokens), 1)
    return (
        f"{change(found, language)}"
        f'<div class="pp-tall" role="region" tabindex="0" aria-label="{words(language, "softprompt.table")}">'
        f"{table('pp-samples pp-virtual', heads, rows)}</div>"
        f"{soft(language, 'softprompt.norm_note', low=low, high=high, mean=mean, median=median)}"
    )


def change(found: Report, language: str) -> str:
    """How far they went from their start, and what that means for the words beside them."""
    moved = [token for token in found.tokens if token.cosine_to_start is not None]
    if not moved:
        return soft(language, "softprompt.unknown_start")
    distance = sum(token.distance_from_start or 0.0 for token in moved) / len(moved)
    if not distance:
        return soft(language, "softprompt.still")
    same = sum(token.nearest[0].id == token.start_nearest[0].id for token in moved)
    cosine = sum(token.cosine_to_start or 0.0 for token in moved) / len(moved)
    values = {"cosine": number(language, cosine, 2), "distance": number(language, distance, 1)}
    if same == len(moved):
        line = counted(language, "softprompt.kept_all", same, **values)
    else:
        line = counted(language, "softprompt.kept", same, tokens=number(language, len(moved)), **values)
    shared = text(language, "softprompt.shared", chance=number(language, found.chance, 2), words=SLOT)
    shared = escape(shared).replace(SLOT, near(found.step_nearest, language))
    return f'<p>{line}</p><p class="pp-soft">{words(language, "softprompt.words")} {shared}</p>'


def row(token: VirtualToken, heads: list[str], end: float, quantiles: tuple[float, float, float], language: str) -> str:
    """The cells of one virtual token; `end` is the length at the right end of its bar."""
    low, high, at = (100 * value / end for value in (quantiles[0], quantiles[2], token.norm))
    bar = f'<span class="pp-length" aria-hidden="true"><i style="left:{low:.1f}%;width:{high - low:.1f}%"></i>'
    norm = f'{number(language, token.norm, 1)}{bar}<b style="left:{at:.1f}%"></b></span>'
    cells = [number(language, token.position), near(token.nearest, language), norm]
    if token.cosine_to_start is not None and token.distance_from_start is not None:
        way = f"{number(language, token.cosine_to_start, 2)} · {number(language, token.distance_from_start, 1)}"
        cells = [cells[0], near(token.start_nearest, language), cells[1], way, cells[2]]
    return "".join(f'<td data-head="{escape(head)}">{cell}</td>' for head, cell in zip(heads, cells, strict=True))


def near(found: Sequence[Near], language: str) -> str:
    """Tokens with their cosines, the nearest in ink."""
    return " ".join(
        f'<span class="pp-near">{visible(one.token, language)} <small>{number(language, one.cosine, 2)}</small></span>'
        for one in found
    )


def plane(points: Projection, language: str) -> str:
    """What the projection keeps, and what it does not."""
    share, rest = percent(language, 100 * sum(points.shares)), number(language, points.width - 2)
    line = words(language, "softprompt.plane", share=share, rest=rest)
    if points.step_share is not None:
        line += " " + words(language, "softprompt.step", share=percent(language, 100 * points.step_share))
    return f'{heading(language, "softprompt.where")}<p class="pp-soft">{line}</p>'


def choice(token: VirtualToken) -> str:
    """`5 · Freud`: a virtual token by its number and nearest word."""
    word = token.nearest[0].token
    return f"{token.position} · {word.strip() or word.translate(VISIBLE_SPACES)}"


def importance(event: Importance, language: str) -> str:
    """The bars and the sentence with their numbers."""
    from playground.plots.lowrank.softprompt import importance_bars, importance_summary

    line = escape(importance_summary(event, language))
    return f'<p role="status">{line}</p>{importance_bars(event, language)}'
