"""Results of the lab that need a button: the mark that each carries is what the controls said when it was pressed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from playground.actions.quantize import PAIR, ready_made, recorded
from playground.adapt import tasks
from playground.locales import LANGUAGES, text
from playground.quantize.qlora import Pair, PairJob
from playground.settings import DEFAULT_BASE
from playground.ui.kit.sections import Section
from playground.ui.quantize import activations, qlora, wholemodel
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS
from tests.ui import labs
from tests.ui.drawn import Page, made_from

KEY = "marks".ljust(32, "a")
MARKED = {
    activations: ("calibration-result", "calibration-outliers", "calibration-network"),
    wholemodel: ("wholemodel-table", "wholemodel-map"),
    qlora: ("qlora-curves", "qlora-memory"),
}
RECIPE = {"task": "pirate", "rank": 4, "rate": 1e-3, "steps": 3, "seed": 7, "double": False}


def built(room: Any) -> tuple[gr.Blocks, Section]:
    """The page and the first section of a room."""
    page, lab = labs.built("quantization", room)
    return page, next(iter(lab.sections.values()))


def trained() -> tuple[Pair, PairJob]:
    """The ready-made pair as one that this recipe gave."""
    pair = ready_made(DEFAULT_BASE)
    assert pair is not None
    values = {"rank": 4, "learning_rate": 1e-3, "double_quantization": False}
    return pair, PairJob(DEFAULT_BASE, tasks.task("pirate"), values, 3, 7)


@pytest.fixture
def shown() -> Any:
    """QLoRA's section with a pair that was trained in the session, and what its controls said."""
    _, section = built(qlora)
    pair, job = trained()
    SESSIONS.get(KEY).runs[PAIR] = Run("train", lambda stop: iter(()), job)
    SESSIONS.get(KEY).runs[PAIR].events.append(pair)
    given = {component: component.value for component in section.controls.inputs}
    asked = replace(section.controls.value(given), key=KEY, language="en", base=DEFAULT_BASE, **RECIPE)
    yield {component.elem_id: change for component, change in section.draw(asked).items()}, asked
    del SESSIONS.get(KEY).runs[PAIR]


@pytest.mark.parametrize("room", MARKED)
def test_a_marked_result_listens_to_the_base_and_to_every_control_in_its_mark(room: Any) -> None:
    page, section = built(room)
    heard = {}
    for fn in page.fns.values():
        if fn.fn is None and fn.js and "madeFrom" in str(fn.js):
            names = json.loads(re.search(r"names = (\[.*?\])", str(fn.js))[1])
            heard[fn.inputs[0].elem_id] = dict(zip(names, fn.inputs[1:], strict=True))
            assert {one for one, event in fn.targets} == {one._id for one in fn.inputs}
    for name in MARKED[room]:
        for control, component in heard[name].items():
            assert section.controls.components[control] is component


def test_curves_and_memory_carry_the_recipe_that_they_were_trained_by(shown: Any) -> None:
    drawn, asked = shown
    made = made_from(drawn["qlora-curves"])
    assert made == {"base": DEFAULT_BASE, **RECIPE} == {name: getattr(asked, name) for name in made}
    assert made_from(drawn["qlora-memory"]) == made
    assert "press “Train both” for new ones" in Page(drawn["qlora-curves"]).texts["pp-former"]


def test_the_ready_made_pair_and_its_time_are_of_its_base_alone() -> None:
    _, section = built(qlora)
    given = {component: component.value for component in section.controls.inputs}
    asked = replace(section.controls.value(given), key=KEY, language="en", base=DEFAULT_BASE)

    def drawn(base: str) -> dict[str, Any]:
        return {component.elem_id: change for component, change in section.draw(replace(asked, base=base)).items()}

    here, elsewhere = drawn(DEFAULT_BASE), drawn("smollm2-360m")
    assert text("en", "qlora.empty") not in here["qlora-curves"]
    assert text("en", "qlora.empty") in elsewhere["qlora-curves"]
    assert here["qlora-estimate"]
    assert elsewhere["qlora-estimate"] == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_survey_carries_its_base(language: str) -> None:
    _, section = built(wholemodel)
    given = {component: component.value for component in section.controls.inputs}
    changes = section.draw(replace(section.controls.value(given), key=KEY, language=language))
    drawn = {component.elem_id: change for component, change in changes.items()}
    for name in MARKED[wholemodel]:
        assert made_from(drawn[name]) == {"base": recorded()["base"]}
