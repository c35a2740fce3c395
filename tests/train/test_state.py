"""A training that goes on from a state ends as if nothing had happened: the same losses, adapter and record, to the bit."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch

from playground import settings
from playground.adapt.adapters import Adapter
from playground.adapt.tasks import Task
from playground.model.bases import Base
from playground.train import evaluation
from playground.train.job import Ended, TrainingJob, Working
from playground.train.state import State
from playground.train.training import train
from tests.train.test_together import company, in_turn, passes  # noqa: F401

GetBase = Callable[[str], Base]
STEPS = 9  # looked at after 3, 6 and 9
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": ("lora", {"dropout": 0.3, "batch_size": 3}),  # no whole passes between two looks
    "lora_plus": ("lora", {"rate_ratio": 8.0}),
    "pissa": ("lora", {"initialization": "pissa"}),
    "dora": ("lora", {"dora": True, "dropout": 0.3}),
    "qlora": ("qlora", {"dropout": 0.3}),
    "ia3": ("ia3", {}),
    "adalora": ("adalora", {"learning_rate": 0.05}),  # which has taken ranks away before and after
    "prompt": ("prompt_tuning", {"virtual_tokens": 5}),
    "full": ("full_fine_tuning", {}),
}


def job_of(name: str, task: Task, seed: int = 0) -> TrainingJob:
    chosen, values = RUNS[name]
    return TrainingJob("tiny", chosen, task, values, STEPS, seed)


@pytest.fixture(autouse=True)
def short_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SAMPLE_TOKENS", 3)


class Saves(list[bytes]):
    """The states as they travel."""

    def __call__(self, state: State) -> None:
        self.append(pickle.dumps(state))

    def states(self) -> Iterator[State]:
        return map(pickle.loads, self)


def told(events: Sequence[Any], after: int = -1) -> list[dict[str, Any]]:
    """What does not depend on how fast it went, of the events after a step."""
    timed = ("seconds", "elapsed", "remaining", "tokens_per_second", "adapter")
    return [
        {name: value for name, value in vars(one).items() if name not in timed}
        for one in events
        if one.step > after and not isinstance(one, Working)
    ]


def adapter_of(events: Sequence[Any]) -> Adapter:
    assert isinstance(events[-1], Ended)
    return events[-1].adapter


def assert_same(one: Adapter, other: Adapter) -> None:
    assert dataclasses.replace(one.record, seconds=0, beginning=0) == dataclasses.replace(
        other.record, seconds=0, beginning=0
    )
    assert [kept.step for kept in one.checkpoints] == [kept.step for kept in other.checkpoints]
    pairs = [(one.tensors, other.tensors)]
    pairs += [(a.tensors, b.tensors) for a, b in zip(one.checkpoints, other.checkpoints, strict=True)]
    for mine, theirs in pairs:
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(tensor, theirs[name]) for name, tensor in mine.items())


@pytest.mark.parametrize("name", RUNS)
def test_who_goes_on_ends_as_who_never_paused(tiny: Base, tiny_forms: GetBase, small_task: Task, name: str) -> None:
    job, saves = job_of(name, small_task), Saves()
    whole = list(train(job, tiny_forms, save=saves))
    assert [state.step for state in saves.states()] == [3, 6]
    for state in saves.states():
        for _ in range(2):  # it is a value: nothing moves it
            rest = list(train(job, tiny_forms, state=state))
            assert told(rest) == told(whole, after=state.step)
            assert_same(adapter_of(rest), adapter_of(whole))


def test_what_took_long_before_is_counted_once(tiny: Base, tiny_forms: GetBase, small_task: Task) -> None:
    job, saves = job_of("pissa", small_task), Saves()
    whole = list(train(job, tiny_forms, save=saves))
    state = next(saves.states())
    slow = dataclasses.replace(state.progress, seconds=1000.0)
    rest = list(train(job, tiny_forms, state=dataclasses.replace(state, progress=slow)))
    assert 1000 < rest[-1].seconds < 1000 + 2 * whole[-1].seconds + 1
    assert adapter_of(rest).record.beginning == adapter_of(whole).record.beginning
    assert next(one for one in rest if one.event == "step").elapsed > -state.account.begun


def test_in_company_too(tiny: Base, small_task: Task, passes: list[int]) -> None:  # noqa: F811
    jobs, own = [job_of("lora", small_task), job_of("dora", small_task, 1), job_of("prompt", small_task, 2)], company()
    saves = [Saves() for _ in jobs]
    runs = [train(job, lambda _: tiny, company=own, save=save) for job, save in zip(jobs, saves, strict=True)]
    whole, own = in_turn(runs, own), company()
    passes.clear()
    states = [next(save.states()) for save in saves]
    runs = [train(job, lambda _: tiny, company=own, state=state) for job, state in zip(jobs, states, strict=True)]
    rests = in_turn(runs, own)
    assert passes.count(3) >= STEPS - 3
    for rest, all_of_it in zip(rests, whole, strict=True):
        mine, theirs = adapter_of(rest).record, adapter_of(all_of_it).record
        assert [step for step, _ in mine.losses] == list(range(1, STEPS + 1))
        assert [loss for _, loss in mine.losses] == pytest.approx([loss for _, loss in theirs.losses], abs=1e-4)


@pytest.mark.parametrize("name", ["lora", "pissa"])
def test_who_is_stopped_before_it_goes_on_keeps_what_was_learned(
    tiny: Base, tiny_forms: GetBase, small_task: Task, name: str
) -> None:
    job, saves = job_of(name, small_task), Saves()
    whole = list(train(job, tiny_forms, save=saves))
    *_, ended = train(job, tiny_forms, lambda: True, state=next(saves.states()))
    assert (ended.event, ended.step, ended.adapter.record.steps) == ("stopped", 3, 3)
    learned = adapter_of(whole).at(3).tensors
    assert all(torch.equal(tensor, learned[name]) for name, tensor in ended.adapter.tensors.items())


def test_what_is_too_large_to_travel_is_not_saved(
    tiny: Base, tiny_forms: GetBase, small_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, saves = job_of("full", small_task), Saves()
    monkeypatch.setattr(settings, "MAX_STATE_BYTES", 16 * tiny.model.num_parameters())
    list(train(job, tiny_forms, save=saves))
    assert not saves
