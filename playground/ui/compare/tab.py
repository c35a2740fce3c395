"""
The Compare tab: a prompt, its panes, and where their first tokens part.

Handlers turn actions into HTML; what is shown comes from the latest frame of the session's comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gradio as gr

from playground import settings
from playground.actions.adapters import upload
from playground.actions.another import fetch_adapter
from playground.actions.compare import (
    Question,
    first_frame,
    latest,
    latest_frame,
    pane_ids,
    recorded,
    renamed,
    showable,
    start_comparison,
    stop_comparison,
)  # fmt: skip
from playground.compare.job import DEFAULTS
from playground.errors import PlaygroundError
from playground.ui.compare import decoding, many, notices, own, panes, picker, sharing
from playground.ui.compare import former as former_panes
from playground.ui.compare import question as question_row
from playground.ui.compare.asked import COMPARE, Asked, Seen
from playground.ui.compare.decoding import Manner
from playground.ui.compare.former import Former
from playground.ui.compare.many import Many
from playground.ui.compare.opening import Opening
from playground.ui.compare.own import OwnAdapters
from playground.ui.compare.picker import Picked, choices_update, pane_update
from playground.ui.compare.progress import progress
from playground.ui.compare.question import chip
from playground.ui.compare.tokens_html import first_tokens
from playground.ui.kit import links
from playground.ui.kit.base import BaseChoice
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, english, lead, reveal
from playground.ui.kit.html import words
from playground.ui.kit.sections import watch
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.learn.lesson_html import newcomer
from playground.ui.learn.tab import NEWCOMER
from playground.work.jobs import Run


@dataclass(frozen=True)
class CompareTab:
    """The tab's components, and what happens to them."""

    visit: Controls[Visit]
    base: BaseChoice
    manner: Controls[Manner]
    asked: Controls[Asked]
    seen: Controls[Seen]
    picked: Controls[Picked]
    prompt: gr.Textbox
    panes: gr.Dropdown
    own: OwnAdapters
    card: picker.Card
    former: Former
    decoding: Mapping[str, Any]
    summary: gr.Button  # of the decoding
    examples: Mapping[str, gr.Button]
    link: gr.Textbox
    go: gr.Button
    stop: gr.Button
    copied: gr.HTML  # what is said of the link, until anything else is done
    notice: gr.HTML
    answers: gr.HTML
    many: Many
    tokens: gr.HTML

    @property
    def shown(self) -> list[Any]:
        """What a comparison changes."""
        return [self.notice, self.answers, self.tokens, self.go, self.stop]

    def start(self, asked: Asked) -> Iterator[Changes]:
        """Queue a comparison and show it; a wrong input becomes a sentence above the panes."""
        try:
            run = start_comparison(asked.key, asked.base, asked.prompt, asked.panes, asked.decoding)
        except PlaygroundError as error:
            yield {self.notice: alarm(error.message(asked.language))}
            return
        yield from self.follow(run, asked)

    def follow(self, run: Run, visit: Visit) -> Iterator[Changes]:
        """Show a comparison as it is written."""

        def changes(run: Run) -> Changes:
            frame = latest_frame(run)
            drawn = self.drawn(renamed(visit.key, frame), run.job, visit.language) if frame else {}
            return {self.notice: progress(run, visit.language)} | drawn | self.buttons(running=not run.ended)

        yield from watch(run, self.notice, changes)

    def attach(self, seen: Seen) -> Iterator[Changes]:
        """After a reload: follow the session's latest comparison, if it is the one that is shown."""
        run = latest(seen.key)
        yield unchanged(self.notice)  # a generator that yields nothing would empty what it may change
        if run and run.job == seen.question and not (run.ended and showable(seen.key, run.job)[1]):
            yield from self.follow(run, seen)

    def retitle(self, seen: Seen) -> Changes:
        """An adapter has another name: so has its answer."""
        run = latest(seen.key)
        frame = latest_frame(run) if run and run.job == seen.question else None
        if run is None or frame is None:
            return unchanged(self.answers)
        return self.drawn(renamed(seen.key, frame), run.job, seen.language)

    def halt(self, visit: Visit) -> Changes:
        """Stop the session's comparison. The buttons do not wait for whoever follows it: that may be another window."""
        stop_comparison(visit.key)
        return self.buttons(running=False)

    def buttons(self, running: bool) -> Changes:
        return {self.go: gr.update(visible=not running), self.stop: gr.update(visible=running)}

    def drawn(self, frame: Mapping[str, Any], question: Question, language: str) -> Changes:
        return {self.answers: panes.answers(frame, question, language), self.tokens: first_tokens(frame, language)}

    def example(self, task: str, asked: Asked) -> Changes:
        """A recorded comparison with its question, its panes and how it was asked, on the base that it was recorded with."""
        frame = recorded()[task]
        question = Question.of_frame(frame)
        return {
            **self.base.set(question.base),
            self.prompt: question.prompt,
            self.panes: pane_update(replace(asked, base=question.base), question.panes),
            **{control: question.decoding[name] for name, control in self.decoding.items()},
            self.notice: notices.recorded(asked.language) + decoding.resets(asked, question.decoding),
            **self.drawn(frame, question, asked.language),
            **self.gives_way(asked, question.panes),
        }

    def gives_way(self, asked: Asked, panes: Sequence[str]) -> Changes:
        """Other panes take the place of the chosen ones. An example's own, one press brings back anyhow."""
        examples = [pane_ids(frame) for frame in recorded().values()]
        return self.former.gone() if asked.panes in examples else self.former.give_way(asked, asked.panes, panes)

    def offer(self, picked: Picked, arrived: str = "") -> Changes:
        """
        What can be chosen now: with an adapter that has `arrived`, or on another base, where the panes that it cannot show
        go.
        """
        kept = "" if arrived and arrived != picked.looked else picked.looked
        return {self.panes: choices_update(picked, picked.panes), **self.own.offer(picked, kept)}

    @property
    def offered(self) -> list[Any]:
        """What depends on the adapters that there are, and on the base."""
        return [self.panes, *self.own.offered]

    def receive(self, picked: Picked, fetched: bool = False) -> Changes:
        """
        An adapter from outside, a zip or `fetched` from the hub, becomes the last pane; says which one makes way, and what a
        link still misses.
        """
        bring, told = (fetch_adapter, picked.hub) if fetched else (upload, picked.zip)
        try:
            adapter = bring(picked.key, told or "", picked.base)
        except PlaygroundError as error:
            return {self.own.said: alarm(error.message(picked.language)), self.card.zip: None}
        now = replace(picked, panes=[*picked.panes[: settings.MAX_PANES - 1], adapter["id"]])
        said = notices.arrived(picked.notice, picker.titles(now), picked.language)
        return {
            **self.offer(now, adapter["id"]),
            self.panes: pane_update(now, now.panes),
            **self.former.give_way(picked, picked.panes, now.panes),
            self.own.said: picker.uploaded(adapter, picked.language),
            **({} if said is None else {self.notice: said}),
            self.card.zip: None,
        }

    def summarize(self, manner: Manner) -> Changes:
        return {self.summary: decoding.chip(manner.language, manner.decoding)}

    def write_link(self, asked: Asked, answers: str = "") -> Changes:
        """The link to what is asked now; `answers`: those to keep under it (`Seen.source`)."""
        return {self.link: sharing.query(asked, answers)}

    def say_copied(self, asked: Asked) -> Changes:
        return {self.copied: sharing.copied(asked, asked.panes)}

    def opened(self, visit: Visit, opening: Opening) -> dict[Any, dict[str, Any]]:
        """What the tab opens with, as properties by component."""
        question, language = opening.question, visit.language
        drawn = self.drawn(opening.frame, opening.asked, language) | {self.notice: opening.notice(language)}
        return {
            self.base.picked: {"value": question.base},
            self.base.used: {"value": question.base},
            self.prompt: {"value": question.prompt},
            self.panes: pane_update(replace(visit, base=question.base), question.panes),
            self.summary: {"value": decoding.chip(language, question.decoding)},
            self.many.go: {"value": many.label(language, question.decoding, opening.times)},
            **{control: {"value": question.decoding[name]} for name, control in self.decoding.items()},
            self.many.times: {"value": opening.times},
            **{
                component: value if isinstance(value, dict) else {"value": value}
                for component, value in (drawn | self.own.offer(visit)).items()
            },
        }


