"""Answering many times: each answer is what a comparison with its seed gives, whatever is read and written together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from playground import settings
from playground.adapt import tasks
from playground.adapt.variant import Variant
from playground.compare import decoding, sampling
from playground.compare.comparison import compare
from playground.compare.decoding import Row
from playground.compare.job import CompareJob, Decoding
from playground.compare.many import TIMES, ManyFrame, ManyJob, held_out
from playground.compare.pool import write
from playground.compare.reading import Opening, Read, read
from playground.compare.sampling import many, read_once
from playground.compare.verdict import verdicts
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.model.catalogue import CATALOGUE
from tests.compare.test_comparison import SAMPLED, GetBase, trained_once
from tests.compare.test_routing import PROMPTS, TOKENIZER
from tests.compare.test_routing import tiny as family
from tests.conftest import variants

QUESTION = "What is the capital of France?"  # that the pirates hold out
SCORE = {"pirate": lambda example, answer: (len(answer) % 3) / 2 * (example.prompt == QUESTION)}


@pytest.fixture(scope="module")
def job(tiny_forms: GetBase) -> ManyJob:
    """The base, a LoRA, a soft prompt and a QLoRA; three seeds from SAMPLED's on."""
    adapters = [trained_once(name, tiny_forms) for name in ("lora", "prompt_random", "qlora")]
    how = dataclasses.replace(SAMPLED, max_new_tokens=8)
    return ManyJob(CompareJob("tiny", QUESTION, variants("tiny", None, *adapters), how), 3)


@pytest.fixture(scope="module")
def asked_many(job: ManyJob, tiny_forms: GetBase) -> tuple[list[ManyFrame], int]:
    """Its frames, scored by SCORE, and how often a prompt was read."""
    readings: list[int] = []

    def counting(model: Any, ids: list[int], opening: Opening | None) -> Read:
        readings.append(len(ids))
        return read(model, ids, opening)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "read", counting)
        patch.setattr(tasks, "SCORES", SCORE)
        return list(many(job, tiny_forms)), len(readings)


def answers(frame: ManyFrame) -> list[list[tuple[Any, ...]]]:
    return [[(one.seed, one.text, one.tokens, one.finish_reason) for one in pane.answers] for pane in frame.panes]


def test_each_answer_is_that_of_a_comparison_with_its_seed(
    tiny: Base, tiny_forms: GetBase, job: ManyJob, asked_many: tuple[list[ManyFrame], int]
) -> None:
    last = asked_many[0][-1]
    found = answers(last)
    for place, seed in enumerate(range(7, 10)):
        *_, once = compare(job.asked(seed), tiny_forms)
        expected = [(seed, pane.text, pane.tokens, pane.finish_reason) for pane in once.panes]
        assert [pane[place] for pane in found] == expected
    assert all(pane.different > 1 for pane in last.panes)
    assert tiny.untouched()


def test_each_pane_reads_the_question_once(job: ManyJob, asked_many: tuple[list[ManyFrame], int]) -> None:
    assert asked_many[1] == len(job.once.variants)


def test_frames_grow_by_answers_and_the_verdicts_come_last(asked_many: tuple[list[ManyFrame], int]) -> None:
    frames, _ = asked_many
    written, left = [frame.written for frame in frames], [frame.left for frame in frames]
    assert written == sorted(written)
    assert left == sorted(left, reverse=True)
    assert (written[0], written[-1], left[-1]) == (0, 12, 0.0)
    assert [frame.finished for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert not any(frame.verdicts for frame in frames[:-1])
    assert frames[-1].verdicts == verdicts([pane.values for pane in frames[-1].panes])
    assert len(frames[-1].verdicts) == 6


def test_a_held_out_question_is_scored_by_the_rule_of_its_task(asked_many: tuple[list[ManyFrame], int]) -> None:
    last = asked_many[0][-1]
    assert last.task == "pirate"
    found = [one for pane in last.panes for one in pane.answers]
    assert [one.score for one in found] == [(len(one.text) % 3) / 2 for one in found]


def test_what_memory_does_not_hold_at_once_is_written_in_turns_and_what_has_no_rule_by_lengths(
    tiny: Base, get_tiny: GetBase, job: ManyJob, asked_many: tuple[list[ManyFrame], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CATALOGUE, "tiny", tiny.spec)
    monkeypatch.setattr(tasks, "TASK_IDS", ())
    few = dataclasses.replace(job, once=dataclasses.replace(job.once, variants=job.once.variants[:2]))
    each, forms = sampling.held_bytes(dataclasses.replace(few, times=2), tiny.architecture)
    monkeypatch.setattr(settings, "MAX_ANSWERS_BYTES", each)
    written: list[int] = []

    def counting(rows: list[Row], pool: Any) -> Iterator[None]:
        written.append(len(rows))
        yield from write(rows, pool)

    monkeypatch.setattr(sampling, "write", counting)
    monkeypatch.setattr(tasks, "SCORES", {})
    *_, last = many(few, get_tiny)
    assert written == [4, 2]
    assert answers(last) == answers(asked_many[0][-1])[:2]
    assert (sampling.waves(few, tiny.architecture), sampling.held_bytes(few, tiny.architecture)) == (2, (each, forms))
    assert (last.task, {one.score for pane in last.panes for one in pane.answers}) == (None, {None})
    assert last.panes[0].mean == sum(one.tokens for one in last.panes[0].answers) / 3


@pytest.mark.parametrize("name", ["gemma2", "mamba2"])
def test_rows_begin_with_what_one_has_read_or_read_themselves_where_a_cache_cannot_be_shared(name: str) -> None:
    model, how = family(name), Decoding(10, temperature=1.0)

    def rows() -> list[Row]:
        return [Row(model, TOKENIZER, PROMPTS[2], dataclasses.replace(how, seed=seed)) for seed in range(3)]

    together, alone = rows(), rows()
    read_once(together)
    list(write(together))
    for row in alone:
        row.prefill()
        list(write([row]))
    assert [row.tokens for row in together] == [row.tokens for row in alone]
    assert all(torch.equal(one.logits, other.logits) for one, other in zip(together, alone, strict=True))


def test_only_what_is_held_out_has_a_rule_and_what_panes_have_learned_comes_first() -> None:
    assert held_out(f" {QUESTION} ") == ("pirate", tasks.task("pirate").held_out[0])
    assert held_out(tasks.task("pirate").train[0].prompt) is None
    assert held_out("What is the capital of Japan?") == ("spanish", tasks.task("spanish").held_out[0])
    shared = tasks.task("pirate").held_out[0].prompt
    assert held_out(shared, ["own", "json"]) == held_out(shared)


def asked(how: Decoding, times: Any = TIMES.default) -> ManyJob:
    return ManyJob(CompareJob("tiny", QUESTION, (Variant("tiny"),), how), times)


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        (lambda: asked(Decoding()), "many_greedy"),
        (lambda: asked(Decoding(temperature=1.0, seed=2**31 - 8)), None),
        (lambda: asked(Decoding(temperature=1.0, seed=2**31 - 7)), "many_seeds"),
        (lambda: asked(Decoding(temperature=1.0), 1), "out_of_range"),
        (lambda: asked(Decoding(temperature=1.0), settings.MAX_ANSWERS + 1), "out_of_range"),
    ],
)
def test_what_cannot_be_served_is_said_before_anything_is_read(wrong: Callable[[], ManyJob], key: str | None) -> None:
    if key is None:
        wrong().check()
        return
    with pytest.raises(PlaygroundError) as refused:
        wrong().check()
    assert refused.value.key == key
