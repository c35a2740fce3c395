"""What runs answer as they go is written with everybody else's rows, and is what each writes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from playground.actions.train import start_training
from playground.adapt.variant import Variant
from playground.compare.comparison import compare
from playground.compare.job import CompareJob, Decoding
from playground.compare.pool import Part, Pool
from playground.model.bases import Base
from playground.train import evaluation
from playground.train.job import Sample, Step, TrainingJob
from playground.train.together import Company
from playground.train.training import train
from playground.work.sessions import JOBS
from tests.families import one_thread, tiny_base  # noqa: F401
from tests.train.test_together import SAY, company, job_of

NAMES = ("lora", "lora_dropout", "dora_dropout", "ia3", "prompt")


@pytest.fixture(autouse=True)
def short_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SAMPLE_TOKENS", 6)


def full(steps: int) -> TrainingJob:
    return TrainingJob("tiny", "full_fine_tuning", SAY, {"learning_rate": 1e-3}, steps)


def few_shot() -> TrainingJob:
    return TrainingJob("tiny", "few_shot", SAY, {"examples": 2})


def in_turn(runs: Sequence[Iterator[Any]], part: Part, own: Company | None = None) -> tuple[list[list[Any]], int]:
    """The events of runs that have a turn each, as the lane gives them; the most rows that one batch had."""
    events: list[list[Any]] = [[] for _ in runs]
    going, most = dict(enumerate(runs)), 0
    while going:
        for place, run in list(going.items()):
            if (event := next(run, None)) is None:
                del going[place]
            else:
                events[place].append(event)
        if own:
            own.step()
        part.step()
        most = max([most, *(len(batch.rows) for batch in part._pool._batches)])
    return events, most


def forever(turn: Callable[[], None]) -> None:
    while True:
        turn()


def samples(events: Sequence[Any]) -> list[Sample]:
    """How much of the run is `left` depends on what goes on beside it."""
    return [replace(event, left=0) for event in events if isinstance(event, Sample)]


@pytest.mark.parametrize("together", [False, True])
def test_answers_in_one_pool_are_those_of_each_run_alone(tiny: Base, together: bool) -> None:
    """All in one batch, through models that are in training between two of them; some also step and measure together."""
    part, own = Part(Pool()), company() if together else None
    jobs = [*(job_of(name, seed, 3 + seed) for seed, name in enumerate(NAMES)), full(3), few_shot()]
    runs = [train(job, lambda _: tiny, company=own, pool=part) for job in jobs]
    events, most = in_turn(runs, part, own)
    assert most > 4
    for job, seen in zip(jobs, events, strict=True):
        alone = list(train(job, lambda _: tiny))
        assert samples(seen) == samples(alone)
        assert seen[-1].event == "finished"
        losses = [[event.loss for event in one if isinstance(event, Step)] for one in (seen, alone)]
        assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert part._pool._batches == []
    assert tiny.untouched()


def test_comparisons_beside_show_what_they_show_alone(tiny: Base) -> None:
    job, pool, most = CompareJob("tiny", "Hello", (Variant("tiny"),), Decoding(12)), Pool(), 0
    *_, expected = compare(job, lambda _: tiny)
    comparing, run = compare(job, lambda _: tiny, pool), train(job_of("lora", steps=1), lambda _: tiny, pool=pool)
    last = next(comparing)
    for _ in range(60):
        next(run, None)
        last = next(comparing, last)
        pool.step()
        most = max([most, *(len(batch.rows) for batch in pool._batches)])
    assert most == 3
    assert [pane.text for pane in last.panes] == [pane.text for pane in expected.panes]


def test_a_part_steps_nobody_while_nothing_of_its_own_is_written(tiny: Base) -> None:
    job = CompareJob("tiny", "Hello", (Variant("tiny"),), Decoding(12))
    pool = Pool()
    comparing = compare(job, lambda _: tiny, pool)
    frames = [next(comparing) for _ in range(3)]
    Part(pool).step(1.0)
    assert frames[-1].panes[0].tokens == next(comparing).panes[0].tokens == 1
    pool.step()
    assert next(comparing).panes[0].tokens == 2


def test_a_stop_while_answers_are_written_is_heard_at_the_next_token(tiny: Base) -> None:
    part, steps, after = Part(Pool()), 0, list[str]()

    def stop() -> bool:
        return len(after) > 3

    for event in train(job_of("lora_dropout", steps=1), lambda _: tiny, stop, pool=part):
        steps += isinstance(event, Step)
        after += [event.event] * steps
        part.step()
    assert after[:4] == ["step", "evaluation", "working", "working"]
    assert after[4:] == ["stopped"]
    assert (event.step, event.adapter.record.steps) == (1, 1)
    assert (part._rows, part._pool._waiting, part._pool._batches) == ([], [], [])


def test_a_run_whose_answers_raise_fails_alone(tiny: Base) -> None:
    part, jobs = Part(Pool()), [job_of("lora", 0, 2), job_of("lora", 1, 2)]
    first, failing = (train(job, lambda _: tiny, pool=part) for job in jobs)
    seen = list[Any]()

    def turn() -> None:
        seen.append(next(first))
        next(failing)
        for row in part._rows[2:3]:  # the other's
            row.error = RuntimeError("no memory")
        part.step()

    with pytest.raises(RuntimeError, match="no memory"):
        forever(turn)
    ((rest, *_), _) = in_turn([first], part)
    *_, alone = samples(list(train(jobs[0], lambda _: tiny)))
    assert samples([*seen, *rest])[-1] == alone


def test_models_of_another_width_of_number_write_apart() -> None:
    """A full fine-tuning is trained in float32, also where its base is in fewer bits."""
    base = tiny_base("llama")
    base.model.to(torch.bfloat16)
    part = Part(Pool())
    jobs = [few_shot(), full(1)]
    events, most = in_turn([train(job, lambda _: base, pool=part) for job in jobs], part)
    assert most == 2
    assert all(seen[-1].event == "finished" for seen in events)


def test_seconds_are_those_of_the_steps_that_wrote_the_answers(tiny: Base) -> None:
    part = Part(Pool())
    spent, rows = list[float](), None
    asked = evaluation.sample_answers(tiny.model, tiny, ["Hello", "Who?"], pool=part, spent=spent.append)
    for _ in asked:
        rows = part._rows or rows
        part.step()
    assert rows is not None
    assert spent[-1] == max(row.seconds for row in rows) > 0
    assert min(row.steps for row in rows) >= 1


def test_trainings_of_several_visitors_answer_in_one_batch(tiny: Base, loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(tiny)
    step, most = Pool.step, list[int]()

    def noted(self: Pool) -> None:
        step(self)
        most.extend(len(batch.rows) for batch in self._batches)

    monkeypatch.setattr(Pool, "step", noted)
    with JOBS._work:  # all of them come before the first begins
        runs = [start_training(f"no. {n}", "tiny", name, SAY, {}, steps=2) for n, name in enumerate(["lora", "ia3", "lora"])]
    for run in runs:
        assert [None for _ in run.changes()]
        assert (run.state, run.error) == ("finished", None)
        assert [event.step for event in samples(run.events)] == [0, 2]
    assert max(most) == 6
