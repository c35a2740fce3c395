"""
The whole model in the quantization lab: every format's size, errors and reading, a map of the errors, and the answers.

Opens with what was measured when the examples were recorded; a press of the button measures it here. Handlers turn
actions into HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales, settings
from playground.actions.compare import start_answers
from playground.actions.quantize import recorded
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.model.bases import BASES
from playground.model.catalogue import FORMS, split_id
from playground.ui.compare.panes import old_follow_answers
from playground.ui.kit import sections
from playground.ui.kit.events import HIDDEN, STREAM, alarm, note
from playground.ui.kit.html import escape
from playground.ui.kit.sections import OldSection
from playground.ui.kit.wording import Wording, html
from playground.work.jobs import Run
from playground.work.lanes import LAB, MEASURE
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.quantize.wholemodel import Survey


CHOSEN = ("int8_vectorwise", "nf4", "fp4", "int4", "ternary")  # what is measured and asked unless one chooses
SURVEY, ANSWERS = "wholemodel", "wholemodel-answers"  # places of a session's runs
FIRST = "nf4"  # whose map is shown first
PROMPT = "What is the capital of France?"


def build(wording: Wording, visitor: gr.BrowserState, language: gr.BrowserState, base: gr.Dropdown) -> OldSection:
    """The cards and their events."""
    make = wording.make
    with gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("wholemodel.title", "wholemodel.lead"))
        formats = make(
            gr.CheckboxGroup, {"label": "wholemodel.formats", "choices": choices}, value=list(CHOSEN),
            elem_id="wholemodel-formats",
        )  # fmt: skip
        with gr.Row(elem_classes="pp-chips"):
            go = make(gr.Button, {"value": "wholemodel.go"}, variant="primary", size="sm", elem_id="wholemodel-go")
            stop = make(gr.Button, {"value": "wholemodel.stop"}, size="sm", elem_classes="chip", elem_id="wholemodel-stop")
        notice = html("", elem_id="wholemodel-notice")
        measured = html("", elem_id="wholemodel-table")
    with gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("wholemodel.map.title", "wholemodel.map.lead"))
        shown = make(gr.Dropdown, {"label": "wholemodel.map.format"}, choices=[], elem_id="wholemodel-shown")
        where = html("", elem_id="wholemodel-map")
    with gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("wholemodel.answers.title", "wholemodel.answers.lead"))
        with gr.Row(elem_classes="pp-ask"):
            prompt = make(
                gr.Textbox, {"placeholder": "compare.placeholder"}, value=PROMPT, show_label=False, container=False,
                max_lines=4, elem_id="wholemodel-prompt",
            )  # fmt: skip
            ask = make(gr.Button, {"value": "wholemodel.ask"}, elem_id="wholemodel-ask", elem_classes="pp-go")
        said = html("", elem_id="wholemodel-said")
        panes = make(
            html, {"value": lambda lang: sections.soft(lang, "wholemodel.answers.empty")}, elem_id="wholemodel-answers"
        )

    seen = [notice, measured, shown, where]
    go.click(measure, [visitor, language, base, formats], seen, **STREAM)
    stop.click(lambda key: SESSIONS.stop(key, SURVEY), visitor, None, **HIDDEN)
    stop.click(lambda key: SESSIONS.stop(key, ANSWERS), visitor, None, **HIDDEN)
    shown.input(draw_map, [visitor, language, shown], where, **HIDDEN)
    gr.on([ask.click, prompt.submit], answers, [visitor, language, base, prompt, formats], [said, panes], **STREAM)
    everything = [*seen, said, panes]
    return OldSection([visitor, shown], everything, draw, attach)


def choices(language: str, forms: Sequence[str] = FORMS) -> list[tuple[str, str]]:
    """Forms by their names."""
    return [(locales.text(language, f"formats.{form}"), form) for form in forms]


def latest(key: str) -> dict[str, Any]:
    """What the session's run has found so far; without one what was recorded."""
    run = SESSIONS.get(key).runs.get(SURVEY)
    events = run.events if run else []
    return asdict(events[-1]) if events and (events[-1].found or events[-1].working) else recorded()


# Handlers


def draw(language: str, key: str, format_id: str | None) -> list[Any]:
    """What is known when the tab is opened."""
    seen = latest(key)
    line = ""
    if seen is recorded():
        line = note(language, "wholemodel.recorded", machine=seen["machine"])
    return [line, *drawn(seen, format_id, language), gr.skip(), gr.skip()]


def drawn(seen: Mapping[str, Any], format_id: str | None, language: str) -> list[Any]:
    """[table, formats of the map, map] of a survey in plain values."""
    from playground.plots.quantize import wholemodel

    known = [one for one in (*seen["found"], seen["working"]) if one and one["modules"]][1:]
    ids = [one["format"] for one in known]
    chosen = next((one for one in (format_id, FIRST, *ids[-1:]) if one in ids), None)
    offered = gr.update(choices=choices(language, ids), value=chosen)
    modules = next((one["modules"] for one in known if one["format"] == chosen), ())
    name = f'<h3 class="pp-name">{escape(split_id(seen["base"])[0].name)}</h3>'
    table = name + wholemodel.table(seen, language) + sentences(seen, language)
    return [table, offered, where_html(modules, language)]


