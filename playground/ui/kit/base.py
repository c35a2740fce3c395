"""
The one choice of base of the whole page: what was picked, and what answers until that is loaded.

A base that cannot be loaded changes nothing: the former one goes on, and a sentence says why. Knows nothing about what
the base is used for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import locales, settings
from playground.actions import catalogue
from playground.errors import PlaygroundError
from playground.model.names import base_name
from playground.ui.kit import another
from playground.ui.kit.another import ANOTHER, Another, Typed
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm, closable, note
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html

# A link that named the base before it was here, and so was put into the box, opens again as it was meant
AGAIN = "typed => { if (new URLSearchParams(location.search).get('base') === typed) location.reload(); }"
QUANTIZED = ("nf4_double", "int8_vectorwise")


@dataclass(frozen=True)
class Wanted(Visit):
    """The base that was picked; `base` is the one that answers."""

    wanted: str

    @property
    def waited(self) -> str:
        """The base that the page waits for, or has."""
        return self.base if self.wanted == ANOTHER else self.wanted


@dataclass(frozen=True)
class BaseChoice:
    """
    `picked` is what a visitor sees; `used` has no looks: everything that computes reads it, and follows its changes.
    `another` is the box for one that is not in the list.
    """

    picked: gr.Dropdown
    used: gr.Dropdown
    notice: gr.HTML
    stop: gr.Button
    another: Another

    @property
    def all(self) -> list[gr.Dropdown | gr.HTML]:
        return [self.picked, self.used, self.notice]

    @property
    def loads(self) -> list[Any]:
        """What changes while a base is chosen and loaded."""
        return [*self.all, self.stop, *self.another.shown, self.another.look]

    def choose(self, wanted: Wanted) -> Iterator[Changes]:
        """Load what was picked, then use it; if it cannot be had, go back to what is used."""
        if wanted.wanted == ANOTHER:
            box = self.another.open(wanted.language)
            yield {self.picked: wanted.base} | {one: gr.update(**told) for one, told in box.items()}
            return
        yield self._waits(wanted, wanted.wanted, not catalogue.is_loaded(wanted.wanted)) | self.another.close()
        try:
            with closing(catalogue.follow(wanted.wanted)) as going:
                for status in going:
                    yield {self.notice: self._progress(wanted, status)}
        except PlaygroundError as error:
            yield self._back(wanted.base, error, wanted.language)
        else:
            yield {self.used: wanted.wanted, self.notice: "", self.stop: gr.update(visible=False)}

    def bring(self, typed: Typed) -> Iterator[Changes]:
        """Load what was typed, add it to the visitor's list, and use it; if it cannot be had, nothing changes."""
        yield {self.stop: gr.update(visible=True), self.another.load: gr.update(visible=False)}
        last: Mapping[str, Any] = {}
        try:
            for last in self.another.bring(typed):
                yield {self.notice: self._progress(typed, last)}
        except PlaygroundError as error:
            yield {
                self.another.found: alarm(error.message(typed.language)),
                self.notice: "",
                self.stop: gr.update(visible=False),
            }
        else:
            told = {"choices": base_choices(typed.language, typed.key), "value": last["id"]}
            chosen = {one: gr.update(**told) for one in (self.picked, self.used)}  # gradio takes each of them apart
            yield {**chosen, self.notice: "", self.stop: gr.update(visible=False), **self.another.close()}

    def halt(self, visit: Visit) -> Changes:
        """Nothing is waited for any more; the list shows what was used, and stays."""
        shown = {self.stop: gr.update(visible=False), self.another.load: gr.update(visible=True)}
        return {self.picked: visit.base, self.notice: "", **shown}

    def arrive(self, visit: Visit) -> Iterator[Changes]:
        """A link has named a base, which is used already: load it, or go back to the default one."""
        yield unchanged(self.notice)
        if visit.base == settings.DEFAULT_BASE:
            return
        try:
            catalogue.load(visit.base)
        except PlaygroundError as error:
            yield self._back(settings.DEFAULT_BASE, error, visit.language)

    def opened(self, visit: Visit, unknown: str) -> dict[Any, dict[str, Any]]:
        """The visitor's own list, and the box with what a link asks for that is not in it, as properties by component."""
        choices = base_choices(visit.language, visit.key)
        lists: dict[Any, dict[str, Any]] = {self.picked: {"choices": choices}, self.used: {"choices": choices}}
        return lists | (self.another.open(visit.language, unknown) if offered(unknown) else {})

    def set(self, base_id: str) -> Changes:
        """Use a base from now on, whatever was picked."""
        return {self.picked: base_id, self.used: base_id, self.notice: ""}

    def _waits(self, wanted: Wanted, base_id: str, waits: bool) -> Changes:
        waits = waits and base_id != wanted.base
        names = {"base": base_name(base_id, wanted.language), "former": base_name(wanted.base, wanted.language)}
        told = note(wanted.language, "base.loading", **names) if waits else ""
        return {self.notice: told, self.stop: gr.update(visible=waits)}

    def _progress(self, visit: Visit, status: Mapping[str, Any]) -> str:
        """How far the one is that is waited for, and which one answers meanwhile."""
        names = {"base": status["name"], "former": base_name(visit.base, visit.language)}
        if status["fraction"] is None:
            return note(visit.language, "base.loading", **names)
        percent = locales.percent(visit.language, 100 * status["fraction"])
        return note(visit.language, "base.progress", percent=percent, **names)

    def _back(self, former: str, error: PlaygroundError, language: str) -> Changes:
        stays = locales.text(language, "base.stays", former=base_name(former, language))
        told = closable(f"{error.message(language)} {stays}", language)
        return self.set(former) | {self.notice: told, self.stop: gr.update(visible=False)}


