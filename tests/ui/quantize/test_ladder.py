"""The ladder's sections without a browser: what was recorded is there at once, what is measured is drawn as it comes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from playground.actions import ladder as actions
from playground.actions.ladder import LAYER, WHOLE, Stored, recorded, recorded_layer
from playground.formats.gguf import block_of
from playground.formats.registry import FORMATS
from playground.locales import LANGUAGES, text, words
from playground.model.bases import Base
from playground.quantize import caching, sequential
from playground.settings import DEFAULT_BASE
from playground.ui.kit import fields
from playground.ui.quantize import blocks, kvcache, ladder, ladder_html, rungs
from playground.work.sessions import SESSIONS
from tests.families import tiny_base
from tests.ui import labs
from tests.ui.drawn import Page, made_from

KEY = "ladder".ljust(32, "a")
MODULE = "model.layers.1.mlp.up_proj"


@pytest.fixture
def llama(loaded: Any, monkeypatch: pytest.MonkeyPatch) -> Base:
    """A tiny base with rows of whole blocks, among the loaded ones; texts and answers that take no time."""
    monkeypatch.setattr(sequential, "ANSWER_TOKENS", 3)
    monkeypatch.setattr(caching, "ANSWER_TOKENS", 3)
    base: Base = loaded(tiny_base("llama"))
    return base


def section(room: Any, base: str) -> tuple[Any, Any]:
    _, lab = labs.built("quantization", room, base)
    (name,) = lab.sections
    return lab.sections[name], lab.value(name, KEY)


def shown(changes: Any) -> dict[str, Any]:
    return {one.elem_id: change for one, change in changes.items() if hasattr(one, "elem_id")}


def last(changes: Iterator[Any]) -> dict[str, Any]:
    """Everything that a handler's changes leave, by component."""
    left: dict[str, Any] = {}
    for one in changes:
        left |= shown(one)
    return left


# One layer


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_embedded_base_s_ladder_is_there_at_once_and_says_where_it_was_measured(language: str) -> None:
    one, asked = section(ladder, DEFAULT_BASE)
    drawn = shown(one.draw(replace(asked, language=language)))
    page = Page(drawn["ladder-result"])
    assert not page.unmatched
    assert made_from(drawn["ladder-result"]) == {"base": DEFAULT_BASE}
    assert text(language, "ladder.recorded", machine="")[:-1] in drawn["ladder-notice"]
    for rung in rungs.RUNGS:
        assert text(language, f"rung.{rung}") in page.text


@pytest.mark.parametrize("bits", ladder.BITS)
def test_every_number_of_bits_was_recorded(bits: int) -> None:
    found = recorded_layer(DEFAULT_BASE, None, bits, 64)
    assert found is not None
    assert [one["rung"] for one in found["steps"]] == list(rungs.RUNGS)
    assert recorded_layer(DEFAULT_BASE, found["module"], bits, 64) is found
    assert recorded_layer(DEFAULT_BASE, "another", bits, 64) is None
    assert recorded_layer(DEFAULT_BASE, None, bits, 32) is None


def test_another_base_s_layer_is_measured_here(llama: Base) -> None:
    one, asked = section(ladder, llama.id)
    assert "ladder-result" not in shown(one.draw(asked))
    left = last(one.attach(replace(asked, block=32)))
    assert text("en", "lab.finished") in left["ladder-notice"]
    assert "pp-conclusion" in left["ladder-result"]
    assert len(left["ladder-module"]["choices"]) == 14
    assert SESSIONS.get(KEY).runs[LAYER].ended
    assert "<pre" in left["ladder-text"]


def test_a_block_that_does_not_fit_is_refused_in_words(llama: Base) -> None:
    one, asked = section(ladder, llama.id)
    left = last(one.attach(replace(asked, module=MODULE, block=128, language="es")))
    assert "Los bloques de 128 no caben" in left["ladder-notice"]


def test_a_base_that_was_read_already_is_not_read_again(llama: Base) -> None:
    one, asked = section(ladder, llama.id)
    assert "ladder-notice" in last(one.attach(replace(asked, read=asked.base)))
    assert len(list(one.attach(replace(asked, read=asked.base)))) == 1


def steps(**errors: tuple[float, float, float]) -> list[dict[str, Any]]:
    names = ("weight", "seen", "unseen")
    return [
        {"rung": rung, "bits": 4.5, "both": 0.1, "seconds": 0.1, **dict(zip(names, values, strict=True))}
        for rung, values in errors.items()
    ]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (steps(nearest=(0.1, 0.1, 0.1), gptq=(0.2, 0.04, 0.05)), ["ladder.said.differ", "ladder.said.seen"]),
        (steps(nearest=(0.1, 0.1, 0.1), gptq=(0.2, 0.04, 0.2)), ["ladder.said.same", "ladder.said.fitted"]),
        (steps(nearest=(0.1, 0.1, 0.1), gptq=(0.2, 0.2, 0.2)), ["ladder.said.same"]),
    ],
)
def test_the_sentences_say_who_has_the_least_error_of_which_kind(found: Any, said: list[str]) -> None:
    made = ladder_html._compared(found, "en")
    parts = [[part.partition("}")[2] for part in words("en")[key].split("{")[1:]] for key in said]
    assert all(part in one for wanted, one in zip(parts, made, strict=True) for part in wanted)


