"""What lessons show besides their bars: the recorded tables say what the records say, and a button times here."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from playground.errors import PlaygroundError
from playground.learn import mixed_precision, notebooks, timing
from playground.learn.mixed_precision import WAYS, PrecisionStep
from playground.learn.notebooks import NOTEBOOKS
from playground.learn.products import KINDS
from playground.learn.timing import BATCHES, Product
from playground.locales import number, text
from playground.ui.learn import timing_html
from playground.ui.learn.extras import EXTRAS, extra
from playground.ui.learn.mixed_html import concluded, zeros
from playground.ui.learn.notebook_html import RUNS
from playground.ui.learn.timing_html import drawn, time_here
from tests.ui.drawn import Page, assert_laws, both_languages


def test_they_are_sound_and_speak_their_language() -> None:
    assert_laws(lambda language: [extra(lesson, language) for lesson in EXTRAS])
    assert extra("fifty", "en") == ""


@both_languages
@pytest.mark.parametrize("lesson_id", RUNS)
def test_a_notebook_stands_beside_what_is_recorded(lesson_id: str, language: str) -> None:
    page = Page(extra(lesson_id, language))
    for name in RUNS[lesson_id]:
        stored, here = NOTEBOOKS[name].stored, notebooks.recorded()["runs"][name]
        shown = [number(language, here["loss"], 3), number(language, here["losses"][-1], 3), here["before"], here["after"]]
        if stored:
            counts = (stored.trainable, here["trainable"], here["total"])
            shown += [number(language, stored.loss, 3), stored.answer, *(number(language, one) for one in counts)]
        assert [one for one in shown if one not in page.text] == []
    assert page.count("li") == 5
    assert page.count("path") >= len(RUNS[lesson_id])


def test_the_precisions_conclude_what_their_figures_say() -> None:
    def steps(loss: float, share: float) -> list[PrecisionStep]:
        return [PrecisionStep(1, 2.0, share, 1.0), PrecisionStep(2, loss, share, 1.0)]

    scaled = [*steps(2.0, 0.03), PrecisionStep(3, 2.0, 0.03, math.inf, 65536.0, skipped=True)]
    runs = {
        "float32": steps(2.0, 0.03), "bfloat16": steps(2.1, 0.03), "float16": steps(2.5, 0.05), "float16_scaled": scaled,
        "float16_pure": steps(math.nan, 0.2),
    }  # fmt: skip
    said = concluded(runs, "en").replace("\N{NO-BREAK SPACE}", " ")
    assert "another 2.0 % of the gradients" in said
    assert "it is 0 %" in said
    assert "1 step was skipped" in said
    assert "up to 0.50 away from that in float32, in bfloat16 only 0.10" in said
    assert "at step 2" in said
    assert zeros(runs["float16_pure"]) == 0.2
    assert "does not show it" in concluded(runs | {"float16": steps(2.15, 0.05)}, "en")


@both_languages
def test_the_table_of_precisions_has_every_way(language: str) -> None:
    page = Page(extra("mixed", language))
    for way, steps in mixed_precision.recorded().items():
        assert text(language, f"mixed.{way}") in page.text
        if math.isfinite(steps[-1].loss):
            assert number(language, steps[-1].loss, 3) in page.text
    assert page.count("tr") == 1 + len(WAYS)
    assert text(language, "mixed.share") in page.attributes("aria-label")


def timed(**seconds: float | None) -> list[Product]:
    """The same time for both numbers of tokens; what is not named takes as long as float32."""
    return [Product(kind, tokens, seconds.get(kind, 1.0), 2_000_000_000, 1000) for tokens in BATCHES for kind in KINDS]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ({"int8": 0.25, "nf4": 2.0}, "With 1 token int8 (sums in int32) is the fastest, 4.0 times as fast as float32."),
        ({"int8": 0.25, "nf4": 2.0}, "NF4 turned back into float32 is slower than float32 in spite of fewer bits."),
        ({"float16": 3.0, "nf4": 2.0}, "float16 and NF4 turned back into float32 are slower"),
        ({}, "With 64 tokens nothing is faster than float32."),
        ({"float16": None}, "nothing is faster"),
    ],
)  # fmt: skip
def test_the_sentence_is_that_of_the_times(seconds: dict[str, float | None], said: str) -> None:
    page = Page(drawn(timed(**seconds), "here", "en"))
    assert said in page.texts["pp-meaning"]
    assert ("not on this machine" in page.text) == (None in seconds.values())
    assert "2.0" in page.text  # GFLOP/s


@pytest.mark.parametrize(
    ("seconds", "native", "reasons"),
    [
        ({"float16": 3.0}, False, ["converted"]),
        ({"float16": 3.0}, True, ["own"]),
        ({"float16": 3.0, "nf4": 2.0}, None, ["read_back"]),
        ({"int8": 0.5}, False, []),
    ],
)
def test_why_fewer_bits_are_slower_is_what_torch_reports(seconds: Any, native: bool | None, reasons: list[str]) -> None:
    found = [replace(one, native=native if one.kind == "float16" else None) for one in timed(**seconds)]
    said = Page(drawn(found, "here", "en")).texts["pp-meaning"]
    wanted = [text("en", f"timing.why.{one}", kinds="float16") for one in reasons]
    assert [one for one in wanted if one in said] == wanted
    assert ("torch" in said) == bool({"converted", "own"} & set(reasons))


def test_the_button_times_here_in_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SECONDS", 0.0)
    page = Page(time_here({"lang": "es"}))
    assert text("es", "timing.here") in page.text
    assert page.count("tr") == 1 + len(KINDS)


def test_what_cannot_be_timed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise PlaygroundError("queue_full", waiting=9)

    monkeypatch.setattr(timing_html, "time_products", full)
    assert "pp-error" in time_here({"lang": None})
