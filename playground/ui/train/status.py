"""
A training as HTML: what it will cost, where it stands, what it answers. Pure: plain values and a language in, HTML out.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from playground.actions.catalogue import count_parameters
from playground.actions.train import ENDED
from playground.errors import PlaygroundError
from playground.locales import counted, number, percent, seconds, size, text
from playground.model.names import base_name
from playground.train.job import SAMPLE_TOKENS
from playground.train.schedule import USUAL
from playground.ui.compare.panes import pane_title, plain_title
from playground.ui.kit.events import alarm
from playground.ui.kit.html import card, colour, queued, words
from playground.ui.kit.methods import beginning_name

if TYPE_CHECKING:
    from playground.ui.kit.html import Values

PREPARES = "few_shot"  # the method that trains nothing: it prepares a prompt
PREPARING = {
    "idle": "prepare.idle", "running": "prepare.running",
    "finished": "prepare.finished", "stopped": "prepare.stopped", "failed": "prepare.failed",
}  # fmt: skip
STARTS_AS_BASE = ("lora", "ia3", "full_fine_tuning")  # the others begin with a prompt or with rounded weights

# A count that is still the former method's keeps its place, but is not seen
STALE = """
const compare = chosen => {
  const counted = element.querySelector("[data-of]")?.dataset.of;
  element.classList.toggle("pp-stale", chosen.length > 0 && !chosen.some(one => one.value === counted));
};
const checked = () => [...document.querySelectorAll("#method-picker input:checked")];
new MutationObserver(() => compare(checked())).observe(element, { childList: true, subtree: true });
// The one that was pressed: gradio takes the mark off the former one later
document.addEventListener("change", ({ target }) => target.closest("#method-picker") && compare([target]));
"""


def cost(base_id: str, method_id: str, values: Values, language: str) -> str:
    """What would be trained, and what that takes, or why it cannot be; marked with the method, for STALE."""
    try:
        said = parameter_card(count_parameters(base_id, method_id, values), method_id, language)
    except PlaygroundError as error:
        said = alarm(error.message(language))
    return f'<div data-of="{escape(method_id)}">{said}</div>'


def parameter_card(count: Values, method: str, language: str) -> str:
    """What pressing the button will train, and what that costs."""
    mostly = "beside" if count["untrained_bytes"] > count["bytes"] / 2 else "rest"
    kind = method if method in ("few_shot", "full_fine_tuning") else mostly
    values = {"total": number(language, count["total"]), "percent": percent(language, count["percent"])}
    held = {"size": count["bytes"], "learned": count["bytes"] - count["untrained_bytes"], "memory": count["memory"]}
    sizes = {name: size(language, one) for name, one in held.items()}
    rest = words(language, f"count.{kind}", **values, **sizes)
    lead = words(language, "prepare.lead" if method == PREPARES else "count.lead")
    return (
        f'<div class="pp-count" role="status" {colour(method)}><p class="pp-soft">{lead}</p>'
        f'<div class="pp-figure">{number(language, count["trainable"])}</div><p class="pp-soft">{rest}</p></div>'
    )


def run_title(view: Values, language: str) -> str:
    """What is trained: method, main hyperparameter, task, base and seed; the adapter's own name once there is one."""
    if not view.get("task"):
        return ""
    title = pane_title(view["adapter"], language) if view.get("adapter") else plain_title(view, language)
    return f'<p class="pp-run" {colour(view["method"])}><b>{escape(title)}</b> · {escape(base_and_seed(view, language))}</p>'


def base_and_seed(view: Values, language: str) -> str:
    """SmolLM2-135M-Instruct · seed 0; plain text, not yet escaped."""
    seed = text(language, "train.run_seed", seed=number(language, view["seed"]))
    return " · ".join([base_name(view["base"], language), seed])


def training_status(view: Values, language: str) -> str:
    """Where a training stands, in one line, over a thin bar."""
    state, step, steps = view["state"], view.get("step") or 0, view.get("steps") or 0
    share = 1.0 if state == "finished" else min(1.0, step / steps) if steps else 0.0
    return (
        f'<div class="pp-progress pp-{escape(state)}">'
        f'<p role="status" aria-live="polite">{escape(status_line(view, language))}{gave_way(view, language)}</p>'
        f'<div aria-hidden="true"><i style="width:{100 * share:.1f}%"></i></div></div>'
    )


def gave_way(view: Values, language: str) -> str:
    """Which of the visitor's own adapters went, so that the new one has room; "" if none had to."""
    gone = ", ".join(pane_title(one, language) for one in view.get("gave_way") or ())
    return " " + words(language, "status.gave_way", titles=gone) if gone else ""


