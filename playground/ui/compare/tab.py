"""
The Compare tab: a prompt, its panes, and where their first tokens part.

Handlers turn actions into HTML; what is shown comes from the latest frame of the session's comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import locales, settings
from playground.actions import adapters
from playground.actions.adapters import list_adapters
from playground.actions.compare import first_frame, pane_ids, recorded, start_comparison
from playground.adapt.adapters import STEP_MARK
from playground.adapt.variant import BASE, Variant
from playground.errors import PlaygroundError
from playground.model.catalogue import FORMS, split_id
from playground.ui.compare import panes as cards
from playground.ui.compare.panes import first_tokens, pane_title
from playground.ui.kit import links
from playground.ui.kit.events import HIDDEN, STREAM, alarm, lead, note
from playground.ui.kit.html import words
from playground.ui.kit.wording import Wording, html
from playground.work.jobs import Run
from playground.work.lanes import COMPARE
from playground.work.sessions import SESSIONS

DECODING_NAMES = ("max_new_tokens", "temperature", "top_p", "repetition_penalty", "seed")


@dataclass(frozen=True)
class CompareTab:
    """The components that other parts of the page need."""

    prompt: gr.Textbox
    panes: gr.Dropdown
    decoding: list[Any]  # max_new_tokens, temperature, top_p, repetition_penalty, seed
    go: gr.Button
    stop: gr.Button
    notice: gr.HTML
    answers: gr.HTML
    tokens: gr.HTML

    @property
    def shown(self) -> list[Any]:
        """What `follow` updates."""
        return [self.notice, self.answers, self.tokens, self.go, self.stop]


def build(wording: Wording, base: gr.Dropdown, visitor: gr.BrowserState, language: gr.BrowserState) -> CompareTab:
    """The tab's layout and its own events."""
    make, opening = wording.make, first_frame()
    make(html, {"value": lambda lang: lead(lang, "compare.lead")})
    with gr.Row(elem_classes="pp-ask"):
        prompt = make(
            gr.Textbox, {"label": "compare.prompt", "placeholder": "compare.placeholder"}, value=opening["prompt"],
            show_label=False, container=False, lines=1, max_lines=6, elem_id="prompt",
        )  # fmt: skip
        go = make(gr.Button, {"value": "compare.go"}, variant="primary", elem_id="compare", elem_classes="pp-go")
        stop = make(gr.Button, {"value": "compare.stop"}, visible=False, elem_id="stop-compare", elem_classes="pp-go")
    with gr.Row(elem_classes="pp-chips"):
        make(html, {"value": lambda lang: f'<span class="pp-soft pp-small">{words(lang, "compare.try")}</span>'})
        chips = {
            task: make(gr.Button, {"value": f"compare.try.{task}"}, size="sm", elem_classes="chip", elem_id=f"try-{task}")
            for task in recorded()
        }
        settings_chip = make(
            gr.Button, {"value": lambda lang: decoding_words(lang, 64, 0.0, 0)},
            size="sm", elem_classes=["chip", "pp-push"], elem_id="decoding-chip",
        )  # fmt: skip
        model = make(gr.Button, {"value": "compare.model"}, size="sm", elem_classes="chip", elem_id="choose-base")
        add = make(gr.Button, {"value": "compare.add"}, size="sm", elem_classes="chip", elem_id="add-pane")
        copy = make(gr.Button, {"value": "compare.copy"}, size="sm", elem_classes="chip", elem_id="copy-link")
    with gr.Column(elem_classes="pp-card", visible=False) as base_card:
        base.render()
    decoding_card, decoding = _decoding(wording)
    panes_card, panes, upload = _panes(wording, pane_ids(opening))
    notice = make(html, {"value": lambda lang: note(lang, "compare.recorded")}, elem_id="compare-notice")
    answers = make(html, {"value": lambda lang: cards.panes(opening, lang)}, elem_id="panes")
    tokens = make(html, {"value": lambda lang: first_tokens(opening, lang)}, elem_id="first-tokens")
    link = gr.Textbox(visible=False)
    tab = CompareTab(prompt, panes, decoding, go, stop, notice, answers, tokens)

    inputs = [visitor, language, base, prompt, panes, *decoding]
    gr.on([go.click, prompt.submit], start, inputs, tab.shown, **STREAM)
    stop.click(lambda key: SESSIONS.stop(key, COMPARE), visitor, None, **HIDDEN)
    for task, chip in chips.items():
        chip.click(
            lambda key, lang, task=task: _example(task, key, lang),
            [visitor, language],
            [base, prompt, panes, notice, answers, tokens],
            **HIDDEN,
        )
    for chip, card in ((settings_chip, decoding_card), (model, base_card), (add, panes_card)):
        shown = gr.State(False)
        chip.click(lambda now: (not now, gr.update(visible=not now)), shown, [shown, card], **HIDDEN)
    gr.on(
        [component.change for component in decoding],
        lambda lang, tokens, temperature, top_p, penalty, seed: decoding_words(lang, tokens, temperature, seed),
        [language, *decoding], settings_chip, trigger_mode="always_last", **HIDDEN,
    )  # fmt: skip
    upload.upload(_upload, [visitor, language, base, upload, panes], [panes, notice, upload], **STREAM)
    copy.click(_link, [language, base, prompt, panes, *decoding], link, **HIDDEN).then(
        None, link, None, js="query => navigator.clipboard.writeText(location.origin + location.pathname + '?' + query)"
    ).then(lambda lang: note(lang, "compare.copied"), language, notice, **HIDDEN)
    return tab


