"""The Train tab: what a training changes, and what is said where there is none."""

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from playground import locales
from playground.actions.lanes import TRAIN
from playground.actions.train import keep, session_view, training_view
from playground.adapt.methods import FRONT
from playground.adapt.tasks import OWN, OWN_FILE, Example, Task
from playground.data.given import Given
from playground.model.bases import Base
from playground.model.catalogue import CATALOGUE
from playground.settings import DEFAULT_BASE
from playground.train.job import Ended, TrainingJob, Working
from playground.train.training import train as learn
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.ui.train import tab as train
from playground.ui.train.form import Order, Recipe
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS
from tests.faults import in_child, limited

VISIT = Visit("a-visitor-of-the-train-tab", "en", DEFAULT_BASE)
ORDER = Order(**vars(VISIT), method="lora", settings={}, task="pirate", own=Given(), steps=2, seed=0)
ADAPTER = {"id": "mine", "method": "lora", "task": "pirate", "steps": 24}


@pytest.fixture(scope="module")
def tab() -> Any:
    with gr.Blocks():
        state = {"key": gr.State(VISIT.key), "language": gr.State("en"), "base": gr.Dropdown([DEFAULT_BASE])}
        return train.build(Wording(), Controls(Visit, state))


def view(**changed: Any) -> Any:
    return {**training_view(None, "en"), "method": "lora", **changed}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"settings": {"rank": 1000}}, "Rank must be between 1 and 64"),
        ({"settings": {"rank": None}}, "Rank must be of type int"),
        ({"steps": 10_000}, "Steps must be between 1 and 300"),
        ({"seed": None}, "Seed must be of type int"),
        ({"task": OWN, "own": Given(rows=[["Who?", "Me."], ["", None]])}, "Between 8 and 512"),
    ],
    ids=str,
)
def test_an_order_that_cannot_be_served_is_answered_beside_the_button_and_nowhere_else(
    tab: Any, wrong: Any, said: str
) -> None:
    (changes,) = tab.start(replace(ORDER, **wrong))
    assert set(changes) == {tab.refused}
    assert said in changes[tab.refused]


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_button_prepares_what_is_not_trained(tab: Any, language: str) -> None:
    def said(method: str) -> str:
        recipe = Recipe("me", language, DEFAULT_BASE, method=method, settings={})
        return str(tab.tell_cost(recipe)[tab.go]["value"])

    assert {said(method) for method in FRONT if method != "few_shot"} == {locales.text(language, "train.go")}
    assert said("few_shot") == {"en": "Prepare", "es": "Preparar"}[language]


@pytest.mark.parametrize("language", ["en", "es"])
def test_before_anything_ran_the_right_half_speaks_of_the_chosen_method(tab: Any, language: str) -> None:
    def told(method: str) -> tuple[str, ...]:
        changes = tab.wait(Recipe("waits", language, DEFAULT_BASE, method=method, settings={}))
        return tuple(changes[one] for one in (tab.status, tab.loss, tab.samples))

    trains = [locales.text(language, key) for key in ("status.idle", "loss.empty", "samples.title", "samples.empty")]
    prepares = [
        locales.text(language, key) for key in ("prepare.idle", "loss.no_training", "prepared.title", "prepared.empty")
    ]
    for method in FRONT:
        said = "".join(told(method))
        right, wrong = (prepares, trains) if method == "few_shot" else (trains, prepares)
        assert all(one in said for one in right)
        assert not any(one in said for one in wrong)


def test_another_method_leaves_the_run_that_is_shown(tab: Any, get_tiny: Any) -> None:
    run_of(get_tiny, "shown")
    assert tab.wait(Recipe("shown", "en", DEFAULT_BASE, method="few_shot", settings={})) == {tab.status: gr.skip()}


def test_who_has_trained_nothing_is_shown_nothing_new(tab: Any) -> None:
    assert list(tab.attach(VISIT)) == [{tab.status: gr.skip()}]
    assert tab.scrub(train.Moment(**vars(VISIT), step=3)) == {tab.samples: gr.skip()}
    assert tab.pack(train.Result(**vars(VISIT), adapter="")) == {tab.download: gr.skip()}


