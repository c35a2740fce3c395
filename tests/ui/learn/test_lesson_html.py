"""One lesson as HTML: nothing is given away before the guess, everything is there after it, in both languages."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
import pytest

from playground.learn.families import trained
from playground.learn.lessons import lesson
from playground.learn.progress import Progress
from playground.learn.results import COLUMNS, rows
from playground.learn.route import LESSONS, figures
from playground.locales import LANGUAGES, text
from playground.plots.learn.block import block
from playground.ui.compare.opening import opening
from playground.ui.kit import fields, kept, links, locks
from playground.ui.kit.controls import Controls
from playground.ui.kit.lab import Lab, Place
from playground.ui.kit.sections import Section
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.ui.learn import lesson_html, tab
from playground.ui.page import build_shell
from playground.ui.train import linked
from tests.ui.drawn import Page, assert_laws, both_languages

every_lesson = pytest.mark.parametrize("lesson_id", LESSONS)


def at(lesson_id: str, guess: float | None = None) -> Progress:
    return Progress().at(lesson_id).guess(guess)


def a_guess(lesson_id: str) -> float:
    """One that is wrong."""
    prediction = lesson(lesson_id, "en").prediction
    if prediction.kind == "number":
        return prediction.minimum
    return (prediction.nearest(figures(lesson_id).answer) + 1) % len(prediction.choices)


def test_every_lesson_is_sound_and_speaks_its_language() -> None:
    def everything(language: str) -> list[str]:
        return [lesson_html.drawn(at(one, guess), language) for one in LESSONS for guess in (None, a_guess(one))]

    assert_laws(everything)


@both_languages
@every_lesson
def test_nothing_is_shown_before_the_guess(lesson_id: str, language: str) -> None:
    one, found = lesson(lesson_id, language), figures(lesson_id)
    page = Page(lesson_html.card(at(lesson_id), language))
    assert one.filled(one.meaning, found) not in page.text
    assert "pp-shown" not in page.texts
    assert not {"pp-lesson-bars", "pp-blocks", "pp-right", "pp-source"} & set(page.texts)
    if one.prediction.kind == "choices":
        assert page.attributes("data-guess") == [str(place) for place in range(len(one.prediction.choices))]
    else:
        (field,) = [attributes for tag, attributes in page.elements if tag == "input"]
        assert (field["type"], field["min"], field["max"]) == ("number", "1", "32")


@both_languages
@every_lesson
def test_after_the_guess_it_stands_beside_what_is_right(lesson_id: str, language: str) -> None:
    one, found = lesson(lesson_id, language), figures(lesson_id)
    page = Page(lesson_html.card(at(lesson_id, a_guess(lesson_id)), language))
    assert one.filled(one.meaning, found) in page.texts["pp-meaning"]
    assert page.attributes("data-guess") == []
    assert text(language, "learn.yours") in page.texts["pp-is-yours"]
    assert text(language, f"learn.origin.{found.origin}") in page.texts["pp-is-right"]
    for bar in found.bars:
        assert one.bars[bar.label] in page.texts["pp-lesson-bars"]
        assert bar.figure.written(language) in page.texts["pp-lesson-bars"]
    assert one.source in page.texts["pp-source"]
    (way,) = [attributes["href"] for _, attributes in page.elements if attributes.get("class") == "pp-way"]
    query = dict(parse_qsl(way.removeprefix("?")))
    assert (query["lang"], query["tab"], query.get("section")) == (language, one.link["tab"], one.link.get("section"))


def test_a_right_guess_is_both() -> None:
    page = Page(lesson_html.card(at("fifty", 1), "en"))
    assert page.texts["pp-is-right"] == page.texts["pp-is-yours"] == "14\N{NO-BREAK SPACE}% computed your guess"


def test_no_bar_is_longer_than_its_place_and_the_largest_fills_it() -> None:
    for one in LESSONS:
        widths = [float(style.split("width:")[1].rstrip("%")) for style in styles(one) if "width:" in style]
        assert max(widths) == 100
        assert min(widths) >= 0


def styles(lesson_id: str) -> Any:
    return Page(lesson_html.bars(lesson(lesson_id, "en"), figures(lesson_id), "en")).attributes("style")


def test_the_route_names_every_lesson_says_what_is_done_and_where_one_is() -> None:
    page = Page(lesson_html.route(at("fifty", 1).at("nf4"), "en"))
    assert page.attributes("data-lesson") == list(LESSONS)
    assert page.text.count(", done") == page.text.count("2,500 against 200, done") == 1
    assert [one["data-lesson"] for tag, one in page.elements if one.get("aria-current")] == ["nf4"]
    assert page.attributes("href")[4] == "?lang=en&tab=learn&lesson=fifty"
    chosen = [one["value"] for tag, one in Page(lesson_html.picker(at("nf4"), "es")).elements if "selected" in one]
    assert chosen == ["nf4"]


def test_the_first_and_the_last_lesson_have_one_neighbour() -> None:
    found = [Page(lesson_html.neighbours(at(one), "en")).attributes("data-lesson") for one in (LESSONS[0], *LESSONS[-2:])]
    assert found == [[LESSONS[1]], [LESSONS[-3], LESSONS[-1]], [LESSONS[-2]]]


def test_the_families_are_drawn_once_for_each_method() -> None:
    one = lesson("families", "en")
    assert Page(lesson_html.meaning(one, figures(one.id))).count("svg") == len(trained())
    lit = {one.method: Page(block(one)).attributes("class").count("pp-lit") for one in trained()}
    assert lit == {
        "prompt_tuning": 3, "ia3": 3, "bitfit": 7, "lora": 4, "qlora": 4, "full_fine_tuning": 14,  # with their words
    }  # fmt: skip


# The tab


@pytest.fixture(scope="module")
def learn() -> tab.LearnTab:
    with gr.Blocks():
        language = gr.BrowserState("en")
        return tab.build(
            Wording(),
            Controls(Visit, {"key": gr.State(""), "language": language, "base": gr.State("")}),
            lambda: locks.NAMES,
        )


def given(learn: tab.LearnTab, kept: Any, named: str = "", language: str = "en", reader: str = "", here: str = "") -> dict:
    parts = learn.learner.components
    values = {"language": language, "kept": kept, "named": named, "reader": reader, "here": here}
    return {parts[name]: value for name, value in values.items()}


def asked(lesson: Any = None, guess: Any = None, again: Any = False, reader: Any = None, here: Any = None) -> Any:
    return SimpleNamespace(lesson=lesson, guess=guess, again=again, reader=reader, here=here)


def test_a_link_opens_its_lesson_and_none_the_latest(learn: tab.LearnTab) -> None:
    kept = at("fifty", 2).kept
    for named, opened in (("nf4", "nf4"), ("", "fifty"), ("none", "fifty")):
        changes = learn.open(learn.learner.value(given(learn, kept, named)))
        assert changes[learn.kept] == {**kept, "lesson": opened}
        assert f'data-open="{opened}"' in changes[learn.lesson]


def test_a_guess_is_kept_shown_and_can_be_taken_back(learn: tab.LearnTab) -> None:
    changes = learn.act(given(learn, {}), asked(lesson="fifty"))
    assert "pp-meaning" not in changes[learn.lesson]
    changes = learn.act(given(learn, changes[learn.kept], language="es"), asked(guess=2))
    assert changes[learn.kept] == {"lesson": "fifty", "guesses": {"fifty": 2}}
    assert "pp-meaning" in changes[learn.lesson]
    changes = learn.act(given(learn, changes[learn.kept]), asked(again=True))
    assert changes[learn.kept]["guesses"] == {}
    assert "pp-meaning" not in changes[learn.lesson]


@both_languages
def test_the_teacher_s_page_takes_the_lesson_s_place_by_press_and_by_address(learn: tab.LearnTab, language: str) -> None:
    kept, here = at("fifty", 2).kept, "https://example.org/"
    pressed = learn.act(given(learn, kept, language=language), asked(reader="teachers", here=here))
    named = learn.open(learn.learner.value(given(learn, kept, language=language, reader="teachers", here=here)))
    assert pressed == named
    assert (pressed[learn.kept], pressed[learn.lesson]) == (kept, "")
    assert Page(pressed[learn.teacher]).attributes("data-copy")[4] == f"{here}?lang={language}&tab=learn&lesson=fifty"
    back = learn.act(given(learn, kept, language=language), asked("fifty"))
    assert (back[learn.teacher], "pp-meaning" in back[learn.lesson]) == ("", True)


@both_languages
def test_what_was_guessed_can_be_taken_along_once_there_is_something(language: str) -> None:
    assert Page(lesson_html.mine(Progress(), language)).attributes("data-rows") == []
    page = Page(lesson_html.mine(at("nf4", 4), language))
    assert text(language, "learn.results.count", count=1, all=len(LESSONS)) in page.texts["pp-mine"]
    assert [json.loads(one) for one in page.attributes("data-rows")] == [[[*COLUMNS], *rows(at("nf4", 4))]]
    whole = lesson_html.drawn(at("nf4", 4), language)
    assert whole.index('data-act="results"') < whole.index("pp-route")  # in reach, however long the list is
    end = Page(lesson_html.end(at("nf4", 4), language))
    assert end.attributes("href") == [f"?lang={language}&tab=learn&for=teachers"]


@pytest.mark.parametrize(
    "event",
    [asked("none"), asked(["fifty"]), asked(reader="pupils"), asked(guess="<b>"), asked(guess=99), asked(again="yes")],
)
def test_what_no_button_asks_for_changes_nothing(learn: tab.LearnTab, event: Any) -> None:
    kept = at("fifty", 1).kept
    assert learn.act(given(learn, kept), event)[learn.kept] == kept


@pytest.fixture(scope="module")
def tables() -> dict[str, Any]:
    """What a link can say of each section of the labs, and how to ask what it does not take of a recipe."""
    found: dict[str, Any] = {}
    draw = Lab.draw

    def spy(self: Lab, section: Section, *places: Place) -> Any:
        held = kept.keepable(section.controls.inputs - self.visit.inputs, section.offered)
        named = {name: one for name, one in section.controls.components.items() if one in held}
        own = {name: one for name, one in named.items() if not isinstance(one, gr.File)}
        found.update({place.name: fields.table(own, section.offered) for place in places})
        return draw(self, section, *places)

    with pytest.MonkeyPatch.context() as patch, gr.Blocks():
        patch.setattr(Lab, "draw", spy)
        build_shell(Wording())
    return found


@every_lesson
def test_its_link_opens_a_state_that_is_taken_whole(lesson_id: str, tables: dict[str, Any]) -> None:
    query = dict(parse_qsl(lesson_html.way(lesson(lesson_id, "en"))))
    recipe = linked.read(query)
    assert links.refused(query, linked.fields(query)) == {}
    section = links.section_of(query)
    given = fields.given(section, query) if section else {}
    assert not given or fields.read(tables[section], given)[1] == {}
    assert given or recipe or query.keys() & {"prompt", "panes"}


@pytest.mark.parametrize("lesson_id", [one for one in LESSONS if lesson(one, "en").link["tab"] == "compare"])
def test_a_question_that_it_opens_is_answered_there(lesson_id: str) -> None:
    query = dict(parse_qsl(lesson_html.way(lesson(lesson_id, "en"))))
    assert opening("", links.read(query)).recorded


@both_languages
def test_the_line_above_the_comparison_leads_here(language: str) -> None:
    assert Page(lesson_html.newcomer(language)).attributes("href") == [f"?lang={language}&tab=learn"]
    assert set(LANGUAGES) == {"en", "es"}
