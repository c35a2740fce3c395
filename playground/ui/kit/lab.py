"""
A lab: a list of sections, one of them open, each with an address and drawn when it is first opened.

Gradio makes what is in a tab when that is first opened, and tells then that it was selected: so a list of tabs inside a
lab's own draws the section that is open, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from playground import locales
from playground.bounds import shown
from playground.ui.kit import fields, kept, links, locks
from playground.ui.kit.controls import Changes, Controls, after
from playground.ui.kit.events import HIDDEN, STREAM, alarm, note
from playground.ui.kit.html import words
from playground.ui.kit.sections import Section
from playground.ui.kit.untaken import untaken
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html

RUN = "run"  # of a link's parameters: its sender had pressed the section's button
# On a phone the list is a select, which presses the tabs
PICK = """
const list = () => document.getElementById(element.querySelector("select").dataset.list);
element.addEventListener("change", ({ target }) => {
  list().querySelector(`:scope > .tab-wrapper [role=tab][data-tab-id="${target.value}"]`).click();
});
new MutationObserver(() => {
  const open = list()?.querySelector(":scope > .tab-wrapper [role=tab][aria-selected=true]");
  if (open) element.querySelector("select").value = open.dataset.tabId;
}).observe(element.closest(".column"), { subtree: true, childList: true, attributeFilter: ["aria-selected"] });
"""
# What was filled in stays in the session, so a link's values, which would come back at a reload, leave the address
FORGET = f"""(...given) => {{
  const address = new URL(location.href);
  for (const name of [...address.searchParams.keys()]) {{
    if (name.includes("{links.WITHIN}")) address.searchParams.delete(name);
  }}
  history.replaceState(history.state, "", address);
  return given;
}}"""


@dataclass(frozen=True)
class Place:
    """A section in its lab's list: its tab, the components of its link, and what is known of it."""

    name: str
    tab: gr.Tab
    said: gr.HTML  # what of a link is not taken, and that one is copied
    copy: gr.Button
    link: gr.Textbox
    seen: gr.State  # what it was drawn for (Section.stamp); "" before that
    followed: gr.State  # the same, once what runs for it was asked
    pressed: gr.State  # its button was


