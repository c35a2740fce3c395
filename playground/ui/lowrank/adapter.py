"""
The trained adapter in the low-rank lab: where it learned, one module's update, and the answer with less of it.

One adapter is chosen at the top, at one checkpoint; everything below follows. Handlers turn actions into HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales
from playground.actions.adapters import examined, list_adapters
from playground.adapt.adapters import STEP_MARK
from playground.errors import PlaygroundError
from playground.ui.compare.panes import pane_title
from playground.ui.kit import sections
from playground.ui.kit.events import HIDDEN, alarm
from playground.ui.kit.html import card, colour, heading
from playground.ui.kit.wording import Wording, html
from playground.ui.lowrank import edits
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter
    from playground.model.bases import Base


FIRST = "pirate-lora"  # what the lab opens with


@dataclass(frozen=True)
class UpdatesSection:
    """The components that other parts of the page need; `opened` updates `shown`."""

    adapter: gr.Dropdown
    chosen: gr.Textbox  # the adapter's id, with its checkpoint
    prompt: gr.Textbox
    controls: edits.Controls
    before: gr.Textbox
    inside: gr.HTML  # what `draw` updates
    answered: list[Any]  # what `edits.attach` updates
    shown: list[Any]


def build(wording: Wording, visitor: gr.BrowserState, language: gr.BrowserState) -> UpdatesSection:
    """The picker, the map, one module, and the answers; with their events."""
    make = wording.make
    with gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("updates.title", "updates.lead"))
        with gr.Row():
            adapter = make(
                gr.Dropdown, {"label": "updates.adapter", "choices": ready_made}, value=FIRST, elem_id="lab-adapter"
            )
            prompt = make(gr.Textbox, {"label": "compare.prompt"}, value="", max_lines=4, elem_id="lab-prompt")
            step = make(
                gr.Slider, {"label": "updates.step", "info": "updates.step.help"}, minimum=0, maximum=1, step=1, value=0,
                visible=False, elem_id="lab-step",
            )  # fmt: skip
        where = make(html, {"value": lambda lang: sections.soft(lang, "updates.where.empty")}, elem_id="lab-network")
    chosen = gr.Textbox(FIRST, visible=False)
    with gr.Column() as weights, gr.Row(elem_classes="pp-lab"):  # for an adapter that changes weights
        controls = edits.controls(wording)
        with gr.Column(min_width=0):
            inside = make(html, {"value": lambda lang: card(lang, "inside")}, elem_id="lab-module")
            answered = edits.results(wording, controls, prompt, visitor, language, chosen)
    module, before = controls.module, gr.Textbox("", visible=False)  # the adapter that the controls are set for
    looked = [where, module, *controls.edit, prompt, weights, before]
    now = [visitor, language, chosen, module, controls.rank]

    adapter.input(_picked, [visitor, language, adapter], [step, chosen], **HIDDEN)
    step.input(_stepped, [visitor, adapter, step], chosen, trigger_mode="always_last", **HIDDEN)
    chosen.change(look, [visitor, language, chosen, module, before], looked, **HIDDEN).then(draw, now, inside, **HIDDEN)
    controls.rank.input(draw, now, inside, trigger_mode="always_last", **HIDDEN)
    module.input(draw, now, inside, **HIDDEN)
    module.input(where_html, [visitor, language, chosen, module], where, **HIDDEN)
    return UpdatesSection(adapter, chosen, prompt, controls, before, inside, answered, [adapter, step, chosen, *looked])


def ready_made(language: str) -> list[tuple[str, str]]:
    """What everybody can choose."""
    return choices("", language, None)


def choices(key: str, language: str, base_id: str | None) -> list[tuple[str, str]]:
    """Adapters that something can be seen of: all but few-shot."""
    listed = [one for one in list_adapters(key, base_id) if one["method"] != "few_shot"]
    return [(pane_title(one, language), one["id"]) for one in listed]


def opened(key: str, language: str, base_id: str, adapter_id: str, chosen: str, module: str, before: str) -> list[Any]:
    """When the tab is opened: what can be chosen now, and the chosen one drawn. The rest keeps what it shows."""
    known = choices(key, language, base_id)
    ids = [one for _, one in known]
    if not ids:
        none = sections.soft(language, "updates.none")
        return [gr.update(choices=[], value=None), gr.update(visible=False), "", *hidden(none)]
    adapter_id = adapter_id if adapter_id in ids else ids[0]
    same = chosen.partition(STEP_MARK)[0] == adapter_id
    step, chosen = [gr.skip(), chosen] if same else _picked(key, language, adapter_id)
    return [gr.update(choices=known, value=adapter_id), step, chosen, *look(key, language, chosen, module, before)]


def hidden(said: str, question: Any = None) -> list[Any]:
    """What `look` gives where there are no weights to show: a sentence instead of the map."""
    return [said, *[gr.skip()] * 6, gr.skip() if question is None else question, gr.update(visible=False), ""]


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


def look(key: str, language: str, chosen: str, module: str, before: str) -> list[Any]:
    """
    What depends on the adapter: the map, the modules to choose from, the ranges of the controls, the question. Another
    checkpoint of the same adapter leaves the controls and the question as they are.
    """
    from playground.lowrank import findings

    if not chosen:
        return [gr.skip()] * 10
    try:
        base, adapter = examined(key, chosen)
        fresh = chosen.partition(STEP_MARK)[0] != before.partition(STEP_MARK)[0]
        question = adapter.record.questions[0] if fresh and adapter.record.questions else gr.skip()
        if adapter.record.method == "prompt_tuning":
            return hidden(sections.soft(language, "updates.no_weights"), question)
        cells = findings.network(base, adapter)
        modules = {cell.module: locales.text(language, "lowrank.module", layer=cell.layer, kind=cell.kind) for cell in cells}
        module = module if module in modules and not fresh else findings.most_changed(base, adapter)
        known = gr.update(choices=[(name, path) for path, name in modules.items()], value=module)
        ranges = edits.ranges(adapter) if fresh else [gr.skip()] * 5
        return [where_of(base, adapter, module, language), known, *ranges, question, gr.update(visible=True), chosen]
    except PlaygroundError as error:
        return hidden(alarm(error.message(language)))


def where_html(key: str, language: str, chosen: str, module: str) -> Any:
    """The map with another module framed."""
    try:
        return where_of(*examined(key, chosen), module, language)
    except PlaygroundError as error:
        return alarm(error.message(language))


def where_of(base: Base, adapter: Adapter, module: str, language: str) -> str:
    """The map over the whole network, and for IA3 its vectors by kind of module."""
    from playground.lowrank import findings
    from playground.ui.lowrank.module import vectors

    drawn = network(findings.network(base, adapter), module, language) + vectors(findings.vectors(base, adapter), language)
    return f"<div {colour(adapter.record.method)}>{drawn}</div>"


def network(cells: Sequence[Any], module: str, language: str) -> str:
    """The map over the whole network, and which modules changed most."""
    from playground.plots.lowrank import adapter as lowrank

    top = max(cells, key=lambda cell: cell.relative)
    name = locales.text(language, "lowrank.module", layer=top.layer, kind=top.kind)
    values = {"module": name, "share": locales.percent(language, 100 * top.relative)}
    ranks = [cell.effective_rank for cell in cells if cell.effective_rank is not None]
    line = sections.soft(language, "updates.where.most" if top.relative else "updates.where.nothing", **values)
    if ranks and top.relative:
        line += sections.soft(language, "updates.where.rank", mean=locales.number(language, sum(ranks) / len(ranks), 1))
    return heading(language, "updates.where.title") + lowrank.network([asdict(c) for c in cells], module, language) + line


def draw(key: str, language: str, chosen: str, module: str, rank: int) -> Any:
    """One module's card."""
    from playground.lowrank import findings
    from playground.ui.lowrank.module import module_card

    try:
        base, adapter = examined(key, chosen) if chosen else (None, None)
        if base is None or adapter is None or adapter.record.method == "prompt_tuning":
            return gr.skip()
        return module_card(base, adapter, module or findings.most_changed(base, adapter), rank, language)
    except PlaygroundError as error:
        return alarm(error.message(language))
