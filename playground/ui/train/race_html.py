"""
A race as HTML: where it stands, its curves, its table, what came out, and everybody's answers. Pure: plain values and a
language in, HTML out.
"""

from __future__ import annotations

from html import escape
from typing import Any

from playground.adapt.methods import METHODS
from playground.adapt.said import choice
from playground.adapt.tasks import Recommended
from playground.bounds import Bound
from playground.locales import counted, listed, number, percent, seconds, significant, text, written
from playground.plots.kit.pieces import columns, table
from playground.plots.race import colours, curves
from playground.ui.compare.panes import MAIN_HYPERPARAMETER, plain_title
from playground.ui.compare.scores_html import highest
from playground.ui.kit.events import alarm
from playground.ui.kit.html import Values, heading, words
from playground.ui.kit.methods import beginning_name
from playground.ui.kit.sections import soft
from playground.ui.train.status import base_and_seed, gave_way, status_line, training_status

MOVING = ("queued", "preparing", "running")  # states of a racer whose line says where it stands


def title(view: Values, language: str) -> str:
    """What a racer is called. Plain text."""
    return named(view["method"], view["hyperparameters"], language)


def named(method_id: str, values: Values, language: str) -> str:
    """A method, its main setting, and whatever else differs from the defaults: LoRA r = 8 · Learning rate 0.001."""
    chosen = METHODS[method_id]
    complete = chosen.complete(values)
    _, main = MAIN_HYPERPARAMETER.get(method_id, ("", ""))
    said = (main, "dora", "ranks", "initialization" if beginning_name(complete, language) else "")
    other = [
        _setting(bound, complete[bound.name], language)
        for bound in chosen.hyperparameters
        if bound.name not in said and complete[bound.name] != bound.default
    ]
    return " · ".join([plain_title({"method": method_id, "hyperparameters": complete}, language), *other])


def recipe_of(own: Recommended, language: str) -> str:
    """The recipe that a task carries: LoRA r = 8 · 60 steps. Plain text."""
    return f"{named(own.method, own.hyperparameters, language)} · {counted(language, 'own.steps', own.steps)}"


def _setting(bound: Bound, value: Any, language: str) -> str:
    """A setting and its value: Learning rate 0.001."""
    label = text(language, f"hyperparameters.{bound.name}")
    if bound.choices:
        return f"{label}: {choice(bound, value, language)}"
    if isinstance(value, bool):
        return label if value else text(language, "race.without", setting=label)
    return f"{label} {written(language, value)}" if isinstance(value, int | float) else f"{label}: {value}"


def drawn(view: Values, language: str) -> str:
    """Everything that is shown of a race; "" where there was none."""
    if not view["racers"]:
        return ""
    parts = (run_line(view, language), chart(view, language), standings(view, language), said(view, language))
    return "".join([*parts, answers(view, language)])


def run_line(view: Values, language: str) -> str:
    """What all of them learn, how long, on which base."""
    task, steps = text(language, f"tasks.{view['task']}.title"), counted(language, "race.steps", view["steps"])
    return f'<p class="pp-run"><b>{escape(task)}</b> · {escape(steps)} · {escape(base_and_seed(view, language))}</p>'


def status(view: Values, language: str) -> str:
    """The race as one training, for the page's line and bar."""
    racers = view["racers"]
    done, total = sum(one.get("step", 0) for one in racers), sum(one["steps"] for one in racers)
    states = {one["state"] for one in racers}
    whole: dict[str, Any] = {"step": done, "steps": total, "message": ""}
    if view["ended"]:
        return _line("stopped" if "stopped" in states else "finished", whole, language)
    if states == {"queued"}:
        first = min(racers, key=lambda one: one["position"])
        whole |= {"state": "queued", "position": first["position"], "wait": first["wait"]}
        return training_status(whole, language)
    if states <= {"queued", "preparing"}:
        return training_status(whole | {"state": "preparing"}, language)
    return _line("answering" if done == total else "running", whole, language)


def _line(state: str, whole: Values, language: str) -> str:
    """The sentence of the race over the bar of a training."""
    figures = {name: number(language, whole[name]) for name in ("step", "steps")}
    share = 100 * whole["step"] / max(1, whole["steps"])
    return (
        f'<div class="pp-progress pp-{state}"><p role="status" aria-live="polite">'
        f"{words(language, f'race.{state}', **figures)}</p>"
        f'<div aria-hidden="true"><i style="width:{share:.1f}%"></i></div></div>'
    )


def chart(view: Values, language: str) -> str:
    """The curves of all, and how to read them."""
    ends = [
        text(
            language, "race.curve", racer=title(one, language), step=number(language, one["held_out"][-1][0]),
            loss=significant(language, one["held_out"][-1][1], 3),
        )
        for one in view["racers"]
        if one["held_out"]
    ]  # fmt: skip
    summary = text(language, "race.curves", racers="; ".join(ends)) if ends else text(language, "loss.empty")
    legend = f'<p class="pp-legend">{words(language, "race.legend")}</p>'
    return curves(view["racers"], view["steps"], summary, language, whole=view["ended"]) + legend