# The whole base


def test_every_rung_on_the_embedded_base_was_recorded_with_its_answer() -> None:
    one, asked = section(rungs, DEFAULT_BASE)
    drawn = shown(one.draw(asked))["rungs-recorded"]
    page = Page(drawn)
    assert not page.unmatched
    assert [each["rung"] for each in recorded()["rungs"]] == list(rungs.RUNGS)
    assert "The capital of France is Paris." in page.text
    assert words("en")["rungs.said.worse"].split("{")[0] in page.text


def test_the_rungs_of_the_page_are_those_of_the_ladder() -> None:
    from playground.quantize.ladder import RUNGS

    assert tuple(RUNGS) == rungs.RUNGS


def test_of_another_base_nothing_was_recorded_and_a_press_measures(llama: Base) -> None:
    one, asked = section(rungs, llama.id)
    asked = replace(asked, rung="nearest", block=32)
    assert text("en", "rungs.elsewhere") in shown(one.draw(asked))["rungs-recorded"]
    left = last(one.run(asked, {}))
    page = Page(left["rungs-result"])
    assert not page.unmatched
    assert text("en", "rung.nearest") in page.text
    assert made_from(left["rungs-result"]) == {
        "base": llama.id, "rung": "nearest", "bits": 4, "block": 32, "prompt": asked.prompt,
    }  # fmt: skip
    assert left["rungs-stop"]["visible"] is False
    assert SESSIONS.get(KEY).runs[WHOLE].state == "finished"
    again = last(one.attach(asked))
    assert again["rungs-result"] == left["rungs-result"]


@pytest.mark.parametrize(("changed", "said"), [({"prompt": " "}, "no question"), ({"block": 128}, "128")])
def test_what_cannot_be_is_said(llama: Base, changed: Any, said: str) -> None:
    one, asked = section(rungs, llama.id)
    assert said in last(one.run(replace(asked, **changed), {}))["rungs-notice"]


def test_a_base_that_is_too_large_is_refused(llama: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.settings.MAX_ROUNDED_PARAMETERS", 10)
    one, asked = section(rungs, llama.id)
    assert "too large" in last(one.run(replace(asked, block=32), {}))["rungs-notice"]


# The cache


def test_the_cache_s_numbers_are_there_at_once_and_a_press_measures(llama: Base) -> None:
    one, asked = section(kvcache, llama.id)
    drawn = shown(one.draw(asked))["kvcache-result"]
    assert made_from(drawn) == {"base": DEFAULT_BASE, "prompt": recorded()["prompt"]}
    left = last(one.run(asked, {}))
    assert made_from(left["kvcache-result"]) == {"base": llama.id, "prompt": asked.prompt}
    assert len(Page(left["kvcache-result"]).elements) == len(Page(drawn).elements)


def test_nothing_is_said_of_the_smallest_before_two_of_them_are_there() -> None:
    found = copy.deepcopy(recorded()["caches"])
    assert "stays closest" in ladder_html.caches(found, "en")
    found["found"] = found["found"][:2]
    assert "stays closest" not in ladder_html.caches(found, "en")


# A block


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_block_is_drawn_with_its_bytes_and_what_was_checked(language: str) -> None:
    import torch

    format = FORMATS["q4_1"]
    block = block_of(format, torch.linspace(-1, 1, 32))
    drawn = blocks.drawn(Stored("model.layers.0.mlp.up_proj", 3, 9, block, True, 9, 8), language)
    page = Page(drawn)
    assert not page.unmatched
    assert text(language, "blocks.again") in page.text
    figures = "".join(f"{byte:02x}" for byte in block.stored)
    assert figures in page.text.replace(" ", "").replace("\n", "") or all(
        f"{byte:02x}" in page.text for byte in block.stored
    )
    assert sum(tag == "rect" for tag, _ in page.elements) == 32


def test_of_another_base_than_the_embedded_one_there_is_no_block(llama: Base) -> None:
    one, asked = section(blocks, llama.id)
    assert "GGUF" in last(one.attach(asked))["blocks-result"]


def test_the_first_block_of_a_layer_is_read_back_exactly(base: Base) -> None:
    found = actions.stored(base.id, MODULE, 0)
    assert found.again
    assert found.alike == found.blocks == found.every
    assert set(actions.in_blocks(base.id)) >= {MODULE, "model.layers.15.mlp.down_proj"}


# Links


@pytest.mark.parametrize(
    ("room", "values"),
    [
        (ladder, {"module": MODULE, "bits": "3", "block": "32"}),
        (rungs, {"rung": "awq", "bits": "2", "block": "128", "prompt": "hello"}),
        (kvcache, {"prompt": "hello"}),
        (blocks, {"module": MODULE, "place": "17"}),
    ],
)
def test_what_the_controls_hold_goes_through_a_link(room: Any, values: dict[str, str]) -> None:
    _, lab = labs.built("quantization", room)
    (name,) = lab.sections
    one = lab.sections[name]
    named = {key: each for key, each in one.controls.components.items() if key in values}
    table = fields.table(named, one.offered)
    taken, left = fields.read(table, values)
    assert not left
    assert fields.write(name, table, taken) == {f"{name}.{key}": value for key, value in values.items()}