def build(wording: Wording) -> BaseChoice:
    """A quiet row with the select, for above the tabs, and below it the box for another model."""
    with gr.Row(elem_id="base-row"):
        picked = wording.make(
            gr.Dropdown, {"label": "base.label", "info": "base.help", "choices": base_choices},
            value=settings.DEFAULT_BASE, filterable=False, elem_id="base", min_width=0,
        )  # fmt: skip
        used = wording.make(
            gr.Dropdown, {"choices": base_choices}, value=settings.DEFAULT_BASE, visible="hidden", elem_id="base-used"
        )
        notice = html("", elem_id="base-notice")
        stop = wording.make(
            gr.Button, {"value": "base.stop"}, visible=False, size="sm", elem_classes="chip", elem_id="base-stop"
        )
    return BaseChoice(picked, used, notice, stop, another.build(wording))


def wire(choice: BaseChoice, wanted: Controls[Wanted], timer: gr.Timer) -> None:
    """What happens when a base is picked, or typed; `timer` polls meanwhile."""
    visit = {name: one for name, one in wanted.components.items() if name != "wanted"}
    typed, box = Controls(Typed, {**visit, "text": choice.another.text}), choice.another

    def choose(one: Wanted) -> Iterator[Changes]:
        for changes in choice.choose(one):
            yield changes | {timer: gr.update(active=True)}

    def bring(one: Typed) -> Iterator[Changes]:
        for changes in choice.bring(one):
            yield changes | {timer: gr.update(active=True)}

    shown = [*choice.loads, timer]
    picked = choice.picked.input(wanted.handler(choose), wanted.inputs, shown, trigger_mode="always_last", **STREAM)
    looks = [box.found, box.load]
    gr.on([box.look.click, box.text.submit], typed.handler(box.examine), typed.inputs, looks, **STREAM)
    brought = box.load.click(typed.handler(bring), typed.inputs, shown, **STREAM)
    brought.success(None, box.text, None, js=AGAIN, **HIDDEN)
    stopping = Controls(Visit, visit)
    stops = [choice.picked, choice.notice, choice.stop, box.load]
    choice.stop.click(stopping.handler(choice.halt), stopping.inputs, stops, cancels=[picked, brought], **HIDDEN)


def offered(base_id: str) -> bool:
    """Whether a base that a link names and that is not here could be loaded here: another's folder could not."""
    return settings.ANY_BASE and "/" in base_id


def base_choices(language: str, key: str = "") -> list[tuple[str, str]]:
    """Every base that a visitor has, the default one also in 4 and 8 bits, and the entry for another one."""
    return [*bases_of(language, key), (locales.text(language, "base.another"), ANOTHER)]


def bases_of(language: str, key: str) -> list[tuple[str, str]]:
    """The bases among them."""
    listed = catalogue.list_bases(key)
    plain = [(one["name"] + (" · hub" if one["source"] == "hub" else ""), one["id"]) for one in listed]
    default = settings.DEFAULT_BASE.partition(":")[0]
    quantized = [f"{default}:{form}" for form in QUANTIZED]
    return [*plain, *((base_name(one, language), one) for one in quantized)]