def where_html(modules: Sequence[Mapping[str, Any]], language: str) -> str:
    """The map and its ends in words."""
    from playground.plots.kit.heatmap import network

    changed = [one for one in modules if one["sqnr_db"] is not None]
    if not changed:
        return sections.soft(language, "wholemodel.map.empty")
    worst, best = (pick(changed, key=lambda one: one["sqnr_db"]) for pick in (min, max))

    def named(one: Mapping[str, Any]) -> dict[str, str]:
        name = locales.text(language, "lowrank.module", layer=one["layer"], kind=one["kind"])
        return {"module": name, "sqnr": locales.number(language, one["sqnr_db"], 1)}

    ends = {f"{end}_{name}": value for end, one in (("worst", worst), ("best", best)) for name, value in named(one).items()}
    return network(modules, language) + sections.soft(language, "wholemodel.map.ends", **ends)


def sentences(seen: Mapping[str, Any], language: str) -> str:
    """What to see in the table, from its numbers; then how it was measured."""
    read = {one["format"]: one["reading"] for one in seen["found"] if one["reading"]}
    said = []
    four = [name for name in ("nf4", "nf4_double", "fp4", "int4") if name in read]
    if len(four) > 1:
        best = min(four, key=lambda name: read[name]["perplexity"])
        said.append(sections.soft(language, "wholemodel.said.four", **perplexities(read, best, language)))
    if "ternary" in read:
        said.append(sections.soft(language, "wholemodel.said.ternary", **perplexities(read, "ternary", language)))
    if read:
        if split_id(seen["base"])[0].source == "embedded":
            said.append(sections.soft(language, "formats.q4_1"))
        tokens = locales.number(language, next(iter(read.values()))["tokens"])
        values = {"tokens": tokens, "rest": locales.size(language, seen["rest"]), "dtype": seen["dtype"]}
        said.append(sections.soft(language, "wholemodel.method", **values))
    return f'<div class="pp-read">{"".join(said)}</div>'


def perplexities(read: Mapping[str, Mapping[str, float]], name: str, language: str) -> dict[str, str]:
    from playground.plots.kit.figures import short

    base = short(language, read["float32"]["perplexity"])
    return {
        "format": locales.text(language, f"formats.{name}"),
        "perplexity": short(language, read[name]["perplexity"]),
        "base": base,
    }


def draw_map(key: str, language: str, format_id: str | None) -> Any:
    """The map of another format."""
    seen = latest(key)
    found = next((one for one in seen["found"] if one["format"] == format_id), None)
    return where_html(found["modules"], language) if found else gr.skip()


def measure(key: str, language: str, base_id: str, formats: list[str]) -> Iterator[list[Any]]:
    """Measure the chosen formats, and show how far that is."""
    from playground.quantize.wholemodel import WholeJob, survey

    try:
        if not formats:
            raise PlaygroundError("no_formats")
        job = WholeJob(split_id(base_id)[0].id, tuple(form for form in FORMS if form in formats)).checked()
        run = SESSIONS.submit(key, MEASURE, lambda stop: survey(job, BASES.get), job, SURVEY)
    except PlaygroundError as error:
        yield [alarm(error.message(language)), gr.skip(), gr.skip(), gr.skip()]
        return
    yield from watched(run, language)


def watched(run: Run, language: str) -> Iterator[list[Any]]:
    """[notice, table, formats of the map, map] until the run has ended."""
    before = -1
    for _ in run.changes():
        if run.replaced:
            yield [gr.skip()] * 4
            return
        seen: Survey | None = run.events[-1] if run.events else None
        if seen is None or not (seen.found or seen.working):
            yield [sections.progress(run, language), gr.skip(), gr.skip(), gr.skip()]
            continue
        modules = len(seen.working.modules) if seen.working else 0
        if run.ended or modules != before:  # not at every wait for a base
            table, offered, where = drawn(asdict(seen), None, language)
            yield [standing(run, seen, language), table, offered, where]
        before = modules


def standing(run: Run, seen: Survey, language: str) -> str:
    """Where the survey is."""
    if run.ended or seen.working is None:
        return sections.progress(run, language)
    values = {
        "format": locales.text(language, f"formats.{seen.working.format}"),
        "percent": locales.number(language, 100 * seen.fraction),
    }
    if not seen.working.modules:
        return note(language, "wholemodel.rounding", **values)
    return note(language, "wholemodel.working", **values)


def answers(key: str, language: str, base_id: str, prompt: str, formats: list[str]) -> Iterator[list[Any]]:
    """The base and its forms answering the same prompt."""
    yield [note(language, "wholemodel.preparing"), gr.skip()]
    try:
        plain = split_id(base_id)[0].id
        chosen = [Variant(f"{plain}:{form}") for form in FORMS if form in formats][: settings.MAX_PANES - 1]
        decoding = {"max_new_tokens": sections.ANSWER_TOKENS}
        run = start_answers(key, LAB, plain, prompt, [Variant(plain), *chosen], decoding, place=ANSWERS)
    except PlaygroundError as error:
        yield [alarm(error.message(language)), gr.skip()]
        return
    yield from old_follow_answers(run, language)


def attach(language: str, key: str, format_id: str | None) -> Iterator[list[Any]]:
    """Follow what still runs, or runs again after a reload."""
    runs = SESSIONS.get(key).runs
    surveying, answering = runs.get(SURVEY), runs.get(ANSWERS)
    yield [gr.skip()] * 6
    if answering:
        yield [*[gr.skip()] * 4, *next(old_follow_answers(answering, language))]
    if surveying:
        for seen in watched(surveying, language):
            yield [*seen, gr.skip(), gr.skip()]
    if answering:
        for part in old_follow_answers(answering, language):
            yield [*[gr.skip()] * 4, *part]
