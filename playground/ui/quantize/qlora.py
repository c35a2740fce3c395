"""
QLoRA beside LoRA: one recipe trained on both bases, what each holds in memory, what they answer, and what merging costs.

A training belongs to the session's place PLACE, so that a page that is opened later finds it again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.actions import catalogue
from playground.actions.adapters import held_out_task, list_adapters
from playground.actions.compare import start_answers
from playground.actions.quantize import ANSWERS, MERGE, PLACE, start
from playground.adapt import tasks
from playground.adapt.library import examples
from playground.adapt.methods import METHODS
from playground.adapt.variant import Variant
from playground.bounds import RATES
from playground.errors import PlaygroundError
from playground.locales import NO_BREAK, number, seconds, significant, size, text
from playground.model.bases import BASES
from playground.model.catalogue import split_id
from playground.plots.quantize.qlora import curves
from playground.ui.compare.panes import old_follow_answers, pane_title
from playground.ui.kit import sections
from playground.ui.kit.bars import Part, bar
from playground.ui.kit.events import HIDDEN, STREAM, alarm, note
from playground.ui.kit.html import escape, heading, words
from playground.ui.kit.sections import OldSection, headed
from playground.ui.kit.wording import Wording, html
from playground.ui.train.status import training_status
from playground.work.jobs import Run
from playground.work.lanes import LAB, MEASURE
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.quantize.merging import Losses, Merging
    from playground.quantize.qlora import Memory, Pair, Side


DEFAULT_TASK, STEPS, MOST_STEPS = "pirate", 10, 40
READY_MADE = ("pirate-lora", "pirate-qlora")  # one recipe: what is shown until a visitor trains
NAMES = ("lora", "qlora")
NAMES_SHOWN = ("LoRA", "QLoRA")


def build(wording: Wording, visitor: gr.BrowserState, language: gr.BrowserState, base: gr.Dropdown) -> OldSection:
    """The cards and their events."""
    make = wording.make
    with gr.Column(elem_classes="pp-card"):
        make(html, headed("qlora.title", "qlora.lead"))
        with gr.Row(elem_classes="pp-lab"):
            with gr.Column(min_width=0):
                recipe = _controls(wording)
                task, _, _, steps, _, _ = recipe
                estimate = html("", elem_id="qlora-estimate")
                go = make(gr.Button, {"value": "qlora.go"}, variant="primary", elem_id="qlora-go", elem_classes="pp-go")
                stop = make(gr.Button, {"value": "qlora.stop"}, visible=False, elem_id="qlora-stop", elem_classes="pp-go")
            with gr.Column(min_width=0):
                status = html("", elem_id="qlora-status")
                curve = html("", elem_id="qlora-curves")
                memory = html("", elem_id="qlora-memory")
    with gr.Column(elem_classes="pp-card"):
        make(html, headed("qlora.answers", "qlora.answers.lead"))
        with gr.Row(elem_classes="pp-ask"):
            prompt = make(
                gr.Textbox, {"label": "qlora.prompt"}, value=_question(DEFAULT_TASK), show_label=False, container=False,
                lines=1, max_lines=4, elem_id="qlora-prompt",
            )  # fmt: skip
            ask = make(gr.Button, {"value": "qlora.ask"}, variant="primary", elem_id="qlora-ask", elem_classes="pp-go")
        notice, panes = html("", elem_id="qlora-notice"), html("", elem_id="qlora-panes")
    with gr.Column(elem_classes="pp-card"):
        make(html, headed("qlora.merge", "qlora.merge.lead"))
        with gr.Row(elem_classes="pp-lab"):
            with gr.Column(min_width=0):
                chosen = make(gr.Dropdown, {"label": "qlora.merge.adapter"}, choices=[], elem_id="qlora-adapter")
                weigh = make(
                    gr.Button, {"value": "qlora.merge.go"}, variant="primary", elem_id="qlora-merge-go",
                    elem_classes="pp-go",
                )  # fmt: skip
            with gr.Column(min_width=0):
                measured, cost = html("", elem_id="qlora-merge-notice"), html("", elem_id="qlora-merge")
    trained = [status, curve, memory, go, stop, chosen]
    shown = [estimate, *trained, cost, notice, panes]
    inputs = [visitor, base, *recipe]
    go.click(begin, [visitor, language, base, *recipe], trained, **STREAM)
    stop.click(lambda key: SESSIONS.stop(key, PLACE), visitor, None, **HIDDEN)
    gr.on([steps.change, task.change], _estimate, [visitor, language, steps], estimate, trigger_mode="always_last", **HIDDEN)
    task.change(_question, task, prompt, **HIDDEN)
    gr.on([ask.click, prompt.submit], answer, [visitor, language, base, prompt, chosen], [notice, panes], **STREAM)
    weigh.click(merge, [visitor, language, chosen], [measured, cost], **STREAM)
    base.change(_choices, [visitor, language, base], chosen, **HIDDEN)
    return OldSection(inputs, shown, draw, attach)


def _controls(wording: Wording) -> list[Any]:
    """Task, rank, learning rate, steps, seed, double quantization: what both methods share, and the last one."""

    def known(language: str) -> list[tuple[str, str]]:
        return [(text(language, f"tasks.{one}.title"), one) for one in tasks.TASK_IDS]

    make = wording.make
    parameters = {one.name: one for one in METHODS["qlora"].hyperparameters}
    rank, rate = parameters["rank"], parameters["learning_rate"]
    rates = [one for one in RATES if rate.minimum <= one <= rate.maximum]  # type: ignore[operator]
    return [
        make(gr.Dropdown, {"label": "train.task", "choices": known}, value=DEFAULT_TASK, elem_id="qlora-task"),
        make(
            gr.Slider, {"label": "hyperparameters.rank"}, minimum=rank.minimum, maximum=rank.maximum, step=1,
            value=rank.default, elem_id="qlora-rank",
        ),
        make(
            gr.Dropdown, {"label": "hyperparameters.learning_rate"}, choices=[(f"{one:g}", one) for one in rates],
            value=rate.default, elem_id="qlora-rate",
        ),
        make(gr.Slider, {"label": "train.steps"}, minimum=1, maximum=MOST_STEPS, step=1, value=STEPS, elem_id="qlora-steps"),
        make(gr.Slider, {"label": "train.seed"}, minimum=0, maximum=100, step=1, value=0, elem_id="qlora-seed"),
        make(
            gr.Checkbox,
            {"label": "hyperparameters.double_quantization", "info": "hyperparameters.double_quantization.help"},
            value=True, elem_id="qlora-double",
        ),
    ]  # fmt: skip


def _question(task_id: str) -> str:
    return tasks.task(task_id).held_out[0].prompt


# Training


def begin(
    key: str, language: str, base_id: str, task_id: str, rank: Any, rate: Any, steps: Any, seed: Any, double: bool
) -> Iterator[list[Any]]:
    """Queue both trainings and show them."""
    from playground.quantize.qlora import PairJob

    try:
        values = {"rank": rank, "learning_rate": rate, "double_quantization": double}
        job = PairJob(split_id(base_id)[0].id, tasks.task(task_id), values, steps, seed)
        run = start(key, job)
    except PlaygroundError as error:
        yield [alarm(error.message(language)), *[gr.skip()] * 5]
        return
    yield from follow(run, key, language, base_id)


def follow(run: Run, key: str, language: str, base_id: str) -> Iterator[list[Any]]:
    """[status, curves, memory, go, stop, adapters to merge] of a pair of trainings until it has ended."""
    for _ in run.changes():
        yield _drawn(run, key, language, base_id)


def attach(language: str, key: str, base_id: str, *recipe: Any) -> Iterator[list[Any]]:
    """Follow what still trains or answers, or does so again after a reload."""
    runs = SESSIONS.get(key).runs
    training, answering = runs.get(PLACE), runs.get(ANSWERS)
    yield [gr.skip()] * 10
    if answering:
        for part in old_follow_answers(answering, language):
            yield [*[gr.skip()] * 8, *part]
    if training:
        for drawn in follow(training, key, language, base_id):
            yield [gr.skip(), *drawn, *[gr.skip()] * 3]


def draw(language: str, key: str, base_id: str, *recipe: Any) -> list[Any]:
    """What the session has here, in the order of `Section.shown`; an empty room with its estimate if that is nothing."""
    run = SESSIONS.get(key).runs.get(PLACE)
    done = sections.soft(language, "qlora.merge.empty")
    drawn = _drawn(run, key, language, base_id) if run else _empty(key, language, base_id)
    return [_estimate(key, language, recipe[3]), *drawn, done, gr.skip(), gr.skip()]


def ready_made(base_id: str) -> Pair | None:
    """The pair that came with the page, for the base that it was trained on."""
    from playground.quantize.qlora import Pair, Side

    found = [examples()[one] for one in READY_MADE]
    if split_id(base_id)[0] != split_id(found[0].record.base)[0]:
        return None
    lora, qlora = (
        Side(
            one.record.method, tuple((step, loss) for step, loss in one.record.losses),
            tuple((step, loss) for step, loss in one.record.held_out), one.record.seconds, None, "finished", one,
        )
        for one in found
    )  # fmt: skip
    return Pair(found[0].record.steps, lora, qlora)


def _empty(key: str, language: str, base_id: str) -> list[Any]:
    """Nothing trained in this session: the ready-made pair, if it is of this base."""
    pair = ready_made(base_id)
    if pair:
        hardware = examples()[READY_MADE[0]].record.hardware
        said = note(language, "qlora.ready", hardware=hardware) + _curves(pair, language)
    else:
        chart = curves({}, {}, NAMES_SHOWN, STEPS, text(language, "qlora.empty"), language)
        said = f"{sections.soft(language, 'qlora.empty')}{chart}"
    return ["", said, "", gr.skip(), gr.skip(), _choices(key, language, base_id)]


def _drawn(run: Run, key: str, language: str, base_id: str) -> list[Any]:
    pair: Pair | None = run.events[-1] if run.events else None
    chosen = _choices(key, language, base_id) if run.ended else gr.skip()
    buttons = [gr.update(interactive=run.ended), gr.update(visible=not run.ended)]
    if pair is None:
        return [
            training_status(_view(run, pair, language), language),
            *_empty(key, language, base_id)[1:3],
            *buttons,
            chosen,
        ]
    return [
        training_status(_view(run, pair, language), language) + _failures(pair, language),
        _curves(pair, language),
        _memory(pair, language),
        *buttons,
        chosen,
    ]


def _view(run: Run, pair: Pair | None, language: str) -> dict[str, Any]:
    """The pair as one training, for the page's line and bar; a step is one of each."""
    state = {"queued": "queued", "running": "running" if pair else "preparing"}.get(run.state, run.state)
    view: dict[str, Any] = {"state": state, "position": run.position, "step": 0, "steps": run.job.steps}
    view["message"] = run.error.message(language) if run.error else ""
    if pair and all(side.step for side in pair.sides):
        step = min(side.step for side in pair.sides)
        each = sum(side.seconds / side.step for side in pair.sides)
        left = pair.elapsed / step * (pair.steps - step)
        view |= {"step": step, "seconds_per_step": each, "remaining": left, "elapsed": pair.elapsed}
    return view