@dataclass(frozen=True)
class Lab:
    """
    `tab` in the page's row, `linked` the parameters of the address with which the page was opened. What `opened` fills: what
    stands above each section (Place.said). What `draw` fills: `controls` by their names in links, the `names` of those that
    stand in a section (locks.Names), and `opening`, the events that bring the values of a link.
    """

    tab: str
    wording: Wording
    visit: Controls[Visit]
    linked: gr.State
    said: dict[str, gr.HTML] = field(default_factory=dict)
    controls: dict[str, list[Any]] = field(default_factory=dict)
    names: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict)
    opening: list[Any] = field(default_factory=list)

    @property
    def visitor(self) -> Any:
        return self.visit.components["key"]

    @property
    def language(self) -> Any:
        return self.visit.components["language"]

    @property
    def base(self) -> Any:
        """The one in use."""
        return self.visit.components["base"]

    @contextmanager
    def listed(self) -> Iterator[gr.Tabs]:
        """The list; `opened` makes its sections inside, in the order of links.SECTIONS."""
        self.wording.make(html, {"value": self._select}, js_on_load=PICK)
        with gr.Tabs(
            elem_id=f"{self.tab}-sections", elem_classes="pp-sections", overflow_behavior="wrap",
            selected=links.SECTIONS[self.tab][0],
        ) as tabs:  # fmt: skip
            yield tabs

    def _select(self, language: str) -> str:
        names = links.SECTIONS[self.tab]
        options = "".join(f'<option value="{one}">{words(language, f"section.{one}")}</option>' for one in names)
        label = words(language, "lab.sections")
        return (
            f'<label class="pp-pick"><span>{label}</span><select data-list="{self.tab}-sections">{options}</select></label>'
        )

    @contextmanager
    def opened(self, name: str) -> Iterator[Place]:
        """A section's place in the list; whatever is made goes inside: gradio counts what stands between tabs as a tab."""
        make = self.wording.make
        with make(gr.Tab, {"label": f"section.{name}"}, id=name, elem_id=f"section-{name}") as tab:
            said = self.said[name] = html("", elem_id=f"said-{name}", elem_classes="pp-place-said")
            copy = make(gr.Button, {"value": "compare.copy"}, size="sm", elem_classes="chip pp-copy", elem_id=f"copy-{name}")
            yield Place(name, tab, said, copy, gr.Textbox(visible=False), gr.State(""), gr.State(""), gr.State(False))

    def reading(self, query: Mapping[str, str], language: str) -> Changes:
        """
        Until the section that the page's link opens is drawn, it is not seen (theme.css): what stands there is what somebody
        else would find, and a button would take empty lists for what was chosen.
        """
        opened = links.section_of(query)
        if opened not in self.said:
            return {}
        return {self.said[opened]: f'<div class="pp-reading">{note(language, "lab.reading")}</div>'}

    def draw(self, section: Section, *places: Place) -> Any:
        """
        Draw a section when one of its places is first opened: with the values of a link to it, or else with what was filled
        in before the page was opened again. Later visits keep what the visitor made of it, and draw nothing again unless the
        section's stamp is another one. Gives the state that changes then, for what comes after it.
        """
        drawn = _Drawn(self, section, places)
        seen, keep = drawn.seen, {self.visitor, self.language, *drawn.filled}
        shown = list(dict.fromkeys([seen, *drawn.filled, *section.shown, *(place.said for place in places)]))
        asked = {*section.controls.inputs, *self.visit.inputs, seen, drawn.followed, drawn.pressed, self.linked}
        opened = gr.on([place.tab.select for place in places], drawn.open, asked, shown, **HIDDEN)
        self.opening.append(opened)
        for place in places:
            self.controls.update({f"{place.name}{links.WITHIN}{name}": [one] for name, one in drawn.controls.items()})
            self.names[self.tab, place.name] = list(drawn.named(place))
        if section.attach or section.run:
            opened.then(drawn.follow, asked, [drawn.followed, drawn.pressed, *section.shown], **STREAM)
        by_hand = [getattr(one, event) for one in drawn.filled for event in kept.BY_HAND if hasattr(one, event)]
        if by_hand:
            late: dict[str, Any] = {"trigger_mode": "always_last", **HIDDEN}
            gr.on(by_hand, drawn.keep, keep, None, js=FORGET, **late)
        for event in section.moved:
            event.then(drawn.keep, keep, None, **HIDDEN)
        if section.pressed:
            gr.on(section.pressed, lambda: True, None, drawn.pressed, **HIDDEN)
        for place in places:
            written = place.copy.click(partial(drawn.write, place), asked, place.link, **HIDDEN)
            copied = written.success(None, place.link, None, js=links.COPY)
            copied.success(_copied, self.language, place.said, **HIDDEN)
        return drawn.followed