def build(wording: Wording, visit: Controls[Visit], base: BaseChoice) -> CompareTab:
    """The tab's layout and its own events."""
    make, opening = wording.make, first_frame()
    question = Question.of_frame(opening)
    make(html, {"value": lambda lang: lead(lang, "compare.lead", newcomer(lang))}, js_on_load=NEWCOMER)
    prompt, go, stop = question_row.build(wording, opening["prompt"])
    make(html, {"value": english}, elem_classes="pp-english")
    with gr.Row(elem_classes="pp-chips"):
        make(html, {"value": lambda lang: f'<span class="pp-soft pp-small">{words(lang, "compare.try")}</span>'})
        examples = {task: chip(wording, f"compare.try.{task}", f"try-{task}") for task in recorded()}
        with gr.Row(elem_classes=["pp-chips", "pp-push"]):  # they stay together where the line is too short
            summary = make(
                gr.Button, {"value": lambda lang: decoding.chip(lang, DEFAULTS)},
                size="sm", elem_classes="chip", elem_id="decoding-chip",
            )  # fmt: skip
            add = chip(wording, "compare.add", "add-pane")
            copy = chip(wording, "compare.copy", "copy-link")
    copied = html("", elem_id="copied-notice")
    how, times = decoding.card(wording)
    card = picker.card(wording, pane_ids(opening))
    chosen = card.panes
    with card.column:
        mine = own.build(wording, visit, chosen)
    notice = make(html, {"value": notices.recorded}, elem_id="compare-notice")
    former = former_panes.build(wording)
    with gr.Column(elem_id="answered"):
        answers = make(html, {"value": lambda lang: panes.answers(opening, question, lang)}, elem_id="panes")
        tokens = make(html, {"value": lambda lang: first_tokens(opening, lang)}, elem_id="first-tokens")
    asked = Controls(Asked.of, {**visit.components, "prompt": prompt, "panes": chosen, "times": times, **how})
    repeated = many.build(wording, asked)
    tab = CompareTab(
        visit=visit, base=base,
        manner=Controls(Manner.of, {**visit.components, **how}),
        asked=asked,
        seen=Controls(Seen, {**visit.components, "answers": answers}),
        picked=Controls(Picked, {**visit.components, **card.inputs, "notice": notice, "looked": mine.looked}),
        prompt=prompt, panes=chosen, own=mine, card=card, former=former, decoding=how,
        summary=summary, examples=examples, go=go, stop=stop,
        link=gr.Textbox(visible=False), copied=copied, notice=notice, answers=answers, many=repeated, tokens=tokens,
    )  # fmt: skip
    reveal(summary, decoding.CARD)
    reveal(add, picker.CARD)
    _wire(tab, examples, copy)
    return tab


