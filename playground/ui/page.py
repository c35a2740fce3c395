"""
The page: header, tabs, API, and what happens when it is opened.

Opening a page decides its language, finds the visitor's session again by a key that the browser keeps, puts the
address's settings in place, and follows whatever still runs.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground import locales, settings
from playground.actions import catalogue
from playground.actions.compare import beside
from playground.actions.runs import session_record
from playground.compare.many import TIMES
from playground.errors import PlaygroundError
from playground.learn.progress import kept_of
from playground.ui.api.endpoints import build_api
from playground.ui.api.every import EVERY
from playground.ui.api.served import ServedBlocks
from playground.ui.compare import scores
from playground.ui.compare import tab as compare
from playground.ui.compare.asked import Asked
from playground.ui.compare.opening import opening
from playground.ui.compare.picker import pane_update
from playground.ui.compare.scores import Scores
from playground.ui.compare.tab import CompareTab
from playground.ui.kit import links, locks, saving
from playground.ui.kit.base import BaseChoice, Wanted
from playground.ui.kit.base import build as build_base
from playground.ui.kit.base import wire as wire_base
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, STREAM, alarm, closable
from playground.ui.kit.glossary import fold
from playground.ui.kit.html import header_html
from playground.ui.kit.lab import Lab, lock_names
from playground.ui.kit.numbers import Numbers
from playground.ui.kit.switch import GO, SWITCH
from playground.ui.kit.visit import Visit, key_of
from playground.ui.kit.wording import Wording, html
from playground.ui.learn import tab as learn
from playground.ui.learn.tab import LearnTab
from playground.ui.lowrank import tab as lowrank
from playground.ui.quantize import tab as quantize
from playground.ui.train import linked
from playground.ui.train import tab as train
from playground.ui.train.tab import Result, TrainTab

TITLE = "PEFT Playground"
LABS = {"lowrank": lowrank, "quantization": quantize}
POLL_SECONDS = 1.0
CACHE_SECONDS = (3600, 4 * 3600)  # how often gradio looks for old files, and how old they may get
PASS = 'said => said.includes("pp-close") ? "" : said'  # an alarm has been read once something else is done


@dataclass(frozen=True)
class Shell:
    """What is around the tabs, the tabs that act on each other, and what happens between them."""

    wording: Wording
    visit: Controls[Visit]
    base: BaseChoice
    wanted: Controls[Wanted]
    header: gr.HTML
    tabs: gr.Tabs
    timer: gr.Timer
    compared: CompareTab
    scored: Scores
    trained: TrainTab
    learned: LearnTab
    labs: Mapping[str, Lab]
    lists: Mapping[str, gr.Tabs]  # of their sections
    linked: gr.State  # the parameters of the address
    held: gr.State  # how controls are locked and hidden

    @property
    def lockable(self) -> locks.Lockable:
        """What a link can lock or hide, by its names there, with what follows it."""
        compared = self.compared
        return {
            "base": [self.base.picked, self.base.used],
            "prompt": [compared.prompt],
            "panes": [compared.panes, *compared.former.all],
            **{name: [control] for name, control in compared.decoding.items()},
            TIMES.name: [compared.many.times],
            **self.trained.picked.lockable,
            **{name: controls for lab in self.labs.values() for name, controls in lab.controls.items()},
        }

    def opened(self, kept: str, request: gr.Request) -> Changes:
        """Everything that depends on who opens the page, and with which address."""
        language = locales.choose(request.query_params.get("lang"), request.headers.get("accept-language"))
        query = request.query_params
        link, form = links.read(query), linked.read(query)
        wish = locks.Wish.of(link)
        key = kept or uuid.uuid4().hex  # whoever has it has the session
        opens = opening(key, link, links.refused(query, linked.fields(query)) | wish.unknown(self.lockable))
        visit = Visit(key, language, opens.question.base)
        linked.fill(visit, form, wish.names)
        shown = self.wording.said(language)
        for component, properties in self.base.opened(visit, opens.unknown_base).items():
            shown.setdefault(component, {}).update(properties)
        given = self.compared.opened(visit, opens) | self.trained.picked.opened(visit, form, wish.names)
        for component, properties in given.items():
            shown.setdefault(component, {}).update(properties)
        wish.put(self.lockable, shown, language)
        shown[self.header]["value"] = header_html(catalogue.base_status(opens.question.base), language)
        changes: Changes = {component: gr.update(**properties) for component, properties in shown.items()}
        changes[self.timer] = gr.Timer(POLL_SECONDS, active=True)  # not before: it would ask in an undecided language
        if link["tab"] != links.TABS[0]:  # where Compare's notice is not seen
            changes[self.tabs] = gr.Tabs(selected=link["tab"])
            changes[self.base.notice] = "".join(closable(one, language) for one in opens.untaken(language))
        if section := links.section_of(query):
            changes[self.lists[link["tab"]]] = gr.Tabs(selected=section)
            changes |= {self.linked: dict(query), **self.labs[link["tab"]].reading(query, language)}
        changes |= {
            self.held: wish.fixed(self.lockable),
            self.learned.named: link["lesson"],
            self.learned.reader: link["for"],
        }
        return {self.visit.components["key"]: key, self.visit.components["language"]: language, **changes}

    def poll(self, wanted: Wanted) -> Changes:
        """How the picked base is doing, as long as it is not ready; if it cannot be had, how the one is that is used."""
        status = catalogue.base_status(wanted.waited)
        if status["state"] == "failed":
            status = catalogue.base_status(wanted.base)
        waits = status["state"] != "ready"
        return {self.header: header_html(status, wanted.language), self.timer: gr.Timer(POLL_SECONDS, active=waits)}

    def switch(self, given: Mapping[Any, Any], event: gr.EventData) -> Changes:
        """The link to what is asked now, in the language that was clicked, keeping the answers; GO follows it."""
        asked, seen = self.compared.asked.value(given), self.compared.seen.value(given)
        return self.compared.write_link(replace(asked, language=locales.choose(event.language)), seen.source)

    def offer_trained(self, given: Mapping[Any, Any]) -> Changes:
        """There is another adapter in Train: Compare offers it, and looks at it unless it does already."""
        return self.compared.offer(self.compared.picked.value(given), self.trained.result.value(given).whole)

    def compare_it(self, result: Result, asked: Asked, notice: gr.HTML) -> Iterator[Changes]:
        """
        The new adapter beside the base and the ready-made ones of its task, on its first held-out question; `notice` says
        why not.
        """
        try:
            base, prompt, panes = beside(result.key, result.base, result.adapter)
        except PlaygroundError as error:  # it was deleted, or the session has gone
            yield {notice: alarm(error.message(result.language))}
            return
        former, asked = asked, replace(asked, base=base, prompt=prompt or asked.prompt, panes=panes)
        yield {
            self.tabs: gr.Tabs(selected="compare"),
            **(self.base.set(base) if base != result.base else {}),
            self.compared.prompt: asked.prompt,
            self.compared.panes: pane_update(asked, panes),
            **self.compared.former.give_way(former, former.panes, panes),
        }
        yield from self.compared.start(asked)


def build_page() -> gr.Blocks:
    """The whole page, not yet served."""
    wording = Wording()
    page = ServedBlocks(title=TITLE, analytics_enabled=False, delete_cache=CACHE_SECONDS)
    with page:
        shell = build_shell(wording)
        kept = shell.visit.components  # by the browser, which may send anything
        page.sound = {kept["key"]._id: key_of, kept["language"]._id: locales.choose, shell.learned.kept._id: kept_of}
        said = (shell.compared.notice, shell.compared.many.notice, shell.trained.refused, shell.trained.race.refused)
        page.locks, page.said = shell.held._id, wording.said
        page.numbers = Numbers(wording.labels, kept["language"]._id, [one._id for one in said])
        _wire(shell)
        _wire_opening(page, shell)
        build_api(EVERY)
    return page


def build_shell(wording: Wording) -> Shell:
    """The header and the tabs."""
    # In the browser, not in gr.State: the server may forget a page's state while the page is open
    visitor = gr.BrowserState("", storage_key="peft-playground-visitor")
    language = gr.BrowserState(locales.DEFAULT, storage_key="peft-playground-language")
    status = catalogue.base_status(settings.DEFAULT_BASE)
    top = wording.make(
        html, {"value": lambda lang: header_html(status, lang, opening=True)}, elem_id="header", js_on_load=SWITCH
    )
    choice = build_base(wording)
    base = choice.used
    visit = Controls(Visit, {"key": visitor, "language": language, "base": base})
    wanted = Controls(Wanted, {**visit.components, "wanted": choice.picked})
    address = gr.State({})
    labs, lists = {name: Lab(name, wording, visit, address) for name in LABS}, {}
    with gr.Tabs(elem_id="tabs", overflow_behavior="wrap", selected=links.TABS[0]) as tabs:
        with wording.make(gr.Tab, {"label": "tabs.learn"}, id="learn", render_children=True):
            learned = learn.build(wording, visit, lambda: lock_names(labs))
        with wording.make(gr.Tab, {"label": "tabs.compare"}, id="compare"):
            compared = compare.build(wording, visit, choice)
            scored = scores.build(wording, visit, compared.panes, compared.prompt)
        with wording.make(gr.Tab, {"label": "tabs.train"}, id="train", render_children=True):
            trained = train.build(wording, visit)
        for name, room in LABS.items():
            with wording.make(gr.Tab, {"label": f"tabs.{name}"}, id=name):
                lists[name] = room.build(labs[name])
    wording.make(html, {"value": fold}, elem_id="glossary")  # not in its tab: a tab is not there before it is opened
    saving.build(wording, visit, lambda key: json.dumps(session_record(key), ensure_ascii=False, indent=1))
    timer = gr.Timer(POLL_SECONDS, active=False)
    return Shell(
        wording, visit, choice, wanted, top, tabs, timer, compared, scored, trained, learned, labs, lists, address,
        gr.State({}),
    )  # fmt: skip


def _wire(shell: Shell) -> None:
    """What belongs to no tab, and what one tab does to the other: a new adapter becomes a pane."""
    wanted, base, compared, trained = shell.wanted, shell.base, shell.compared, shell.trained
    picked, offered = compared.picked, compared.picked.handler(compared.offer)
    shell.timer.tick(wanted.handler(shell.poll), wanted.inputs, [shell.header, shell.timer], **HIDDEN)
    wire_base(base, wanted, shell.timer)
    switched = shell.header.select(shell.switch, compared.asked.inputs | compared.seen.inputs, compared.link, **STREAM)
    switched.success(None, compared.link, None, js=GO)
    done = [compared.go.click, compared.prompt.submit, trained.go.click, *(one.click for one in compared.examples.values())]
    gr.on(done, None, base.notice, base.notice, js=PASS, **HIDDEN)
    base.used.change(lambda: gr.Timer(POLL_SECONDS, active=True), None, shell.timer, **HIDDEN)
    base.used.change(offered, picked.inputs, compared.offered, **HIDDEN)
    trained.adapter.change(shell.offer_trained, picked.inputs | trained.result.inputs, compared.offered, **HIDDEN)

    for event in (compared.own.renamed, compared.own.deleted):
        shown = event.then(trained.visit.handler(trained.attach), trained.visit.inputs, trained.shown, **STREAM)
        shown.then(trained.result.handler(trained.pack), trained.result.inputs, trained.packed, **HIDDEN)
        event.then(trained.visit.handler(trained.race.again), trained.visit.inputs, trained.race.shown, **STREAM)
        event.then(trained.visit.handler(trained.runs.show), trained.visit.inputs, trained.runs.shown, **HIDDEN)
    gpu = trained.home.gpu
    gpu.brought.change(
        lambda given: compared.offer(picked.value(given), given[gpu.brought]),
        {*picked.inputs, gpu.brought},
        compared.offered,
        **HIDDEN,
    )
    trained.race.begun.then(offered, picked.inputs, compared.offered, **HIDDEN)
    _wire_comparing(shell)


def _wire_comparing(shell: Shell) -> None:
    """A new adapter, of a training, a race or a job on a rented GPU, goes to Compare."""
    base, compared, trained, gpu = shell.base, shell.compared, shell.trained, shell.trained.home.gpu
    inputs, notice = trained.result.inputs | compared.asked.inputs | {gpu.brought}, trained.race.refused

    def compare_it(given: Mapping[Any, Any]) -> Iterator[Changes]:
        yield from shell.compare_it(trained.result.value(given), compared.asked.value(given), trained.status)

    def compare_racer(given: Mapping[Any, Any], event: gr.EventData) -> Iterator[Changes]:
        result = replace(trained.result.value(given), adapter=str(event.adapter))
        yield from shell.compare_it(result, compared.asked.value(given), notice)

    def compare_brought(given: Mapping[Any, Any]) -> Iterator[Changes]:
        result = replace(trained.result.value(given), adapter=given[gpu.brought])
        yield from shell.compare_it(result, compared.asked.value(given), gpu.said)

    outputs = [shell.tabs, *base.all, compared.prompt, compared.panes, *compared.former.all, *compared.shown]
    for event, act, told in (
        (trained.compare.click, compare_it, trained.status),
        (trained.race.result.select, compare_racer, notice),
        (gpu.compare.click, compare_brought, gpu.said),
    ):
        event(None, None, None, js=links.FORGET, **HIDDEN)
        event(act, inputs, [*outputs, told], **STREAM)


def _wire_opening(page: ServedBlocks, shell: Shell) -> None:
    visit, base, compared, trained, learned = shell.visit, shell.base, shell.compared, shell.trained, shell.learned
    visitor, language = visit.components["key"], visit.components["language"]
    around = [visitor, language, shell.tabs, *base.loads, shell.timer, learned.named, learned.reader]
    around += [shell.linked, *shell.lists.values(), *(said for lab in shell.labs.values() for said in lab.said.values())]
    opened = dict.fromkeys([*around, *shell.wording.components, *compared.own.offered])
    opened |= dict.fromkeys([shell.held, *(one for held in shell.lockable.values() for one in held)])
    load = page.load(shell.opened, visitor, list(opened), **HIDDEN)
    here = load.then(None, None, learned.here, js=f"() => {links.HERE}", **HIDDEN)
    here.then(learned.learner.handler(learned.open), learned.learner.inputs, learned.shown, **HIDDEN)
    load.then(compared.seen.handler(compared.attach), compared.seen.inputs, compared.shown, **STREAM)
    many = compared.many
    load.then(many.asked.handler(many.attach), many.asked.inputs, many.shown, **STREAM)
    load.then(visit.handler(shell.scored.attach), visit.inputs, shell.scored.shown, **STREAM)
    load.then(visit.handler(trained.runs.show), visit.inputs, trained.runs.shown, **HIDDEN)
    for attach, shown in ((trained.attach, trained.shown), (trained.race.attach, trained.race.shown)):
        followed = load.then(visit.handler(attach), visit.inputs, shown, **STREAM)
        followed.then(visit.handler(trained.runs.show), visit.inputs, trained.runs.shown, **HIDDEN)
    picked = trained.picked
    restored = load.then(visit.handler(picked.restore), visit.inputs, picked.restored, **HIDDEN)
    own = picked.own
    restored.then(own.seen.handler(own.read_again), own.seen.inputs, own.shown, **HIDDEN)
    arrived = load.then(visit.handler(base.arrive), visit.inputs, base.all, **STREAM)
    page.opening = {one["id"] for one in (restored, arrived, *(one for lab in shell.labs.values() for one in lab.opening))}