def _failures(pair: Pair, language: str) -> str:
    """A training that exploded, with what would be right."""
    return "".join(alarm(side.error.message(language)) for side in pair.sides if side.error)


def _curves(pair: Pair, language: str) -> str:
    lora, qlora = pair.sides
    said = text(language, "qlora.curves.none")
    if lora.held_out and qlora.held_out:
        last = {side.method: significant(language, side.held_out[-1][1], 3) for side in pair.sides}
        first = {f"first_{side.method}": significant(language, side.held_out[0][1], 3) for side in pair.sides}
        said = text(language, "qlora.curves", step=number(language, min(lora.step, qlora.step)), **last, **first)
    chart = curves(_points(lora), _points(qlora), NAMES_SHOWN, pair.steps, said, language)
    legend = words(language, "qlora.curves.legend")
    pace = ""
    if pair.elapsed and lora.step and qlora.step:  # the ready-made ones were not trained together
        times = {side.method: seconds(language, side.seconds / side.step) for side in pair.sides}
        pace = f" {words(language, 'qlora.pace', **times)}"
    said = f'<p class="pp-soft">{escape(said)}{pace}</p>'
    return f'{heading(language, "loss.title")}{said}{chart}<p class="pp-legend">{legend}</p>'


def _points(side: Side) -> dict[str, Any]:
    return {"losses": side.losses, "held_out": side.held_out}


