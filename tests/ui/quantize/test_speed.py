"""Speed: dots where the numbers put them, a sentence that is theirs, what is shown before and after it is measured here."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from playground.actions import learn as actions
from playground.actions.learn import energies
from playground.errors import PlaygroundError
from playground.learn import timing
from playground.learn.products import KINDS
from playground.learn.timing import LAYERS, TOKENS, Ceilings, Product, Timed
from playground.learn.writing import FORMS, Written
from playground.locales import number, text
from playground.plots.quantize.roofline import frame, roofline
from playground.quantize import energy
from playground.ui.quantize import speed as page
from playground.ui.quantize import speed_html, written_html
from playground.ui.quantize.speed import Asked, Speed, layers
from tests.ui.drawn import Page, assert_laws, both_languages
from tests.ui.labs import built

LIMITS = Ceilings(10e9, 80e9)  # they meet at 8 operations for each byte
SPEED = Speed("notice", "result")  # its components by their names


WRITTEN = [*(Written(form, (9.0, 10.0, 11.0), 10**6) for form in FORMS[:-1]), Written(FORMS[-1], ())]


def timed(**others: Any) -> Timed:
    """Every kind with every number of tokens: 2 operations for each token and byte at 10 GFLOP/s; int8 4 times both."""
    found = []
    for tokens in TOKENS:
        for name in KINDS:
            times = 4 if name == "int8" else 1
            operations = 2_000_000 * tokens
            one = Product(name, tokens, operations / (10e9 * times), operations, 1_000_000 // times)
            found.append(replace(one, **others.get(name, {})))
    return Timed(LIMITS, tuple(found), "CPU, 2 threads, x86_64")


def shown(found: Timed, tokens: int) -> list[Product]:
    return [one for one in found.products if one.tokens == tokens and one.seconds]


def test_everything_is_sound_and_speaks_its_language() -> None:
    found = timed(nf4={"seconds": None}, float32={"joules": 1e-4})
    assert_laws(lambda language: [speed_html.speed(found, tokens, energies(), True, WRITTEN, language) for tokens in TOKENS])


def test_the_sentence_is_that_of_the_times_and_the_ceilings() -> None:
    found = timed()
    said = speed_html.concluded(found, shown(found, 1), 1, "en").replace("\N{NO-BREAK SPACE}", " ")
    assert said.startswith(
        "With 1 token int8 (sums in int32) is the fastest, 4.0 times as fast as float32. The ceiling above it"
    )
    assert "8.0 operations for each byte are more than the 8.0" in said
    assert "at 50 % of the rate of a large float32 product" in said
    slower = timed(int8={"seconds": 1.0})
    said = speed_html.concluded(slower, shown(slower, 1), 1, "en").replace("\N{NO-BREAK SPACE}", " ")
    assert said.startswith("With 1 token nothing is faster than float32. The ceiling above it is the memory's: 2.0")
    assert said.endswith("It reaches 50 % of it.")


def test_dots_stand_where_their_numbers_are_and_names_keep_apart() -> None:
    found = timed()
    edges = frame(found)
    drawn = Page(roofline(found, shown(found, 16), "<&>", "en"))
    dots = [attributes for tag, attributes in drawn.elements if tag == "circle"]
    assert [one["data-kind"] for one in dots] == list(KINDS)
    for dot, one in zip(dots, shown(found, 16), strict=True):
        x, y = (float(dot[name].removesuffix("%")) / 100 for name in ("cx", "cy"))
        assert x == pytest.approx((math.log10(one.intensity) - edges.left) / (edges.right - edges.left), abs=1e-3)
        assert 1 - y == pytest.approx((math.log10(one.rate) - edges.bottom) / (edges.top - edges.bottom), abs=1e-3)
    names = [
        float(one["y"].removesuffix("%")) for tag, one in drawn.elements if tag == "text" and one.get("class") == "pp-label"
    ]
    apart = sorted(names)
    assert len(apart) == len(KINDS)
    assert all(after - before > 5 for before, after in pairwise(apart))


def test_the_frame_stays_for_every_number_of_tokens_and_holds_the_ceilings() -> None:
    edges = frame(timed())
    assert all(0 <= edges.across(one.intensity) <= 1 and 0 <= edges.down(one.rate) <= 1 for one in timed().products)
    assert 0 < edges.across(LIMITS.ridge) < 1
    assert 0 < edges.down(LIMITS.rate) < 1


@both_languages
def test_the_table_has_every_type_and_says_which_there_is_none_of(language: str) -> None:
    found = timed(float16={"seconds": None}, bfloat16={"native": False}, int8={"native": True})
    page = Page(speed_html.times([one for one in found.products if one.tokens == 1], language))
    assert page.count("tr") == 1 + len(KINDS)
    for key in ("timing.none", "speed.native.yes", "speed.native.no", "speed.native.unknown"):
        assert text(language, key) in page.text


# The whole model


def wrote(**rates: float) -> str:
    """What is concluded of forms whose repetitions hardly differ, or, of a negative rate, differ much."""
    found = [
        Written(form, (0.5 * -rate, -rate, 2 * -rate) if rate < 0 else (0.99 * rate, rate, 1.01 * rate))
        for form, rate in rates.items()
    ]
    return written_html.concluded([*found, Written("nf4", ())], "en").replace("\N{NO-BREAK SPACE}", " ")


def test_the_fastest_form_is_named_only_where_repetitions_tell_it_apart() -> None:
    said = wrote(float32=10, bfloat16=20, packed=8)
    assert said.startswith("bfloat16 writes fastest: 2.0 times float32")
    assert "float32 packed by oneDNN is slower than float32" in said
    assert wrote(float32=10, bfloat16=20, int8_dynamic=20.1).startswith("bfloat16 and int8 with inputs rounded")
    assert wrote(float32=10, bfloat16=9) == "No form writes faster than float32. bfloat16 is slower than float32 in " + (
        "spite of fewer bits or another layout."
    )
    assert wrote(float32=10, bfloat16=10.1) == "Nothing is faster than float32 by more than the repetitions differ: " + (
        "float32 and bfloat16 write alike."
    )


def test_of_disturbed_repetitions_nothing_is_concluded() -> None:
    said = wrote(float32=10, bfloat16=-20, packed=50)
    assert said.startswith("The machine was disturbed while bfloat16 wrote")
    assert not {"fastest", "times", "slower"} & set(said.split())


# Energy


@both_languages
def test_the_estimate_is_a_range_with_its_source(language: str) -> None:
    drawn = Page(speed_html.energy(energies(), timed(), False, language))
    plain = energies()[0]
    low, high = (number(language, 1000 * one) for one in plain.total)
    assert f"{low}–{high}\N{NO-BREAK SPACE}mJ" in drawn.text
    assert energy.SOURCE[1] in drawn.attributes("href")
    assert "45 nm" in drawn.text
    assert drawn.count("tr") == 1 + len(energies())


def test_what_is_not_measured_is_said_and_never_made_up() -> None:
    found = timed()
    assert text("en", "speed.energy.untold") in Page(speed_html.energy(energies(), found, False, "en")).text
    assert "Time it here" in Page(speed_html.energy(energies(), found, True, "en")).text
    measured = timed(float32={"joules": 1.25e-4})
    drawn = Page(speed_html.energy(energies(), measured, True, "en")).text
    assert "125\N{NO-BREAK SPACE}µJ" in drawn
    assert text("en", "speed.energy.untold") not in drawn


def test_the_bytes_of_the_estimate_are_those_of_the_survey() -> None:
    found = {one.form: one for one in energies()}
    assert found["float32"].least == pytest.approx(538060032 / 8 * 1.3e-9)
    assert found["float32"].arithmetic == pytest.approx((30 * 3538944 + 28311552) * 4.6e-12)


# The section


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SECONDS", 0.0), ("LEAST", 1), ("COLD", 1), ("SIDE", 16), ("AGAIN", 1)):
        monkeypatch.setattr(timing, name, value)
    monkeypatch.setattr(actions, "_latest", {})
    monkeypatch.setattr(timing, "recorded_layer", {"up_proj": timed()}.get)
    monkeypatch.setattr(energy, "meter", lambda device: None)


def test_what_was_recorded_says_where_and_what_was_not_says_so(quick: None) -> None:
    drawn = SPEED.draw(Asked("en", "up_proj", 64))
    assert "Recorded on another machine: CPU, 2 threads" in drawn["notice"]
    assert "With 64 tokens int8" in drawn["result"]
    drawn = SPEED.draw(Asked("es", "k_proj", 1))
    assert text("es", "speed.nothing") in drawn["notice"]
    assert drawn["result"] == ""


def test_a_press_measures_here_and_it_stays(quick: None) -> None:
    asked = Asked("en", "k_proj", 16)
    *_, last = SPEED.run(asked)
    assert text("en", "timing.here") in last["notice"]
    assert "data-kind" in last["result"]
    assert SPEED.draw(replace(asked, tokens=1))["notice"] == last["notice"]
    found = actions.timed_here("k_proj")
    assert found
    assert len(found.products) == len(KINDS) * len(TOKENS)
    assert len(list(SPEED.attach(asked))) == 1  # nothing goes on
    assert actions.timing_now("k_proj") is None


def test_what_cannot_be_measured_is_said(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(layer: str) -> None:
        raise PlaygroundError("queue_full", waiting=9)

    monkeypatch.setattr(page, "start_timing", full)
    first, last = SPEED.run(Asked("en", "up_proj", 1))
    assert "pp-error" in first["notice"]
    assert "result" not in last
    assert "pp-error" in SPEED.draw(Asked("en", "lm_head", 1))["notice"]


def test_the_section_has_two_controls_and_draws_when_it_is_opened(quick: None) -> None:
    _, lab = built("quantization", page)
    assert lab.value("speed") == Asked("en", timing.LAYER, 1)
    assert [name for name, _ in lab.names["quantization", "speed"]] == ["speed.layer", "speed.tokens"]
    assert [one for _, one in layers("en")] == list(LAYERS)
    assert lab.sections["speed"].pressed
