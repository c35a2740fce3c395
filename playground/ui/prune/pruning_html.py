"""
A pruning as HTML: what it takes from each layer, the base before and after, and what to see in that; a table of many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from playground import locales
from playground.locales import number, percent, significant, size, text
from playground.model.names import pruning_name
from playground.model.pruning import Pruning
from playground.plots.kit import pieces
from playground.plots.kit.figures import short
from playground.plots.prune.layers import bars
from playground.ui.kit.html import words
from playground.ui.kit.sections import soft
from playground.ui.prune.names import what_name, what_of

if TYPE_CHECKING:
    from playground.prune.looking import Looked
    from playground.prune.picture import Taken
    from playground.prune.rows import Row

COLUMNS = ("parameters", "bytes", "speed", "perplexity", "right")
GONE = 2.0  # so many times the base's perplexity: the text is read worse than a little


def drawing(taken: Taken, pruning: Pruning, language: str) -> str:
    """The bars with what they say."""
    key = f"prune.drawn.{'parts' if pruning.kind in ('depth', 'bypass') else 'share'}"
    if key.endswith("share"):
        share = 100 * sum(taken.values) / len(taken.values)
        told = text(language, key, gone=percent(language, 100 * pruning.share), share=percent(language, share))
        shown = bars(taken.values, taken.gone, told, lambda one: percent(language, 100 * one), language)
    else:
        names = locales.listed(language, [number(language, one) for one in sorted(taken.gone)]) or "–"
        told = text(language, key, layers=names)
        shown = bars(taken.values, taken.gone, told, lambda one: significant(language, one), language)
    return f'{shown}<p class="pp-soft">{escape(told)}</p>'


def rows(found: Sequence[Row], language: str) -> str:
    """A table of the base and what is left of it."""
    heads = pieces.columns([text(language, "column.model"), *(text(language, f"prune.column.{one}") for one in COLUMNS)])
    return pieces.table("pp-formats", heads, "".join(_row(one, language) for one in found))


def _row(one: Row, language: str) -> str:
    name = pruning_name(Pruning.parse(one.pruning), language) if one.pruning else text(language, "methods.base.name")
    cells = [number(language, one.parameters), size(language, one.bytes), significant(language, one.tokens_per_second)]
    cells += [short(language, one.perplexity), percent(language, 100 * one.right)]
    return f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'


def said(base: Row, left: Row, language: str) -> str:
    """What was saved, and what it costs, in a sentence."""
    pruning = Pruning.parse(left.pruning)
    values = {
        "name": pruning_name(pruning, language),
        "before": short(language, base.perplexity),
        "after": short(language, left.perplexity),
        "fewer": percent(language, 100 * (1 - left.parameters / base.parameters)),
    }
    kept = "zeros" if left.parameters == base.parameters else "smaller"
    how = "ruined" if left.loss - base.loss > math.log(GONE) else "held"
    zeros = soft(language, "prune.said.zeros_kept", zeros=number(language, left.zeros)) if left.zeros else ""
    return f'<p class="pp-conclusion" role="status">{words(language, f"prune.said.{kept}.{how}", **values)}</p>{zeros}'


def looked(seen: Looked, language: str) -> str:
    """Everything that is known so far."""
    shown = drawing(seen.taken, Pruning.parse(seen.pruning), language) if seen.taken else ""
    shown = (said(*seen.rows, language) if len(seen.rows) == 2 else "") + shown
    return shown + (rows(seen.rows, language) if seen.rows else "")


# Many


def curve(found: Sequence[Row], language: str) -> str:
    """Perplexity by rule and share, the base's above, with what to see in it."""
    base, rest = found[0], [(Pruning.parse(one.pruning), one) for one in found[1:]]
    shares = sorted({one.share for one, _ in rest})
    heads = pieces.columns([text(language, "prune.rule"), *(percent(language, 100 * one) for one in shares)])
    known = {(what_of(one), one.share): row for one, row in rest}
    body = ""
    for what in dict.fromkeys(what_of(one) for one, _ in rest):
        cells = "".join(_cell(known.get((what, one)), base, language) for one in shares)
        body += f'<tr><th scope="row">{escape(what_name(what, language))}</th>{cells}</tr>'
    values = {"perplexity": short(language, base.perplexity), "right": percent(language, 100 * base.right)}
    whole = soft(language, "prune.curve.base", **values)
    return f"{_compared(base, rest, language)}{whole}{pieces.table('pp-formats pp-pruned', heads, body)}"


def _cell(one: Row | None, base: Row, language: str) -> str:
    if one is None:
        return "<td>–</td>"
    mark = ' class="pp-held"' if one.loss - base.loss <= math.log(GONE) else ""
    title = words(language, "prune.curve.cell", parameters=number(language, one.parameters), answer=one.answer or "–")
    return f'<td{mark} title="{title}">{escape(short(language, one.perplexity))}</td>'


def _compared(base: Row, rest: Sequence[tuple[Pruning, Row]], language: str) -> str:
    """Of a fifth of the neurons the best and the worst rule."""
    fifth = [(one, row) for one, row in rest if one.share == 0.2 and one.kind == "width" and one.rule != "apart"]
    best, worst = (pick(fifth, key=lambda found: found[1].loss) for pick in (min, max))
    values = {"before": short(language, base.perplexity)}
    values |= {name: text(language, f"pruning.rule.{one.rule}") for name, (one, _) in (("best", best), ("worst", worst))}
    values |= {f"{name}_value": short(language, row.perplexity) for name, (_, row) in (("best", best), ("worst", worst))}
    return f'<p class="pp-conclusion">{words(language, "prune.curve.said", **values)}</p>'
