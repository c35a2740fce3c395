"""
The soft-prompt view of the low-rank lab: what the virtual tokens of a prompt-tuning adapter became.

Which adapter, at which checkpoint, is chosen above; `draw` shows it, and hides the section for every other method.
Handlers turn the core's reports into HTML; runs and their places belong to the session.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.actions.adapters import examined, held_out_task
from playground.actions.lowrank import start_without
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.locales import number, percent, text
from playground.ui.compare import panes as cards
from playground.ui.compare.panes import VISIBLE_SPACES, old_follow_answers, visible
from playground.ui.kit import html as components
from playground.ui.kit import sections
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.wording import Wording, html
from playground.work.jobs import Run
from playground.work.lanes import LAB
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.lowrank.softprompt import Importance, Near, Projection, Report, VirtualToken


METHOD = "prompt_tuning"
ANSWERS, IMPORTANCE = "softprompt-answers", "softprompt-importance"  # places of the session's runs
MOST_NAMED = 6  # virtual tokens that a pane's title names
SLOT = "\N{OBJECT REPLACEMENT CHARACTER}"  # where tokens go into a sentence: they are HTML already
ROOM = 1.06  # the lengths' scale reaches a little further than the longest


@dataclass(frozen=True)
class SoftPromptSection:
    """The components that other parts of the page need; `draw` updates `shown`, of which the first is the section."""

    column: gr.Column
    leave_out: gr.Dropdown
    shown: list[Any]


def build(
    wording: Wording, visitor: gr.BrowserState, language: gr.BrowserState, base: Any, adapter: Any, prompt: Any
) -> SoftPromptSection:
    """The section's layout and its own events. `base`, `adapter` and `prompt` are components with a value of that kind."""
    make = wording.make
    with gr.Column(visible=False, elem_id="softprompt") as column:
        with gr.Column(elem_classes="pp-card"):
            make(html, sections.headed("softprompt.title", "softprompt.lead"))
            table = html("", elem_id="softprompt-tokens")
        with gr.Column(elem_classes="pp-card"):
            plane = html("", elem_id="softprompt-plane")
            plot = gr.Plot(show_label=False, container=False, elem_id="softprompt-plot")
        with gr.Column(elem_classes="pp-card"):
            make(html, sections.headed("softprompt.less", "softprompt.less_lead"))
            with gr.Row(elem_classes="pp-leave-out"):
                leave_out = make(
                    gr.Dropdown,
                    {"label": "softprompt.leave_out"},
                    choices=[],
                    multiselect=True,
                    elem_id="softprompt-leave-out",
                )
                answer = make(
                    gr.Button, {"value": "softprompt.answer"}, size="sm", elem_classes="chip", elem_id="softprompt-answer"
                )
            notice = html("", elem_id="softprompt-notice")
            panes = html("", elem_id="softprompt-panes")
        with gr.Column(elem_classes="pp-card"):
            make(html, sections.headed("softprompt.importance", "softprompt.importance_lead"))
            with gr.Row(elem_classes="pp-chips"):
                measure = make(
                    gr.Button, {"value": "softprompt.measure"}, size="sm", elem_classes="chip", elem_id="softprompt-measure"
                )
                stop = make(
                    gr.Button,
                    {"value": "compare.stop"},
                    size="sm",
                    elem_classes="chip",
                    visible=False,
                    elem_id="softprompt-stop",
                )
            importance_notice = html("", elem_id="softprompt-importance-notice")
            bars = html("", elem_id="softprompt-importance")
    answered, measured = [notice, panes], [importance_notice, bars, measure, stop]
    answer.click(answers, [visitor, language, base, adapter, prompt, leave_out], answered, **STREAM)
    measure.click(measure_all, [visitor, language, adapter], measured, **STREAM)
    stop.click(lambda key: SESSIONS.stop(key, IMPORTANCE), visitor, None, **HIDDEN)
    adapter.change(attach, [visitor, language, adapter], measured, **STREAM)
    return SoftPromptSection(column, leave_out, [column, table, plane, plot, leave_out, *answered, *measured])