def _decoding(wording: Wording) -> tuple[gr.Column, list[Any]]:
    """Four sliders and the seed, in the order of DECODING_NAMES."""
    bounds = (
        ("max_new_tokens", gr.Slider, {"minimum": 1, "maximum": settings.MAX_NEW_TOKENS, "value": 64, "step": 1}),
        ("temperature", gr.Slider, {"minimum": 0.0, "maximum": 2.0, "value": 0.0, "step": 0.1}),
        ("top_p", gr.Slider, {"minimum": 0.05, "maximum": 1.0, "value": 1.0, "step": 0.05}),
        ("repetition_penalty", gr.Slider, {"minimum": 1.0, "maximum": 2.0, "value": 1.0, "step": 0.05}),
        ("seed", gr.Number, {"minimum": 0, "maximum": 2**31 - 1, "value": 0, "precision": 0}),
    )
    with gr.Column(elem_classes="pp-card", visible=False, elem_id="decoding") as card, gr.Row():
        made = [
            wording.make(kind, {"label": f"decoding.{name}", "info": f"decoding.{name}.help"}, elem_id=name, **bound)
            for name, kind, bound in bounds
        ]
    return card, made


def _panes(wording: Wording, chosen: list[str]) -> tuple[gr.Column, gr.Dropdown, gr.File]:
    with gr.Column(elem_classes="pp-card", visible=False, elem_id="pane-picker") as card:
        panes = wording.make(
            gr.Dropdown,
            {"label": "compare.panes", "info": "compare.panes.help", "choices": ready_made},
            value=chosen, multiselect=True, max_choices=settings.MAX_PANES, elem_id="panes-chosen",
        )  # fmt: skip
        upload = wording.make(
            gr.File, {"label": "compare.upload"}, file_types=[".zip"], type="filepath", height=110, elem_id="upload-adapter"
        )
    return card, panes, upload


def pane_update(key: str | None, base_id: str, language: str, wanted: Sequence[str]) -> dict[str, Any]:
    """The dropdown of panes: what can be chosen on a base, and of what is wanted that which can be shown there."""
    choices = pane_choices(key, base_id, language)
    library, value = SESSIONS.get(key or "").library, []
    for pane in wanted:
        if STEP_MARK in pane and library.knows(pane):
            choices.append((pane_title(library.get(pane).summary(), language), pane))
        if pane in [one for _, one in choices]:
            value.append(pane)
    return gr.update(choices=choices, value=value or [BASE])


