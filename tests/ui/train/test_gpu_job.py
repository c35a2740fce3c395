"""The fold for a rented GPU: what it costs first, the job while it goes, its end; without a network it says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from playground import locales, settings
from playground.actions import another
from playground.actions.gpu_jobs import Sent, latest, view
from playground.adapt.adapters import save
from playground.export.gpu_jobs import Job, Look
from playground.model.bases import BASES
from playground.model.memory import STORE
from playground.settings import DEFAULT_BASE
from playground.ui.kit.wording import Wording
from playground.ui.train import gpu_job, gpu_job_html
from playground.ui.train.gpu_job import Rented
from playground.work.sessions import SESSIONS
from tests.families import one_thread, tiny_base, trained  # noqa: F401
from tests.hub import at
from tests.jobs_hub import ANA, POOR, JobsHub, jobs_hub
from tests.kinds import folder_of_kind

KEY, BIGGER = "a-visitor-who-rents", "tiny/llama"
RENTED = Rented(KEY, "en", DEFAULT_BASE, "tried", BIGGER, "l4x1", "mine")
LINES = ["step 1 of 7: loss 2.500000", "step 2 of 7: loss 1.500000"]
SENT = Sent(Job("job-1", "ana", "https://hub/jobs/ana/job-1"), "ana/mine", BIGGER, "lora", 7, 0.9)


@pytest.fixture(scope="module")
def gpu() -> Any:
    with gr.Blocks():
        return gpu_job.build(Wording())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_kind("llama", tmp_path_factory.mktemp("one") / "tiny-llama")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[JobsHub]:
    monkeypatch.setattr("playground.actions.gpu_jobs.PAUSE", 0)
    monkeypatch.setattr(settings, "ANY_BASE", True)
    SESSIONS.add(KEY, replace(trained(tiny_base("llama"), "lora")[0], id="tried"))
    with jobs_hub() as served:
        at(served, tmp_path / "cache", monkeypatch)
        served.folders[BIGGER] = folder
        yield served
    SESSIONS._drop(KEY)
    if BASES.is_loaded(BIGGER):
        STORE.forget(BASES.get(BIGGER))
    BASES._status.pop(BIGGER, None)


def after(changes: Any) -> dict[Any, Any]:
    """What components show in the end."""
    found: dict[Any, Any] = {}
    for one in changes:
        for component, change in one.items():
            known = found.get(component, {})
            found[component] = {**known, **change} if isinstance(change, dict) and isinstance(known, dict) else change
    return found


@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_what_it_costs_stands_there_before_it_can_be_started(gpu: Any, hub: JobsHub, language: str) -> None:
    shown = after(gpu.look(replace(RENTED, language=language)))
    price = gpu_job_html.money(language, 0.9)
    assert price in shown[gpu.estimate]
    assert locales.text(language, "gpu.prices.hub") in shown[gpu.estimate]
    assert shown[gpu.go]["interactive"] is True
    assert gpu_job_html.money(language, 0.05) in shown[gpu.go]["value"]  # 3 minutes
    assert any(price in label for label, one in shown[gpu.flavor]["choices"] if one == "l4x1")
    assert not hub.jobs


@pytest.mark.parametrize("done", [7, 3])
def test_it_says_that_a_job_runs_what_was_planned_where_less_was_done_here(gpu: Any, hub: JobsHub, done: int) -> None:
    one = SESSIONS.get(KEY).library.get("tried")
    SESSIONS.add(KEY, replace(one, id="stopped", record=replace(one.record, steps=done, planned_steps=7)))
    shown = after(gpu.look(replace(RENTED, adapter="stopped")))
    assert ("all 7 planned steps; here it was stopped after 3" in shown[gpu.estimate]) == (done == 3)


def test_without_a_network_prices_are_published_ones_and_nothing_is_sent(
    gpu: Any, hub: JobsHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    asked = replace(RENTED, bigger="HuggingFaceTB/SmolLM2-1.7B-Instruct", language="es")
    shown = after(gpu.look(asked))
    assert "https://huggingface.co/docs/hub/jobs-pricing" in shown[gpu.estimate]
    offline = locales.text("es", "error.push_offline")
    assert offline in shown[gpu.estimate]
    assert shown[gpu.go]["interactive"] is False
    assert offline in after(gpu.start(asked, ANA))[gpu.said]


def test_a_base_that_cannot_be_looked_at_cannot_be_rented_for(gpu: Any, hub: JobsHub) -> None:
    shown = after(gpu.look(replace(RENTED, bigger="nobody/nothing")))
    assert 'role="alert"' in shown[gpu.estimate]
    assert shown[gpu.go]["interactive"] is False


def test_a_job_is_followed_to_its_end_and_its_adapter_is_here(gpu: Any, hub: JobsHub) -> None:
    [*another.bring(KEY, BIGGER)]
    made = trained(BASES.get(BIGGER), "lora")[0]
    hub.stages = [("RUNNING", LINES), ("COMPLETED", LINES)]
    going = gpu.start(RENTED, ANA)
    assert next(going)[gpu.token] == ""  # it leaves its field at once
    shown = next(one for one in going if gpu.going in one)
    assert "step 2 of 7" in shown[gpu.going]
    assert "<svg" in shown[gpu.going]
    save(made, folder := Path(hub.folders[BIGGER]).parent / "made")
    hub.files_of["ana/mine"] |= {one.name: one.read_bytes() for one in folder.iterdir()}  # as the script does
    shown = after(going)
    assert shown[gpu.stop]["visible"] is False
    assert shown[gpu.compare]["visible"] is True
    assert SESSIONS.get(KEY).library.get(shown[gpu.brought]).record.base == BIGGER
    assert ANA not in str(shown)


def test_a_base_that_is_not_here_leaves_the_adapter_to_be_brought_later(gpu: Any, hub: JobsHub) -> None:
    hub.stages = [("COMPLETED", LINES)]
    shown = after(gpu.start(RENTED, ANA))
    assert shown[gpu.back]["visible"] is True
    assert locales.text("en", "error.gpu_base_not_here", base=BIGGER) in shown[gpu.said]


def test_stop_is_heard_and_a_refusal_lets_one_try_again(gpu: Any, hub: JobsHub) -> None:
    shown = after(gpu.start(RENTED, POOR))
    assert locales.text("en", "error.gpu_no_money") in shown[gpu.said]
    assert shown[gpu.go]["interactive"] is True
    hub.stages = [("RUNNING", LINES)]
    going = gpu.start(RENTED, ANA)
    next(one for one in going if gpu.going in one)
    gpu.halt(RENTED)
    shown = after(going)
    assert locales.text("en", "gpu.stage.CANCELED") in shown[gpu.going]
    assert shown[gpu.said] == ""  # not that it is stopping
    assert shown[gpu.stop]["visible"] is False
    assert gpu.back not in shown
    assert hub.cancelled


def test_a_job_that_nobody_follows_can_be_followed_again(gpu: Any, hub: JobsHub) -> None:
    hub.stages = [("RUNNING", LINES)]
    going = gpu.start(RENTED, ANA)
    next(one for one in going if gpu.going in one)
    going.close()  # the page was closed
    assert next(gpu.look(RENTED))[gpu.follow]["visible"] is True
    hub.stages = [("ERROR", LINES)]
    shown = after(gpu.again(RENTED, ANA))
    assert 'role="alert"' in shown[gpu.going]
    assert next(gpu.look(RENTED))[gpu.follow]["visible"] is False
    assert latest(KEY).ended.is_set()


def test_it_is_offered_for_what_travels_only(gpu: Any) -> None:
    assert gpu.offered("lora")[gpu.fold]["visible"] is True
    assert gpu.offered("few_shot")[gpu.fold]["visible"] is False


@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_what_a_job_prints_is_text_and_a_stage_without_words_is_shown_as_it_is(language: str) -> None:
    found = Look("THAWING", "", 61.0, ("<script>alert(1)</script>", *LINES))
    drawn = gpu_job_html.progress(view(SENT, found), language)
    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn
    assert "THAWING" in drawn


@pytest.mark.parametrize(("dollars", "written"), [(0.0, "$0.00"), (0.0001, "$0.01"), (0.05, "$0.05"), (12.341, "$12.35")])
def test_cents_are_rounded_up(dollars: float, written: str) -> None:
    assert gpu_job_html.money("en", dollars) == written
