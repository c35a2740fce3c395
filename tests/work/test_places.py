"""Work as a value: it travels, is done at any place, and goes where it suits; a worker without a cluster around it."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from playground import settings
from playground.actions.kinds import COMPARING, KINDS, REPEATING, TRAINING, kind
from playground.actions.lanes import TRAIN
from playground.actions.train import training_view
from playground.adapt.adapters import Adapter
from playground.adapt.tasks import Task
from playground.adapt.variant import Variant
from playground.compare.job import CompareJob, Decoding
from playground.compare.many import ManyJob
from playground.errors import PlaygroundError
from playground.locales import LANGUAGES, text
from playground.model.bases import Base
from playground.train.job import Ended, Started, Step, TrainingJob
from playground.ui.train.status import status_line
from playground.work.cluster import LOADING, Cluster, Seat
from playground.work.jobs import NOTHING, Jobs, Lane, Run
from playground.work.places import HERE, Kind, Places, Where, Work
from playground.work.waiting import ONE
from playground.work.worker import About, Parcel, Worker, packed, travelling, unpacked
from tests.work.test_jobs import ended, until

LONG = Lane("long", long=True, keeps=True)


def _counting(job: int, stop: Callable[[], bool]) -> Generator[Any, None, None]:
    yield None
    yield from range(job)


COUNTING = Kind("count", LONG, _counting)


class Elsewhere(Jobs):
    """Another thread, as a place of its own."""

    def where(self) -> Where:
        return Where("elsewhere")


@pytest.fixture
def places() -> Places:
    return Places(Jobs(), Elsewhere())


def test_work_goes_away_and_all_else_stays(places: Places) -> None:
    assert places.away
    sent = places.submit(LONG, Work(COUNTING, 3))
    kept = places.submit(LONG, lambda stop: iter("ab"))
    assert (ended(sent).events, ended(kept).events) == ([0, 1, 2], ["a", "b"])
    assert places.where().name == "elsewhere"
    assert Places(Jobs()).where() == HERE


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("where", ["thread", "ray"])
def test_every_place_says_why(language: str, where: str) -> None:
    assert text(language, f"where.{where}.why")


def test_what_becomes_of_an_event_is_decided_here_and_nothing_to_tell_is_not_told(places: Places) -> None:
    work = Work(COUNTING, 4, receive=lambda number: number if number % 2 else None)
    assert ended(places.submit(LONG, work)).events == [1, 3]
    assert list(work(lambda: False)) == [None, None, 1, None, 3]  # a pause stays a pause


def test_work_that_is_closed_closes_what_it_does() -> None:
    closed: list[bool] = []

    def endless(job: Any, stop: Callable[[], bool]) -> Generator[int, None, None]:
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    events: Any = Work(Kind("endless", LONG, endless), None)(lambda: False)
    next(events)
    events.close()
    assert closed == [True]


def test_the_jobs_of_every_kind_travel(small_task: Task, adapter: Adapter) -> None:
    once = CompareJob("tiny", "hello", (Variant("tiny"), Variant("tiny", adapter), Variant("tiny", adapter)))
    for job in (TrainingJob("tiny", "lora", small_task, {"rank": 2}), once, ManyJob(once, 3)):
        data, adapters = packed(job)
        assert unpacked(data, adapters) == job
        assert len(data) < 4000  # no tensors
        assert adapters in ([], [adapter])  # once, however often it answers
    assert {one.id for one in KINDS.values()} == set(KINDS)


def test_an_adapter_travels_with_what_computes(adapter: Adapter) -> None:
    arrived = pickle.loads(pickle.dumps(travelling(adapter)))
    assert (arrived.id, arrived.record, arrived.config) == (adapter.id, adapter.record, adapter.config)
    assert {name: tensor.tolist() for name, tensor in arrived.tensors.items()} == {
        name: tensor.tolist() for name, tensor in adapter.tensors.items()
    }
    assert arrived.checkpoints == ()


# A worker


@pytest.fixture
def known(tiny: Base, loaded: Callable[[Base], Base]) -> Base:
    return loaded(tiny)


@pytest.fixture
def adapter(known: Base, small_task: Task) -> Adapter:
    run = ended(Jobs().submit(TRAIN, Work(TRAINING, TrainingJob("tiny", "lora", small_task, {"rank": 2}, steps=2))))
    found: Adapter = run.events[-1].adapter
    return found


def parcel(name: str, job: Any, lies: tuple[tuple[str, Any], ...] = ()) -> Parcel:
    return Parcel(name, packed(job)[0], lies, (), NOTHING, ONE)


def told(worker: Worker, name: str) -> Iterator[Any]:
    """All that a worker tells of a run."""
    seen, state = 0, "queued"
    while state in ("queued", "running"):
        news = worker.told(name, seen)
        assert news
        yield from news.events
        seen, state = seen + len(news.events), news.state
        if news.error:
            raise news.error


def test_a_worker_tells_every_event_once_in_order_and_forgets_what_has_ended(known: Base, small_task: Task) -> None:
    worker = Worker(kind, lambda lies: lies)
    worker.begin("one", parcel("train", TrainingJob("tiny", "ia3", small_task, steps=3)))
    events = list(told(worker, "one"))
    assert [one.step for one in events if isinstance(one, Step)] == [1, 2, 3]
    assert isinstance(events[-1], Ended)
    assert pickle.loads(pickle.dumps(events[-1])).adapter.record == events[-1].adapter.record
    assert worker.told("one", 0) is None


@pytest.fixture
def saved(known: Base, small_task: Task) -> tuple[Parcel, list[Any]]:
    """A training of which a worker told so many events and a save, before it was lost."""
    worker, sent = Worker(kind, lambda lies: lies), parcel("train", TrainingJob("tiny", "lora", small_task, steps=9))
    worker.begin("one", sent)
    events: list[Any] = []
    while True:
        news = worker.told("one", len(events))
        assert news
        before = [*events, *news.events[: news.saved.events]] if news.saved else []
        events += news.events
        if news.saved:
            worker.stop("one")
            state = pickle.loads(pickle.dumps(news.saved.state))
            return replace(sent, state=state), before


def test_another_worker_goes_on_after_what_was_saved(saved: tuple[Parcel, list[Any]], known: Base, small_task: Task) -> None:
    sent, before = saved
    worker = Worker(kind, lambda lies: lies)
    worker.begin("one", sent)
    rest = list(told(worker, "one"))
    alone = ended(Jobs().submit(TRAIN, Work(TRAINING, TrainingJob("tiny", "lora", small_task, steps=9)))).events
    assert 1 < before[-1].step < 9
    assert [(one.event, one.step) for one in [*before, *rest]] == [(one.event, one.step) for one in alone]
    mine, theirs = rest[-1].adapter, alone[-1].adapter
    assert (mine.record.losses, mine.record.held_out) == (theirs.record.losses, theirs.record.held_out)
    assert all(tensor.equal(theirs.tensors[name]) for name, tensor in mine.tensors.items())


def test_who_waits_to_go_on_and_is_stopped_gives_what_was_learned(saved: tuple[Parcel, list[Any]]) -> None:
    sent, before = saved
    worker, free = Worker(kind, lambda lies: lies), threading.Event()
    until(worker._jobs.submit(LONG, lambda stop: iter(free.wait, True)), lambda one: one.state == "running")
    worker.begin("one", sent)
    worker.stop("one")
    free.set()
    *_, last = told(worker, "one")
    assert (last.event, last.step) == ("stopped", before[-1].step)
    assert last.adapter.record.steps == before[-1].step


def test_a_worker_has_an_adapter_fetched_once(known: Base, adapter: Adapter) -> None:
    fetched: list[Any] = []

    def fetch(lies: Any) -> Adapter:
        fetched.append(lies)
        return travelling(adapter)

    worker = Worker(kind, fetch)
    job = CompareJob("tiny", "hello", (Variant("tiny"), Variant("tiny", adapter)), Decoding(max_new_tokens=2))
    for name in ("one", "two"):
        worker.begin(name, parcel("compare", job, ((adapter.id, "where it lies"),)))
        *_, last = told(worker, name)
        assert last.finished
    assert fetched == ["where it lies"]


def test_a_worker_tells_what_a_job_raises(known: Base) -> None:
    worker = Worker(kind, lambda lies: lies)
    worker.begin("one", parcel("compare", CompareJob("tiny", " ", (Variant("tiny"),))))
    with pytest.raises(PlaygroundError) as caught:
        list(told(worker, "one"))
    assert caught.value.key == "empty_prompt"


# Which worker


def seat(number: int, runs: int = 0, bases: Iterable[str] = (), adapters: Iterable[str] = ()) -> Seat:
    return Seat(number, None, About("here", "CPU"), runs, set(bases), set(adapters))


def best(*seats: Seat) -> int:
    return min(seats, key=lambda one: one.cost(["tiny"], ["mine"])).number


def test_work_goes_where_its_base_is_until_others_have_less_to_do_by_more_than_loading() -> None:
    assert best(seat(1), seat(2, bases={"tiny"})) == 2
    assert best(seat(1), seat(2, LOADING - 1, {"tiny"})) == 2
    assert best(seat(1), seat(2, LOADING + 1, {"tiny"})) == 1


def test_of_workers_that_are_alike_that_which_has_the_adapter() -> None:
    assert best(seat(1, 1, {"tiny"}), seat(2, 1, {"tiny"}, {"mine"})) == 2
    assert best(seat(1, 0, {"tiny"}), seat(2, 1, {"tiny"}, {"mine"})) == 1


def test_a_class_spreads_over_all_workers() -> None:
    seats = [seat(1), seat(2)]
    for _ in range(30):
        chosen = min(seats, key=lambda one: one.cost(["tiny"], []))
        chosen.runs += 1
        chosen.bases.add("tiny")
    assert [one.runs for one in seats] == [15, 15]


def test_a_run_that_begins_again_waits_and_shows_nothing_of_before() -> None:
    run = Run(LONG, iter)
    run._update(state="running", position=0, events=[1, 2])
    run.begin_again()
    assert (run.state, run.position, run.events, run.again) == ("queued", 1, [], 1)


@pytest.mark.parametrize(("language", "said"), [("en", "begun again from step 2"), ("es", "retomado desde el paso 2")])
def test_a_run_that_goes_on_keeps_what_it_told_before_and_says_from_where(
    small_task: Task, language: str, said: str
) -> None:
    job = TrainingJob("tiny", "ia3", small_task, steps=9).checked()
    run = Run(TRAIN, iter, job)
    steps = [Step(n, 1 / n, 0.1, 1.0, 100.0, n, 9 - n, 1 - n / 9) for n in (1, 2, 3)]
    run._update(state="running", position=0, events=[Started(1, 2, 4, 9, ()), *steps])
    run.begin_again(3)
    view = training_view(run, language)
    assert (view["state"], view["losses"]) == ("queued", [(1, 1.0), (2, 0.5)])
    assert said in status_line(view, language)
    run._update(state="running", position=0, events=[*run.events, steps[2]])
    assert said in status_line(training_view(run, language), language)


def test_without_ray_whoever_names_a_cluster_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(PlaygroundError, match=r"pip install -r requirements-ray\.txt"):
        Cluster("auto", kind)
    assert settings.RAY_CORES >= 1


def test_repeated_questions_and_comparisons_share_a_lane() -> None:
    assert COMPARING.lane is REPEATING.lane
    assert replace(COUNTING, id="other").lane is LONG
