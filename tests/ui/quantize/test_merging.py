"""Merging on the page: the card is drawn from a real run, and what cannot be merged is a sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from playground import settings
from playground.adapt.tasks import Task
from playground.locales import text
from playground.model.bases import BASES, Base
from playground.model.catalogue import CATALOGUE, BaseSpec
from playground.model.memory import STORE
from playground.quantize.merging import Merge as MergedModule
from playground.quantize.merging import Merging
from playground.train.job import Ended, TrainingJob
from playground.train.training import train
from playground.ui.quantize.merging import Asked, Merge, cost
from playground.work.sessions import SESSIONS

KEY = "merging-on-the-page"
CARD = Merge("adapter", "notice", "cost")  # names stand for components


@pytest.fixture
def trained(tiny: Base, small_task: Task, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The id of a QLoRA adapter of this session, on the tiny base from its folder."""
    monkeypatch.setitem(CATALOGUE, "tiny", BaseSpec("tiny", "Tiny", "local", str(tiny.folder), tiny.architecture))
    monkeypatch.setattr(settings, "DEVICE", "cpu")
    brief = dataclasses.replace(small_task, id="sentiment")  # whose held-out examples are short
    *_, ended = train(TrainingJob("tiny", "qlora", brief, {"rank": 2}, 1), BASES.get)
    assert isinstance(ended, Ended)
    SESSIONS.add(KEY, ended.adapter)
    yield ended.adapter.id
    SESSIONS.get(KEY).library.clear()
    STORE.forget(BASES.get("tiny"))


def test_a_merge_is_measured_and_drawn(trained: str) -> None:
    *_, last = CARD.weigh(Asked(KEY, "en", "tiny", trained))
    assert text("en", "lab.finished") in last["notice"]
    assert "<table" in last["cost"]
    assert text("en", "qlora.merge.into_nf4") in last["cost"]
    assert "against the unmerged adapter on that same base" in last["cost"]
    cleared = CARD.clear(Asked(KEY, "en", "tiny", None))  # another adapter is chosen
    assert cleared["notice"] == ""
    assert "<table" not in cleared["cost"]


@pytest.mark.parametrize(
    ("language", "said"), [("en", "amounts to 0.82 times the update"), ("es", "equivale a 0,82 veces la")]
)
def test_a_rounding_smaller_than_the_update_is_not_said_to_be_larger(language: str, said: str) -> None:
    one = MergedModule("q_proj", rounding=0.82, kept=1, entries=2)
    assert said in cost(language, "qlora", Merging("smollm2-135m:nf4", (one, one)))


def test_without_an_adapter_it_says_what_to_choose() -> None:
    (only,) = CARD.weigh(Asked("nobody", "en", "smollm2-135m", None))
    assert "pp-error" in only["notice"]
