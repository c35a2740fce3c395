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
from playground.actions.adapters import list_adapters
from playground.actions.compare import first_frame, pane_ids
from playground.adapt.variant import BASE
from playground.errors import PlaygroundError
from playground.model.bases import BASES
from playground.model.catalogue import CATALOGUE, split_id
from playground.ui.api import endpoints
from playground.ui.api import quantize as more_endpoints
from playground.ui.compare import tab as compare
from playground.ui.compare.tab import CompareTab
from playground.ui.kit import html as pieces
from playground.ui.kit import links
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.wording import Wording, html
from playground.ui.lowrank import tab as lowrank
from playground.ui.quantize import tab as quantize
from playground.ui.train import tab as train
from playground.ui.train.tab import TrainTab
from playground.work.sessions import SESSIONS

TITLE = "PEFT Playground"
POLL_SECONDS = 1.0
CACHE_SECONDS = (3600, 4 * 3600)  # how often gradio looks for old files, and how old they may get
QUANTIZED = ("nf4_double", "int8_vectorwise")
TABS = ("compare", "train", "lowrank", "quantization")


def build_page() -> gr.Blocks:
    """The whole page, not yet served."""
    wording = Wording()
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=CACHE_SECONDS) as page:
        # In the browser, not in gr.State: the server may forget a page's state while the page is open
        visitor = gr.BrowserState("", storage_key="peft-playground-visitor")
        language = gr.BrowserState(locales.DEFAULT, storage_key="peft-playground-language")
        header = wording.make(html, {"value": lambda lang: header_html(settings.DEFAULT_BASE, lang)}, elem_id="header")
        with gr.Tabs(elem_id="tabs") as tabs:
            with wording.make(gr.Tab, {"label": "tabs.compare"}, id="compare"):
                base = wording.make(
                    gr.Dropdown, {"label": "base.label", "info": "base.help", "choices": base_choices},
                    value=settings.DEFAULT_BASE, elem_id="base", render=False,
                )  # fmt: skip
                compared = compare.build(wording, base, visitor, language)
            with wording.make(gr.Tab, {"label": "tabs.train"}, id="train", render_children=True):
                trained = train.build(wording, base, visitor, language)
            with wording.make(gr.Tab, {"label": "tabs.lowrank"}, id="lowrank", render_children=True) as lab_tab:
                lowrank.build(wording, lab_tab, base, visitor, language)
            with wording.make(gr.Tab, {"label": "tabs.quantization"}, id="quantization", render_children=True) as formats:
                quantize.build(wording, formats, base, visitor, language)
        timer = gr.Timer(POLL_SECONDS)
        timer.tick(_poll, [base, language], [header, timer], **HIDDEN)
        base.change(
            _choose_base, [visitor, language, base, compared.panes], [compared.panes, timer, compared.notice], **STREAM
        )
        _wire_tabs(tabs, base, compared, trained, visitor, language)
        _wire_opening(page, wording, visitor, language, tabs, base, compared, trained)
        endpoints.build_api(more_endpoints.ENDPOINTS)
    return page


def base_choices(language: str) -> list[tuple[str, str]]:
    """Every base, and the default one also in 4 and 8 bits."""
    plain = [(spec.name + (" · hub" if spec.source == "hub" else ""), spec.id) for spec in CATALOGUE.values()]
    spec, _ = split_id(settings.DEFAULT_BASE)
    quantized = [(f"{spec.name} · {locales.text(language, f'formats.{form}')}", f"{spec.id}:{form}") for form in QUANTIZED]
    return [*plain, *quantized]


def header_html(base_id: str, language: str) -> str:
    """The header with how the chosen base is doing."""
    status = BASES.status(base_id)
    spec, form = split_id(base_id)
    state = {"waiting": "loading", "downloading": "preparing", "converting": "preparing", "rounding": "loading"}.get(
        status.state, status.state
    )
    dtype = locales.text(language, f"formats.{form}") if form else status.dtype
    message = status.error.message(language) if status.error else ""
    shown = {"state": state, "name": spec.name, "device": status.device, "dtype": dtype, "fraction": status.fraction}
    return pieces.header({**shown, "message": message}, language)


def _poll(base_id: str, language: str) -> list[Any]:
    ready = BASES.status(base_id).state == "ready"
    return [header_html(base_id, language), gr.Timer(POLL_SECONDS, active=not ready)]


def _choose_base(key: str, language: str, base_id: str, panes: list[str]) -> Any:
    """Load the base that was picked; the panes that it cannot show go."""
    yield [compare.pane_update(key, base_id, language, panes), gr.Timer(POLL_SECONDS, active=True), gr.skip()]
    try:
        BASES.get(base_id)
    except PlaygroundError as error:
        yield [gr.skip(), gr.skip(), alarm(error.message(language))]


def _wire_tabs(
    tabs: gr.Tabs, base: gr.Dropdown, compared: CompareTab, trained: TrainTab, visitor: Any, language: Any
) -> None:
    """What one tab does to the other: a new adapter becomes a pane."""
    trained.adapter.change(
        lambda key, lang, base_id, panes: compare.pane_update(key, base_id, lang, panes),
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
    library = SESSIONS.get(key).library
    if not library.knows(adapter_id):  # the session has gone; `compare.start` says the rest
        return [gr.skip(), gr.skip(), gr.skip()]
    record = library.get(adapter_id).record
    first: dict[str, str] = {}  # ready-made adapter of each method
    for one in list_adapters(None, base_id):
        if one["task"] == record.task:
            first.setdefault(one["method"], one["id"])
    rivals = list(first.values())
    panes = compare.pane_update(key, base_id, language, [BASE, *rivals[: settings.MAX_PANES - 3], adapter_id])
    return [gr.Tabs(selected="compare"), record.questions[0] if record.questions else gr.skip(), panes]


def _wire_opening(
    page: gr.Blocks, wording: Wording, visitor: gr.BrowserState, language: gr.BrowserState, tabs: gr.Tabs,
    base: gr.Dropdown, compared: CompareTab, trained: TrainTab,
) -> None:  # fmt: skip
    def opened(kept: str, request: gr.Request) -> dict[Any, Any]:
        """Everything that depends on who opens the page, and with which address."""
        lang = locales.choose(request.query_params.get("lang"), request.headers.get("accept-language"))
        asked = links.read(request.query_params)
        key = kept if kept and len(kept) == 32 else uuid.uuid4().hex  # whoever has it has the session
        base_id = asked["base"] if asked["base"] in [one for _, one in base_choices(lang)] else settings.DEFAULT_BASE
        updates = wording.said(lang)
        updates[base]["value"] = base_id
        updates[compared.prompt]["value"] = asked["prompt"] or first_frame()["prompt"]
        wanted = asked["panes"] or pane_ids(first_frame())
        updates[compared.panes] |= compare.pane_update(key, base_id, lang, wanted)
        for slider, name in zip(compared.decoding, compare.DECODING_NAMES, strict=True):
            updates[slider]["value"] = asked[name]
        shown = {component: gr.update(**properties) for component, properties in updates.items()}
        opening = gr.Tabs(selected=asked["tab"]) if asked["tab"] in TABS[1:] else gr.skip()
        return {visitor: key, language: lang, tabs: opening, **shown}

    load = page.load(opened, visitor, [visitor, language, tabs, *wording.components], **HIDDEN)
    load.then(compare.attach, [visitor, language], compared.shown, **STREAM)
    load.then(train.attach, [visitor, language], trained.shown, **STREAM)