def _wire(tab: CompareTab, examples: Mapping[str, gr.Button], copy: gr.Button) -> None:
    visit, asked, picked = tab.visit, tab.asked, tab.picked
    gr.on([tab.go.click, tab.prompt.submit], asked.handler(tab.start), asked.inputs, tab.shown, **STREAM)
    asking = [tab.go.click, tab.prompt.submit, *(one.click for one in examples.values())]
    gr.on(asking, None, None, None, js=links.FORGET, **HIDDEN)
    controls = [tab.base.used, tab.prompt, tab.panes, *tab.decoding.values()]
    gr.on([one.change for one in (tab.answers, *controls)], None, [tab.answers, *controls], None, js=COMPARE, **HIDDEN)
    tab.stop.click(visit.handler(tab.halt), visit.inputs, [tab.go, tab.stop], **HIDDEN)
    example = [*controls, *tab.base.all, tab.notice, tab.answers, tab.tokens, *tab.former.all]
    for task, button in examples.items():
        button.click(asked.handler(partial(tab.example, task)), asked.inputs, list(dict.fromkeys(example)), **HIDDEN)
    former_panes.wire(tab.former, visit, tab.base, tab.panes)
    many.wire(tab.many, visit, tab.decoding)
    tab.own.renamed.then(tab.many.asked.handler(tab.many.attach), tab.many.asked.inputs, tab.many.shown, **STREAM)
    tab.own.renamed.then(tab.seen.handler(tab.retitle), tab.seen.inputs, [tab.answers, tab.tokens], **HIDDEN)
    gr.on(
        [control.change for control in tab.decoding.values()],
        tab.manner.handler(tab.summarize), tab.manner.inputs, tab.summary, trigger_mode="always_last", **HIDDEN,
    )  # fmt: skip
    received = [*tab.offered, *tab.former.all, tab.own.said, tab.notice, tab.card.zip]
    tab.card.zip.upload(picked.handler(tab.receive), picked.inputs, received, **STREAM)
    gr.on(tab.card.fetched, picked.handler(partial(tab.receive, fetched=True)), picked.inputs, received, **STREAM)
    copied = copy.click(asked.handler(tab.write_link), asked.inputs, tab.link, **STREAM).success(
        None, tab.link, None, js=links.COPY
    )
    copied.success(asked.handler(tab.say_copied), asked.inputs, tab.copied, **HIDDEN)
    done = [*asking, tab.card.zip.upload, *tab.card.fetched, *(one.change for one in controls)]
    gr.on(done, None, None, tab.copied, js="() => ''", **HIDDEN)
    for event in (tab.own.renamed, tab.own.deleted):
        event.then(None, None, tab.copied, js="() => ''")
