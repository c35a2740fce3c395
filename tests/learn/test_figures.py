"""The figures of the lessons are those of the papers they name, or worked out by hand."""

from __future__ import annotations

import json
import math

import pytest
import torch

from playground import settings
from playground.adapt.method import PROMPT
from playground.adapt.methods import FRONT
from playground.learn import bits, comparing, lora
from playground.learn.families import FAMILIES, model, trained
from playground.learn.figures import ORIGINS, Figure, plainly
from playground.learn.lessons import lesson
from playground.learn.route import LESSONS, figures
from playground.locales import DEFAULT
from playground.model.architecture import entries
from playground.model.catalogue import CATALOGUE


def value(lesson_id: str, name: str) -> float:
    found = figures(lesson_id)
    return ({bar.label: bar.figure for bar in found.bars} | dict(found.more))[name].value


def right(lesson_id: str) -> object:
    """The choice that is right."""
    prediction = lesson(lesson_id, DEFAULT).prediction
    return prediction.choices[prediction.nearest(figures(lesson_id).answer)]


@pytest.mark.parametrize(
    ("lesson_id", "choice"),
    [
        ("full-fine-tuning", 81), ("families", "additive"), ("one-model", 0.4), ("size", 53), ("fifty", 14),
        ("start", "not at all"), ("rank", 0.5), ("gpt-3", "r = 8"), ("explosion", "r = 8, alpha = 16"), ("long-prompt", 20),
        ("as-good", 91.7), ("fewer-bits", "in float16"), ("sums", -2), ("outlier", 21), ("ternary", 18), ("energy", 170),
        ("mixed", 1), ("answer-error", 0.2), ("left-out", 29), ("notebook-prompts", 4096),
        ("notebook-lora", "only the second"),
    ],
)  # fmt: skip
def test_the_right_choice(lesson_id: str, choice: object) -> None:
    assert right(lesson_id) == choice


