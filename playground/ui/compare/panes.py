"""
The panes of a comparison as HTML.

Pure: plain values and a language in, HTML out; what a visitor or a model wrote is escaped here.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from playground.actions.compare import Question, answered
from playground.adapt.ranks import span
from playground.formats.registry import format_of
from playground.locales import counted, number, percent, significant, size, text, trimmed
from playground.model.catalogue import held_in, is_simulated, parts_of
from playground.model.names import base_name, step_names
from playground.plots.kit.pieces import rows
from playground.ui.compare.asked import mark
from playground.ui.compare.decoding import summary
from playground.ui.kit.html import colour, words
from playground.ui.kit.methods import beginning_name, method_name

if TYPE_CHECKING:
    from playground.ui.kit.html import Values


MAIN_HYPERPARAMETER = {"lora": ("r", "rank"), "qlora": ("r", "rank"), "few_shot": ("k", "examples")}
NOTHING_WRITTEN = {"overflow": "pane.overflow", "stopped": "pane.unanswered"}  # why an answer has no text
COLUMNS = {1: 1, 2: 2, 3: 3, 5: 3, 6: 3}  # panes: columns on a wide screen, otherwise 4
SAVED = ("trainable_parameters", "tokens", "tokens_per_second", "kl_from_base", "finish_reason")  # of a pane, in a file


def pane_title(summary: Values, language: str) -> str:
    """
    The visitor's own title, or method, main hyperparameter and task; a session's own have a number too, by which they can
    be told apart, and checkpoints their step. Plain text, not yet escaped.
    """
    step = number(language, summary["steps"]) if "@" in summary["id"] else ""
    if summary.get("name"):
        title: str = summary["name"]
        return text(language, "pane.step", title=title, step=step) if step else title
    title = plain_title(summary, language)
    if not summary.get("own"):
        return title
    own = {"title": title, "number": number(language, summary["number"])}
    return text(language, "pane.own_step", **own, step=step) if step else text(language, "pane.own", **own)


def file_title(summary: Values, language: str) -> str:
    """What a session's own adapter is called outside of it, where "yours" would say nothing: "LoRA r = 8 · pirate 3"."""
    numbered = summary.get("name") or f"{plain_title(summary, language)} {number(language, summary['number'])}"
    return pane_title({**summary, "name": numbered}, language)


def plain_title(summary: Values, language: str) -> str:
    """Method, main hyperparameter, how it begins if not with noise, and task."""
    method, values = summary["method"], summary.get("hyperparameters", {})
    title = method_name(method, values, language)
    title = " · ".join([title, *step_names(shown_steps(summary), language)])
    symbol, name = MAIN_HYPERPARAMETER.get(method, ("", ""))
    if name in values:
        ends = span(values) if name == "rank" else (values[name],)  # modules may have ranks of their own
        title += f" {symbol} = {'–'.join(dict.fromkeys(number(language, one) for one in ends))}"
    if begins := beginning_name(values, language) or summary.get("undone"):
        title += f" {begins}"
    if method == "base" or not summary.get("task"):
        return title
    return title + " · " + text(language, f"tasks.{summary['task']}.name")


def answers(frame: Values, question: Question, language: str) -> str:
    """
    The panes under a line that names what they answer: the question, the base, and how. A mark says the same for programs
    (asked.py).
    """
    key = "compare.answers" if answered(frame) else "compare.unanswered"
    parts = (
        text(language, key, prompt=question.prompt),
        base_name(question.base, language),
        summary(language, question.decoding),
    )
    blank = "" if answered(frame) else " data-blank"  # then there is nothing to name once another question stands above
    return (
        f'<div {mark(question)}{blank}><p class="pp-asked"><span>{escape(" · ".join(parts))}</span> '
        f'<strong class="pp-former"><span>{words(language, "compare.former")}</span>'
        f"<span>{words(language, 'compare.former.running')}</span></strong></p>{panes(frame, language)}</div>"
    )


def panes(frame: Values, language: str) -> str:
    """All answers of one comparison, side by side."""
    cards = "".join(pane_card(pane, frame, language) for pane in frame["panes"])
    file = saved(frame, language) if answered(frame) and all(pane["finished"] for pane in frame["panes"]) else ""
    return (
        f'<section class="pp-panes" {columns(frame["panes"])}{file} aria-label="{words(language, "pane.panes")}">'
        f'<h2 class="pp-unseen">{words(language, "pane.panes")}</h2>{cards}</section>'
    )


