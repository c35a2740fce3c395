"""
What came back, as HTML: a row for the base, for what is left, and for every adapter, and what to see in them.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from playground.locales import machine, number, percent, significant, text
from playground.model.names import pruning_name
from playground.model.pruning import Pruning
from playground.plots.kit import pieces
from playground.plots.kit.figures import short
from playground.ui.kit.events import note
from playground.ui.kit.html import words

if TYPE_CHECKING:
    from playground.prune.healed import Healed, Recorded, Recovery

COLUMNS = ("perplexity", "held_out", "score", "seconds", "answer", "trained", "parameters")
HEALS = ("lora", "distilled", "sparse")  # what is trained on a pruned base


def working(seen: Recovery, language: str) -> str:
    """Who is at work, and at which step."""
    who = text(language, f"healing.who.{seen.working}")
    if seen.step is None:
        return note(language, "healing.measuring", who=who)
    return note(language, "healing.training", who=who, step=number(language, seen.step), steps=number(language, seen.steps))


def table(seen: Recovery, language: str) -> str:
    """All rows so far, under what they say."""
    if not seen.rows:
        return ""
    name = f'<h3 class="pp-name">{escape(pruning_name(Pruning.parse(seen.pruning), language))}</h3>'
    heads = pieces.columns([text(language, "column.model"), *(text(language, f"healing.column.{one}") for one in COLUMNS)])
    body = "".join(_row(one, language) for one in seen.rows)
    return name + said({one.who: one for one in seen.rows}, language) + pieces.table("pp-formats pp-healed", heads, body)


def recorded(made: Recorded, language: str) -> str:
    """What came with the page, where it was measured, and how long that took."""
    seen = made.found
    values = {
        "machine": machine(language, made.machine), "task": text(language, f"tasks.{seen.task}.title"),
        "steps": number(language, seen.steps), "seconds": number(language, made.seconds),
    }  # fmt: skip
    return table(seen, language) + note(language, "healing.recorded", **values)


def _row(one: Healed, language: str) -> str:
    cells = {
        "perplexity": short(language, one.perplexity),
        "held_out": number(language, one.held_out, 2),
        "score": "–" if one.score is None else percent(language, 100 * one.score),
        "seconds": significant(language, one.seconds) if one.trained else "–",
        "answer": one.answer or "–",
        "trained": number(language, one.trained) if one.trained else "–",
        "parameters": number(language, one.parameters),
    }
    name = words(language, f"healing.who.{one.who}")
    shown = "".join(f'<td class="pp-healed-{column}">{escape(cells[column])}</td>' for column in COLUMNS)
    return f'<tr><th scope="row">{name}</th>{shown}</tr>'


def said(rows: dict[str, Healed], language: str) -> str:
    """
    How much of the loss in reading the best way brings back, how far the best way for the task comes, and what the same
    LoRA does on the whole base.
    """
    known = [who for who in HEALS if who in rows]
    if not known:
        return ""
    whole, pruned = rows["whole"].loss, rows["pruned"].loss
    lost = pruned - whole
    if lost <= 0.01:
        return f'<p class="pp-conclusion" role="status">{words(language, "healing.said.nothing")}</p>'
    best = min(known, key=lambda who: rows[who].loss)
    back = (pruned - rows[best].loss) / lost
    values = {
        "who": text(language, f"healing.who.{best}"), "lost": number(language, lost, 2),
        "percent": percent(language, 100 * abs(back)),
    }  # fmt: skip
    told = words(language, f"healing.said.{'back' if back > 0 else 'further'}", **values)
    first = min(("pruned", *known), key=lambda who: rows[who].held_out)
    losses = {"before": rows["pruned"], "after": rows[first], "whole": rows["whole"]}
    task = {name: number(language, one.held_out, 2) for name, one in losses.items()}
    if first != "pruned":
        told += " " + words(language, "healing.said.task", who=text(language, f"healing.who.{first}"), **task)
    if "whole_lora" in rows:
        change = rows["whole_lora"].loss - whole
        told += " " + words(
            language, "healing.said.whole", change=f"{'+' if change >= 0 else '−'}{significant(language, abs(change))}"
        )
    return f'<p class="pp-conclusion" role="status">{told}</p>'