@pytest.mark.parametrize(
    ("lesson_id", "name", "expected"),
    [
        ("full-fine-tuning", "full_fine_tuning", 12 * 6_738_415_616 / 1e9),  # 2 + 2 + 8 bytes a number
        ("full-fine-tuning", "trained", 32 * 2 * 8 * (4096 + 4096)),  # layers, q and v, r, in + out
        ("families", "lora", 460_800),
        ("one-model", "trained", 409_600),  # Lester et al. 2021, table 4: XXL, 100
        ("one-model", "models", 100 * 2 * (11_135_741_952 - 409_600) / 1e9),
        ("fifty", "full", 2500), ("fifty", "factors", 200), ("fifty", "saved", 92),
        ("gpt-3", "rank_1", 100 * 4_718_592 / 175_260_518_592),  # Hu et al. 2021, table 4: 4.7 M
        ("gpt-3", "file", 2 * 18_874_368 / 1e6),  # "roughly 35MB", in units of 2²⁰ bytes
        ("gpt-3", "entries", 32 * (4 * 4096**2 + 3 * 4096 * 11008)),
        ("left-out", "course_left", 1_074_792_448), ("left-out", "lambada_after", 29.3),
        ("sums", "in_int32", (2**31 - 1) // 127**2), ("sums", "saturating", 127), ("sums", "int32", 254),
        ("nf4", "nf4", 4 + 32 / 64), ("nf4", "saved", 0.373046875),  # Dettmers et al. 2023, section 3: 0.373
        ("fewer-bits", "digits_float32", 23), ("fewer-bits", "digits_float16", 10), ("fewer-bits", "digits_bfloat16", 7),
        ("fewer-bits", "reach_float16", 65_504), ("fewer-bits", "reach_bfloat16", (2 - 2**-7) * 2.0**127),
        ("fewer-bits", "held_32", 4 * 134_515_008 / 1e6), ("fewer-bits", "modules", 7 * 30),
        # layers of 106,168,320 numbers in 2 bytes; embeddings and norms in 4
        ("fewer-bits", "held_16", (2 * 106_168_320 + 4 * (134_515_008 - 106_168_320)) / 1e6),
        ("mixed", "gap", 2**-10), ("mixed", "least", 2**-24), ("mixed", "bfloat16", 1),
        ("explosion", "blind", math.log(128_256)), ("ternary", "blind", math.log(49_152)),
    ],
)  # fmt: skip
def test_a_figure_is_that_of_the_formula(lesson_id: str, name: str, expected: float) -> None:
    assert value(lesson_id, name) == pytest.approx(expected, rel=1e-6)


def test_qlora_trains_65_billion_in_less_than_48_gb() -> None:
    """Dettmers et al. 2023, abstract: from more than 780 GB; about 3 GB by double quantization."""
    assert value("nf4", "full") > 780
    assert value("nf4", "qlora") < 48
    assert value("nf4", "saved_65b") == pytest.approx(3, abs=0.1)


def test_the_published_ones_are_as_published() -> None:
    assert lora.WIKISQL == {1: 73.4, 2: 73.3, 4: 73.7, 8: 73.8, 64: 73.5}
    assert {name: score for name, (_, score) in comparing.MNLI.items()} == {
        "full_fine_tuning": 89.5, "biases": 91.0, "prompt_tuning": 88.6, "adapters": 89.8, "lora": 91.7,
    }  # fmt: skip
    assert figures("long-prompt").answer == pytest.approx(20, abs=1)  # "as much as 20 examples", section 4.2
    assert value("size", "ia3") > value("size", "full") > value("size", "ten") > value("size", "hundred")


def test_a_weight_walks_as_torch_walks_it() -> None:
    for name in ("float32", "float16", "bfloat16"):
        weight, step = (torch.tensor(one, dtype=getattr(torch, name)) for one in (1.0, 0.0001))
        for _ in range(1000):
            weight = weight + step
        assert value("mixed", name) == pytest.approx(float(weight), rel=1e-4)  # torch rounds the step as well


def test_one_start_of_three_learns_nothing_and_one_begins_elsewhere() -> None:
    assert value("start", "both_zero") == 100
    assert 20 < value("start", "noise_and_zero") < 40
    assert value("start", "changed") > 10


def test_an_outlier_spoils_one_scale_and_not_those_of_blocks() -> None:
    """The scale grows from the largest of 65,536 Gaussian numbers to 100."""
    assert value("outlier", "times") == pytest.approx(100 / 4.7, rel=0.1)
    assert value("outlier", "blocks") < value("outlier", "without")


def test_errors_are_those_of_rounding() -> None:
    """Uniform in a gap of 2^-d of a mantissa spread evenly by its logarithm: a root mean square of 2^-d · 0.2 or so."""
    for name, digits in (("float16", 10), ("bfloat16", 7)):
        assert value("fewer-bits", name) == pytest.approx(100 * 2**-digits * 0.2, rel=0.2)
    assert value("fewer-bits", "bfloat16") / value("fewer-bits", "float16") == pytest.approx(2**3, rel=0.2)


def test_each_method_lights_what_it_trains() -> None:
    found = {one.method: one for one in trained()}
    every = {layer.name for layer in model().linears}
    assert set(found) == {"bitfit", *FRONT} - {"few_shot"}  # which trains nothing
    assert found["prompt_tuning"].parts == (PROMPT,)
    assert set(found["lora"].parts) == {"q_proj", "v_proj"}
    assert set(found["ia3"].parts) == {"k_proj", "v_proj", "down_proj"}
    assert set(found["full_fine_tuning"].parts) == every
    families = [one.family for one in trained()]
    assert families == sorted(families, key=FAMILIES.index)


def test_vocabularies_are_those_of_the_catalogue() -> None:
    """Losses of guessing blindly are their logarithms."""
    for base_id, size in (("smollm2-135m", bits.VOCABULARY), ("llama-3.2-1b", lora.VOCABULARY)):
        architecture = CATALOGUE[base_id].architecture
        assert architecture is not None
        blocks = entries(architecture.linears)
        norms = (2 * architecture.linears[0].count + 1) * architecture.hidden_size
        assert architecture.parameters == blocks + norms + size * architecture.hidden_size


@pytest.mark.parametrize("lesson_id", LESSONS)
def test_where_the_answer_comes_from_has_a_word(lesson_id: str) -> None:
    assert figures(lesson_id).origin in ORIGINS


@pytest.mark.parametrize(
    ("figure", "language", "written"),
    [
        (Figure(-2), "en", "−2"), (Figure(80.86, "GB", 1), "es", "80,9\N{NO-BREAK SPACE}GB"),
        (Figure(2227.1, "GB", 1), "es", "2,2\N{NO-BREAK SPACE}TB"), (Figure(640, "pJ", 1), "es", "640\N{NO-BREAK SPACE}pJ"),
        (Figure(5, "pJ", 1), "en", "5.0\N{NO-BREAK SPACE}pJ"), (Figure(1, "nats"), "es", "1\N{NO-BREAK SPACE}nat"),
        (Figure(460_800), "es", "460\N{NO-BREAK SPACE}800"),
    ],
)  # fmt: skip
def test_figures_are_written_as_the_language_does(figure: Figure, language: str, written: str) -> None:
    assert figure.written(language) == written
    assert plainly("es", 13.5, "GB") == "13,5\N{NO-BREAK SPACE}GB"


def test_the_lesson_says_of_awq_what_was_recorded() -> None:
    found = {
        one["rung"]: one for one in json.loads((settings.EXAMPLES / "ladder.json").read_text(encoding="utf-8"))["rungs"]
    }
    nearest_of_all = min(found.values(), key=lambda one: one["reading"]["kl_from_base"])
    assert nearest_of_all["rung"] == "awq"
    assert "Paris" not in nearest_of_all["answers"][0]
    assert "Paris" in nearest_of_all["base_answers"][0]
