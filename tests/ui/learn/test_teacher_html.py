"""The teacher's page: goals and links of all lessons, sheets that give nothing away, what the script is to read and draw."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import pytest

from playground.learn.lessons import lesson
from playground.learn.route import LESSONS, figures
from playground.locales import text
from playground.plots.learn.qr import qr
from playground.ui.kit import links, locks
from playground.ui.learn import sheets_html, teacher_html
from tests.ui.drawn import Page, assert_laws, both_languages

HERE = "https://example.org/class/"


def drawn(language: str, here: str = HERE) -> str:
    return teacher_html.page(language, here, locks.NAMES)


def test_it_is_sound_and_speaks_its_language() -> None:
    assert_laws(lambda language: [drawn(language)])


@both_languages
def test_every_lesson_has_its_goal_its_minutes_and_a_link_that_opens_it(language: str) -> None:
    html = drawn(language)
    page = Page(html)
    copied = page.attributes("data-copy")
    assert len(copied) == len(LESSONS)
    for one, link in zip(LESSONS, copied, strict=True):
        found = lesson(one, language)
        assert found.goal in page.text
        assert text(language, "learn.minutes", minutes=found.minutes) in page.text
        address, _, query = link.partition("?")
        assert address == HERE
        read = dict(parse_qsl(query))
        assert (read["lang"], links.read(read)["tab"], links.read(read)["lesson"]) == (language, "learn", one)
        assert links.refused(read) == {}
        assert qr(link, text(language, "learn.teacher.qr", title=found.title)) in html


def test_without_an_address_there_is_nothing_to_hand_out_but_paper() -> None:
    page = Page(drawn("en", ""))
    assert page.attributes("data-copy") == []
    assert "pp-qr" not in page.attributes("class")
    assert page.attributes("data-kind").count("questions") == 2 * len(LESSONS) + 1  # buttons and sheets, and one for all


@pytest.mark.parametrize(
    ("here", "host"),
    [("http://127.0.0.1:7860/", "127.0.0.1"), ("http://localhost/", "localhost"), ("http://192.168.1.2:7860/", "")],
)
def test_links_that_only_this_computer_can_open_are_called_that(here: str, host: str) -> None:
    said = Page(drawn("en", here)).texts.get("pp-local", "")
    assert said == (text("en", "learn.teacher.local", host=host) if host else "")


@both_languages
@pytest.mark.parametrize("lesson_id", LESSONS)
def test_a_sheet_of_questions_gives_nothing_away_and_one_of_answers_says_all(lesson_id: str, language: str) -> None:
    one, found = lesson(lesson_id, language), figures(lesson_id)
    asked, told = Page(sheets_html.questions(one)), Page(sheets_html.answers(one))
    for sentence in (one.question, one.prediction.ask):
        assert one.filled(sentence, found) in asked.text
        assert one.filled(sentence, found) in told.text
    assert one.filled(one.meaning, found) in told.text
    assert one.filled(one.meaning, found) not in asked.text
    assert text(language, f"learn.origin.{found.origin}") in told.text
    assert not {"pp-right", "pp-lesson-bars"} & set(asked.texts)
    if one.prediction.kind == "choices":
        assert all(choice in asked.text for choice in one.prediction.labels(language))
        assert told.texts["pp-right"] == one.prediction.labels(language)[one.prediction.nearest(found.answer)]


@both_languages
def test_the_script_gets_what_it_reads_and_what_it_says(language: str) -> None:
    (lessons,) = Page(drawn(language)).attributes("data-lessons")
    found = json.loads(lessons)
    assert list(found) == list(LESSONS)
    for one, given in found.items():
        assert given["title"] == lesson(one, language).title
        if "codes" in given:
            assert len(given["codes"]) == len(given["labels"]) > given["right"] >= 0
        else:
            assert given["minimum"] <= given["answer"] <= given["maximum"]
    (said,) = Page(drawn(language)).attributes("data-said")
    assert set(json.loads(said)) == {"copied", "count", "bad", "number", "of", "none", "no_link"}


@both_languages
def test_every_control_can_be_chosen_under_the_section_that_it_stands_in(language: str) -> None:
    names = {**locks.NAMES, ("lowrank", "toy"): [("toy.rank", "toy.rank")], ("lowrank", "updates"): []}
    page = Page(teacher_html.locking(language, names))
    assert page.attributes("value") == [*links.HOLDING, *(name for each in names.values() for name, _ in each)]
    assert text(language, "section.toy") in page.text
    assert text(language, "section.updates") not in page.text  # nothing to lock
    places = [dict(parse_qsl(place)) for place in page.attributes("data-place")]
    assert [(links.read(one)["tab"], links.section_of(one)) for one in places] == [
        ("compare", ""), ("train", ""), ("lowrank", "toy"),
    ]  # fmt: skip


def test_links_begin_on_a_space_with_its_public_page(monkeypatch: pytest.MonkeyPatch) -> None:
    assert links.here("http://10.0.0.5:7860/") == "http://10.0.0.5:7860/"
    for wrong in (None, 5, "javascript:alert(1)", "https://x/?a=b", "https://" + 300 * "x", 'https://x/"onload='):
        assert links.here(wrong) == ""
    monkeypatch.setattr(links, "PUBLIC", "https://huggingface.co/spaces/a/b")
    assert links.here("https://a-b.hf.space/") == "https://huggingface.co/spaces/a/b"
