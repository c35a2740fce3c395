"""The section about mixing: built, drawn, mixed with real adapters, and what is said where that cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from playground.actions.mixing import MIX, mix_of, start_mix
from playground.adapt import tasks
from playground.adapt.adapters import Adapter
from playground.locales import LANGUAGES, text
from playground.lowrank.mix import RULES
from playground.model.bases import Base
from playground.train import scoring
from playground.ui.lowrank import mixing
from playground.ui.lowrank.mixing import Asked, Cards
from playground.ui.lowrank.mixing_html import rule_name, rule_said
from playground.work.sessions import SESSIONS
from tests.families import trained
from tests.ui.drawn import made_from
from tests.ui.labs import Built, built

MEANS = ("cosine", "rows", "rows_chance", "columns", "columns_chance")
NOTHING = {"prompt": "say one", "base": "tiny"}


@cache
def lab() -> Built:
    return built("lowrank", mixing)[1]


def cards() -> Cards:
    """The section's own, by its drawing."""
    drawn: Any = lab().sections["mixing"].draw
    found: Cards = drawn.__self__
    return found


@pytest.fixture
def two(tiny_here: Base, request: pytest.FixtureRequest) -> Iterator[tuple[str, Adapter, Adapter]]:
    """A visitor's key with two LoRA adapters that fit each other, a pirate's and one of JSON, and a soft prompt."""
    key = f"mix-{request.node.name}"[:32].ljust(32, "0")
    library = SESSIONS.get(key).library
    library.clear()
    first, _ = trained(tiny_here, "lora")
    generator = torch.Generator().manual_seed(5)
    numbers = {name: 0.1 * torch.randn(one.shape, generator=generator) for name, one in first.tensors.items()}
    second = replace(first, id="second", record=replace(first.record, task="json", seed=2), loaded=numbers)
    for one in (first, second, trained(tiny_here, "prompt_tuning")[0]):
        library.add(one)
    yield key, first, second
    SESSIONS.get(key).runs.clear()


def asked(key: str, adapters: list[str], language: str = "en", **other: Any) -> Asked:
    value: Asked = lab().value("mixing", key, language, adapters=adapters, **{**NOTHING, **other})
    return value


def last(events: Iterator[Any]) -> dict[Any, Any]:
    """What the components hold after a handler."""
    held: dict[Any, Any] = {}
    for changes in events:
        held |= changes
    return held


@pytest.mark.parametrize("language", LANGUAGES)
def test_two_adapters_are_offered_with_a_weight_each_and_their_map(two: Any, language: str) -> None:
    key, lora, second = two
    at = cards().at
    drawn = cards().draw(asked(key, [lora.id, second.id, "gone"], language))
    assert [one for _, one in drawn[at.adapters]["choices"]][:2] == [second.id, lora.id]  # no soft prompt
    assert drawn[at.adapters]["value"] == [lora.id, second.id]
    assert [drawn[one]["visible"] for one in at.weights.values()] == [True, True, False, False]
    assert drawn[at.map].count('style="--v:') == 4  # two layers, query and value
    ends = re.search(r'<p class="pp-key"><span>−(.+?)</span><i class="pp-signed"></i><span>(.+?)</span>', drawn[at.map])
    assert ends
    assert ends[1] == ends[2]
    assert text(language, "mix.said", **dict.fromkeys(MEANS, "?")).partition(":")[0] in drawn[at.map]
    assert at.prompt not in drawn  # the visitor has one


def test_what_a_link_gives_of_sliders_is_drawn(two: Any) -> None:
    key, lora, second = two
    at, given = (
        cards().at,
        {"weight2": -0.5, "weight3": 2.0, "rank": 3, "density": 0.2, "majority_sign": "frequency", "seed": 7},
    )
    drawn = cards().draw(asked(key, [lora.id, second.id], rule="dare_ties_svd", **given))
    assert {name: drawn[{**at.weights, **at.settings}[name]]["value"] for name in given} == given


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_shows_the_settings_that_it_takes(rule: str) -> None:
    ruled = cards().ruled(asked("", [], rule=rule))
    at = cards().at
    assert {name for name, one in at.settings.items() if ruled[one]["visible"]} == set(RULES[rule].takes)
    for language in LANGUAGES:
        names = [rule_name(one, language) for one in RULES]
        assert len(set(names)) == len(names)
        told = text(language, "mix.negative") in rule_said(rule, [1.0, -1.0], language)
        assert told == ("majority_sign" in RULES[rule].takes)


