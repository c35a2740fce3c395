"""The fold of the ranks: what is raced is what was suggested, and what cannot be raced is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from playground.actions.race import changes, race_of
from playground.actions.ranks import contenders, ranks_race, start_ranks
from playground.adapt.adapters import Adapter
from playground.adapt.methods import method
from playground.errors import PlaygroundError
from playground.lowrank.findings import ranks_of
from playground.lowrank.ranks import Ranks, suggestion
from playground.lowrank.updates import split, updates
from playground.model.bases import Base
from playground.train import scoring
from playground.ui.lowrank.ranks import Fold
from playground.ui.lowrank.shared import Chosen
from playground.work.sessions import SESSIONS
from tests.ui.drawn import Page, assert_laws

MODULES = [(f"model.layers.{layer}.self_attn.{name}", shape) for layer in (0, 1) for name, shape in (
    ("q_proj", (32, 32)), ("v_proj", (16, 32)),
)]  # fmt: skip


@pytest.fixture
def varied(own: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Adapter]]:
    """The visitor's LoRA adapter, of whose first module one direction is left."""
    monkeypatch.setattr(scoring, "TOKENS", 2)
    key, lora, _ = own
    tensors = {name: tensor.clone() for name, tensor in lora.tensors.items()}
    first = next(name for name in tensors if split(name)[1] == "lora_B")
    tensors[first][:, 1:] = 0
    SESSIONS.get(key).library.add(made := replace(lora, id="varied", loaded=tensors, checkpoints=()))
    yield key, made
    SESSIONS.stop_all(key)


def fold() -> Fold:
    return Fold(gr.Button(), gr.HTML(), gr.Button(), gr.Button(), gr.HTML(), gr.HTML())


def found(*ranks: int) -> dict[str, Ranks]:
    return {module: Ranks(shape, 8, rank, 0) for (module, shape), rank in zip(MODULES, ranks, strict=True)}


@pytest.mark.parametrize(
    ("values", "rank", "alpha"),
    [
        ({"rank": 8, "alpha": 16}, 3, 6),
        ({"rank": 8, "alpha": 16, "initialization": "pissa"}, 3, 6),
        ({"rank": 8, "alpha": 1}, 3, 1),  # no alpha is less
        ({"rank": 8, "alpha": 16, "rslora": True}, 3, 10),  # 16 √(3/8)
        ({"rank": 8, "alpha": 16, "dora": True, "learning_rate": 0.02, "seen_elsewhere": 1}, 3, 6),
    ],
)
def test_both_differ_in_their_ranks_alone_and_the_uniform_one_is_the_nearest(
    tiny: Base, values: Any, rank: int, alpha: int
) -> None:
    suggested = found(1, 4, 5, 2)
    ours, even = contenders(tiny.architecture, "lora", values, suggested)
    assert {**ours.hyperparameters, "ranks": ""} == even.hyperparameters
    told = even.hyperparameters
    assert (told["rank"], told["alpha"], told["targets"], told["initialization"]) == (rank, alpha, "query_value", "random")
    assert (told["dora"], told["learning_rate"]) == (values.get("dora", False), values.get("learning_rate", 0.01))
    counts = [method("lora").trainable(tiny.architecture, one.hyperparameters) for one in (ours, even)]
    magnitudes = 2 * (32 + 16) * told["dora"]
    expected = suggestion(list(suggested.values()))
    assert counts == [expected.parameters + magnitudes, expected.evenly + magnitudes]


@pytest.mark.parametrize(
    ("ranks", "key"), [(found(3, 3, 3, 3), "ranks_alike"), (dict(list(found(1, 2, 3, 4).items())[:3]), "ranks_elsewhere")]
)
def test_ranks_that_cannot_race_are_refused(tiny: Base, ranks: Any, key: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        contenders(tiny.architecture, "lora", {}, ranks)
    assert refused.value.key == key


def test_the_suggested_ranks_race_a_uniform_one_and_both_losses_are_told(varied: Any, tiny_here: Base) -> None:
    key, adapter = varied
    shown, chosen = fold(), Chosen(key, "en", adapter.id)
    drawn = shown.draw(chosen)
    told = suggestion(list(ranks_of(tiny_here, adapter).values()))
    assert drawn[shown.train]["visible"]
    assert f"nearest to that is {told.uniform}, with {told.evenly:,}." in Page(drawn[shown.shown]).text
    *_, last = shown.start(chosen)
    ours, even = race_of(key)
    assert (ours.job.task.id, ours.job.steps, ours.job.seed) == ("pirate", adapter.record.steps, adapter.record.seed)
    assert ours.job.hyperparameters["ranks"]
    assert even.job.hyperparameters == ours.job.hyperparameters | {"ranks": ""}
    page = Page(last[shown.raced])
    for run in (ours, even):
        record = SESSIONS.get(key).library.get(run.events[-1].adapter.id).record
        assert f"{record.held_out[-1][1]:#.3g}" in page.text
        assert f"{record.trainable_parameters:,}" in page.text
    assert "This is one seed" in page.text
    assert page.attributes("data-adapter") == []  # nobody listens here
    (way,) = page.attributes("href")
    assert all(run.events[-1].adapter.id in way for run in (ours, even))
    assert last[shown.train]["interactive"]
    assert not last[shown.stop]["visible"]
    *_, again = shown.attach(chosen)  # after a reload
    assert again == last


def test_another_adapter_s_race_is_not_shown(varied: Any, own: Any) -> None:
    key, adapter = varied
    long = replace(adapter, id="long", record=replace(adapter.record, planned_steps=300))
    SESSIONS.get(key).library.add(long)
    runs = start_ranks(key, long.id)
    assert ranks_race(key, long.id) == runs
    assert ranks_race(key, own[1].id) == []
    shown = fold()
    assert list(shown.attach(Chosen(key, "en", own[1].id))) == [
        {shown.status: "", shown.raced: "", shown.stop: gr.update(visible=False)}
    ]
    shown.halt(Chosen(key, "en", own[1].id))
    assert not any(run.stopping for run in runs)
    shown.halt(Chosen(key, "en", long.id))
    for _ in changes(runs):
        pass
    assert {run.state for run in runs} == {"stopped"}


def test_what_has_no_factors_is_refused_in_words(own: Any) -> None:
    key, _, soft = own
    for language in ("en", "es"):
        shown = fold()
        (changes,) = shown.start(Chosen(key, language, soft.id))
        assert set(changes) == {shown.status}
        assert "pp-error" in changes[shown.status]


def test_the_ranks_that_would_have_been_enough_are_drawn_for_every_module(own: Any, tiny_here: Base) -> None:
    key, lora, soft = own
    shown = fold()
    found = ranks_of(tiny_here, lora)
    told = Page(shown.draw(Chosen(key, "en", lora.id))[shown.shown])
    assert told.count("td") == len(found) == len(updates(tiny_here, lora))
    least, most = (one(each.suggested for each in found.values()) for one in (min, max))
    assert f"Rank {least} to {most} holds 99" in told.text
    assert_laws(lambda language: [shown.draw(Chosen(key, language, lora.id))[shown.shown]])
    refused = shown.draw(Chosen(key, "es", soft.id))
    assert "pp-error" in refused[shown.shown]
    assert shown.train not in refused
