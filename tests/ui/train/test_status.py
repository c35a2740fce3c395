"""A training as HTML: hostile text stays text, both languages speak, bars and tables say what is so."""

import re
from typing import Any

import pytest

from playground.actions.catalogue import count_parameters
from playground.adapt.methods import FRONT
from playground.locales import LANGUAGES, text
from playground.settings import DEFAULT_BASE
from playground.train.job import SAMPLE_TOKENS
from playground.train.schedule import USUAL
from playground.ui.train.status import parameter_card, samples, status_line, training_status
from tests.ui.drawn import (
    Page,
    assert_laws,
    assert_shown_as_text,
    both_languages,
)


def training(**changed: Any) -> Any:
    """A training view as the page gives it, half-way through."""
    plain = {
        "state": "running", "position": 0, "method": "lora", "task": "pirate", "step": 12, "steps": 24, "elapsed": 30.0,
        "seconds_per_step": 2.5, "remaining": 30.0, "questions": ["Why?", "Where?"], "message": "",
        "samples": [
            {"step": 0, "answers": ["because", "there"]},
            {"step": 6, "answers": ["arr because", "arr there"]},
            {"step": 12, "answers": ["Arrr because", "Arrr there"]},
        ],
    }  # fmt: skip
    return {**plain, **changed}


def prepared(**changed: Any) -> Any:
    """A view of few-shot, which has no steps."""
    return training(**{"method": "few_shot", "step": 0, "steps": 0, **changed})


PLACES = {
    "a question": lambda evil, lang: samples(training(questions=[evil]), lang),
    "a sample before": lambda evil, lang: samples(training(samples=[{"step": 0, "answers": [evil]}]), lang),
    "a sample now": lambda evil, lang: samples(training(samples=[{"step": 9, "answers": [evil]}]), lang),
    "why training failed": lambda evil, lang: training_status(training(state="failed", message=evil), lang),
    "why a run diverged": lambda evil, lang: training_status(training(state="diverged", message=evil), lang),
}  # fmt: skip


@both_languages
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_hostile_text_is_shown_as_text_and_never_obeyed(place: Any, language: Any) -> None:
    assert_shown_as_text(place, language)


STATES = ("idle", "queued", "preparing", "running", "finished", "stopped", "diverged", "failed")
VIEWS = [training(state=state) for state in STATES] + [
    training(state="queued", position=3),
    training(state="finished", steps=0),
    training(state="running", step=0, seconds_per_step=None, remaining=None),
    {"state": "idle", "method": None, "steps": 24, "samples": [], "questions": []},
]
COUNTS = {
    "trainable": 460_800,
    "total": 134_975_808,
    "percent": 0.3414,
    "bytes": 1_843_200,
    "untrained_bytes": 0,
    "memory": 546_000_000,
}


@both_languages
@pytest.mark.parametrize("method", ["tinylora", "vera", "lora", "p_tuning", "full_fine_tuning"])
def test_a_file_that_holds_more_than_what_is_trained_says_so(method: str, language: Any) -> None:
    count = count_parameters(DEFAULT_BASE, method, {})
    assert 0 <= count["untrained_bytes"] <= count["bytes"]
    said = Page(parameter_card(count, method, language)).text
    mostly = {"en": "fixed from the start", "es": "fijo desde el principio"}[language]
    assert (mostly in said) == (method in {"tinylora", "vera"})
    if method == "tinylora":  # 16 · (576 + 576 + 576 + 192) of the factors and 64 · 16² of the mixing, in each of 30 layers
        assert count["untrained_bytes"] == 4 * 30 * (16 * (576 + 576 + 576 + 192) + 2 * 64 * 16**2)


def everything(language: Any) -> Any:
    """Every piece of HTML in every state."""
    for one in VIEWS:
        yield training_status(one, language)
        yield samples(one, language)
    yield from (parameter_card(COUNTS, method, language) for method in FRONT)


def test_every_piece_in_every_state_keeps_the_laws() -> None:
    assert_laws(everything)


# What will be trained


@pytest.mark.parametrize("method", FRONT)
def test_the_count_is_the_largest_word_on_the_card(method: Any) -> None:
    page = Page(parameter_card(COUNTS, method, "es"))
    assert page.texts["pp-figure"] == "460\N{NO-BREAK SPACE}800"
    assert "546" in page.text


