"""
The trained adapter in the low-rank lab: where it learned, one module's update, and the answer with less of it.

One adapter is chosen at the top, at one checkpoint; everything below follows. Handlers turn actions into HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr

from playground import locales
from playground.adapters import STEP_MARK
from playground.errors import PlaygroundError
from playground.jobs import SESSIONS
from playground.ui import actions, components, edits, lab
from playground.ui.compare import HIDDEN, alarm
from playground.ui.wording import Wording, html

FIRST = "pirate-lora"  # what the lab opens with


@dataclass(frozen=True)
class UpdatesSection:
    """The components that other parts of the page need; `opened` updates `shown`."""

    adapter: gr.Dropdown
    chosen: gr.Textbox  # the adapter's id, with its checkpoint
    prompt: gr.Textbox
    controls: edits.Controls
    drawn: list[Any]  # what `draw` updates
    answered: list[Any]  # what `edits.attach` updates
    shown: list[Any]


def build(wording: Wording, visitor: gr.BrowserState, language: gr.BrowserState) -> UpdatesSection:
    """The picker, the map, one module, and the answers; with their events."""
    make = wording.make
    with gr.Column(elem_classes="pp-card"):
        make(html, lab.headed("updates.title", "updates.lead"))
        with gr.Row():
            adapter = make(
                gr.Dropdown, {"label": "updates.adapter", "choices": ready_made}, value=FIRST, elem_id="lab-adapter"
            )
            prompt = make(gr.Textbox, {"label": "compare.prompt"}, value="", max_lines=4, elem_id="lab-prompt")
            step = make(
                gr.Slider, {"label": "updates.step", "info": "updates.step.help"}, minimum=0, maximum=1, step=1, value=0,
                visible=False, elem_id="lab-step",
            )  # fmt: skip
        where = make(html, {"value": lambda lang: lab.soft(lang, "updates.where.empty")}, elem_id="lab-network")
    chosen = gr.Textbox(FIRST, visible=False)
    with gr.Column() as weights, gr.Row(elem_classes="pp-lab"):  # for an adapter that changes weights
        controls = edits.controls(wording)
        with gr.Column(min_width=0):
            inside = make(html, {"value": lambda lang: components.card(lang, "inside")}, elem_id="lab-module")
            answered = edits.results(wording, controls, prompt, visitor, language, chosen)
    module, drawn = controls.module, [inside, where]
    ranges = [controls.rank, controls.first, controls.last, controls.kinds]
    looked = [where, module, *ranges, prompt, weights]
    now = [visitor, language, chosen, module, controls.rank]

    adapter.input(_picked, [visitor, language, adapter], [step, chosen], **HIDDEN)
    step.input(_stepped, [visitor, adapter, step], chosen, trigger_mode="always_last", **HIDDEN)
    chosen.change(look, [visitor, language, chosen, module], looked, **HIDDEN).then(draw, now, drawn, **HIDDEN)
    gr.on([module.input, controls.rank.input], draw, now, drawn, trigger_mode="always_last", **HIDDEN)
    return UpdatesSection(adapter, chosen, prompt, controls, drawn, answered, [adapter, step, chosen, *looked])


def ready_made(language: str) -> list[tuple[str, str]]:
    """What everybody can choose."""
    return choices("", language, None)


def choices(key: str, language: str, base_id: str | None) -> list[tuple[str, str]]:
    """Adapters that something can be seen of: all but few-shot."""
    listed = [one for one in actions.list_adapters(key, base_id) if one["method"] != "few_shot"]
    return [(components.pane_title(one, language), one["id"]) for one in listed]


def opened(key: str, language: str, base_id: str, adapter_id: str, chosen: str, module: str) -> list[Any]:
    """When the tab is opened: what can be chosen now, and the chosen one drawn. The rest keeps what it shows."""
    known = choices(key, language, base_id)
    ids = [one for _, one in known]
    if not ids:
        return [
            gr.update(choices=[], value=None),
            *[gr.skip()] * 2,
            lab.soft(language, "updates.none"),
            *[gr.skip()] * 6,
            gr.update(visible=False),
        ]
    adapter_id = adapter_id if adapter_id in ids else ids[0]
    same = chosen.partition(STEP_MARK)[0] == adapter_id
    step, chosen = [gr.skip(), chosen] if same else _picked(key, language, adapter_id)
    return [gr.update(choices=known, value=adapter_id), step, chosen, *look(key, language, chosen, module)]


def _picked(key: str, language: str, adapter_id: str) -> list[Any]:
    """[scrubber, chosen]: the adapter as it was at the end of its run."""
    library = SESSIONS.get(key).library
    steps = [one.step for one in library.get(adapter_id).checkpoints] if library.knows(adapter_id) else []
    if len(steps) < 2:
        return [gr.update(visible=False), adapter_id]
    return [gr.update(visible=True, minimum=0, maximum=steps[-1], value=steps[-1]), adapter_id]


def _stepped(key: str, adapter_id: str, step: int) -> str:
    """The adapter at the last checkpoint up to `step`."""
    library = SESSIONS.get(key).library
    adapter = library.get(adapter_id) if library.knows(adapter_id) else None
    steps = [one.step for one in adapter.checkpoints if one.step <= step] if adapter else []
    if not adapter or not steps or steps[-1] == adapter.record.steps:
        return adapter_id
    return f"{adapter_id}{STEP_MARK}{steps[-1]}"


def look(key: str, language: str, chosen: str, module: str) -> list[Any]:
    """What depends on the adapter: the map, the modules to choose from, the ranges of the controls, the prompt."""
    from playground import edits as core
    from playground import updates

    try:
        base, adapter = actions.examined(key, chosen)
        if adapter.record.method == "prompt_tuning":
            return [lab.soft(language, "updates.no_weights"), *[gr.skip()] * 5, _question(adapter), gr.update(visible=False)]
        cells = updates.network(base, adapter)
    except PlaygroundError as error:
        return [alarm(error.message(language)), *[gr.skip()] * 6, gr.update(visible=False)]
    modules = {cell.module: locales.text(language, "lowrank.module", layer=cell.layer, kind=cell.kind) for cell in cells}
    module = module if module in modules else updates.most_changed(base, adapter)
    kinds, layers = list(core.kinds_of(adapter)), core.layers_of(adapter)
    rank = gr.update(visible=False, value=0)
    if adapter.record.method in edits.FACTORS:
        most = core.rank_of(adapter)
        rank = gr.update(visible=True, maximum=most, value=most)
    return [
        network(cells, module, language),
        gr.update(choices=[(name, path) for path, name in modules.items()], value=module),
        rank,
        gr.update(value=0, maximum=layers - 1),
        gr.update(value=layers - 1, maximum=layers - 1),
        gr.update(choices=kinds, value=kinds),
        _question(adapter),
        gr.update(visible=True),
    ]


def _question(adapter: Any) -> Any:
    return adapter.record.questions[0] if adapter.record.questions else gr.skip()


def network(cells: Sequence[Any], module: str, language: str) -> str:
    """The map over the whole network, and which modules changed most."""
    from playground.plots import lowrank

    top = max(cells, key=lambda cell: cell.relative)
    name = locales.text(language, "lowrank.module", layer=top.layer, kind=top.kind)
    values = {"module": name, "share": locales.percent(language, 100 * top.relative)}
    ranks = [cell.effective_rank for cell in cells if cell.effective_rank is not None]
    line = lab.soft(language, "updates.where.most" if top.relative else "updates.where.nothing", **values)
    if ranks and top.relative:
        line += lab.soft(language, "updates.where.rank", mean=locales.number(language, sum(ranks) / len(ranks), 1))
    return (
        components.heading(language, "updates.where.title")
        + lowrank.network([asdict(c) for c in cells], module, language)
        + line
    )


def draw(key: str, language: str, chosen: str, module: str, rank: int) -> list[Any]:
    """[one module's card, the map with that module framed]."""
    from playground import updates
    from playground.ui import module as card

    try:
        base, adapter = actions.examined(key, chosen)
        if adapter.record.method == "prompt_tuning":
            return [gr.skip(), gr.skip()]
        module = module or updates.most_changed(base, adapter)
        return [
            card.module_card(base, adapter, module, rank, language),
            network(updates.network(base, adapter), module, language),
        ]
    except PlaygroundError as error:
        return [alarm(error.message(language)), gr.skip()]