def _memory(pair: Pair, language: str) -> str:
    """Both bars in one scale, and what they say."""
    known = [(side, side.memory) for side in pair.sides if side.memory]
    if len(known) < len(pair.sides):
        return ""
    longest = max(memory.total for _, memory in known)
    bars = "".join(
        bar(side.method, text(language, f"methods.{side.method}.name"), _parts(memory, language), longest, language)
        for side, memory in known
    )
    full, packed = (memory for _, memory in known)
    figures = {
        "float": size(language, full.total),
        "packed": size(language, packed.total),
        "unquantized": size(language, packed.unquantized),
        "weights": size(language, packed.weights),
    }
    said = words(language, "qlora.memory", **figures)
    return f'<h3 class="pp-name">{words(language, "arithmetic.memory")}</h3><p class="pp-soft">{said}</p>{bars}'


def _parts(memory: Memory, language: str) -> list[Part]:
    return [
        ("frozen", text(language, "arithmetic.part.frozen"), memory.weights),
        ("trained", text(language, "arithmetic.part.adapter"), memory.adapter),
        ("gradients", text(language, "arithmetic.part.gradients"), memory.gradients),
        ("optimizer", text(language, "arithmetic.part.optimizer"), memory.optimizer),
    ]


def _estimate(key: str, language: str, steps: Any) -> str:
    """How long both will take: as the session's last pair took, else as the ready-made LoRA took where it was made."""
    run = SESSIONS.get(key).runs.get(PLACE)
    pair = run.events[-1] if run and run.events else None
    if not isinstance(steps, int):
        return ""
    if pair and all(side.step for side in pair.sides):
        each = pair.elapsed / min(side.step for side in pair.sides)
        return sections.soft(language, "qlora.estimate.own", time=seconds(language, each * steps))
    records = [examples()[one].record for one in READY_MADE]
    time = seconds(language, steps * sum(record.seconds / record.steps for record in records))
    return sections.soft(language, "qlora.estimate", time=time, hardware=records[0].hardware)