@both_languages
def test_few_shot_is_never_called_a_training(language: Any) -> None:
    """Neither by what is asked for nor while it runs; the words of a training are those of the other methods."""
    card = Page(parameter_card({**COUNTS, "trainable": 0}, "few_shot", language)).text
    assert text(language, "count.lead") not in card
    assert text(language, "prepare.lead") in card
    for state in STATES[2:]:
        line = status_line(prepared(state=state), language)
        assert line != status_line(training(state=state, step=0, steps=0), language) or state in ("preparing", "diverged")


# Training


@pytest.mark.parametrize(
    ("view", "line"),
    [
        (training(), "step 12 of 24 · 2.5_s a step · 30_s left"),
        (training(seconds_per_step=None, remaining=None), "step 12 of 24"),
        (
            training(seconds_per_step=None, remaining=None) | {"again": 1},
            "step 12 of 24 · begun again: the cluster's worker that did it was lost",
        ),
        (training(state="queued", position=3), "Number 3 in the queue"),
        (training(state="queued", position=1, wait=0.3), "Number 1 in the queue"),
        (
            training(state="queued", position=1, wait=75.0),
            "Number 1 in the queue, about 1_min 15_s",
        ),
        (training(state="finished", elapsed=65.0), "24 steps in 1_min 5_s"),
        (training(state="finished", elapsed=65.0, own_seconds=True), "24 steps, 1_min 5_s of computing"),
        (training(step=0, seconds_per_step=None), "step 0 of 24 · about 30_s of computing"),
        (training(state="finished", steps=0), "ready: nothing had to be trained"),
        (training(state="stopped"), "stopped at step 12 of 24"),
        (
            training(state="running") | {"stopping": True},
            "step 12 of 24 · stopping: it ends with the step or the look that it is at",
        ),
        (training(state="diverged", message="It exploded."), "It exploded."),
        (training(state="diverged"), "The loss left the scale at step 12"),
        (training(state="failed"), "The training failed"),
        (prepared(state="queued", position=3), "Number 3 in the queue"),
        (prepared(), "measuring the answers with the examples in the prompt…"),
        (prepared(state="finished", elapsed=65.0), "prepared in 1_min 5_s: nothing had to be trained"),
        (prepared(state="stopped"), "stopped: the prompt is prepared, but not measured to the end"),
        (prepared(state="failed", message="Too long."), "Too long."),
        (prepared(state="failed"), "The preparation failed"),
    ],
)
def test_the_status_says_where_a_training_stands(view: Any, line: str) -> None:
    assert status_line(view, "en").replace("\N{NO-BREAK SPACE}", "_") == line


@pytest.mark.parametrize(
    ("changed", "share"),
    [
        ({}, "50.0"),
        ({"step": 0}, "0.0"),
        ({"step": 99}, "100.0"),
        ({"state": "finished", "step": 20}, "100.0"),
        ({"state": "finished", "steps": 0, "step": 0}, "100.0"),
        ({"state": "stopped", "step": 6}, "25.0"),
        ({"steps": None, "step": None}, "0.0"),
    ],
)
def test_the_progress_bar_is_as_long_as_what_is_done(changed: dict[str, Any], share: str) -> None:
    assert f'style="width:{share}%"' in training_status(training(**changed), "en")


class Table:
    def __init__(self, html: Any) -> None:
        self.heads = re.findall(r'<th scope="col">(.*?)</th>', html)
        self.rows = [
            re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", html.partition("<tbody>")[2])
        ]


def test_samples_show_each_question_before_and_now() -> None:
    table = Table(samples(training(), "en"))
    assert table.heads == ["Held-out question", "Step 0 (= base)", "Step 12"]
    assert table.rows == [["Why?", "because", "Arrr because"], ["Where?", "there", "Arrr there"]]


def test_before_the_first_answers_the_column_says_after_which_step_they_come() -> None:
    """A short run is answered at its start and its end alone."""
    for steps in (2, 24, 200):
        first = next(step for step in USUAL.answers(steps) if step)
        table = Table(samples(training(steps=steps, step=1, samples=ONCE), "en"))
        assert table.heads[2] == f"Step {first} (to come)"
        assert [row[2] for row in table.rows] == ["…", "…"]
    assert Table(samples(prepared(state="running", samples=[]), "en")).heads == ["Held-out question", "Answer"]


@both_languages
@pytest.mark.parametrize(("step", "answer"), [(6, "arr because"), (7, None), (8, None), (12, "Arrr because")])
def test_samples_of_a_step_are_its_own_or_none(step: int, answer: Any, language: Any) -> None:
    """Never those of another step, and never without a word."""
    view = training(state="finished", adapter={"id": "mine", "steps": 24})
    page = samples(view, language, step=step)
    assert Table(page).heads[2] == text(language, "samples.later", step=step)
    assert Table(page).rows[0][2] == (answer or text(language, "samples.unwritten"))
    none = f"{text(language, 'samples.none_at', step=step)} {read_some(language)}"
    assert (none in Page(page).text) == (answer is None)


