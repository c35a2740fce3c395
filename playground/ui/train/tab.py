"""
The Train tab: method, task, settings and their cost on the left; loss, samples and what to do next on the right.

The settings are drawn from the registry of methods. What is shown while training comes from the run's events, so a page
that is opened later shows the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import locales, settings
from playground.actions import adapters as shelf
from playground.actions import catalogue
from playground.actions.train import start_training, training_view
from playground.adapt import adapters, tasks
from playground.adapt.methods import METHODS
from playground.bounds import RATES, Bound
from playground.errors import PlaygroundError
from playground.plots.loss import loss_curve
from playground.train import recipe
from playground.ui.kit.events import HIDDEN, STREAM, alarm, lead
from playground.ui.kit.html import escape, heading
from playground.ui.kit.wording import Wording, html
from playground.ui.train import status as cards
from playground.ui.train.status import parameter_card, training_status
from playground.work.jobs import Run
from playground.work.lanes import TRAIN
from playground.work.sessions import SESSIONS

DEFAULT_METHOD, DEFAULT_TASK = "lora", "pirate"
SHOWN = 9  # components that a training updates


@dataclass(frozen=True)
class TrainTab:
    """The components that other parts of the page need."""

    shown: list[Any]
    adapter: gr.State
    compare: gr.Button


@dataclass(frozen=True)
class Setting:
    """One widget of one method."""

    method: str
    parameter: Bound
    component: Any


def build(wording: Wording, base: gr.Dropdown, visitor: gr.BrowserState, language: gr.BrowserState) -> TrainTab:
    """The tab's layout and its events."""
    make = wording.make
    make(html, {"value": lambda lang: lead(lang, "train.lead")})
    with gr.Row(elem_classes="pp-train"):
        with gr.Column(elem_classes="pp-left", min_width=0):
            method = _method_picker(wording)
            task, task_info, own, table, file = _task_picker(wording)
            with gr.Column(elem_classes="pp-card"):
                columns, chosen, steps, seed = _settings(wording)
            with gr.Column(elem_classes="pp-card"):
                count = make(
                    html, {"value": lambda lang: _count(lang, settings.DEFAULT_BASE, DEFAULT_METHOD, {})}, elem_id="count"
                )
            go = make(gr.Button, {"value": "train.go"}, variant="primary", elem_id="train", elem_classes="pp-go")
        with gr.Column(min_width=0):
            status, loss, stop = _loss_card(wording)
            samples = make(html, {"value": lambda lang: cards.samples(IDLE, lang)}, elem_id="samples")
            scrubber = make(
                gr.Slider, {"label": "train.scrub", "info": "train.scrub.help"}, minimum=0, maximum=1, step=1, value=0,
                visible=False, elem_id="scrubber",
            )  # fmt: skip
            adapter = gr.State("")
            with gr.Row(elem_classes="pp-chips", visible=False, elem_id="after") as after:
                compare = make(gr.Button, {"value": "train.compare"}, size="sm", elem_classes="chip", elem_id="compare-it")
                download = make(
                    gr.DownloadButton, {"label": "train.download"}, size="sm", elem_classes="chip", elem_id="download"
                )
                python = make(gr.Button, {"value": "train.python"}, size="sm", elem_classes="chip", elem_id="python")
            code = make(
                gr.Code, {"label": "train.python"}, language="python", visible=False, interactive=False, elem_id="code"
            )
    shown = [status, loss, samples, scrubber, after, adapter, go, stop, download]
    inputs = [method, *(one.component for one in chosen)]
    method.change(
        lambda one: _show_method(one, [owner for owner, _ in columns]), method, [*(c for _, c in columns), steps], **HIDDEN
    )
    task.change(_describe_task, [task, language], [task_info, own], **HIDDEN)
    gr.on(
        [base.change, method.change, *(one.component.change for one in chosen)],
        lambda lang, base_id, method_id, *values: _count(lang, base_id, method_id, _values(method_id, chosen, values)),
        [language, base, *inputs], count, trigger_mode="always_last", **HIDDEN,
    )  # fmt: skip

    def begin(
        key: str,
        lang: str,
        base_id: str,
        task_id: str,
        rows: Any,
        path: str | None,
        n: Any,
        s: Any,
        method_id: str,
        *values: Any,
    ) -> Iterator[list[Any]]:
        try:
            data = _task(task_id, rows, path)
            run = start_training(key, base_id, method_id, data, _values(method_id, chosen, values), _whole(n), _whole(s))
        except PlaygroundError as error:
            yield [alarm(error.message(lang)), *[gr.skip()] * (len(shown) - 1)]
            return
        yield from follow(run, lang)

    go.click(begin, [visitor, language, base, task, table, file, steps, seed, *inputs], shown, **STREAM)
    stop.click(lambda key: SESSIONS.stop(key, TRAIN), visitor, None, **HIDDEN)
    scrubber.input(_scrub, [visitor, language, scrubber], [samples, adapter], trigger_mode="always_last", **HIDDEN)
    adapter.change(_pack, [visitor, adapter], download, **HIDDEN)
    open_code = gr.State(False)
    python.click(_toggle_code, [visitor, adapter, open_code], [code, open_code], **HIDDEN)
    return TrainTab(shown, adapter, compare)


