"""
The page: header, tabs, API, and what happens when it is opened.

Opening a page decides its language, finds the visitor's session again by a key that the browser keeps, puts the
address's settings in place, and follows whatever still runs.
"""

from __future__ import annotations

import uuid
from typing import Any

import gradio as gr

from playground import locales, settings
from playground.adapters import BASE
from playground.bases import BASES, CATALOGUE, split_id
from playground.errors import PlaygroundError
from playground.jobs import SESSIONS
from playground.ui import actions, api, compare, components, links, train
from playground.ui.compare import HIDDEN, STREAM, CompareTab
from playground.ui.train import TrainTab
from playground.ui.wording import Wording, html

TITLE = "PEFT Playground"
POLL_SECONDS = 1.0
CACHE_SECONDS = (3600, 4 * 3600)  # how often gradio looks for old files, and how old they may get
QUANTIZED = (":nf4_double", ":int8")
TABS = ("compare", "train")


def build_page() -> gr.Blocks:
    """The whole page, not yet served."""
    wording = Wording()
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=CACHE_SECONDS) as page:
        stored = gr.BrowserState("", storage_key="peft-playground-visitor")
        visitor, language = gr.State(""), gr.State(locales.DEFAULT)
        header = wording.make(html, {"value": lambda lang: header_html(settings.DEFAULT_BASE, lang)}, elem_id="header")
        with gr.Tabs(elem_id="tabs") as tabs:
            with wording.make(gr.Tab, {"label": "tabs.compare"}, id="compare"):
                base = wording.make(
                    gr.Dropdown, {"label": "base.label", "info": "base.help"}, choices=base_choices(),
                    value=settings.DEFAULT_BASE, elem_id="base", render=False,
                )  # fmt: skip
                compared = compare.build(wording, base, visitor, language)
            with wording.make(gr.Tab, {"label": "tabs.train"}, id="train", render_children=True):
                trained = train.build(wording, base, visitor, language)
        timer = gr.Timer(POLL_SECONDS)
        timer.tick(_poll, [base, language], [header, timer], **HIDDEN)
        base.change(_choose_base, [visitor, language, base], [compared.panes, timer, compared.notice], **STREAM)
        _wire_tabs(tabs, base, compared, trained, visitor, language)
        _wire_opening(page, wording, stored, visitor, language, tabs, base, compared, trained)
        api.build_api()
    return page


def base_choices() -> list[tuple[str, str]]:
    """Every base, and the default one also in 4 and 8 bits."""
    plain = [(spec.name + (" · hub" if spec.source == "hub" else ""), spec.id) for spec in CATALOGUE.values()]
    name = CATALOGUE[settings.DEFAULT_BASE].name
    quantized = [(f"{name} · {form[1:].replace('_double', '').upper()}", settings.DEFAULT_BASE + form) for form in QUANTIZED]
    return [plain[0], *quantized, *plain[1:]]


def header_html(base_id: str, language: str) -> str:
    """The header with how the chosen base is doing."""
    status = BASES.status(base_id)
    spec, quantization = split_id(base_id)
    state = {"waiting": "loading", "downloading": "preparing", "converting": "preparing"}.get(status.state, status.state)
    dtype = quantization.replace("_double", "").upper() if quantization else status.dtype
    message = status.error.message(language) if status.error else ""
    shown = {"state": state, "name": spec.name, "device": status.device, "dtype": dtype, "fraction": status.fraction}
    return components.header({**shown, "message": message}, language)


def _poll(base_id: str, language: str) -> list[Any]:
    ready = BASES.status(base_id).state == "ready"
    return [header_html(base_id, language), gr.Timer(POLL_SECONDS, active=not ready)]


def _choose_base(key: str, language: str, base_id: str) -> Any:
    """Load the base that was picked; its adapters become the panes that can be chosen."""
    choices = compare.pane_choices(key, base_id, language)
    yield [gr.update(choices=choices, value=[BASE]), gr.Timer(POLL_SECONDS, active=True), gr.skip()]
    try:
        BASES.get(base_id)
    except PlaygroundError as error:
        yield [gr.skip(), gr.skip(), compare.alarm(error.message(language))]


def _wire_tabs(
    tabs: gr.Tabs, base: gr.Dropdown, compared: CompareTab, trained: TrainTab, visitor: gr.State, language: gr.State
) -> None:
    """What one tab does to the other: a new adapter becomes a pane."""
    trained.adapter.change(
        lambda key, lang, base_id, panes: gr.update(choices=compare.pane_choices(key, base_id, lang), value=panes),
        [visitor, language, base, compared.panes], compared.panes, **HIDDEN,
    )  # fmt: skip
    trained.compare.click(
        _compare_it, [visitor, language, base, trained.adapter], [tabs, compared.prompt, compared.panes], **HIDDEN
    ).then(
        compare.start,
        [visitor, language, base, compared.prompt, compared.panes, *compared.decoding],
        compared.shown,
        **STREAM,
    )


def _compare_it(key: str, language: str, base_id: str, adapter_id: str) -> list[Any]:
    """The new adapter beside the base and the ready-made ones of its task, on its first held-out question."""
    adapter = SESSIONS.get(key).library.get(adapter_id)
    rivals = [one["id"] for one in actions.list_adapters(None, base_id) if one["task"] == adapter.record.task]
    panes = [BASE, *rivals[: settings.MAX_PANES - 3], adapter_id]
    choices = compare.pane_choices(key, base_id, language)
    if adapter_id not in [one for _, one in choices]:  # a checkpoint
        choices.append((components.pane_title(adapter.summary(), language), adapter_id))
    return [gr.Tabs(selected="compare"), adapter.record.questions[0], gr.update(choices=choices, value=panes)]


def _wire_opening(
    page: gr.Blocks, wording: Wording, stored: gr.BrowserState, visitor: gr.State, language: gr.State, tabs: gr.Tabs,
    base: gr.Dropdown, compared: CompareTab, trained: TrainTab,
) -> None:  # fmt: skip
    def opened(kept: str, request: gr.Request) -> dict[Any, Any]:
        """Everything that depends on who opens the page, and with which address."""
        lang = locales.choose(request.query_params.get("lang"), request.headers.get("accept-language"))
        asked = links.read(request.query_params)
        key = kept if kept and len(kept) == 32 else uuid.uuid4().hex  # whoever has it has the session
        base_id = asked["base"] if asked["base"] in [one for _, one in base_choices()] else settings.DEFAULT_BASE
        choices = compare.pane_choices(key, base_id, lang)
        known = [pane for pane in asked["panes"] if pane in [one for _, one in choices]]
        updates = wording.said(lang)
        updates[base]["value"] = base_id
        updates[compared.prompt]["value"] = asked["prompt"] or compare.first_frame()["prompt"]
        updates[compared.panes] |= {"choices": choices, "value": known or compare.pane_ids(compare.first_frame())}
        for slider, name in zip(compared.decoding, compare.DECODING_NAMES, strict=True):
            updates[slider]["value"] = asked[name]
        shown = {component: gr.update(**properties) for component, properties in updates.items()}
        opening = gr.Tabs(selected=asked["tab"]) if asked["tab"] in TABS[1:] else gr.skip()
        return {stored: key, visitor: key, language: lang, tabs: opening, **shown}

    load = page.load(opened, stored, [stored, visitor, language, tabs, *wording.components], **HIDDEN)
    load.then(compare.attach, [visitor, language], compared.shown, **STREAM)
    load.then(train.attach, [visitor, language], trained.shown, **STREAM)