def read_some(language: str) -> str:
    return text(language, "samples.read", compare=text(language, "train.compare"))


ONCE = [{"step": 0, "answers": ["because", "there"]}]


@both_languages
@pytest.mark.parametrize("state", ["finished", "stopped", "diverged", "failed"])
def test_once_a_run_has_ended_no_answer_is_waited_for(state: str, language: Any) -> None:
    """It was stopped between two looks, or broke off: the column is its last step's, and says that nothing was written."""
    page = samples(training(state=state, samples=ONCE, adapter={"id": "mine", "steps": 7}), language)
    assert Table(page).heads[2] == text(language, "samples.later", step=7)
    assert [row[1:] for row in Table(page).rows] == [
        [one, text(language, "samples.unwritten")] for one in ("because", "there")
    ]
    assert f"{text(language, 'samples.none_at', step=7)} {read_some(language)}" in Page(page).text
    for method, taken in (("lora", ONCE), ("lora", []), ("few_shot", [])):  # and nothing was kept to read any of
        page = samples(training(state=state, method=method, samples=taken), language)
        assert "…" not in page
        assert text(language, "samples.none") in Page(page).text
        assert read_some(language) not in Page(page).text


@both_languages
def test_answers_say_where_they_are_cut(language: Any) -> None:
    assert text(language, "samples.limit", count=SAMPLE_TOKENS) in Page(samples(training(), language)).text
    assert text(language, "samples.limit", count=SAMPLE_TOKENS) not in Page(samples(training(samples=[]), language)).text


def test_samples_that_are_not_there_yet_are_dots() -> None:
    table = Table(samples(training(samples=[]), "en"))
    assert table.heads[1:] == ["Step 0 (= base)", "Step 24 (to come)"]
    assert table.rows == [["Why?", "…", "…"], ["Where?", "…", "…"]]


@pytest.mark.parametrize(
    ("method", "head"),
    [("lora", "Step 0 (= base)"), ("ia3", "Step 0 (= base)"), ("prompt_tuning", "Step 0"), ("qlora", "Step 0")],
)
def test_step_0_is_called_the_base_only_where_it_is(method: str, head: str) -> None:
    assert Table(samples(training(method=method), "en")).heads[1] == head


@both_languages
def test_few_shot_has_no_before(language: Any) -> None:
    view = training(method="few_shot", state="finished", steps=0, samples=[{"step": 0, "answers": ["Arrr!", "Aye."]}])
    table = Table(samples(view, language))
    assert table.heads == [text(language, "samples.question"), text(language, "samples.answer")]
    assert table.rows == [["Why?", "Arrr!"], ["Where?", "Aye."]]


def test_every_cell_carries_its_columns_head_for_narrow_screens() -> None:
    html = samples(training(), "es")
    table = Table(html)
    assert Page(html).attributes("data-head") == table.heads * len(table.rows)


def test_without_questions_the_card_says_what_will_appear() -> None:
    assert text("en", "samples.empty") in Page(samples(training(questions=[]), "en")).text


def test_what_gave_way_to_a_new_adapter_is_said() -> None:
    gone = {"id": "x", "name": "My <b>first</b>", "method": "lora", "task": "pirate"}
    said = training_status({"state": "finished", "step": 3, "steps": 3, "gave_way": [gone]}, "en")
    assert "the oldest of your adapters went: My &lt;b&gt;first&lt;/b&gt;." in said
    assert "the oldest" not in training_status({"state": "finished", "step": 3, "steps": 3, "gave_way": []}, "en")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", ["running", "finished"])
def test_products_in_fewer_bits_are_named_beside_the_seconds(state: str, language: str) -> None:
    said = {one: status_line(training(state=state, precision=one), language) for one in ("float32", "bfloat16")}
    assert said["bfloat16"] == f"{said['float32']} · {text(language, 'status.bfloat16')}"


@both_languages
def test_after_the_last_step_the_last_measurement_is_named_and_no_time(language: Any) -> None:
    said = status_line(training(step=24, remaining=0.0), language)
    assert text(language, "status.measuring") in said
    assert text(language, "status.left", time="") not in said
    assert text(language, "status.measuring") not in status_line(training(step=23), language)