IDLE: dict[str, Any] = training_view(None, locales.DEFAULT)


def _method_picker(wording: Wording) -> gr.Radio:
    def choices(language: str) -> list[tuple[str, str]]:
        words = [[locales.text(language, f"methods.{one}.{part}") for part in ("name", "family")] for one in METHODS]
        return [("\n".join(pair), one) for pair, one in zip(words, METHODS, strict=True)]

    with gr.Column(elem_classes="pp-card"):
        return wording.make(
            gr.Radio, {"label": "train.method", "choices": choices}, value=DEFAULT_METHOD, elem_id="method-picker"
        )


def _task_picker(wording: Wording) -> tuple[gr.Dropdown, gr.HTML, gr.Column, gr.Dataframe, gr.File]:
    def choices(language: str) -> list[tuple[str, str]]:
        return [(locales.text(language, f"tasks.{one}.title"), one) for one in (*tasks.TASK_IDS, tasks.OWN)]

    make = wording.make
    with gr.Column(elem_classes="pp-card"):
        task = make(gr.Dropdown, {"label": "train.task", "choices": choices}, value=DEFAULT_TASK, elem_id="task-picker")
        info = make(html, {"value": lambda lang: _task_info(DEFAULT_TASK, lang)}, elem_id="task-info")
        with gr.Column(visible=False) as own:
            file = make(
                gr.File,
                {"label": "train.file"},
                file_types=[".csv", ".json", ".jsonl"],
                type="filepath",
                height=110,
                elem_id="own-file",
            )
            table = make(
                gr.Dataframe, {"label": "train.table"}, headers=["prompt", "response"], value=[["", ""]] * 4, type="array",
                column_count=2, interactive=True, wrap=True, max_height=260, elem_id="own-table",
            )  # fmt: skip
    return task, info, own, table, file


def _settings(wording: Wording) -> tuple[list[tuple[str, gr.Column]], list[Setting], gr.Slider, gr.Slider]:
    """Per method a column of plain settings and one of advanced ones, of which one is visible each; steps and seed."""
    make = wording.make
    steps = make(
        gr.Slider, {"label": "train.steps", "info": "train.steps.help"}, minimum=1, maximum=100, step=1,
        value=METHODS[DEFAULT_METHOD].steps, elem_id="steps", render=False,
    )  # fmt: skip
    columns: list[tuple[str, gr.Column]] = []
    made: list[Setting] = []

    def column(advanced: bool) -> None:
        for method in METHODS.values():
            with gr.Column(visible=method.id == DEFAULT_METHOD) as one:
                made.extend(_widget(wording, method.id, p) for p in method.hyperparameters if p.advanced == advanced)
            columns.append((method.id, one))

    column(advanced=False)
    steps.render()
    with make(gr.Accordion, {"label": "train.more"}, open=False, elem_id="more"):
        column(advanced=True)
        seed = make(
            gr.Slider,
            {"label": "train.seed", "info": "train.seed.help"},
            minimum=0,
            maximum=100,
            step=1,
            value=0,
            elem_id="train-seed",
        )
    return columns, made, steps, seed


def _widget(wording: Wording, method_id: str, parameter: Bound) -> Setting:
    name = f"hyperparameters.{parameter.name}"
    special = f"{name}.help.{method_id}"
    said: dict[str, Any] = {"label": name, "info": special if special in locales.words(locales.DEFAULT) else f"{name}.help"}
    common: dict[str, Any] = {"value": parameter.default, "elem_id": f"{method_id}-{parameter.name}"}
    if parameter.name == "learning_rate":
        rates = [rate for rate in RATES if parameter.minimum <= rate <= parameter.maximum]  # type: ignore[operator]
        said["choices"] = lambda language: [(f"{rate:g}", rate) for rate in rates]
        component: Any = wording.make(gr.Dropdown, said, **common)
    elif parameter.choices:
        said["choices"] = lambda language: [(locales.text(language, f"{name}.{one}"), one) for one in parameter.choices]
        component = wording.make(gr.Dropdown, said, **common)
    elif isinstance(parameter.default, bool):
        component = wording.make(gr.Checkbox, said, **common)
    elif isinstance(parameter.default, str):
        component = wording.make(gr.Textbox, said, max_length=int(parameter.maximum or 0), **common)
    else:
        step = 1 if isinstance(parameter.default, int) else 0.05
        component = wording.make(gr.Slider, said, minimum=parameter.minimum, maximum=parameter.maximum, step=step, **common)
    return Setting(method_id, parameter, component)