# Answers


def answer(key: str, language: str, base_id: str, prompt: str, chosen: str) -> Iterator[list[Any]]:
    """[notice, panes]: the base, both adapters and QLoRA's merged; before anything is trained, the adapter to merge."""
    try:
        used, panes, titles = rivals(key, language, base_id, chosen)
        decoding = {"max_new_tokens": sections.ANSWER_TOKENS}
        run = start_answers(key, LAB, used, prompt, panes, decoding, titles, ANSWERS, used)
    except PlaygroundError as error:
        yield [alarm(error.message(language)), gr.skip()]
        return
    yield from old_follow_answers(run, language)


def rivals(key: str, language: str, base_id: str, chosen: str) -> tuple[str, list[Variant], list[str]]:
    """The base of a comparison, its panes and their titles."""
    from playground.quantize.merging import four_bit_id

    library, run = SESSIONS.get(key).library, SESSIONS.get(key).runs.get(PLACE)
    plain = split_id(base_id)[0].id
    pair = run.events[-1] if run and run.events else ready_made(plain)
    trained = [side.adapter for side in pair.sides if side.adapter and library.knows(side.adapter.id)] if pair else []
    if len(trained) == len(NAMES) and split_id(trained[0].record.base)[0].id == plain:
        panes = [Variant.of(plain, library.get(one.id)) for one in trained]
        titles = [text(language, f"methods.{one.record.method}.name") for one in trained]
        merged = replace(panes[1], merged=True)
        return plain, [Variant(plain), *panes, merged], ["", *titles, text(language, "qlora.pane.merged")]
    if not chosen:
        raise PlaygroundError("qlora_nothing_chosen")
    adapter = library.get(chosen)
    used = four_bit_id(adapter)
    below = Variant(used, adapter)
    titles = ["", text(language, "qlora.pane.on_nf4"), text(language, "qlora.pane.adapter_merged")]
    return used, [Variant(used), below, replace(below, merged=True)], titles


