"""
How likely the panes of a comparison find their first tokens, as HTML. Pure: plain values and a language in, HTML out.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from playground.locales import NO_BREAK, number, significant, text
from playground.model.catalogue import split_id
from playground.plots.kit.pieces import rows
from playground.ui.compare.panes import columns, divergence, form_of, pane_colour, pane_title
from playground.ui.kit.html import card, heading, words

if TYPE_CHECKING:
    from playground.ui.kit.html import Values

VISIBLE_SPACES = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥"})
SMALLEST_PROBABILITY = 0.1  # percent; below it the page says "less than"


def first_tokens(frame: Values, language: str) -> str:
    """How likely each model finds its most likely first tokens, and how to read the page's bars."""
    known = [pane for pane in frame["panes"] if pane["top_tokens"]]
    if not known:
        return card(language, "tokens")
    lists = "".join(token_list(pane, language) for pane in known)
    told = [
        (pane_title(pane, language), place, one["token"], one["probability"])
        for pane in known
        for place, one in enumerate(listed(pane), 1)
    ]
    file = rows(("pane", "place", "token", "probability"), told)
    body = f'<div class="pp-tokens" {columns(known)}{file}>{lists}{legend(known, frame, language)}</div>'
    return f'<section class="pp-card">{heading(language, tokens_title(known, language))}{body}</section>'


def tokens_title(known: list[Values], language: str) -> str:
    """The key of the title: whether what is listed differs."""
    if len(known) == 1:
        return "tokens.alone"
    lists = [[(one["token"], probability(language, one["probability"])) for one in listed(pane)] for pane in known]
    return "tokens.alike" if all(one == lists[0] for one in lists) else "tokens.title"


def listed(pane: Values) -> list[Values]:
    """The first tokens that the page has room for."""
    return list(pane["top_tokens"][:3])


def token_list(pane: Values, language: str) -> str:
    """One pane's most likely first tokens, with bars as long as they are probable."""
    items = "".join(
        f'<li title="{escape(token["token"])}"><code>{visible(token["token"], language)}</code>'
        f'<span class="pp-probability" style="--p:{token["probability"]:.4f}"><i></i>'
        f"{escape(probability(language, token['probability']))}</span></li>"
        for token in listed(pane)
    )
    title = escape(pane_title(pane, language))
    return f'<div {pane_colour(pane)}><h3 class="pp-name">{title}</h3><ul>{items}</ul></div>'


def visible(token: str, language: str) -> str:
    """The escaped token, with the spaces and line breaks around it made visible."""
    core = token.strip()
    before, _, after = token.partition(core) if core else (token, "", "")
    edges = [f'<span class="pp-soft">{part.translate(VISIBLE_SPACES)}</span>' if part else "" for part in (before, after)]
    return f"{edges[0]}{escape(core)}{edges[1]}" if token else words(language, "tokens.end")


def probability(language: str, value: float) -> str:
    """91 %, 4 %, 0.4 %: one significant figure is enough beside a bar; what is too small to matter is "< 0.1 %"."""
    rounded = significant(language, max(100 * value, SMALLEST_PROBABILITY), 1) + NO_BREAK + "%"
    return rounded if 100 * value >= SMALLEST_PROBABILITY else text(language, "tokens.below", value=rounded)


def legend(known: list[Values], frame: Values, language: str) -> str:
    """What the bars mean, and which pane begins farthest from the base model."""
    sentences = [words(language, "tokens.bars", total=number(language, frame["base_parameters"]))]
    if any(map(form_of, known)):
        sentences.append(words(language, "tokens.bits"))
        if split_id(frame["base"])[0].source == "embedded":
            sentences.append(words(language, "formats.q4_1"))
    measured = [pane for pane in known if pane["kl_from_base"] is not None]
    if len(measured) > 1:
        value = divergence(language, max(pane["kl_from_base"] for pane in measured))
        farthest = [pane for pane in measured if divergence(language, pane["kl_from_base"]) == value]
        titles = ", ".join(pane_title(pane, language) for pane in farthest)
        if len(farthest) < len(measured):
            sentences.append(words(language, "tokens.farthest", title=titles, value=value))
    return f'<p class="pp-legend">{" ".join(sentences)}</p>'