def _loss_card(wording: Wording) -> tuple[gr.HTML, gr.HTML, gr.Button]:
    make = wording.make
    with gr.Column(elem_classes="pp-card"):
        with gr.Row(elem_classes="pp-card-head"):
            make(html, {"value": lambda lang: heading(lang, "loss.title")})
            status = make(
                html,
                {"value": lambda lang: training_status(IDLE, lang)},
                elem_id="status",
                elem_classes="pp-grow",
            )
            stop = make(
                gr.Button, {"value": "train.stop"}, size="sm", elem_classes="chip", visible=False, elem_id="stop-train"
            )
        loss = make(html, {"value": lambda lang: loss_curve(IDLE, lang)}, elem_id="loss")
    return status, loss, stop


def _values(method_id: str, chosen: Sequence[Setting], values: Sequence[Any]) -> dict[str, Any]:
    """The hyperparameters of one method out of every widget's value."""
    pairs = zip(chosen, values, strict=True)
    return {one.parameter.name: _typed(one.parameter, value) for one, value in pairs if one.method == method_id}


def _typed(parameter: Bound, value: Any) -> Any:
    """Sliders give 0 for 0.0 and None when emptied; the core checks the rest."""
    return float(value) if isinstance(parameter.default, float) and isinstance(value, int) else value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value == int(value) else value


def _count(language: str, base_id: str, method_id: str, values: dict[str, Any]) -> str:
    try:
        return parameter_card(catalogue.count_parameters(base_id, method_id, values), method_id, language)
    except PlaygroundError as error:
        return alarm(error.message(language))


def _show_method(method_id: str, order: list[str]) -> list[Any]:
    steps = METHODS[method_id].steps
    slider = gr.update(value=steps, visible=True) if steps else gr.update(visible=False)
    return [*(gr.update(visible=one == method_id) for one in order), slider]


def _task_info(task_id: str, language: str) -> str:
    if task_id == tasks.OWN:
        limits = {"minimum": settings.MIN_OWN_EXAMPLES, "maximum": settings.MAX_OWN_EXAMPLES}
        sentence = locales.text(language, "train.own_info", **limits)
    else:
        task = tasks.task(task_id)
        sentence = locales.text(language, "train.task_info", train=len(task.train), held_out=len(task.held_out))
    return f'<p class="pp-soft pp-small">{escape(sentence)}</p>'


def _describe_task(task_id: str, language: str) -> list[Any]:
    return [_task_info(task_id, language), gr.update(visible=task_id == tasks.OWN)]


def _task(task_id: str, rows: Any, path: str | None) -> tasks.Task:
    if task_id != tasks.OWN:
        return tasks.task(task_id)
    return tasks.read_file(path) if path else tasks.own_task([[str(cell or "") for cell in row] for row in rows])


def follow(run: Run, language: str) -> Iterator[list[Any]]:
    """Show a training from wherever it is until it has ended."""
    for _ in run.changes():
        yield _draw(training_view(run, language), language)


def _draw(view: dict[str, Any], language: str) -> list[Any]:
    adapter: Any = view.get("adapter")
    ended = view["state"] in ("finished", "stopped", "diverged", "failed")
    steps = view.get("checkpoints", []) if adapter else []
    scrub = gr.update(visible=False)
    if len(steps) > 1:
        scrub = gr.update(visible=True, minimum=0, maximum=steps[-1], value=adapter["steps"])
    return [
        training_status(view, language),
        loss_curve(view, language),
        cards.samples(view, language),
        scrub,
        gr.update(visible=adapter is not None),
        adapter["id"] if adapter else "",
        gr.update(interactive=ended),
        gr.update(visible=not ended),
        gr.update(visible=bool(adapter) and adapter["method"] in adapters.DOWNLOADABLE),
    ]


def attach(key: str, language: str) -> Iterator[list[Any]]:
    """After a reload: show the session's latest training again, and follow it if it still runs."""
    run = SESSIONS.get(key).runs.get(TRAIN)
    yield [gr.skip()] * SHOWN  # a generator that yields nothing would empty its outputs
    if run:
        yield from follow(run, language)


def _scrub(key: str, language: str, step: int) -> list[Any]:
    """The samples at the last checkpoint up to `step`, and that checkpoint as the adapter to compare or download."""
    run = SESSIONS.get(key).runs.get(TRAIN)
    view = training_view(run, language)
    adapter: Any = view.get("adapter")
    steps = [one for one in view.get("checkpoints", []) if one <= step]
    if not adapter or not steps:
        return [gr.skip(), gr.skip()]
    chosen = adapter["id"] if steps[-1] == adapter["steps"] else f"{adapter['id']}{adapters.STEP_MARK}{steps[-1]}"
    return [cards.samples(view, language, step=steps[-1]), chosen]


def _pack(key: str, adapter_id: str) -> Any:
    """The zip behind the download button, packed when the adapter appears."""
    if not adapter_id:
        return gr.skip()
    try:
        return shelf.download(key, adapter_id)
    except PlaygroundError:  # few-shot and full fine-tuning: the button is not shown
        return gr.skip()


def _toggle_code(key: str, adapter_id: str, shown: bool) -> list[Any]:
    library = SESSIONS.get(key).library
    if not library.knows(adapter_id):
        return [gr.skip(), shown]
    adapter = library.get(adapter_id)
    return [gr.update(value=recipe.python(adapter.record), visible=not shown), not shown]
