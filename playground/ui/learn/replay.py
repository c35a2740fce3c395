"""
A recorded training in a lesson: its loss curve, what it answered at every look, a scrubber over the looks, and the way to
the same training here.

The page holds all looks, so that scrubbing asks nobody (SCRIPT). Knows nothing about events or about what runs here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from playground.learn.lessons import Lesson
from playground.learn.recorded import Look, RecordedRun, recorded_run
from playground.locales import machine, number, seconds, significant, text
from playground.plots.loss import loss_curve
from playground.ui.kit import recipes
from playground.ui.kit.html import colour, counted, words

# The upright line moves, and the words change with it; another run keeps the share of its way
SCRIPT = """
const scrub = input => {
  const replay = input.closest("[data-looks]"), look = JSON.parse(replay.dataset.looks)[input.value];
  input.setAttribute("aria-valuetext", look.said[0]);
  for (const end of ["x1", "x2"]) replay.querySelector(".pp-now").setAttribute(end, look.x);
  replay.querySelectorAll("[data-said]").forEach((place, number) => { place.textContent = look.said[number]; });
};
element.addEventListener("input", ({ target }) => { if (target.matches(".pp-scrub input")) scrub(target); });
element.addEventListener("click", ({ target }) => {
  const chosen = target.closest("[data-run]")?.dataset.run;
  if (!chosen) return;
  for (const chip of element.querySelectorAll("[data-run]")) chip.setAttribute("aria-pressed", chip.dataset.run === chosen);
  for (const one of element.querySelectorAll("[data-replay]")) one.hidden = one.dataset.replay !== chosen;
});
"""


def replays(one: Lesson, busy: int) -> str:
    """The recorded trainings of a lesson, one of them seen; "" where it has none. `busy` trainings run or wait here."""
    if not one.runs:
        return ""
    language, runs = one.language, [recorded_run(run_id) for run_id in one.runs]
    chips = "".join(_chip(run, one.runs[run.id], run is runs[0], language) for run in runs) if len(runs) > 1 else ""
    group = (
        f'<div class="pp-run-chips" role="group" aria-label="{words(language, "replay.runs")}">{chips}</div>'
        if chips
        else ""
    )
    drawn = "".join(replay(run, run is runs[0], busy, language) for run in runs)
    return f'<details class="pp-replays"><summary>{words(language, "replay.title")}</summary>{group}{drawn}</details>'


def _chip(run: RecordedRun, name: str, pressed: bool, language: str) -> str:
    """One of several to look at, with where it ended."""
    ended = words(language, "replay.diverged") if run.state == "diverged" else _loss(run.looks[-1].held_out, language)
    return (
        f'<button type="button" class="chip" data-run="{run.id}" aria-pressed="{str(pressed).lower()}" {colour(run.method)}>'
        f"{escape(name)} <small>{ended}</small></button>"
    )


def replay(run: RecordedRun, shown: bool, busy: int, language: str) -> str:
    """One training at its last look."""
    looks = run.looks
    last = looks[-1]
    data = [{"x": f"{100 * look.step / run.steps:.2f}%", "said": said(run, look, language)} for look in looks]
    first, losses, *answers = said(run, last, language)
    most, hidden = len(looks) - 1, "" if shown else " hidden"
    room = max(len(text(language, f"loss.{name}")) for name in ("training", "held_out"))  # right of the curve
    return (
        f'<section data-replay="{run.id}" data-looks="{escape(json.dumps(data, ensure_ascii=False))}"{hidden} '
        f"{colour(run.method)}>{loss_curve(run.view, language, last.step)}"
        f'<div class="pp-scrub"><label style="--label:{room}">'
        f'<span class="pp-unseen">{words(language, "replay.scrub")}</span>'
        f'<input type="range" min="0" max="{most}" value="{most}" aria-valuetext="{escape(first)}"/></label>'
        f"<p><b data-said>{escape(first)}</b> · <span data-said>{escape(losses)}</span></p></div>"
        f"{_ended(run, language)}{table(run.questions, answers, language)}{_here(run, busy, language)}</section>"
    )


def said(run: RecordedRun, look: Look, language: str) -> list[str]:
    """What is said of a look, in the order of its places: the step, the losses, the answers. Plain text."""
    here = {"step": number(language, look.step), "steps": number(language, run.steps)}
    losses = {"held_out": _loss(look.held_out, language)}
    key = "replay.before" if look.training is None else "replay.losses"
    if look.training is not None:
        losses["training"] = _loss(look.training, language)
    return [text(language, "status.step", **here), text(language, key, **losses), *look.answers]


def _loss(value: float, language: str) -> str:
    return significant(language, value, 3)


def table(questions: Sequence[str], answers: Sequence[str], language: str) -> str:
    """The sample questions with their answers at a look."""
    heads = [text(language, f"samples.{key}") for key in ("question", "answer")]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    rows = "".join(
        f'<tr><td data-head="{escape(heads[0])}">{escape(question)}</td>'
        f'<td data-head="{escape(heads[1])}" data-said>{escape(answer)}</td></tr>'
        for question, answer in zip(questions, answers, strict=True)
    )
    return f'<table class="pp-samples"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _ended(run: RecordedRun, language: str) -> str:
    """That a run exploded after its last look."""
    if run.state != "diverged":
        return ""
    return f'<p class="pp-error pp-small">{words(language, "status.diverged", step=number(language, run.ended))}</p>'


def _here(run: RecordedRun, busy: int, language: str) -> str:
    """Where it was recorded and how long it took, and the way to the same training here, with what waits there."""
    at = {"machine": machine(language, run.hardware), "time": seconds(language, run.seconds), "seed": run.seed}
    recipe = recipes.link(language, run.base, run.method, run.task, run.hyperparameters, steps=run.steps, seed=run.seed)
    return (
        f'<div class="pp-ways"><a class="pp-here" href="?{escape(recipe)}">{words(language, "replay.here")}</a>'
        f'<p class="pp-soft pp-small">{words(language, "replay.recorded", **at)} '
        f"{counted(language, 'replay.busy', busy)}</p></div>"
    )