@pytest.mark.parametrize("state", ["queued", "preparing", "running"])
def test_while_it_trains_it_can_only_be_stopped(tab: Any, state: str) -> None:
    changes = tab.drawn(view(state=state), "en")
    assert set(changes) == set(tab.shown)
    assert (changes[tab.go]["interactive"], changes[tab.stop]["visible"]) == (False, True)
    assert (changes[tab.after]["visible"], changes[tab.adapter], changes[tab.scrubber]["visible"]) == (False, "", False)


@pytest.mark.parametrize("state", ["finished", "stopped", "diverged"])
def test_once_it_has_ended_its_adapter_can_be_used(tab: Any, state: str) -> None:
    changes = tab.drawn(view(state=state, adapter=ADAPTER, checkpoints=[0, 12, 24]), "en")
    assert (changes[tab.go]["interactive"], changes[tab.stop]["visible"]) == (True, False)
    assert (changes[tab.after]["visible"], changes[tab.adapter], changes[tab.download]) == (True, "mine", gr.skip())
    assert changes[tab.scrubber]["choices"] == [("0", 0), ("12", 12), ("24", 24)]
    assert changes[tab.scrubber]["value"] == 24


def test_what_peft_has_no_format_for_is_not_downloaded(tab: Any) -> None:
    changes = tab.drawn(view(state="finished", adapter={**ADAPTER, "method": "few_shot", "steps": 0}), "en")
    assert (changes[tab.download]["visible"], changes[tab.scrubber]["visible"]) == (False, False)


def job(**changed: Any) -> Any:
    values = {"rank": 4, "learning_rate": 1e-3, "batch_size": 2}
    return TrainingJob("tiny", "lora", **{"task": small(), "hyperparameters": values, "steps": 8, **changed}).checked()


def small() -> Task:
    examples = [Example(f"say {n}", f"{n}!") for n in range(10)]
    return Task("pirate", tuple(examples[:8]), tuple(examples[8:]))


