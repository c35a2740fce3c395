"""The calculator's card: figures in both languages, bars that add up, what is measured, and what is wrong."""

import re
from dataclasses import asdict, replace
from typing import Any

import gradio as gr
import pytest

from playground.actions.lanes import LAB
from playground.adapt import cost as arithmetic
from playground.adapt.published import PUBLISHED
from playground.model.bases import Base
from playground.model.catalogue import CATALOGUE, BaseSpec
from playground.ui.kit.bars import bytes_text
from playground.ui.lowrank.cost import DEFAULT, HERE, PAPERS, Asked, Cards, Question
from playground.ui.lowrank.cost_html import claim, measured_line, precise
from playground.work.sessions import SESSIONS

LANGUAGES = ("en", "es")
SPACE = "\N{NO-BREAK SPACE}"
CARDS = Cards({name: gr.Slider() for name in ("targets", "rank", "virtual_tokens")}, gr.HTML(), gr.HTML())


def plain(html: Any) -> Any:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html).replace(SPACE, " "))


def asked_by(visitor: Any, question: Any, language: Any, base: str) -> Any:
    return Asked(**asdict(question), key=visitor, language=language, base=base)


def drawn(question: Any, language: Any = "en", base: str = "smollm2-135m") -> Any:
    return CARDS.draw(asked_by("arithmetic-test", question, language, base))[CARDS.shown]


@pytest.mark.parametrize(
    ("paper", "figures"),
    [
        ("lora", ["18,874,368", "0.0108 %", "37.7 MB", "351 GB", "2.1 TB", "354 GB", "35.1 TB", "1.2 TB"]),
        ("prompt_tuning", ["20,480", "0.000184 %", "41 KB", "22.3 GB", "11,135,352,832"]),
        ("ia3", ["1,081,344", "4.3 MB", "44.5 GB"]),
        ("qlora", ["783 GB", "44.1 GB", "1.6 GB", "780 GB"]),
    ],
)
def test_each_paper_comes_out_with_its_figures(paper: str, figures: list[Any]) -> None:
    shown = plain(drawn(PAPERS[paper]))
    assert [figure for figure in figures if figure not in shown] == []


def test_figures_are_written_as_the_language_writes_them() -> None:
    shown = plain(drawn(DEFAULT, "es"))
    for figure in ("18 874 368", "0,0108 %", "37,7 MB", "35,1 TB"):
        assert figure in shown


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("method_id", arithmetic.CALCULATED)
def test_every_model_is_drawn_with_bars_no_longer_than_the_card(method_id: Any, language: str) -> None:
    for model in PUBLISHED:
        asked = replace(DEFAULT, model=model, method=method_id, targets="all_linear")
        shown = drawn(asked, language)
        assert "pp-error" not in shown
        bars = re.findall(r'role="img"[^>]*>(.*?)</div>', shown)
        lengths = [sum(float(width) for width in re.findall(r"width:([\d.]+)%", bar)) for bar in bars]
        assert len(lengths) == 5
        assert max(lengths) <= 100.01
        assert lengths[0] == pytest.approx(100, abs=0.01)  # full fine-tuning is the longest


def test_one_task_costs_no_less_than_the_model_itself() -> None:
    bars = re.findall(r'role="img"[^>]*>(.*?)</div>', drawn(replace(DEFAULT, tasks=1, rank=256, targets="all_linear")))
    lengths = [sum(float(width) for width in re.findall(r"width:([\d.]+)%", bar)) for bar in bars]
    assert lengths[3] < lengths[4] == pytest.approx(100, abs=0.01)  # a model, and a base with an adapter


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "smollm2-135m", "rank": 200},
        {"model": "bloomz-560m", "targets": "query"},
        {"model": "<b>"},
        {"method": "<b>"},
        {"rank": None},
        {"tasks": 0},
        {"width": 3},
    ],
)
def test_what_cannot_be_asked_is_a_sentence(wrong: dict[str, Any], language: str) -> None:
    shown = drawn(replace(DEFAULT, **wrong), language)
    assert shown.startswith('<p class="pp-error" role="alert">')
    assert "<b>" not in shown


def test_a_local_base_has_no_shape_before_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "local", BaseSpec("local", "Mine", "local", "/nowhere", None))
    assert "Mine" in drawn(replace(DEFAULT, model=HERE), base="local")
    assert "pp-error" in drawn(replace(DEFAULT, model=HERE), base="local")


