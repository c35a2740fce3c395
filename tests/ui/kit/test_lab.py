"""A lab's list, and the links to its sections: what a link says is what is seen, and what it cannot have is said."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
import pytest

from playground.locales import LANGUAGES, text
from playground.ui.kit import fields, kept, links
from playground.ui.kit.lab import _Drawn
from playground.ui.kit.links import SECTIONS
from playground.ui.lowrank import tab as lowrank
from playground.ui.quantize import tab as quantize
from tests.ui.labs import Built, built

LABS: dict[str, ModuleType] = {"lowrank": lowrank, "quantization": quantize}
EVERY = [(tab, name) for tab, names in SECTIONS.items() for name in names]


@cache
def lab_of(tab: str) -> Built:
    return built(tab, LABS[tab])[1]


def drawn(tab: str, name: str, draw: Any = None) -> _Drawn:
    """A section with its controls, `draw` in place of its own drawing."""
    lab = lab_of(tab)
    section = replace(lab.sections[name], draw=draw or (lambda value: {}), restore=None)
    return _Drawn(lab, section, (lab.places[name],))


def opened(one: _Drawn, query: dict[str, str], language: str = "en") -> Any:
    lab = one.lab
    given = {component: component.value for component in one.section.controls.inputs}
    given |= {one.seen: "", one.followed: "", one.pressed: False, lab.linked: query, lab.visitor: "", lab.language: language}
    return one.open(given | {lab.base: lab.base.value})


@pytest.mark.parametrize("tab", LABS)
def test_the_list_has_every_section_in_its_order_and_nothing_else(tab: str) -> None:
    page, _ = built(tab, LABS[tab])
    (tabs,) = [one for one in page.blocks.values() if isinstance(one, gr.Tabs)]
    children = [(type(one), getattr(one, "id", None)) for one in tabs.children]
    assert children == [(gr.Tab, name) for name in SECTIONS[tab]]  # gradio counts whatever stands between as a tab


@pytest.mark.parametrize(("tab", "name"), EVERY)
def test_a_link_brings_back_every_control_as_it_was(tab: str, name: str) -> None:
    one = drawn(tab, name)
    held = {key: other_value(control) for key, control in one.controls.items()}
    given = {component: component.value for component in one.section.controls.inputs}
    given |= {one.controls[key]: value for key, value in held.items()}
    visit = {one.lab.visitor: "", one.lab.language: "es", one.lab.base: one.lab.base.value}
    query = dict(parse_qsl(one.write(one.places[0], given | visit | {one.pressed: False}), keep_blank_values=True))
    assert links.refused(query) == {}
    assert (query["lang"], links.read(query)["tab"], links.section_of(query)) == ("es", tab, name)
    taken, left = fields.read(one.fields, fields.given(name, query))
    assert left == {}
    assert taken == {key: value for key, value in held.items() if value is not None}


def other_value(control: Any) -> Any:
    """What a visitor might have chosen instead of what stands there."""
    if isinstance(control, gr.Slider):
        return control.maximum
    if isinstance(control, gr.Checkbox):
        return not control.value
    if isinstance(control, gr.CheckboxGroup):
        return [value for _, value in control.choices][-1:]
    if isinstance(control, gr.Radio) or (isinstance(control, gr.Dropdown) and control.choices):
        return control.choices[-1][1]
    return "a & b = c, d\nñ" if isinstance(control, gr.Textbox) and not control.max_length else control.value


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("tab", "name"), EVERY)
def test_what_a_link_cannot_have_is_said_with_what_is_used_instead(tab: str, name: str, language: str) -> None:
    one = drawn(tab, name)
    for key, control in one.controls.items():
        for wrong in wrong_values(control, control in one.section.offered):
            changes = opened(one, {"tab": tab, "section": name, f"{name}.{key}": wrong}, language)
            said = changes[one.places[0].said]
            label = text(language, one.lab.wording.labels[control._id])
            assert text(language, "link.refused", wrong=label).partition(label)[0] in said, (key, wrong)
            assert control not in changes


def wrong_values(control: Any, offered: bool) -> list[str]:
    if isinstance(control, gr.Slider):
        return [str(control.minimum - 1), str(control.maximum + 1), "many", "nan", "inf"]
    if isinstance(control, gr.Checkbox):
        return ["perhaps"]
    if isinstance(control, gr.Radio | gr.CheckboxGroup | gr.Dropdown) and not offered:
        return ["nothing of the kind"]
    return []


def test_a_setting_that_there_is_not_is_said_and_a_list_without_the_choice_too() -> None:
    one = drawn("quantization", "aware")
    changes = opened(one, {"tab": "quantization", "section": "aware", "aware.stepps": "3"})
    assert "stepps (no such setting)" in changes[one.places[0].said]
    tensor = drawn("quantization", "tensor")
    module = tensor.controls["module"]
    tensor = drawn("quantization", "tensor", lambda value: {module: gr.update(choices=["b"], value="b")})
    changes = opened(tensor, {"tab": "quantization", "section": "tensor", "tensor.module": "a"})
    assert changes[module]["value"] == "b"
    assert "Module = a. Used instead: Module = b" in changes[tensor.places[0].said]


def test_a_section_is_drawn_once_and_a_link_to_another_one_is_nothing_to_it() -> None:
    one = drawn("quantization", "aware")
    steps = one.controls["steps"]
    query = {"tab": "quantization", "section": "sums", "aware.steps": "40"}
    assert steps not in opened(one, query)
    assert opened(one, {**query, "section": "aware"})[steps] == 40
    given = {component: component.value for component in one.section.controls.inputs}
    assert one.open(given | {one.seen: "drawn"}) == {one.seen: "drawn"}


def test_a_later_visit_draws_nothing_and_tells_what_it_was_made_for() -> None:
    lab, stamps = lab_of("quantization"), iter(["two adapters", "two adapters", "three adapters"])
    one = replace(drawn("quantization", "answers"), lab=lab)
    one = replace(one, section=replace(one.section, stamp=lambda value: next(stamps)))
    given = {component: component.value for component in one.section.controls.inputs}
    given |= {lab.visitor: "", lab.language: "en", lab.base: lab.base.value, one.pressed: False, lab.linked: {}}
    first = one.open(given | {one.seen: ""})
    assert first[one.seen] == "two adapters"
    for stamp in ("two adapters", "three adapters"):  # the state's change is what is followed
        assert one.open(given | {one.seen: first[one.seen]}) == {one.seen: stamp}


def test_a_sender_who_pressed_the_button_sends_the_press_along() -> None:
    lab, asked = lab_of("quantization"), []

    def run(value: Any, linked: Any) -> Any:
        assert linked["run"] == "1"
        asked.append(value.steps)
        yield {}

    section = replace(lab.sections["aware"], run=run)
    one = _Drawn(lab, section, (lab.places["aware"],))
    given = {component: component.value for component in section.controls.inputs}
    given |= {lab.visitor: "", lab.language: "en", lab.base: lab.base.value, one.pressed: True, lab.linked: {}}
    given |= {one.seen: "drawn", one.followed: ""}
    query = dict(parse_qsl(one.write(one.places[0], given), keep_blank_values=True))
    assert query["aware.run"] == "1"
    assert len(list(one.follow(given))) == 1  # without a yield, gradio would empty what is shown
    assert asked == []
    (_, pressed, *_) = one.follow(given | {lab.linked: query, one.pressed: False})
    assert asked == [given[one.controls["steps"]]]
    list(one.follow(given | {lab.linked: query, **pressed}))  # another visit presses nothing
    list(one.follow(given | {lab.linked: query, one.pressed: False, one.followed: "drawn"}))  # nor one that changes nothing
    assert len(asked) == 1
    assert one.places[0].said not in opened(one, query) or opened(one, query)[one.places[0].said] == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_until_it_is_drawn_a_linked_section_says_that_the_link_is_read(language: str) -> None:
    one = drawn("lowrank", "mixing")
    place, lab = one.places[0], one.lab
    bare = {"tab": "lowrank", "section": "mixing"}
    for query in ({**bare, "mixing.weight1": "0.5"}, bare):  # also one that gives nothing of it: Mix would find no adapters
        (said,) = lab.reading(query, language).values()
        assert text(language, "lab.reading") in said
        assert list(lab.reading(query, language)) == [place.said]
        assert opened(one, query, language)[place.said] == ""
    assert lab.reading({**query, "tab": "quantization"}, language) == {}


def test_a_slider_that_an_adapter_made_longer_is_kept_for_the_drawing_and_not_put_back_before_it_is_longer() -> None:
    """Gradio would refuse whatever the section asks next."""
    told: list[Any] = []

    def draw(value: Any) -> dict[Any, Any]:
        told.append(value.step)
        return {}

    one = drawn("lowrank", "updates", draw)
    key, step = "a checkpoint was looked at", one.controls["step"]
    kept.keep(key, "en", {step: 16})
    given = {component: component.value for component in one.section.controls.inputs}
    given |= {one.seen: "", one.lab.linked: {}, one.lab.visitor: key, one.lab.language: "en"}
    changes = one.open(given | {one.lab.base: one.lab.base.value})
    assert told == [16]
    assert step not in changes
    assert step.maximum < 16