def draw(key: str, language: str, base_id: str, adapter_id: str, left_out: Sequence[int] = ()) -> list[Any]:
    """
    What `shown` becomes for an adapter; the section hides if it is no soft prompt. Of the virtual tokens left out those
    stay that this adapter has; answers and measurements of another adapter go.
    """
    library = SESSIONS.get(key).library
    if not library.knows(adapter_id) or library.get(adapter_id).record.method != METHOD:
        return [gr.update(visible=False), *[gr.skip()] * 10]
    from playground.lowrank import softprompt
    from playground.plots.lowrank.softprompt import projection_figure

    try:
        Variant.of(base_id, library.get(adapter_id))  # raises if it is another base's
        base, adapter = examined(key, adapter_id)
        found, points = softprompt.report(base, adapter), softprompt.projection(base, adapter)
    except PlaygroundError as error:
        return [gr.update(visible=True), alarm(error.message(language)), "", None, *[gr.skip()] * 7]
    count = len(found.tokens)
    choices = [(choice(token), token.position) for token in found.tokens]
    answered, measured = sections.run_of(key, ANSWERS, adapter_id), sections.run_of(key, IMPORTANCE, adapter_id)
    return [
        gr.update(visible=True),
        tokens(found, language),
        plane(points, language),
        projection_figure(points, language),
        gr.update(choices=choices, value=[position for position in left_out if position <= count]),
        *latest(answered, language, lambda frame: cards.panes(frame.as_json(), language)),
        *latest(measured, language, lambda event: importance(event, language)),
        *buttons(measured),
    ]


def tokens(found: Report, language: str) -> str:
    """The table of virtual tokens between what it shows and how to read its bars."""
    known = found.tokens[0].cosine_to_start is not None
    heads = [text(language, key) for key in ("softprompt.number", "softprompt.now", "softprompt.norm")]
    if known:
        heads[1:2] = [text(language, key) for key in ("softprompt.start", "softprompt.now", "softprompt.moved")]
    end = ROOM * max(found.norm_quantiles[2], *(token.norm for token in found.tokens))
    rows = "".join(row(token, heads, end, found.norm_quantiles, language) for token in found.tokens)
    columns = "".join(f'<th scope="col">{components.escape(head)}</th>' for head in heads)
    low, median, high = (number(language, value, 1) for value in found.norm_quantiles)
    mean = number(language, sum(token.norm for token in found.tokens) / len(found.tokens), 1)
    return (
        f"{change(found, language)}"
        f'<div class="pp-tall" role="region" tabindex="0" aria-label="{components.words(language, "softprompt.table")}">'
        f'<table class="pp-samples pp-virtual"><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{sections.soft(language, 'softprompt.norm_note', low=low, high=high, mean=mean, median=median)}"
    )


def change(found: Report, language: str) -> str:
    """How far they went from their start, and what that means for the words beside them."""
    moved = [token for token in found.tokens if token.cosine_to_start is not None]
    if not moved:
        return sections.soft(language, "softprompt.unknown_start")
    distance = sum(token.distance_from_start or 0.0 for token in moved) / len(moved)
    if not distance:
        return sections.soft(language, "softprompt.still")
    same = sum(token.nearest[0].id == token.start_nearest[0].id for token in moved)
    cosine = sum(token.cosine_to_start or 0.0 for token in moved) / len(moved)
    values = {"cosine": number(language, cosine, 2), "distance": number(language, distance, 1)}
    values |= {"tokens": number(language, len(moved))}
    if same == len(moved):
        line = components.words(language, "softprompt.kept_all", **values)
    else:
        line = components.words(language, "softprompt.kept", same=number(language, same), **values)
    shared = text(language, "softprompt.shared", chance=number(language, found.chance, 2), words=SLOT)
    shared = components.escape(shared).replace(SLOT, near(found.step_nearest, language))
    return f'<p>{line}</p><p class="pp-soft">{components.words(language, "softprompt.words")} {shared}</p>'


def row(token: VirtualToken, heads: list[str], end: float, quantiles: tuple[float, float, float], language: str) -> str:
    """One virtual token; `end` is the length at the right end of its bar."""
    low, high, at = (100 * value / end for value in (quantiles[0], quantiles[2], token.norm))
    bar = f'<span class="pp-length" aria-hidden="true"><i style="left:{low:.1f}%;width:{high - low:.1f}%"></i>'
    norm = f'{number(language, token.norm, 1)}{bar}<b style="left:{at:.1f}%"></b></span>'
    cells = [number(language, token.position), near(token.nearest, language), norm]
    if token.cosine_to_start is not None and token.distance_from_start is not None:
        way = f"{number(language, token.cosine_to_start, 2)} · {number(language, token.distance_from_start, 1)}"
        cells = [cells[0], near(token.start_nearest, language), cells[1], way, cells[2]]
    drawn = (f'<td data-head="{components.escape(head)}">{cell}</td>' for head, cell in zip(heads, cells, strict=True))
    return f"<tr>{''.join(drawn)}</tr>"