def test_the_base_in_use_is_counted_before_it_is_loaded() -> None:
    shown = plain(drawn(replace(DEFAULT, model=HERE, rank=8)))
    assert "460,800" in shown
    assert "SmolLM2-135M-Instruct" in shown


@pytest.mark.parametrize(
    ("method_id", "used"),
    [("lora", {"targets", "rank"}), ("qlora", {"targets", "rank"}), ("prompt_tuning", {"virtual_tokens"}), ("ia3", set())],
)
def test_only_the_settings_of_the_method_are_seen(method_id: str, used: set) -> None:
    changes = CARDS.show_used(asked_by("", replace(DEFAULT, method=method_id), "en", "smollm2-135m"))
    assert {name for name, control in CARDS.hideable.items() if changes[control]["visible"]} == used


# Measured


def last(question: Any, base: Base, language: Any = "en") -> Any:
    *_, changes = CARDS.measure(asked_by("arithmetic-test", question, language, base))
    return changes[CARDS.measured]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("method_id", ["lora", "prompt_tuning", "ia3"])
def test_peft_counts_the_same_beside_the_prediction(tiny_here: Any, method_id: str, language: str) -> None:
    asked = Question(HERE, method_id, "attention", 4, 20, 100, 2)
    line = plain(last(asked, "tiny", language))
    predicted = arithmetic.cost(tiny_here.architecture, method_id, asked.values).trainable
    assert "✓" in line
    assert "32 bits" in line
    assert f"{predicted:,}" in line.replace(SPACE, ",") or str(predicted) in line.replace(" ", "")


def test_nothing_is_measured_where_nothing_is_loaded(tiny_here: Any) -> None:
    jobs = dict(SESSIONS.get("arithmetic-test").runs)
    assert last(DEFAULT, "tiny") == ""  # GPT-3
    assert last(replace(DEFAULT, model=HERE, method="qlora"), "tiny") == ""  # its 4-bit form is not loaded
    assert last(replace(DEFAULT, model=HERE, rank=200), "tiny") == ""  # `draw` says what is wrong
    assert SESSIONS.get("arithmetic-test").runs == jobs


def test_a_measurement_waits_its_turn_where_jobs_run(tiny_here: Any) -> None:
    last(replace(DEFAULT, model=HERE), "tiny")
    assert SESSIONS.get("arithmetic-test").runs["arithmetic"].lane == LAB


def test_what_was_measured_is_shown_even_if_it_is_not_what_was_predicted(tiny: Base) -> None:
    found = arithmetic.measured(tiny, "lora", {"rank": 4})
    cost = arithmetic.cost(tiny.architecture, "lora", {"rank": 4})
    assert "✓" in measured_line(found, cost, "Tiny", "en")
    other = measured_line(replace(found, trainable=found.trainable + 1), cost, "<b>Tiny</b>", "en")
    assert "✓" not in other
    assert f"{found.trainable + 1:,}" in other
    assert "<b>Tiny" not in other


def test_the_ready_made_file_is_named_with_its_bytes(tiny: Base) -> None:
    found = arithmetic.measured(tiny, "lora", {"rank": 4})
    found = replace(found, example=arithmetic.Example("pirate-lora", 1_850_000, 1_843_200))
    line = plain(measured_line(found, arithmetic.cost(tiny.architecture, "lora", {"rank": 4}), "Tiny", "en"))
    assert all(part in line for part in ("LoRA r = 8 · pirate", "1,850,000", "1,843,200"))


# The claim, and how figures are written


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_claim_is_worked_through_with_its_numbers(language: str) -> None:
    digits = re.sub(r"[ ,]", "", plain(claim(language)))
    for figure in (6_476_005_376, 6_738_415_616, 262_410_240, 19_988_480, 324, 16_777_216, 65_536, 224):
        assert str(figure) in digits
    assert claim(language).count("<tr>") == 1 + 7 + 1


@pytest.mark.parametrize(
    ("count", "english", "spanish"),
    [
        (37_748_736, "37.7 MB", "37,7 MB"),
        (999e9, "999 GB", "999 GB"),
        (1e12, "1.0 TB", "1,0 TB"),
        (35.05e12, "35.0 TB", "35,0 TB"),
    ],
)
def test_bytes_go_on_to_terabytes(count: float, english: str, spanish: str) -> None:
    assert [bytes_text(language, count).replace(SPACE, " ") for language in LANGUAGES] == [english, spanish]


def test_percentages_have_three_figures() -> None:
    assert precise("en", 0.010768) == f"0.0108{SPACE}%"
    assert precise("es", 0.00026923) == f"0,000269{SPACE}%"
