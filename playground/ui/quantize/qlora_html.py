"""
A pair of trainings as HTML: where they stand, their curves, their memory, and how long they will take.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from playground.actions.quantize import READY_MADE
from playground.actions.work import expected_wait
from playground.adapt.library import examples
from playground.locales import machine, number, seconds, significant, size, text
from playground.plots.quantize import qlora as plots
from playground.ui.kit.bars import bar, parts_of
from playground.ui.kit.events import alarm, note
from playground.ui.kit.html import heading, words
from playground.ui.kit.sections import soft
from playground.ui.train.status import training_status
from playground.work.jobs import Run

if TYPE_CHECKING:
    from playground.quantize.qlora import Pair, Side


NAMES = ("LoRA", "QLoRA")  # beside the curves


def status(run: Run, pair: Pair | None, language: str) -> str:
    """The pair as one training, for the page's line and bar; and a training that exploded, with what would be right."""
    exploded = [side.error for side in pair.sides if side.error] if pair else []
    return training_status(_view(run, pair, language), language) + "".join(alarm(one.message(language)) for one in exploded)


def _view(run: Run, pair: Pair | None, language: str) -> dict[str, Any]:
    """A step is one of each."""
    state = {"queued": "queued", "running": "running" if pair else "preparing"}.get(run.state, run.state)
    view: dict[str, Any] = {
        "state": state,
        "position": run.position,
        "wait": expected_wait(run),
        "step": 0,
        "steps": run.job.steps,
    }
    view["message"] = run.error.message(language) if run.error else ""
    if pair and all(side.step for side in pair.sides):
        step = min(side.step for side in pair.sides)
        each = sum(side.seconds / side.step for side in pair.sides)
        left = pair.elapsed / step * (pair.steps - step)
        view |= {"step": step, "seconds_per_step": each, "remaining": left, "elapsed": pair.elapsed}
    return view


# Curves


def ready(pair: Pair, language: str) -> str:
    """The ready-made pair, and that it is one."""
    hardware = machine(language, examples()[READY_MADE[0]].record.hardware)
    steps = number(language, pair.steps)
    said = words(language, "qlora.curves.ready", steps=steps)
    return note(language, "qlora.ready", hardware=hardware, steps=steps) + curves(pair, language, f"{said} ")


def nothing(steps: int, language: str) -> str:
    """Axes without curves, of another base than the ready-made pair's."""
    chart = plots.curves({}, {}, NAMES, steps, text(language, "qlora.empty"), language)
    return f"{soft(language, 'qlora.empty')}{chart}"


def curves(pair: Pair, language: str, before: str = "") -> str:
    """Both losses by step, with their first and last numbers in words; `before` opens the legend."""
    lora, qlora = pair.sides
    said = text(language, "qlora.curves.none")
    if lora.held_out and qlora.held_out:
        measured = {side.method: dict(side.held_out) for side in pair.sides}
        step = max(measured["lora"].keys() & measured["qlora"].keys())
        last = {method: significant(language, losses[step], 3) for method, losses in measured.items()}
        first = {f"first_{side.method}": significant(language, side.held_out[0][1], 3) for side in pair.sides}
        key = "qlora.curves" if step else "qlora.curves.start"
        said = text(language, key, step=number(language, step), **last, **first)
    chart = plots.curves(_points(lora), _points(qlora), NAMES, pair.steps, said, language)
    legend = words(language, "qlora.curves.legend")
    pace = ""
    if pair.elapsed and lora.step and qlora.step:  # the ready-made ones were not trained together
        times = {side.method: seconds(language, side.seconds / side.step) for side in pair.sides}
        slower = qlora.seconds / qlora.step > lora.seconds / lora.step
        pace = f" {words(language, 'qlora.pace.slower' if slower else 'qlora.pace', **times)}"
    said = f'<p class="pp-soft">{escape(said)}{pace}</p>'
    return f'{heading(language, "loss.title")}{said}{chart}<p class="pp-legend">{before}{legend}</p>'


def _points(side: Side) -> dict[str, Any]:
    return {"losses": side.losses, "held_out": side.held_out}


# Memory and time


def memory(pair: Pair, language: str) -> str:
    """Both bars in one scale, and what they say."""
    known = [(side, side.memory) for side in pair.sides if side.memory]
    if len(known) < len(pair.sides):
        return ""
    longest = max(held.total for _, held in known)
    bars = "".join(
        bar(side.method, text(language, f"methods.{side.method}.name"), parts_of(held, language), longest, language)
        for side, held in known
    )
    (_, full), (packed_side, packed) = known
    figures = {
        "float": size(language, full.total),
        "packed": size(language, packed.total),
        "unquantized": size(language, packed_side.unquantized),
        "weights": size(language, packed.weights),
    }
    said = words(language, "qlora.memory", **figures)
    return f'<h3 class="pp-name">{words(language, "arithmetic.memory")}</h3><p class="pp-soft">{said}</p>{bars}'


def estimate(pair: Pair | None, steps: Any, language: str) -> str:
    """How long `steps` take: as the session's last pair took, else as the ready-made one took where it was made."""
    if not isinstance(steps, int):
        return ""
    if pair and all(side.step for side in pair.sides):
        each = pair.elapsed / min(side.step for side in pair.sides)
        return soft(language, "qlora.estimate.own", time=seconds(language, each * steps))
    records = [examples()[one].record for one in READY_MADE]
    time = seconds(language, steps * sum(record.seconds / record.steps for record in records))
    return soft(language, "qlora.estimate", time=time, hardware=machine(language, records[0].hardware))