def ready_made(language: str) -> list[tuple[str, str]]:
    """The panes that everybody can choose on the default base."""
    return pane_choices(None, settings.DEFAULT_BASE, language)


def decoding_words(language: str, tokens: int, temperature: float, seed: int) -> str:
    """The settings in the chip: greedy · 64 tokens · seed 0."""
    how = locales.text(language, "decoding.greedy")
    if temperature:
        how = locales.text(language, "decoding.sampled", temperature=locales.number(language, temperature, 1))
    return locales.text(language, "decoding.summary", how=how, tokens=tokens, seed=seed)


def pane_choices(key: str | None, base_id: str, language: str) -> list[tuple[str, str]]:
    """What a pane can show: the base, the session's own adapters, the ready-made ones, the base in fewer bits."""
    plain = split_id(base_id)[0].id
    forms = [Variant(f"{plain}:{form}").summary(0) for form in FORMS]
    listed = [(pane_title(one, language), one["id"]) for one in (*list_adapters(key, base_id), *forms)]
    return [(locales.text(language, "methods.base.name"), BASE), *listed]


def start(key: str, language: str, base: str, prompt: str, panes: list[str], *decoding: Any) -> Iterator[list[Any]]:
    """Queue a comparison and show it; a wrong input becomes a sentence above the panes."""
    try:
        run = start_comparison(key, base, prompt, panes, dict(zip(DECODING_NAMES, decoding, strict=True)))
    except PlaygroundError as error:
        yield [alarm(error.message(language)), gr.skip(), gr.skip(), gr.skip(), gr.skip()]
        return
    yield from follow(run, language)


def follow(run: Run, language: str) -> Iterator[list[Any]]:
    """Show a comparison as it is written, until it has ended."""
    for _ in run.changes():
        frame = run.events[-1].as_json() if run.events else None
        if frame is None:
            answers: list[Any] = [gr.skip(), gr.skip()]
        else:
            answers = [cards.panes(frame, language), first_tokens(frame, language)]
        yield [_progress(run, language), *answers, gr.update(visible=run.ended), gr.update(visible=not run.ended)]


def _progress(run: Run, language: str) -> str:
    if run.error:
        return alarm(run.error.message(language))
    if run.state == "queued" and run.position:
        return note(language, "compare.queued", position=run.position)
    if run.state == "stopped":
        return note(language, "compare.stopped")
    if not run.events:
        return note(language, "compare.waiting")
    return note(language, "compare.done" if run.ended else "compare.running")


def attach(key: str, language: str) -> Iterator[list[Any]]:
    """After a reload: show the session's latest comparison again, and follow it if it still runs."""
    run = SESSIONS.get(key).runs.get(COMPARE)
    yield [gr.skip()] * 5  # a generator that yields nothing would empty its outputs
    if run and (run.events or not run.ended):
        yield from follow(run, language)


def _example(task: str, key: str, language: str) -> list[Any]:
    """A recorded comparison with its question and panes, on the base that it was recorded with."""
    frame = recorded()[task]
    drawn = [cards.panes(frame, language), first_tokens(frame, language)]
    panes = pane_update(key, frame["base"], language, pane_ids(frame))
    return [frame["base"], frame["prompt"], panes, note(language, "compare.recorded"), *drawn]


def _upload(key: str, language: str, base: str, path: str | None, panes: list[str]) -> list[Any]:
    try:
        adapter = adapters.upload(key, path, base)
    except PlaygroundError as error:
        return [gr.skip(), alarm(error.message(language)), None]
    chosen = [*panes[: settings.MAX_PANES - 1], adapter.id]
    title = pane_title(adapter.summary(), language)
    return [
        pane_update(key, base, language, chosen),
        note(language, "compare.uploaded", title=title),
        None,
    ]


def _link(language: str, base: str, prompt: str, panes: list[str], *decoding: Any) -> str:
    values = dict(zip(DECODING_NAMES, decoding, strict=True))
    query = links.write({"base": base, "prompt": prompt, "panes": panes, **values})
    return f"lang={language}&{query}"