def test_a_mix_is_an_adapter_of_the_session_with_answers_download_and_a_link(two: Any) -> None:
    key, lora, second = two
    at, pressed = cards().at, lab().sections["mixing"].run  # as a link from somebody who had mixed does
    assert pressed
    shown = last(pressed(asked(key, [lora.id, second.id], rule="ties", weight2=-0.5, density=0.4), {"run": "1"}))
    (mix,) = [one for one in SESSIONS.get(key).library.own() if one.record.mix]
    assert (mix.name, mix.record.mix["rule"]) == ("pirate 1 + JSON −0.5 · TIES", "ties")
    assert [one["weight"] for one in mix.record.mix["adapters"]] == [1.0, -0.5]
    assert shown[at.panes].count("<article") == 4  # the base, both, and the mix
    assert "not trained" in shown[at.panes]
    assert mix.name in shown[at.made]
    assert f"panes=base%2C{lora.id}%2C{second.id}%2C{mix.id}" in shown[at.made]
    assert Path(shown[at.download]["value"]).name == "pirate-1-json-0-5-ties.zip"
    other = last(cards().mix(asked(key, [lora.id, second.id], rule="ties", weight2=-0.5, density=0.4, prompt="say two")))
    assert "say two" in other[at.panes]
    assert len([one for one in SESSIONS.get(key).library.own() if one.record.mix]) == 1  # the same one answers again
    again = last(cards().attach(asked(key, [lora.id, second.id])))
    assert mix.name in again[at.made]
    assert again[at.panes] == other[at.panes]
    SESSIONS.get(key).library.remove(mix.id)
    assert at.made not in last(cards().attach(asked(key, [lora.id, second.id])))


def test_every_task_is_scored_alone_and_mixed(two: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    key, lora, second = two
    at, both = cards().at, asked(two[0], [lora.id, second.id])
    assert text("en", "error.mix_first") in last(cards().score(both))[at.scores]
    run = start_mix(key, mix_of(key, both.adapters, both.weights), "both")
    list(run.changes())
    monkeypatch.setattr(scoring, "TOKENS", 2)
    whole = tasks.task
    monkeypatch.setattr(tasks, "task", lambda one: replace(whole(one), held_out=whole(one).held_out[:1]))
    shown = last(cards().score(both))[at.scores]
    head, *rows = shown.split("<tr")[1:]
    assert re.findall(r'scope="col">([^<]+)', head)[1:] == ["pirate", "JSON"]
    assert [row.count("loss") for row in rows] == [2] * 4  # the base, both, and the mix
    assert "pirate: 0 % alone, 0 % mixed. JSON: 0 % alone, 0 % mixed." in shown.replace("\N{NO-BREAK SPACE}", " ")
    assert {"adapters": [lora.id, second.id]} == made_from(shown)


def test_a_mix_that_draws_has_its_seed_in_its_name_and_is_measured_from_three(
    two: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, lora, second = two
    at, both = cards().at, asked(key, [lora.id, second.id], rule="dare_linear", density=0.5, seed=3)
    shown = last(cards().mix(both))
    assert "pirate 1 + JSON 1 · DARE (seed 3)" in shown[at.made]
    assert shown[at.again]["visible"]
    whole = tasks.task
    monkeypatch.setattr(tasks, "task", lambda one: replace(whole(one), held_out=whole(one).held_out[:1]))
    told = last(cards().again(both))[at.spread]
    assert "with seeds 3, 4 and 5" in told
    assert [task in told for task in ("pirate: held-out loss", "JSON: held-out loss")] == [True, True]
    assert told.count("The rules differ by") == 2
    assert last(cards().attach(both))[at.spread] == told  # after a reload
    exact = last(cards().mix(asked(key, [lora.id, second.id])))
    assert (exact[at.again]["visible"], exact[at.spread]) == (False, "")
    assert text("en", "mix.stacked") in exact[at.made]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_cannot_be_mixed_is_said_where_it_was_asked(two: Any, language: str) -> None:
    key, lora, _ = two
    at = cards().at
    alone = asked(key, [lora.id], language)
    said = text(language, "error.mix_count", minimum=2, maximum=4, found=1)
    assert said[:40] in cards().chosen(alone)[at.map]
    assert said[:40] in last(cards().mix(alone))[at.notice]
    assert MIX not in SESSIONS.get(key).runs