# Merging


def _choices(key: str, language: str, base_id: str) -> Any:
    """The adapters that can be merged, QLoRA's first."""
    found = [one for one in list_adapters(key, base_id) if one["method"] in NAMES]
    found.sort(key=lambda one: one["method"] != "qlora")
    choices = [(pane_title(one, language), one["id"]) for one in found]
    return gr.update(choices=choices, value=choices[0][1] if choices else None)


def merge(key: str, language: str, chosen: str) -> Iterator[list[Any]]:
    """[notice, numbers] of merging the chosen adapter into NF4."""
    from playground.quantize.merging import MergeJob, four_bit_id, merging

    try:
        if not chosen:
            raise PlaygroundError("qlora_nothing_chosen")
        adapter = SESSIONS.get(key).library.get(chosen)
        task = held_out_task(key, adapter)
        if task is None:
            raise PlaygroundError("no_held_out")
        job = MergeJob(adapter, task)
        catalogue.have(four_bit_id(adapter))
        run = SESSIONS.submit(key, MEASURE, lambda stop: merging(job, BASES.get), chosen, MERGE)
    except PlaygroundError as error:
        yield [alarm(error.message(language)), gr.skip()]
        return
    yield from sections.old_follow(run, language, partial(merge_card, language, adapter.record.method))


def merge_card(language: str, method_id: str, found: Merging) -> str:
    """What merging costs: first in weights, then in predictions, a sentence a number."""
    sentences = []
    if method_id == "lora":
        sentences.append(words(language, "qlora.merge.foreign"))
    if found.modules:
        kept = number(language, math.floor(1e4 * found.kept) / 100, 2) + NO_BREAK + "%"  # never a 100 that is none
        sentences.append(f"<b>{words(language, 'qlora.merge.codes', percent=kept)}</b>")
    if found.rounding is not None:
        ratio = significant(language, found.rounding)
        count = number(language, len(found.modules))
        sentences.append(words(language, "qlora.merge.rounding", ratio=ratio, count=count))
    if found.losses:
        divergence = significant(language, found.losses.kl)
        sentences.append(words(language, "qlora.merge.kl", kl=divergence, tokens=number(language, found.losses.tokens)))
        moved = significant(language, found.losses.float_difference)
        sentences.append(words(language, "qlora.merge.float", difference=moved))
    said = "".join(f"<p>{sentence}</p>" for sentence in sentences)
    table = _losses(language, found.losses) if found.losses else ""
    return f'<div class="pp-said">{said}</div>{table}{_stored(language, found)}'


def _losses(language: str, losses: Losses) -> str:
    """Held-out losses, one bar each."""
    rows = {
        "qlora.merge.base": losses.base,
        "qlora.merge.on_nf4": losses.adapter,
        "qlora.merge.into_nf4": losses.merged,
        "qlora.merge.into_float": losses.merged_float,
    }
    top = max(rows.values()) or 1.0
    body = "".join(
        f'<tr><th scope="row">{words(language, name)}</th>'
        f'<td><span class="pp-measure" style="--v:{loss / top:.3f}">{significant(language, loss, 3)}</span></td></tr>'
        for name, loss in rows.items()
    )
    head = f'<tr><th scope="col"></th><th scope="col">{words(language, "qlora.merge.loss")}</th></tr>'
    return f'<table class="pp-effects" style="--m:var(--m-qlora)"><thead>{head}</thead><tbody>{body}</tbody></table>'


def _stored(language: str, found: Merging) -> str:
    """That the embedded base's weights were 4-bit ones before; nothing about other bases."""
    if split_id(found.base)[0].source != "embedded":
        return ""
    return f'<p class="pp-legend">{words(language, "formats.q4_1")}</p>'
