"""
What variants are worth on a task as HTML: their numbers side by side, what came out, and the answers behind the score. Pure:
plain values and a language in, HTML out.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from playground.actions.scores import FEW_SHOT
from playground.adapt.tasks import GRADED
from playground.adapt.variant import BASE
from playground.locales import counted, listed, number, percent, significant, text, trimmed
from playground.model.names import base_name
from playground.plots.kit.figures import change, needed, points
from playground.plots.kit.pieces import columns, table
from playground.ui.compare.panes import pane_colour, pane_title
from playground.ui.kit.events import alarm
from playground.ui.kit.html import queued, words

if TYPE_CHECKING:
    from playground.ui.kit.html import Values

NO_VALUE = "–"


def drawn(view: Values, language: str) -> str:
    """Everything that is shown of a scoring."""
    ended = view["state"] not in ("queued", "running")
    said = outcome(view, language) + forgotten(view, language) + notes(view, language) if ended else ""
    return f"{where(view, language)}{standings(view, language)}{status(view, language)}{said}{answers(view, language)}"


def where(view: Values, language: str) -> str:
    """The task and the base that all of it is about."""
    task = text(language, f"tasks.{view['task']}.title")
    return f'<p class="pp-run"><b>{escape(task)}</b> · {escape(base_name(view["base"], language))}</p>'


def status(view: Values, language: str) -> str:
    """Where it stands; "" once all is said."""
    state = view["state"]
    if view["message"]:
        return alarm(view["message"])
    if state == "finished":
        return ""
    if state == "queued":
        said = queued(language, view["position"] or 1, view["wait"])
    else:
        done = sum(not one["waits"] for one in view["rows"])
        said = text(language, f"score.{state}", done=number(language, done), count=number(language, len(view["rows"])))
    return f'<p class="pp-soft" role="status">{escape(said)}</p>'


def measures(rule: str) -> list[str]:
    """What is told of a variant by a rule: without one only the loss; where answers are graded, none is right."""
    if not rule:
        return ["loss"]
    return ["loss", "score"] if rule in GRADED else ["loss", "score", "right"]


def standings(view: Values, language: str) -> str:
    """A row for each variant; what is not known yet is left open."""
    names = ["variant", *measures(view["rule"])]
    heads = columns(text(language, f"score.column.{name}") for name in names)
    rows = "".join(_row(one, len(names) - 1, language) for one in view["rows"])
    return table("pp-race pp-scores", heads, rows, text(language, "score.table"))


def _row(one: Values, figures: int, language: str) -> str:
    blank = "…" if one["waits"] else NO_VALUE
    why = f"<small>{escape(one['message'])}</small>" if one["message"] else ""
    cells = "".join(f"<td>{cell or blank}</td>" for cell in numbers(one, language)[:figures])
    return f'<tr {pane_colour(one)}><th scope="row">{escape(pane_title(one, language))}{why}</th>{cells}</tr>'


def numbers(one: Values, language: str) -> list[str]:
    """Held-out loss, score and how many are right, as they are written; "" for what is not known."""
    loss, score = one["held_out_loss"], one["score"]
    return [
        "" if loss is None else significant(language, loss, 3),
        "" if score is None else percent(language, 100 * score),
        "" if score is None else right(one, language),
    ]


def right(one: Values, language: str) -> str:
    """12 of 16; plain text."""
    return text(language, "score.of", right=number(language, one["right"]), count=number(language, one["questions"]))


def outcome(view: Values, language: str) -> str:
    """What came out in a sentence: of one variant beside the references, or who of several is first. Ties are named."""
    references = [one for one in view["rows"] if one["id"] in (BASE, FEW_SHOT)]
    others = [one for one in view["rows"] if one not in references]
    single = others[0] if len(others) == 1 else None
    said = _of_one(single, references, view["rule"], language) if single else _first(view["rows"], language)
    return f'<p class="pp-outcome">{escape(" ".join(said))}</p>' if said else ""


def forgotten(view: Values, language: str) -> str:
    """The loss on the neutral text before and after, where somebody asked, and whether the difference is noise."""
    said = []
    for one in view["rows"]:
        if found := one["forgetting"]:
            said.append(_forgotten(found["before"], found["after"], found["differs"], language))
    return f'<p class="pp-outcome pp-forgetting">{escape(" ".join(said))}</p>' if said else ""


def _forgotten(before: float | None, after: float | None, differs: bool, language: str) -> str:
    """With as many decimals as show a difference that is one."""
    if before is None or after is None:
        return text(language, "score.forgetting.overflow")
    digits = needed(after - before) if differs else 2
    losses = {"before": round(before, digits), "after": round(after, digits)}
    written = {name: number(language, value, digits) for name, value in losses.items()}
    kind = "noise" if not differs else "rose" if after > before else "fell"
    return text(
        language, f"score.forgetting.{kind}", **written, change=change(language, losses["after"] - losses["before"], digits)
    )


def moved(view: Values, language: str) -> str:
    """Of two variants that answered the same questions: whether their scores differ by more than noise."""
    found = view["moved"]
    if found is None:
        return ""
    key = f"score.moved.{'differs' if found['differs'] else 'noise'}"
    return f'<p class="pp-outcome">{escape(text(language, key, change=points(language, found["change"])))}</p>'


def _of_one(one: Values, references: list[Values], rule: str, language: str) -> list[str]:
    """Its numbers, and those of the references that are known."""
    said = []
    if one["score"] is not None:
        said.append(_scored(one, [each for each in references if each["score"] is not None], rule, language))
    if one["held_out_loss"] is not None:
        losses = [(each, significant(language, each["held_out_loss"], 3)) for each in references if each["held_out_loss"]]
        beside = [_beside(each, loss, language) for each, loss in losses]
        said.append(_sentence("score.said.loss", one, significant(language, one["held_out_loss"], 3), beside, language))
    return said


def _scored(one: Values, references: list[Values], rule: str, language: str) -> str:
    """How many answers are right, or how good they are."""
    if "right" in measures(rule):
        beside = [_beside(each, number(language, each["right"]), language) for each in references]
        return _sentence("score.said.right", one, right(one, language), beside, language)
    beside = [_beside(each, percent(language, 100 * each["score"]), language) for each in references]
    return _sentence("score.said.score", one, percent(language, 100 * one["score"]), beside, language)


def _sentence(key: str, one: Values, value: str, beside: list[str], language: str) -> str:
    plain = text(language, key, title=pane_title(one, language), value=value)
    return f"{plain} ({listed(language, beside)})." if beside else f"{plain}."


def _beside(one: Values, value: str, language: str) -> str:
    """A reference's value: base 4.30."""
    name = text(language, f"score.reference.{one['method']}")
    return f"{name} {value}"