def status_line(view: Values, language: str) -> str:
    """The sentence for each state of a training. Plain text, not yet escaped."""
    state, step, steps = view["state"], view.get("step") or 0, view.get("steps") or 0
    here = {"step": number(language, step), "steps": number(language, steps)}
    if state in ("diverged", "failed") and view.get("message"):
        return str(view["message"])
    if view.get("method") == PREPARES and state in PREPARING:
        return text(language, PREPARING[state], time=seconds(language, view.get("elapsed") or 0))
    if state == "queued":
        return " · ".join([queued(language, view.get("position") or 1, view.get("wait")), *again(view, language)])
    if state == "finished" and steps:
        key = "status.computed" if view.get("own_seconds") else "status.finished"
        done = counted(language, key, steps, time=seconds(language, view.get("elapsed") or 0))
        return " · ".join([done, *_beginning(view, language), *_products(view, language)])
    if state != "running":
        keys = {"finished": "status.ready"}
        return text(language, keys.get(state, f"status.{state}"), **here)
    parts = [text(language, "status.step", **here)]
    if view.get("stopping"):
        return " · ".join([*parts, text(language, "status.stopping")])
    if steps and step >= steps:
        return " · ".join([*parts, text(language, "status.measuring"), *_products(view, language)])
    left = "status.left" if step else "status.about"  # before the first step it is what a forward pass lets expect
    for key, name in (("status.pace", "seconds_per_step"), (left, "remaining")):
        if view.get(name) is not None:
            parts.append(text(language, key, time=seconds(language, view[name])))
    return " · ".join([*parts, *_products(view, language), *again(view, language)])


def again(view: Values, language: str) -> list[str]:
    """That a run has begun once more, because the worker that did it was lost, and from which step."""
    if not view.get("again"):
        return []
    step = view.get("again_from")
    if not step:
        return [counted(language, "queue.again", view["again"])]
    return [counted(language, "queue.again.from", view["again"], step=number(language, step))]


def _beginning(view: Values, language: str) -> list[str]:
    """What an initialization took of a run's time, if it took any."""
    if not view.get("beginning"):
        return []
    time, name = seconds(language, view["beginning"]), beginning_name(view["hyperparameters"], language)
    return [text(language, "status.beginning", name=name, time=time)]


def _products(view: Values, language: str) -> list[str]:
    """That a run multiplies in fewer bits, where it does."""
    return [text(language, "status.bfloat16")] if view.get("precision") == "bfloat16" else []


def samples(view: Values, language: str, step: int | None = None) -> str:
    """Answers to held-out questions before training and at `step` (None: the latest ones), or that none were written."""
    room = "prepared" if view.get("method") == PREPARES else "samples"
    if not view.get("questions"):
        return card(language, room)
    taken = {one["step"]: one["answers"] for one in view.get("samples") or []}
    now = max((one for one in taken if one), default=_reached(view)) if step is None else step
    first = "first" if view.get("method") in STARTS_AS_BASE else "start"
    heads = [text(language, f"samples.{key}") for key in ("question", first, "now")]
    shown = [taken.get(0, []), taken.get(now, [])]
    if room == "prepared":  # nothing was trained: there is no before
        heads[1:], shown = [text(language, "samples.answer")], shown[:1]
    elif now is not None:
        heads[2] = text(language, "samples.later", step=number(language, now))
    elif coming := _coming(view):
        heads[2] = text(language, "samples.next", step=number(language, coming))
    blank = text(language, "samples.unwritten") if view["state"] in ENDED else "…"
    rows = "".join(sample_row(row, heads, [view["questions"], *shown], blank) for row in range(len(view["questions"])))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    table = f'<table class="pp-samples"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    notes = _on_samples(view, shown, None if room == "prepared" else now, language)
    return card(language, room, table + "".join(f'<p class="pp-soft pp-small">{escape(one)}</p>' for one in notes))


def _coming(view: Values) -> int | None:
    """The step after which the first answers are written while a run goes on; None where there are none to come."""
    if view["state"] in ENDED or not view.get("steps"):
        return None
    return next((step for step in USUAL.answers(view["steps"]) if step), None)


def _reached(view: Values) -> int | None:
    """The step of the adapter that a run has left; None before, and where it left none."""
    return view["adapter"]["steps"] if view["state"] in ENDED and view.get("adapter") else None


def _on_samples(view: Values, shown: list[list[str]], step: int | None, language: str) -> list[str]:
    """That a run has ended without the last answers; that answers are cut."""
    said = [text(language, "samples.limit", count=number(language, SAMPLE_TOKENS))] if any(shown) else []
    if view["state"] in ENDED and not shown[-1]:
        key = "samples.none" if step is None else "samples.none_at"
        read = [text(language, "samples.read", compare=text(language, "train.compare"))] if view.get("adapter") else []
        said.insert(0, " ".join([text(language, key, step=number(language, step or 0)), *read]))
    return said


def sample_row(row: int, heads: list[str], filled: list[list[str]], blank: str = "…") -> str:
    """One question with its answers; `blank` where there is none. On a phone each cell carries its column's head."""
    cells = (column[row] if row < len(column) else blank for column in filled)
    drawn = (f'<td data-head="{escape(head)}">{escape(cell)}</td>' for head, cell in zip(heads, cells, strict=True))
    return f"<tr>{''.join(drawn)}</tr>"