@pytest.fixture(autouse=True)
def listed(tiny: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base that is trained on is one of the catalogue's."""
    monkeypatch.setitem(CATALOGUE, tiny.id, tiny.spec)


def run_of(get_base: Any, key: str, stop_after: int = 99, **changed: Any) -> Run:
    """A visitor's training that has ended, as the worker would have left it."""
    asked, job_of_it = itertools.count(), job(**changed)
    run = Run(TRAIN, lambda stop: iter(()), job_of_it)
    for event in learn(job_of_it, get_base, lambda: next(asked) >= stop_after):
        if not isinstance(event, Working):
            run._update(events=[*run.events, keep(key, event) if isinstance(event, Ended) else event])
    run._update(state="finished")
    SESSIONS.get(key).runs[TRAIN] = run
    return run


def test_who_comes_back_sees_what_is_trained_and_how_far_whatever_the_controls_say(tab: Any, get_tiny: Any) -> None:
    visit = replace(VISIT, key="reload")
    run = run_of(get_tiny, visit.key, seed=7)
    *_, last = tab.attach(visit)
    assert all(
        said in last[tab.loss] for said in ("LoRA r = 4 · pirate (yours, no. 1)", "Tiny · seed 7", "Loss at step 8 of 8")
    )
    running = session_view(visit.key, run, "en") | {"state": "running", "adapter": None}
    assert "LoRA r = 4 · pirate" in tab.drawn(running, "en")[tab.loss]


def test_the_scrubber_has_the_steps_that_exist_and_leads_to_them(tab: Any, get_tiny: Any) -> None:
    visit = replace(VISIT, key="scrub")
    run = run_of(get_tiny, visit.key, stop_after=5)
    *_, last = tab.attach(visit)
    steps = [step for _, step in last[tab.scrubber]["choices"]]
    library = SESSIONS.get(visit.key).library
    assert steps == [one.step for one in library.own()[0].checkpoints]
    assert (steps[0], steps[-1], last[tab.scrubber]["value"]) == (0, 5, 5)
    chosen = [tab.scrub(train.Moment(**vars(visit), step=step))[tab.adapter] for step in steps]
    assert [library.get(one).record.steps for one in chosen] == steps
    assert tab.scrub(train.Moment(**vars(visit), step=1)) == {tab.samples: gr.skip()}
    assert run.ended


def test_a_run_that_was_stopped_before_it_learned_offers_nothing(tab: Any, get_tiny: Any) -> None:
    visit = replace(VISIT, key="untrained")
    run_of(get_tiny, visit.key, stop_after=0)
    *_, last = tab.attach(visit)
    assert (last[tab.after]["visible"], last[tab.adapter], last[tab.scrubber]["visible"]) == (False, "", False)
    assert SESSIONS.get(visit.key).library.own() == []


def test_an_adapter_that_was_deleted_is_offered_no_more_and_a_renamed_one_goes_by_its_name(tab: Any, get_tiny: Any) -> None:
    visit = replace(VISIT, key="deleted")
    run_of(get_tiny, visit.key)
    library = SESSIONS.get(visit.key).library
    library.rename(library.own()[0].id, "Anna")
    *_, last = tab.attach(visit)
    assert "Anna" in last[tab.loss]
    library.remove(last[tab.adapter])
    *_, last = tab.attach(visit)
    assert (last[tab.after]["visible"], last[tab.adapter]) == (False, "")


def test_a_download_is_called_as_the_page_calls_it(tab: Any, get_tiny: Any) -> None:
    visit = replace(VISIT, key="download")
    run_of(get_tiny, visit.key)
    (mine,) = SESSIONS.get(visit.key).library.own()
    shown = [tab.pack(train.Result(**vars(visit), adapter=one))[tab.download] for one in (mine.id, f"{mine.id}@3")]
    assert not tab.download.visible  # before there is a file a press would do nothing
    assert all(one["visible"] for one in shown)
    assert [Path(one["value"]).name for one in shown] == ["lora-r-4-pirate-1.zip", "lora-r-4-pirate-1-step-3.zip"]


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_download_that_finds_no_room_is_said_and_no_other_one_stands_there(tab: Any, get_tiny: Any, language: str) -> None:
    visit = Visit("no room", language, DEFAULT_BASE)
    run_of(get_tiny, visit.key)
    newest = SESSIONS.get(visit.key).library.own()[0]

    def tried() -> list[Any]:
        with limited(1000):
            changes = tab.pack(train.Result(**vars(visit), adapter=newest.id))
        return [changes[tab.refused], changes[tab.download]["value"], changes[tab.download]["visible"]]

    said, *shown = in_child(tried)[1]
    assert locales.text(language, "error.no_space") in said
    assert shown == [None, False]


def test_own_examples_are_offered_as_the_file_that_the_python_reads(tab: Any, get_tiny: Any) -> None:
    visit = replace(VISIT, key="examples")
    run = run_of(get_tiny, visit.key, task=replace(small(), id=OWN))
    *_, last = tab.attach(visit)
    assert last[tab.examples]["visible"]
    result = train.Result(**vars(visit), adapter=last[tab.adapter])
    file = Path(tab.pack(result)[tab.examples])
    assert file.name == OWN_FILE
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for split in ("train", "held_out"):
        pairs = [(row["prompt"], row["response"]) for row in rows if row["split"] == split]
        assert pairs == [(one.prompt, one.response) for one in getattr(run.job.task, split)]


def test_the_projects_own_examples_are_not_offered_again(tab: Any, get_tiny: Any) -> None:
    visit = replace(VISIT, key="no-examples")
    run_of(get_tiny, visit.key)
    *_, last = tab.attach(visit)
    assert not last[tab.examples]["visible"]
    result = train.Result(**vars(visit), adapter=last[tab.adapter])
    assert tab.pack(result)[tab.examples] is None