def _first(rows: list[Values], language: str) -> list[str]:
    """Who has the highest score and who the lowest loss, as they are shown."""
    said = []
    scored = [one for one in rows if one["score"] is not None]
    if len(scored) > 1:
        best = [one for one in scored if one["score"] == max(each["score"] for each in scored)]
        said.append(highest(best[0]["score"], _titles(best, language), language))
    losses = [(one, significant(language, one["held_out_loss"], 3)) for one in rows if one["held_out_loss"] is not None]
    if len(losses) > 1:
        _, least = min(losses, key=lambda pair: pair[0]["held_out_loss"])
        lowest = [one for one, loss in losses if loss == least]
        said.append(text(language, "score.first.loss", titles=_titles(lowest, language), loss=least))
    return said


def highest(score: float, titles: str, language: str) -> str:
    """Who has the highest score; nobody where that is 0."""
    written = percent(language, 100 * score)
    return text(language, "score.first.score" if score else "score.first.none", titles=titles, score=written)


def _titles(rows: list[Values], language: str) -> str:
    return listed(language, [pane_title(one, language) for one in rows])


def notes(view: Values, language: str) -> str:
    """What the scorer looks for and how far to trust it; or why there is no score."""
    questions = max(one["questions"] for one in view["rows"])
    if "score" not in measures(view["rule"]):
        said = [text(language, "score.no_rule")]
    elif questions:
        rule = text(language, f"race.rule.{view['rule']}")
        share = trimmed(language, 100 / questions)
        said = [counted(language, "race.score", questions, rule=rule), text(language, "score.care", share=share)]
    else:
        said = []
    return f'<p class="pp-soft pp-small">{escape(" ".join(said))}</p>' if said else ""


def answers(view: Values, language: str) -> str:
    """Behind a fold: every question with what was expected and with everybody's answer, each marked by the rule."""
    shown = [one for one in view["rows"] if one["examples"]]
    if not shown:
        return ""
    blocks = "".join(
        _question(place, shown, view["rule"], language) for place in range(max(len(one["examples"]) for one in shown))
    )
    return f'<details class="pp-behind"><summary>{words(language, "score.read")}</summary>{blocks}</details>'


def _question(place: int, shown: list[Values], rule: str, language: str) -> str:
    asked = next(one["examples"][place] for one in shown if place < len(one["examples"]))
    cells = "".join(
        f"<div {pane_colour(one)}><dt>{escape(pane_title(one, language))} "
        f"{_mark(one['examples'][place]['score'], rule, language)}</dt>"
        f"<dd>{escape(one['examples'][place]['answer']) or words(language, 'pane.empty')}</dd></div>"
        for one in shown
        if place < len(one["examples"])
    )
    head = f'<h3 class="pp-name">{escape(asked["prompt"])}</h3>'
    return f'{head}{expected(asked["expected"], language)}<dl class="pp-said">{cells}</dl>'


def expected(response: str, language: str) -> str:
    """Above answers to a held-out question: the response that was held out with it."""
    return f'<p class="pp-soft pp-small pp-expected">{words(language, "score.expected", response=response)}</p>'


def _mark(score: float, rule: str, language: str) -> str:
    """Right, wrong, or how much of it."""
    said = f"✓ {text(language, 'score.right')}" if score == 1 else f"✗ {text(language, 'score.wrong')}"
    return f"<small>{escape(said if score in (0, 1) and rule not in GRADED else percent(language, 100 * score))}</small>"
