"""
Long examples: whatever reads them does so in batches of limited tokens, with a pause between two, and a stop is heard
within one. Every job of the lanes that reads examples is walked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cache
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from playground import settings
from playground.actions.lanes import TRAIN
from playground.adapt.adapters import Adapter
from playground.adapt.methods import METHODS
from playground.adapt.tasks import Example, Task, encode, prompt_ids
from playground.compare import reading
from playground.compare.comparison import compare
from playground.compare.job import CompareJob
from playground.errors import PlaygroundError
from playground.locales import LANGUAGES, number
from playground.lowrank.edits import Edit
from playground.lowrank.softprompt import importance
from playground.lowrank.sweep import SweepJob, sweep
from playground.model.bases import Base
from playground.model.catalogue import CATALOGUE
from playground.quantize import activations
from playground.quantize.merging import MergeJob, merging
from playground.quantize.qlora import PairJob, train_pair
from playground.train import trainable, training
from playground.train.batches import by_length, shares
from playground.train.evaluation import held_out_loss, response_loss
from playground.train.job import Ended, Started, TrainingJob, Working
from playground.train.packing import longest
from playground.train.training import train
from playground.work.jobs import Jobs
from tests.conftest import variants

GetBase = Callable[[str], Base]
TOKENS = 100  # of a batch in these tests: two of the examples below
LONG = Task(
    "pirate",
    *(tuple(Example(f"say {word} {n}", f"{word}! " * 3) for n in range(count)) for word, count in (("one", 8), ("two", 6))),
)
STEPS = 3


@pytest.fixture(autouse=True)
def few_tokens(tiny: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_BATCH_TOKENS", TOKENS)
    monkeypatch.setitem(CATALOGUE, "tiny", tiny.spec)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tokens of every batch that a model reads, in turn."""
    seen: list[int] = []
    forward = LlamaForCausalLM.forward

    def counting(self: Any, input_ids: Any = None, inputs_embeds: Any = None, **more: Any) -> Any:
        seen.append((input_ids if input_ids is not None else inputs_embeds[..., 0]).numel())
        return forward(self, input_ids=input_ids, inputs_embeds=inputs_embeds, **more)

    monkeypatch.setattr(LlamaForCausalLM, "forward", counting)
    return seen


def job(method: str, **values: Any) -> TrainingJob:
    return TrainingJob("tiny", method, LONG, values, None if method == "few_shot" else STEPS)


@pytest.fixture(scope="module")
def trained(tiny_forms: GetBase) -> Callable[[str], Adapter]:
    """An adapter of a method, trained once."""

    def adapter(method: str) -> Adapter:
        *_, ended = train(job(method), tiny_forms)
        return ended.adapter

    return cache(adapter)


TRAININGS: dict[str, dict[str, Any]] = {
    "lora": {"batch_size": 8}, "prompt_tuning": {"virtual_tokens": 4}, "few_shot": {}, "full_fine_tuning": {},
}  # fmt: skip
JOBS: dict[str, Callable[[GetBase, Callable[[str], Adapter]], Iterator[Any]]] = {
    **{name: lambda get, _, name=name: train(job(name, **TRAININGS[name]), get) for name in TRAININGS},  # type: ignore[misc]
    "eva": lambda get, _: train(job("lora", initialization="eva", rank=4), get),
    "pair": lambda get, _: train_pair(PairJob("tiny", LONG, {"batch_size": 8}, STEPS), get),
    "sweep": lambda get, of: sweep(SweepJob("tiny", of("lora"), (Edit(rank=1), Edit(rank=2)), LONG), get),
    "importance": lambda get, of: importance(get("tiny"), of("prompt_tuning"), LONG.held_out),
    "merging": lambda get, of: merging(MergeJob(of("lora"), LONG), get),
    "compare": lambda get, of: compare(CompareJob("tiny", "say two", variants("tiny", None, of("few_shot"))), get),
}


def no_samples(*_: Any, **__: Any) -> Generator[None, None, list[str]]:
    """In place of the two short answers of a training, which are written without a pause where nobody steps a pool."""
    return []
    yield


@pytest.mark.parametrize("name", JOBS)
def test_every_job_pauses_between_two_batches(
    name: str, tiny_forms: GetBase, trained: Callable[[str], Adapter], read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "sample_answers", no_samples)
    monkeypatch.setattr(reading, "LEAST", 10**6)  # the two parts of a prompt are no more work than it is in one
    for form in ("tiny", "tiny:nf4", "tiny:nf4_double"):
        longest(tiny_forms(form).model)  # the page loads before it queues; loading and trying read a few tokens
    events, between = JOBS[name](tiny_forms, trained), list[int]()
    before = len(read)
    for _ in events:
        between.append(len(read) - before)
        before = len(read)
    assert max(between) == 1
    assert sum(between) > 4


