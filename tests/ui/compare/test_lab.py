"""What stands above a lab's answers: the question, the base that gives them, and a mark of the controls that were set."""

import re
from html import unescape
from typing import Any

import gradio as gr
import pytest

from playground.actions.compare import first_frame
from playground.ui.compare.lab import Answers
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS
from tests.ui.drawn import made_from

ANSWERS = Answers("a-place", "edits.go", "lab.elsewhere.adapter")


@pytest.mark.parametrize(
    ("language", "opens", "button"), [("en", "Answers to", "“Answer”"), ("es", "Respuestas a", "«Responder»")]
)
def test_the_line_names_the_question_the_base_and_the_button(language: str, opens: str, button: str) -> None:
    frame = first_frame()
    line = re.search(r'<p class="pp-asked">(.*?)</p>', ANSWERS.html(frame, {}, language))
    assert line is not None
    said = unescape(line[1])
    assert said.startswith(opens)
    assert frame["prompt"] in said
    assert "SmolLM2-135M-Instruct" in said
    assert button in said


def test_the_mark_is_what_was_asked_whatever_stands_in_it() -> None:
    asked = {"prompt": 'a "b" <c>', "strength": -0.25, "kinds": ["q_proj"], "first": None}
    html = ANSWERS.html(first_frame(), asked, "en")
    assert made_from(html) == asked
    assert f'data-base="{first_frame()["base"]}"' in html


def test_a_session_remembers_its_own_question_alone() -> None:
    ANSWERS.remember("one".ljust(32, "1"), {"prompt": "Hello"})
    assert ANSWERS.asked("one".ljust(32, "1")) == {"prompt": "Hello"}
    assert ANSWERS.asked("two".ljust(32, "2")) == {}


def test_panes_are_called_as_in_the_language_that_is_read_now() -> None:
    key, titles = "four".ljust(32, "4"), {"en": ["the whole", "rank 1"], "es": ["entero", "rango 1"]}
    ANSWERS.remember(key, {"prompt": "Hello"}, titles.__getitem__)
    base, whole, left, *_ = first_frame()["panes"]
    frame = {**first_frame(), "panes": [base, {**whole, "name": "the whole"}, {**left, "name": "rango 1"}]}
    for language, (one, other) in titles.items():
        html = ANSWERS.html(frame, ANSWERS.asked(key), language)
        names = re.findall(r'<h3 class="pp-name">(.*?)</h3>', html)
        assert names[1:] == [one, other]
        assert made_from(html) == {"prompt": "Hello"}


def test_what_is_forgotten_stops_and_is_not_looked_at_again() -> None:
    key = "three".ljust(32, "3")
    ANSWERS.forget(key)  # nothing is there yet
    run = SESSIONS.get(key).runs[ANSWERS.place] = Run("lab", lambda stop: iter(()))
    ANSWERS.forget(key)
    assert run.replaced
    assert run._stop.is_set()


def test_every_control_that_may_part_from_the_answers_is_listened_to() -> None:
    with gr.Blocks() as page:
        shown, used, prompt = gr.HTML(elem_id="panes"), gr.Dropdown(), gr.Textbox()
        ANSWERS.wire(shown, used, {"prompt": prompt})
    (fn,) = page.fns.values()
    heard: Any = {one for one, event in fn.targets if event == "change"}
    assert heard == {shown._id, used._id, prompt._id}
