"""
Two workers of a Ray cluster on this machine, a core each: what they compute is what the thread computes, and one that is
killed is started again with what it did.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from playground.actions.compare import start_comparison
from playground.actions.kinds import TRAINING, kind
from playground.actions.lanes import TRAIN
from playground.actions.train import start_training, training_view
from playground.actions.work import stop
from playground.adapt.tasks import Task
from playground.model.bases import Base
from playground.train.job import Ended, Evaluation, Sample, Step, TrainingJob
from playground.ui.train.status import status_line
from playground.work.cluster import Cluster
from playground.work.jobs import Jobs, Run
from playground.work.places import Work
from playground.work.sessions import PLACES, SESSIONS
from tests.work.test_jobs import ended, until

ray = pytest.importorskip("ray", reason="Ray is optional: pip install -r requirements-ray.txt")
pytestmark = pytest.mark.filterwarnings("ignore")  # of Ray's own


@pytest.fixture(scope="module")
def workers() -> Iterator[Cluster]:
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}  # else it writes a token into one's home
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
    yield Cluster("auto", kind, cores=1)
    ray.shutdown()


@pytest.fixture
def base(tiny: Base, loaded: Callable[[Base], Base]) -> Base:
    """The tiny base, which workers find where it lies."""
    return loaded(replace(tiny, spec=replace(tiny.spec, repository=str(tiny.folder))))


@pytest.fixture
def cluster(workers: Cluster, base: Base, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(PLACES, "away", workers)
    return workers


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


def learned(run: Run) -> list[Any]:
    """What does not depend on how fast it went."""
    return [
        (one.event, one.step, *told)
        for one in run.events
        for told in [
            (one.loss, one.gradient_norm) if isinstance(one, Step)
            else (one.held_out_loss,) if isinstance(one, Evaluation)
            else one.answers if isinstance(one, Sample)
            else ()
        ]
    ]  # fmt: skip


def losses(run: Run) -> list[tuple[int, float]]:
    return [(one.step, one.loss) for one in run.events if isinstance(one, Step)]


def on_the_thread(job: TrainingJob) -> Run:
    return ended(Jobs().submit(TRAIN, Work(TRAINING, job)))


def on_both(cluster: Cluster) -> None:
    """Both workers are there."""
    with cluster._change:
        assert cluster._change.wait_for(lambda: all(one.alive for one in cluster._seats), 120)


def test_two_workers_train_what_the_thread_trains(cluster: Cluster, small_task: Task) -> None:
    on_both(cluster)
    jobs = [
        TrainingJob("tiny", method, small_task, steps=6, seed=seed)
        for method, seed in (("lora", 0), ("ia3", 1), ("lora", 2))
    ]
    runs = [cluster.submit(TRAIN, Work(TRAINING, job, ("tiny",)), job) for job in jobs]
    with cluster._change:
        cluster._change.wait_for(lambda: len(cluster._at) == 3, 20)
    for run, job in zip(runs, jobs, strict=True):
        assert ended(run).state == "finished"
        alone = on_the_thread(job)
        assert learned(run) == learned(alone)
        mine, theirs = run.events[-1].adapter, alone.events[-1].adapter
        assert {name: one.tolist() for name, one in mine.tensors.items()} == {
            n: one.tolist() for n, one in theirs.tensors.items()
        }
    assert all("tiny" in one.bases for one in cluster._seats)
    assert [one.runs for one in cluster._seats] == [0, 0]
    assert cluster.busy(TRAIN) == 0


def test_a_training_whose_worker_is_killed_goes_on_from_what_it_has_saved(
    cluster: Cluster, small_task: Task, key: str
) -> None:
    on_both(cluster)
    run = start_training(key, "tiny", "lora", small_task, {"rank": 2, "dropout": 0.3}, steps=120, seed=3)
    until(run, lambda one: run in cluster._saved)
    seat, _ = cluster._at[run]
    ray.kill(seat.actor, no_restart=False)
    until(run, lambda one: one.again == 1)
    step = run.events[run.kept - 1].step
    assert f"begun again from step {step}:" in status_line(training_view(run, "en"), "en")
    assert 0 < step < 120
    begun = len(run.events)
    until(run, lambda one: len(one.events) > begun)
    assert run.events[run.kept].step == step + 1  # what came is new
    assert (ended(run).state, run.again) == ("finished", 1)
    alone = on_the_thread(run.job)
    assert learned(run) == learned(alone)  # every step once
    mine, theirs = SESSIONS.get(key).library.get(run.events[-1].adapter.id), alone.events[-1].adapter
    assert (mine.record.losses, mine.record.samples) == (theirs.record.losses, theirs.record.samples)
    assert all(tensor.equal(theirs.tensors[name]) for name, tensor in mine.tensors.items())
    assert run not in cluster._saved
    on_both(cluster)


def test_who_is_stopped_while_it_waits_to_go_on_keeps_what_was_learned(
    cluster: Cluster, small_task: Task, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_both(cluster)
    run = start_training(key, "tiny", "ia3", small_task, {}, steps=120)
    until(run, lambda one: run in cluster._saved)
    seat, _ = cluster._at[run]
    (other,) = [one for one in cluster._seats if one is not seat]
    monkeypatch.setattr(other, "about", None)  # as long as it is away
    ray.kill(seat.actor, no_restart=False)
    until(run, lambda one: one.again == 1)
    stop(run)
    *_, last = ended(run).events
    assert (run.state, last.event) == ("stopped", "stopped")
    assert last.step >= run.events[run.kept - 1].step > 0
    assert SESSIONS.get(key).library.get(last.adapter.id).record.steps == last.step


def test_a_worker_that_is_killed_comes_back_and_its_training_begins_again(
    cluster: Cluster, small_task: Task, key: str
) -> None:
    on_both(cluster)
    run = start_training(key, "tiny", "lora", small_task, {"rank": 2}, steps=300, seed=3)
    until(run, lambda one: len(losses(one)) >= 3)
    seat, _ = cluster._at[run]
    ray.kill(seat.actor, no_restart=False)
    until(run, lambda one: one.again == 1)
    assert "begun again" in status_line(training_view(run, "en"), "en")
    until(run, lambda one: len(losses(one)) >= 5)
    stop(run)
    *_, last = ended(run).events
    assert (run.state, run.again, run.error) == ("stopped", 1, None)
    assert isinstance(last, Ended)
    assert SESSIONS.get(key).library.get(last.adapter.id).tensors  # what it has learned is the session's
    place = Jobs()
    alone = until(place.submit(TRAIN, Work(TRAINING, run.job)), lambda one: len(losses(one)) >= 5)
    place.stop(alone)
    assert losses(run)[:5] == losses(alone)[:5]  # wherever it began again
    on_both(cluster)


def test_what_was_trained_there_answers_there_as_here(
    cluster: Cluster, small_task: Task, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ended(start_training(key, "tiny", "lora", small_task, {"rank": 2}, steps=3))
    adapter = run.events[-1].adapter.id
    sent = len(cluster._sent)

    def answers() -> list[str]:
        frame = ended(start_comparison(key, "tiny", "say one", ["base", adapter], {"max_new_tokens": 8})).events[-1]
        return [pane.text for pane in frame.panes]

    there = answers(), answers()
    assert len(cluster._sent) == sent + 1  # it travelled once
    monkeypatch.setattr(PLACES, "away", None)
    assert there == (answers(), answers())


def test_a_run_that_is_stopped_before_a_worker_has_it_begins_nowhere(
    cluster: Cluster, small_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_both(cluster)
    for seat in cluster._seats:
        monkeypatch.setattr(seat, "about", None)  # as long as they are away
    run = cluster.submit(TRAIN, Work(TRAINING, TrainingJob("tiny", "ia3", small_task), ("tiny",)))
    cluster.stop(run)
    assert (ended(run).state, run.events) == ("stopped", [])


def test_what_a_worker_raises_is_said_here(cluster: Cluster, small_task: Task) -> None:
    on_both(cluster)
    run = cluster.submit(TRAIN, Work(TRAINING, TrainingJob("tiny", "no_such_method", small_task), ("tiny",)))
    assert ended(run).error.key == "unknown_method"