@pytest.mark.parametrize("name", ["lora", "eva", "full_fine_tuning", "sweep", "importance", "merging"])
def test_no_batch_has_more_tokens_than_allowed(
    name: str, tiny_forms: GetBase, trained: Callable[[str], Adapter], read: list[int]
) -> None:
    events = JOBS[name](tiny_forms, trained)
    read.clear()
    list(events)
    virtual = 2 * METHODS["prompt_tuning"].complete({})["virtual_tokens"] if name == "importance" else 0  # before two rows
    assert max(read) <= TOKENS + virtual


# Batches


def encoded(base: Base, examples: Sequence[Example]) -> list[tuple[list[int], list[int]]]:
    return [encode(base.tokenizer, example) for example in examples]


def gradients(base: Base, parts: Sequence[tuple[Any, float]]) -> dict[str, torch.Tensor]:
    model, _ = trainable.wrap(base, METHODS["full_fine_tuning"], {})
    for part, share in parts:
        (share * response_loss(model, part, base.tokenizer.pad_token_id)).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


def test_a_long_batch_in_parts_has_the_gradient_of_the_whole(tiny: Base) -> None:
    batch = encoded(tiny, [*LONG.train, Example("p", "a much longer answer than all of the others have"), Example("q", "r")])
    parts = shares(batch)
    assert len(parts) > 3
    whole, added = gradients(tiny, [(batch, 1.0)]), gradients(tiny, parts)
    assert whole.keys() == added.keys()
    for name, gradient in whole.items():
        torch.testing.assert_close(added[name], gradient, rtol=1e-4, atol=1e-6)


def test_a_batch_that_fits_stays_as_it_is(tiny: Base) -> None:
    batch = encoded(tiny, LONG.train[:2])[::-1]
    assert shares(batch) == [(batch, 1.0)]