def saved(frame: Values, language: str) -> str:
    """The attribute with the answers and their numbers, for a file."""
    shown = frame["panes"]
    told = [(pane_title(one, language), one["method"], *(one[name] for name in SAVED), one["text"]) for one in shown]
    return rows(("pane", "method", *SAVED, "answer"), told)


def columns(shown: list[Values]) -> str:
    """The style attribute that says how many stand side by side on a wide screen."""
    return f'style="--columns:{COLUMNS.get(len(shown), 4)}"'


def pane_card(pane: Values, frame: Values, language: str) -> str:
    """One pane: name, cost, bar, answer, footer."""
    asked = answered(frame)
    busy = "true" if asked and not pane["finished"] else "false"
    foot = f'<div class="pp-foot">{pane_foot(pane, frame, language)}</div>' if asked else ""
    return (
        f'<article class="pp-pane" {pane_colour(pane)} aria-busy="{busy}">'
        f'<h3 class="pp-name">{escape(pane_title(pane, language))}</h3>'
        f'<p class="pp-cost">{escape(cost(pane, language))}</p>'
        f"{cost_bar(pane, frame['base_parameters'], language)}"
        f'<div class="pp-answer">{answer(pane, language, asked)}</div>'
        f"{foot}</article>"
    )


def cost(pane: Values, language: str) -> str:
    """
    `460,800 trained · 0.34 % · 1.8 MB`, or that nothing was trained; of an adapter that was cut, what is left; of a mix or
    a conversion that it was not trained; of fewer bits how many, and how they are had.
    """
    form, said = form_of(pane), list[str]()
    if is_pruned(pane) and pane["method"] == "base":
        left = pane["total_parameters"]
        said.append(text(language, "pane.left", count=number(language, left)) if left else text(language, "pane.pruned"))
    if form:
        key = "pane.simulated" if is_simulated(form) else "pane.quantized"
        said.append(text(language, key, bits=trimmed(language, format_of(form).bits_per_parameter())))
    if said:
        return " · ".join(said)
    trained = pane.get("trained_parameters", pane["trainable_parameters"])
    if trained != pane["trainable_parameters"]:
        left = number(language, pane["trainable_parameters"])
        return text(
            language, "pane.cost_left", left=left, count=number(language, trained), size=size(language, pane["bytes"])
        )
    if not pane["trainable_parameters"]:
        return text(language, "pane.few_shot" if pane["method"] == "few_shot" else "pane.nothing_trained")
    count, share = number(language, pane["trainable_parameters"]), percent(language, pane["percent"])
    key = "pane.cost_mixed" if pane.get("mixed") else "pane.cost_converted" if pane.get("converted") else "pane.cost"
    return text(language, key, count=count, percent=share, size=size(language, pane["bytes"]))


def pane_colour(pane: Values) -> str:
    """The method's; bases in fewer bits, and those with less left, have one of their own."""
    return colour("quantized" if form_of(pane) or (is_pruned(pane) and pane["method"] == "base") else pane["method"])


def form_of(pane: Values) -> str:
    """The form of a base in fewer bits, pruned or not; "" of anything else."""
    return (parts_of(pane.get("base") or "")[2] or "") if pane["method"] == "base" else ""


def is_pruned(pane: Values) -> bool:
    """Whether there is less of the base, with an adapter or without."""
    return parts_of(pane.get("base") or "")[1] is not None


def shown_steps(pane: Values) -> str:
    """The base as its steps are said: of an adapter's, whose form its method says, what was pruned."""
    base = pane.get("base") or ""
    return base if pane["method"] == "base" else held_in(base, None)