def standings(view: Values, language: str, buttons: bool = True) -> str:
    """A row for each racer; what is not known yet is left open. `buttons` are for whoever listens to them."""
    racers = view["racers"]
    scores = any(one["scored"] for one in racers)
    names = ["racer", "parameters", "loss", *(["score"] if scores else []), "seconds", *(["adapter"] if buttons else [])]
    best = (view["outcome"] or {}).get("best", [])
    rows = "".join(
        _row(one, style, scores, one["number"] in best, buttons, language)
        for one, style in zip(racers, colours([one["method"] for one in racers]), strict=True)
    )
    heads = columns(text(language, f"race.column.{name}") for name in names)
    return table("pp-race", heads, rows, text(language, "race.table"))


def _row(one: Values, style: str, scores: bool, best: bool, buttons: bool, language: str) -> str:
    name = escape(title(one, language))
    stands = f"<small>{escape(_stands(one, language))}</small>" if one["state"] in (*MOVING, "stopped") else ""
    loss = significant(language, one["held_out"][-1][1], 3) if one["held_out"] else ""
    cells = [number(language, one["parameters"]), f"<b>{loss}</b>" if best else loss]
    if scores:
        cells.append(percent(language, 100 * one["score"]) if one["score"] is not None else "")
    cells.append(seconds(language, one["elapsed"]) if one["state"] not in MOVING and one.get("elapsed") else "")
    button = (
        f'<button type="button" class="chip" data-adapter="{escape(one["adapter"]["id"])}" '
        f'aria-label="{words(language, "race.compare.one", racer=title(one, language))}">'
        f"{words(language, 'race.compare')}</button>"
        if one["adapter"]
        else ""
    )
    figures = "".join(f"<td>{cell or '–'}</td>" for cell in cells)
    figures += f"<td>{button}</td>" if buttons else ""
    return f'<tr {style}><th scope="row"><i>{one["number"]}</i> {name}{stands}</th>{figures}</tr>'


def _stands(one: Values, language: str) -> str:
    """Where a racer stands. No time left: the answers and the score come after the steps."""
    if one["state"] != "running":
        return status_line(one, language)
    return text(language, "status.step", step=number(language, one["step"]), steps=number(language, one["steps"]))


def said(view: Values, language: str) -> str:
    """What came out, in words; what went wrong; what score and seconds mean."""
    racers = view["racers"]
    wrong = "".join(alarm(f"{title(one, language)}: {one['message']}") for one in racers if one["message"])
    gone = "".join(f'<p class="pp-soft">{gave_way(one, language)}</p>' for one in racers if one.get("gave_way"))
    scored = max(one["scored"] for one in racers)
    means = [text(language, "race.seconds")] if view["ended"] else []
    if scored:
        rule = text(language, f"race.rule.{view['rule']}")
        means.insert(0, counted(language, "race.score", scored, rule=rule))
    notes = f'<p class="pp-soft pp-small">{escape(" ".join(means))}</p>' if means else ""
    return wrong + gone + conclusion(view, language) + notes


def conclusion(view: Values, language: str) -> str:
    """Who ended lowest, who trained least and who scored highest, as `actions.race.outcome` found it; ties are named."""
    found = view["outcome"]
    if not found:
        return soft(language, "race.no_outcome") if view["ended"] else ""
    by_number = {one["number"]: one for one in view["racers"]}
    best, fewest, best_scores = ([by_number[one] for one in found[name]] for name in ("best", "fewest", "highest"))
    first = {"racers": _names(best, language), "loss": _losses(best[:1], language)}
    key = "race.tie" if len(best) > 1 else "race.best_fewest" if best == fewest else "race.best"
    sentences = [text(language, key, **first, parameters=_parameters(best, language))]
    if best != fewest:
        rest = {"racers": _names(fewest, language), "losses": _losses(fewest, language)}
        sentences.append(text(language, "race.fewest", **rest, parameters=_parameters(fewest[:1], language)))
    if best_scores:
        sentences.append(highest(best_scores[0]["score"], _names(best_scores, language), language))
    return f'<p class="pp-outcome">{escape(" ".join([*sentences, text(language, "race.one_seed")]))}</p>'


def _names(racers: list[Values], language: str) -> str:
    return listed(language, [title(one, language) for one in racers])


def _losses(racers: list[Values], language: str) -> str:
    return listed(language, [significant(language, one["held_out"][-1][1], 3) for one in racers])


def _parameters(racers: list[Values], language: str) -> str:
    return listed(language, [number(language, one["parameters"]) for one in racers])


def answers(view: Values, language: str) -> str:
    """Every held-out question with the answers of all, side by side, as far as they are written."""
    styles = colours([one["method"] for one in view["racers"]])
    blocks = []
    for place, question in enumerate(view["questions"]):
        cells = "".join(
            f"<div {style}><dt>{escape(title(one, language))}{_step(one, language)}</dt>"
            f"<dd>{escape(_answer(one, place, language))}</dd></div>"
            for one, style in zip(view["racers"], styles, strict=True)
        )
        blocks.append(f'<h3 class="pp-name">{escape(question)}</h3><dl class="pp-said">{cells}</dl>')
    return heading(language, "race.answers") + "".join(blocks) if blocks else ""


def _answer(one: Values, place: int, language: str) -> str:
    """An answer as far as it is written; one that has ended without a word says so."""
    written_so_far = one["answers"][place] if place < len(one["answers"]) else ""
    return written_so_far or ("…" if one["state"] in MOVING or not one["answers"] else text(language, "pane.empty"))


def _step(one: Values, language: str) -> str:
    step = one["answered"]
    return f" <small>{words(language, 'samples.later', step=number(language, step))}</small>" if one["answers"] else ""