def near(words: Sequence[Near], language: str) -> str:
    """Tokens with their cosines, the nearest in ink."""
    cosines = [number(language, word.cosine, 2) for word in words]
    return " ".join(
        f'<span class="pp-near">{visible(word.token, language)} <small>{cosine}</small></span>'
        for word, cosine in zip(words, cosines, strict=True)
    )


def plane(points: Projection, language: str) -> str:
    """What the projection keeps, and what it does not."""
    share, rest = percent(language, 100 * sum(points.shares)), number(language, points.width - 2)
    line = components.words(language, "softprompt.plane", share=share, rest=rest)
    if points.step_share is not None:
        line += " " + components.words(language, "softprompt.step", share=percent(language, 100 * points.step_share))
    return f'{components.heading(language, "softprompt.where")}<p class="pp-soft">{line}</p>'


def choice(token: VirtualToken) -> str:
    """`5 · Freud`: a virtual token by its number and nearest word."""
    word = token.nearest[0].token
    return f"{token.position} · {word.strip() or word.translate(VISIBLE_SPACES)}"


def named(positions: Sequence[int], language: str) -> str:
    """The title of a pane without those virtual tokens."""
    listed = ", ".join(number(language, position) for position in sorted(positions))
    if len(positions) == 1:
        return text(language, "softprompt.without_one", position=listed)
    if len(positions) <= MOST_NAMED:
        return text(language, "softprompt.without", positions=listed)
    return text(language, "softprompt.without_many", count=number(language, len(positions)))


def answers(key: str, language: str, base_id: str, adapter_id: str, prompt: str, left_out: list[int]) -> Iterator[list[Any]]:
    """[notice, panes]: the base, the whole prompt, and what is left of it answer the same question."""
    try:
        titles = (text(language, "softprompt.whole_name"), named(left_out, language))
        run = start_without(key, ANSWERS, adapter_id, left_out, prompt, {"max_new_tokens": sections.ANSWER_TOKENS}, titles)
    except PlaygroundError as error:
        yield [alarm(error.message(language)), gr.skip()]
        return
    yield from old_follow_answers(run, language)


def measure_all(key: str, language: str, adapter_id: str) -> Iterator[list[Any]]:
    """[notice, bars, the two buttons]: leave every virtual token out once, and watch."""
    from playground.lowrank import softprompt

    try:
        base, adapter = examined(key, adapter_id)
        task = held_out_task(key, adapter)
        if task is None:
            raise PlaygroundError("no_held_out")
        run = SESSIONS.submit(
            key, LAB, lambda stop: softprompt.importance(base, adapter, task.held_out), adapter_id, IMPORTANCE
        )
    except PlaygroundError as error:
        yield [alarm(error.message(language)), *[gr.skip()] * 3]
        return
    yield from follow_importance(run, language)


def attach(key: str, language: str, adapter_id: str) -> Iterator[list[Any]]:
    """When an adapter is chosen again whose measurement still runs: follow it. Another adapter's ends."""
    yield [gr.skip()] * 4  # a generator that yields nothing would empty its outputs
    run = sections.run_of(key, IMPORTANCE, adapter_id)
    if run and not run.ended:
        yield from follow_importance(run, language)


def follow_importance(run: Run, language: str) -> Iterator[list[Any]]:
    """[notice, bars, the two buttons] while it is measured."""
    for shown in sections.old_follow(run, language, lambda event: importance(event, language)):
        yield [*shown, *([gr.skip()] * 2 if run.replaced else buttons(run))]


def importance(event: Importance, language: str) -> str:
    """The bars and the sentence with their numbers."""
    from playground.plots.lowrank.softprompt import importance_bars, importance_summary

    line = components.escape(importance_summary(event, language))
    return f'<p role="status">{line}</p>{importance_bars(event, language)}'


def buttons(run: Run | None) -> list[Any]:
    """[measure, stop]: one of them, by whether something is measured."""
    idle = run is None or run.ended
    return [gr.update(visible=idle), gr.update(visible=not idle)]


def latest(run: Run | None, language: str, drawn: Any) -> list[str]:
    """[notice, drawing] of what a run has shown so far; both empty without one."""
    if run is None or not run.events:
        return ["", ""]
    return [sections.progress(run, language), drawn(run.events[-1])]