def cost_bar(pane: Values, full: int, language: str) -> str:
    """
    Trained parameters on a logarithmic scale from 1 up to full fine-tuning, which fills the bar, with a mark at every power
    of ten; of a base in fewer bits how many of 32, of one with less left its share.
    """
    if form_of(pane):
        bits = format_of(form_of(pane)).bits_per_parameter()
        share, label = bits / 32, words(language, "pane.bits", bits=trimmed(language, bits))
        return f'<div class="pp-bar" role="img" aria-label="{label}"><i style="width:{100 * share:.1f}%"></i></div>'
    if is_pruned(pane) and pane["method"] == "base" and full:
        share = pane["total_parameters"] / full
        label = words(language, "pane.left.bar", percent=percent(language, 100 * share))
        return f'<div class="pp-bar" role="img" aria-label="{label}"><i style="width:{100 * share:.1f}%"></i></div>'
    trained = pane["trainable_parameters"]
    share = min(1.0, math.log(trained) / math.log(full)) if trained > 1 and full > 1 else 0.0
    label = words(language, "pane.bar", count=number(language, trained), total=number(language, full))
    marks = f' style="--decade:{100 / math.log10(full):.3f}%"' if full > 1 else ""
    return f'<div class="pp-bar" role="img" aria-label="{label}"{marks}><i style="width:{100 * share:.1f}%"></i></div>'


def answer(pane: Values, language: str, asked: bool = True) -> str:
    """The text with its point of departure marked and a caret while it grows; before it was `asked` for, that."""
    if not pane["text"]:
        waits = "pane.waiting" if asked else "pane.unanswered"
        key = NOTHING_WRITTEN.get(pane["finish_reason"], "pane.empty") if pane["finished"] else waits
        return f'<p class="pp-soft">{words(language, key)}</p>'
    caret = "" if pane["finished"] else '<span class="pp-caret" aria-hidden="true"></span>'
    return f'<p class="pp-text">{marked(pane, language)}{caret}</p>'


def marked(pane: Values, language: str) -> str:
    """The escaped text, with the first token that differs from the base model's in a <mark>."""
    if not pane["divergence_span"]:
        return escape(pane["text"])
    start, end = pane["divergence_span"]
    before, token, after = (escape(part) for part in (pane["text"][:start], pane["text"][start:end], pane["text"][end:]))
    return f'{before}<mark class="pp-part" title="{words(language, "pane.parts_here")}">{token}</mark>{after}'


def pane_foot(pane: Values, frame: Values, language: str) -> str:
    """Tokens and speed, what the pane is worth knowing for, and a line on how it ended if that needs one."""
    count, speed = pane["tokens"], pane["tokens_per_second"]
    left = text(language, "pane.tokens_one") if count == 1 else text(language, "pane.tokens", count=number(language, count))
    if speed is not None:
        left += " · " + text(language, "pane.speed", speed=significant(language, speed))
    note = ending(pane, frame, language) if pane["text"] or not overflows(pane) else ""  # said where the answer would be
    note = f'<span class="pp-note">{escape(note)}</span>' if note else ""
    hint = f' title="{words(language, "pane.speed_hint")}"' if speed is not None else ""
    return f"<span{hint}>{escape(left)}</span>{distance(pane, language)}{note}"


def overflows(pane: Values) -> bool:
    return bool(pane["finish_reason"] == "overflow")


def distance(pane: Values, language: str) -> str:
    """How far the first token lies from the base model's; for the base model, that its weights were checked."""
    if pane["weights_untouched"] is False:
        return f'<span class="pp-error">{words(language, "pane.touched")}</span>'
    if pane["weights_untouched"]:
        return f'<span title="{words(language, "pane.untouched_hint")}">{words(language, "pane.untouched")}</span>'
    if pane["kl_from_base"] is None:
        return ""
    value = words(language, "pane.kl", value=divergence(language, pane["kl_from_base"]))
    return f'<span title="{words(language, "pane.kl_hint")}">{value}</span>'


def divergence(language: str, nats: float) -> str:
    """10.2, 0.34, 0.0012."""
    return number(language, nats, 1) if nats >= 1 else significant(language, nats)


def ending(pane: Values, frame: Values, language: str) -> str:
    """Why an answer stopped short, or that it is the base model's word for word; "" if there is nothing to say."""
    if pane["finish_reason"] == "length":
        return counted(language, "pane.cut", pane["tokens"])
    if pane["finish_reason"] == "stopped" and pane["text"]:
        return text(language, "pane.stopped")
    if overflows(pane):
        return text(language, "pane.overflow")
    base = next((other for other in frame["panes"] if other["method"] == "base"), None)
    if base is None or pane is base or not (base["finished"] and pane["finished"]):
        return ""
    return text(language, "pane.same") if pane["text"] == base["text"] else ""