def test_an_example_that_is_too_long_for_company_goes_alone(tiny: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_BATCH_TOKENS", 10)
    assert [len(batch) for batch in by_length(encoded(tiny, LONG.train))] == [1] * 8


def test_the_loss_does_not_depend_on_the_size_of_the_batches(tiny: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    pad, data = tiny.tokenizer.pad_token_id, encoded(tiny, LONG.train)
    split = held_out_loss(tiny.view(), data, pad)
    monkeypatch.setattr(settings, "MAX_BATCH_TOKENS", 10_000)
    assert split == pytest.approx(held_out_loss(tiny.view(), data, pad), rel=1e-6)


# Stopping


@pytest.mark.parametrize("name", TRAININGS)
def test_a_stop_after_the_first_event_ends_a_training_within_one_batch(name: str, tiny: Base, read: list[int]) -> None:
    stopping: list[bool] = []
    events = train(job(name, **TRAININGS[name]), lambda _: tiny, lambda: bool(stopping))
    assert isinstance(next(events), Started)
    stopping, before = [True], len(read)
    stopping_events = list(events)
    assert len(read) - before <= 1
    assert isinstance(stopping_events[-1], Ended)


def test_a_stop_is_heard_while_a_run_reads_what_it_begins_with(tiny: Base, read: list[int]) -> None:
    stopping: list[bool] = []
    events = train(job("lora", initialization="eva", rank=4), lambda _: tiny, lambda: bool(stopping))
    assert [next(events).event for _ in range(3)] == ["started", "working", "working"]
    stopping, before = [True], len(read)
    (ended,) = events
    assert (ended.event, ended.step, len(read) - before) == ("stopped", 0, 0)


def test_a_stop_within_a_step_keeps_the_steps_before(tiny: Base) -> None:
    done: list[Any] = []
    for event in train(job("lora", batch_size=8), lambda _: tiny, lambda: sum(one.event == "step" for one in done) == 1):
        done.append(event)
    ended = done[-1]
    assert (ended.event, ended.step) == ("stopped", 1)
    assert [step for step, _ in ended.adapter.record.losses] == [1]
    *_, first = train(dataclasses.replace(job("lora", batch_size=8), steps=1), lambda _: tiny)
    assert first.adapter.checkpoints[0].tensors.keys() == ended.adapter.tensors.keys()
    assert ended.adapter.checkpoints[-1].step == 1


def test_a_stopped_few_shot_keeps_its_prompt(tiny: Base) -> None:
    *_, ended = train(job("few_shot"), lambda _: tiny, lambda: True)
    assert (ended.event, len(ended.adapter.record.shots), ended.adapter.record.held_out) == ("stopped", 4, [])


def test_both_of_a_pair_end_at_the_same_step(tiny_forms: GetBase) -> None:
    rounds: list[Any] = []
    for pair in train_pair(PairJob("tiny", LONG, {"batch_size": 8}, 12), tiny_forms, lambda: len(rounds) > 25):
        rounds.append(pair)
    lora, qlora = rounds[-1].sides
    assert (lora.state, qlora.state) == ("stopped", "stopped")
    assert lora.adapter.record.steps == qlora.adapter.record.steps < 12


def test_a_pause_is_nothing_that_a_run_tells(tiny: Base) -> None:
    def events(stop: Callable[[], bool]) -> Iterator[Any]:
        for event in train(job("lora", batch_size=8), lambda _: tiny, stop):
            yield None if isinstance(event, Working) else event

    run = Jobs().submit(TRAIN, events)
    for _ in run.changes():
        pass
    assert run.state == "finished"
    assert [event.event for event in run.events if event.event == "step"] == ["step"] * STEPS


# Limits in tokens


def said(error: PlaygroundError, key: str, found: int, maximum: int) -> None:
    assert error.key == key
    for language in LANGUAGES:
        assert number(language, found) in error.message(language)
        assert number(language, maximum) in error.message(language)


def test_few_shot_with_too_many_tokens_is_refused_before_anything_is_read(
    tiny: Base, read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAX_PROMPT_TOKENS", 200)
    with pytest.raises(PlaygroundError) as refused:
        next(train(job("few_shot", examples=8), lambda _: tiny))
    longest = len(prompt_ids_of(tiny, LONG.held_out[0].prompt, LONG.train))
    said(refused.value, "few_shot_too_long", refused.value.values["found"], 200)
    assert longest < refused.value.values["found"] < longest + 40
    assert read == []


def prompt_ids_of(base: Base, prompt: str, shots: Sequence[Example] = ()) -> list[int]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "MAX_PROMPT_TOKENS", 10_000)
        return prompt_ids(base.tokenizer, prompt, shots)


@pytest.mark.parametrize(("prompt", "characters"), [("𒀀" * 600, 600), ("é" * 1100, 1100)])
def test_a_question_is_measured_in_tokens_not_in_characters(tiny: Base, prompt: str, characters: int) -> None:
    assert characters < settings.MAX_PROMPT_CHARACTERS
    with pytest.raises(PlaygroundError) as refused:
        list(compare(CompareJob("tiny", prompt, variants("tiny", None)), lambda _: tiny))
    said(refused.value, "prompt_too_many_tokens", len(prompt_ids_of(tiny, prompt)), settings.MAX_PROMPT_TOKENS)


def test_what_every_layer_reads_is_kept_of_short_prompts_only(tiny: Base) -> None:
    with pytest.raises(PlaygroundError) as refused:
        activations.network(tiny, ["𒀀" * 100])
    said(refused.value, "prompt_too_many_tokens", len(prompt_ids_of(tiny, "𒀀" * 100)), settings.MAX_CALIBRATION_TOKENS)


def test_own_rows_are_measured_in_tokens(tiny: Base) -> None:
    rare = dataclasses.replace(LONG, train=(*LONG.train, Example("p", "𒀀" * 100)))
    with pytest.raises(PlaygroundError) as refused:
        next(train(dataclasses.replace(job("lora"), task=rare), lambda _: tiny))
    said(refused.value, "example_too_long", refused.value.values["found"], settings.MAX_SEQUENCE_TOKENS)


def test_a_sweep_reads_as_many_responses_as_may_be_kept(
    tiny: Base, trained: Callable[[str], Adapter], tiny_forms: GetBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    lora = trained("lora")
    heard = len(tiny.tokenizer(LONG.held_out[0].response)["input_ids"]) + 1
    monkeypatch.setattr(settings, "MAX_SWEEP_TOKENS", 2 * heard + 1)
    *_, done = sweep(SweepJob("tiny", lora, (), LONG), tiny_forms)
    expected = held_out_loss(tiny.view(), encoded(tiny, LONG.held_out[:2]), tiny.tokenizer.pad_token_id)
    assert done is not None
    assert done.base_loss == pytest.approx(expected, rel=1e-6)