@dataclass(frozen=True)
class _Drawn:
    """A section in its places, and what happens to it; the first of them knows of all whether it was drawn and pressed."""

    lab: Lab
    section: Section
    places: tuple[Place, ...]

    @property
    def seen(self) -> gr.State:
        return self.places[0].seen

    @property
    def followed(self) -> gr.State:
        return self.places[0].followed

    @property
    def pressed(self) -> gr.State:
        return self.places[0].pressed

    @cached_property
    def filled(self) -> list[Any]:
        """The controls that a visitor fills in."""
        return kept.keepable(self.section.controls.inputs - self.lab.visit.inputs, self.section.offered)

    @cached_property
    def controls(self) -> dict[str, Any]:
        """The same by their names, but for files, which no link carries."""
        named = self.section.controls.components.items()
        return {name: one for name, one in named if one in self.filled and not isinstance(one, gr.File)}

    def named(self, place: Place) -> Iterator[tuple[str, str]]:
        """The names and labels of the controls that stand in a place, or above the list: not in another place."""
        others = {one.tab for one in self.places} - {place.tab}
        for name, one in self.controls.items():
            if not others & set(_around(one)):
                yield f"{place.name}{links.WITHIN}{name}", self.lab.wording.labels[one._id]

    @cached_property
    def fields(self) -> dict[str, links.Field]:
        return fields.table(self.controls, self.section.offered)

    def open(self, given: Mapping[Any, Any]) -> Changes:
        """The first drawing."""
        stamp = self.section.stamp(self.section.controls.value(given))
        if given[self.seen]:
            return {self.seen: stamp}
        linked = self._linked(given)
        if linked is None:
            back = kept.find(given[self.lab.visitor], given[self.lab.language], self.filled, self.section.retold)
            return {self.seen: stamp, **self._drawn(given, back), **dict.fromkeys((one.said for one in self.places), "")}
        taken, left = fields.read(self.fields, {name: value for name, value in linked.items() if name != RUN})
        changes = self._drawn(given, {self.controls[name]: value for name, value in taken.items()}, linked | taken)
        used = {name: after(changes.get(one), given[one]) for name, one in self.controls.items()}
        left |= {name: linked[name] for name, value in taken.items() if used[name] != value}  # not among what was offered
        said = self._untaken(left, used, given[self.lab.language]) if left else ""
        return {self.seen: stamp, **changes, **{place.said: said for place in self.places}}

    def _drawn(self, given: Mapping[Any, Any], back: Changes, linked: Mapping[str, Any] | None = None) -> Changes:
        """Gradio takes no value of a list before it has its choices, nor of a slider that another adapter made longer."""
        value, restore = self.section.controls.value({**given, **back}), self.section.restore
        drawn = self.section.draw(value) if linked is None or restore is None else restore(value, linked)
        taken = {one: held for one, held in back.items() if one not in self.section.offered and kept.holds(one, held)}
        return taken | drawn

    def follow(self, given: Mapping[Any, Any]) -> Iterator[Changes]:
        """What a link's sender had pressed is pressed, once; or what runs already is followed."""
        linked, section = self._linked(given) or {}, self.section
        value = section.controls.value(given)
        yield {self.followed: given[self.seen]}  # a generator that yields nothing would empty its outputs
        if given[self.followed] == given[self.seen]:
            return
        if RUN in linked and section.run and not given[self.pressed]:
            yield {self.pressed: True}
            yield from section.run(value, linked)
        elif section.attach:
            yield from section.attach(value)

    def keep(self, given: Mapping[Any, Any]) -> None:
        kept.keep(given[self.lab.visitor], given[self.lab.language], {one: given[one] for one in self.filled})

    def write(self, place: Place, given: Mapping[Any, Any]) -> str:
        """The query of a link to what is shown."""
        lab, visit = self.lab, self.lab.visit.value(given)
        held = {name: given[one] for name, one in self.controls.items()}
        own = fields.write(place.name, self.fields, held)
        pressed = {RUN: "1"} if given[self.pressed] else {}
        more = {**pressed, **self.section.more(self.section.controls.value(given))}
        extra = {f"{place.name}{links.WITHIN}{name}": value for name, value in more.items()}
        named = {"tab": lab.tab, "section": place.name, "base": visit.base}
        return "&".join([f"lang={visit.language}", links.write(named), *filter(None, [urlencode(own | extra)])])

    def _linked(self, given: Mapping[Any, Any]) -> dict[str, str] | None:
        """What the page's link gives of this section; None for a link that gives nothing of it."""
        query = given[self.lab.linked]
        opened = links.section_of(query)
        return fields.given(opened, query) or None if opened in [place.name for place in self.places] else None

    def _untaken(self, left: Mapping[str, str], used: Mapping[str, Any], language: str) -> str:
        """What of a link is not taken, and what is used instead."""
        labels = {name: self._label(one, language) for name, one in self.controls.items()}
        instead = {name: self._written(name, used, language) for name in left if name in labels}
        return alarm(untaken(left, labels, instead, language))

    def _written(self, name: str, used: Mapping[str, Any], language: str) -> str:
        value = used[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return locales.written(language, value) if number else shown(self.fields[name].write(value))

    def _label(self, control: Any, language: str) -> str:
        return locales.text(language, self.lab.wording.labels[control._id])


def _around(component: Any) -> Iterator[Any]:
    """What a component stands in, from the inside."""
    while component := component.parent:
        yield component


def lock_names(labs: Mapping[str, Lab]) -> locks.Names:
    """What links can lock, by tab and section, in their order on the page."""
    return {**locks.NAMES, **{place: names for lab in labs.values() for place, names in lab.names.items()}}


def _copied(language: str) -> str:
    return note(language, "lab.copied")
