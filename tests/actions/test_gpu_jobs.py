"""
A recipe as a job on a bigger base, from the price to the adapter: against a hub on the loopback address. The script that is
sent is really run.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from playground import locales, settings
from playground.actions import another, export, gpu_jobs
from playground.actions.runs import session_record
from playground.adapt.adapters import CONFIG, WEIGHTS
from playground.adapt.tasks import task
from playground.errors import PlaygroundError
from playground.model.bases import BASES
from playground.model.memory import STORE
from playground.train import gpu_cost
from playground.work.sessions import SESSIONS
from tests.families import one_thread, tiny_base, trained  # noqa: F401
from tests.hub import at
from tests.jobs_hub import ANA, BARRED, POOR, JobsHub, jobs_hub
from tests.kinds import folder_of_kind

BIGGER = "tiny/qwen3"
LINES = ["Installed 31 packages", "step 1 of 7: loss 2.500000", "step 2 of 7: loss 1.500000"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_kind("qwen3", tmp_path_factory.mktemp("one") / "tiny-qwen3")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[JobsHub]:
    with jobs_hub() as served:
        at(served, tmp_path / "cache", monkeypatch)
        monkeypatch.setattr(settings, "ANY_BASE", True)
        monkeypatch.setattr(settings, "DEVICE", "cpu")
        served.folders[BIGGER] = folder
        yield served
    if BASES.is_loaded(BIGGER):
        STORE.forget(BASES.get(BIGGER))
    BASES._status.pop(BIGGER, None)


@pytest.fixture
def key(request: pytest.FixtureRequest, hub: JobsHub) -> Iterator[str]:
    """A session of this test's own, with an adapter of another family's base."""
    name = f"gpu-{request.node.name}"
    SESSIONS.add(name, replace(trained(tiny_base("llama"), "lora", {"rank": 3, "batch_size": 2})[0], id="tried"))
    yield name
    SESSIONS._drop(name)


def sent(key: str, token: str = ANA, repository: str = "mine") -> gpu_jobs.Sent:
    return gpu_jobs.start(key, gpu_jobs.plan(key, "tried", BIGGER), repository, token)


def refused(ask: Any) -> str:
    with pytest.raises(PlaygroundError) as error:
        ask()
    assert error.value.message("es")
    return error.value.key


def test_the_script_that_is_sent_trains_prints_and_pushes_and_its_adapter_comes_back(
    key: str, hub: JobsHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = sent(key)
    files = dict(hub.files_of["ana/mine"])
    assert hub.private == {"ana/mine": True}
    assert {*files} == {"train.py", "pirate.jsonl", "record.json", "README.md"}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", ANA)  # the job's secret
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(files["train.py"].decode(), "train.py", "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert names["rows"] == [(one.prompt, one.response) for one in task("pirate").train]
    assert {str(one.dtype) for one in names["model"].parameters() if not one.requires_grad} == {"torch.bfloat16"}
    assert {str(one.dtype) for one in names["trained"]} == {"torch.float32"}

    hub.stages = [("SCHEDULING", []), ("RUNNING", printed[:3]), ("COMPLETED", printed)]
    *views, last = gpu_jobs.follow(key, ANA, pause=0)
    assert [one["stage"] for one in views] == ["SCHEDULING", "RUNNING"]
    assert [step for step, _ in last["losses"]] == [1, 2, 3, 4, 5, 6, 7]
    assert [loss for _, loss in last["losses"]] == pytest.approx(names["losses"], abs=1e-6)
    assert (last["step"], last["steps"], last["ended"], last["repository"]) == (7, 7, True, "ana/mine")
    assert last["dollars"] == pytest.approx(90 * 0.9 / 3600)
    assert {CONFIG, WEIGHTS} < {*hub.files_of["ana/mine"]}
    assert hub.files_of["ana/mine"]["README.md"] == files["README.md"]  # not PEFT's own

    assert refused(lambda: gpu_jobs.bring_back(key, ANA)) == "gpu_base_not_here"
    [*another.bring(key, BIGGER)]
    found = gpu_jobs.bring_back(key, ANA)
    assert (found["base"], found["method"], found["task"], found["steps"], found["own"]) == (
        BIGGER,
        "lora",
        "pirate",
        7,
        True,
    )
    assert refused(lambda: gpu_jobs.bring_back(key, "hf_nobody")) == "base_not_on_hub"
    assert asked.ended.is_set()


def test_prices_are_the_hub_s_or_the_published_ones_and_it_says_which(
    key: str, hub: JobsHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = gpu_jobs.plan(key, "tried", BIGGER)
    assert (plan.json()["prices"], plan.json()["dollars_an_hour"]) == ("hub", pytest.approx(0.9))
    other = gpu_jobs.plan(key, "tried", BIGGER, "h200")  # of which this hub says nothing
    assert (other.json()["prices"], other.json()["dollars_an_hour"], other.silent) == ("published", 5.0, None)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    away = gpu_jobs.plan(key, "tried")  # of the catalogue, whose sizes are known
    assert (away.json()["prices"], away.estimate.dollars) == ("published", gpu_cost.FLAVORS["l4x1"].dollars)
    assert away.silent is not None
    assert away.silent.key == "push_offline"
    assert refused(lambda: gpu_jobs.start(key, away, "mine", ANA)) == "push_offline"


@pytest.mark.parametrize(
    ("token", "repository", "expected"),
    [
        ("", "mine", "push_no_token"),
        ("hf_nobody", "mine", "push_token"),
        (ANA, " ", "push_no_name"),
        (ANA, "a/b/c", "push_name"),
        (POOR, "mine", "gpu_no_money"),
        (BARRED, "mine", "gpu_forbidden"),
    ],
)
def test_what_is_refused_leaves_no_job(key: str, token: str, repository: str, expected: str) -> None:
    assert refused(lambda: sent(key, token, repository)) == expected
    assert gpu_jobs.latest(key) is None
    assert refused(lambda: [*gpu_jobs.follow(key, ANA)]) == "gpu_none"


def test_a_job_that_fails_says_so_and_brings_nothing_back(key: str, hub: JobsHub) -> None:
    sent(key)
    hub.stages, hub.message = [("RUNNING", LINES), ("ERROR", [*LINES, "torch.OutOfMemoryError"])], "exit code 1"
    *_, last = gpu_jobs.follow(key, ANA, pause=0)
    assert (last["stage"], last["message"], last["log"][-1]) == ("ERROR", "exit code 1", "torch.OutOfMemoryError")
    assert last["losses"] == [(1, 2.5), (2, 1.5)]
    [*another.bring(key, BIGGER)]
    assert refused(lambda: gpu_jobs.bring_back(key, ANA)) == "hub_no_adapter"


def test_a_job_is_stopped_by_whoever_follows_it(key: str, hub: JobsHub) -> None:
    sent(key)
    hub.stages = [("RUNNING", LINES)]
    going = gpu_jobs.follow(key, ANA, pause=0)
    assert next(going)["stage"] == "RUNNING"
    assert refused(lambda: sent(key)) == "gpu_running"  # nobody pays twice by accident
    gpu_jobs.stop(key)
    *_, last = going
    assert (last["stage"], hub.cancelled) == ("CANCELED", ["job-1"])
    gpu_jobs.end(gpu_jobs.latest(key), ANA)
    assert hub.cancelled == ["job-1"]  # once
    hub.cancelled.clear()
    assert sent(key).job.id == "job-1"


def test_logs_that_end_before_their_job_change_nothing(key: str, hub: JobsHub) -> None:
    sent(key)
    hub.stages = [("RUNNING", LINES), ("RUNNING", LINES), ("COMPLETED", [*LINES, "step 3 of 7: loss 1.000000"])]
    views = [*gpu_jobs.follow(key, ANA, pause=0)]
    assert [len(one["losses"]) for one in views] == [2, 2, 3]


def test_a_hub_that_is_away_for_a_while_leaves_the_job_to_be_followed_again(
    key: str, hub: JobsHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(key)
    hub.stages = [("RUNNING", LINES)]
    next(gpu_jobs.follow(key, ANA, pause=0))
    with monkeypatch.context() as away:
        away.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
        assert refused(lambda: [*gpu_jobs.follow(key, ANA, pause=0)]) == "push_offline"
    hub.stages = [("COMPLETED", LINES)]
    (view,) = gpu_jobs.follow(key, ANA, pause=0)
    assert (view["ended"], view["step"]) == (True, 2)


def test_a_look_that_fails_now_and_then_is_taken_again(key: str, hub: JobsHub) -> None:
    sent(key)
    hub.stages, hub.fails = [("RUNNING", LINES), ("COMPLETED", LINES)], 4
    assert [one["ended"] for one in gpu_jobs.follow(key, ANA, pause=0)] == [False, True]
    assert hub.cancelled == []


def test_a_job_that_nobody_followed_to_its_end_holds_up_no_other(key: str, hub: JobsHub) -> None:
    first = sent(key)
    hub.stages = [("RUNNING", LINES)]
    gpu_jobs.end(first, ANA)  # as where a program closes its stream
    assert hub.cancelled == ["job-1"]
    hub.cancelled.clear()
    second = sent(key)
    assert refused(lambda: sent(key)) == "gpu_running"
    hub.stages = [("COMPLETED", LINES)]
    third = sent(key)  # the hub is asked how the one before is
    assert second.ended.is_set()
    hub.jobs.clear()  # the hub has forgotten it
    assert refused(lambda: [*gpu_jobs.follow(key, ANA, pause=0)]) == "gpu_gone"
    assert third.ended.is_set()
    assert sent(key) is not third


def test_of_two_starts_at_once_one_is_refused(key: str, hub: JobsHub) -> None:
    hub.stages = [("RUNNING", LINES)]
    plan = gpu_jobs.plan(key, "tried", BIGGER)

    def start(_: int) -> str:
        try:
            return gpu_jobs.start(key, plan, "mine", ANA).job.id
        except PlaygroundError as error:
            return error.key

    with ThreadPoolExecutor(2) as both:
        assert sorted(both.map(start, range(2))) == ["gpu_running", "job-1"]
    assert len(hub.jobs) == 1


def test_own_examples_never_lie_in_a_public_repository(key: str, hub: JobsHub) -> None:
    hub.files_of["ana/shown"], hub.private["ana/shown"] = {"README.md": b"mine"}, False
    assert refused(lambda: sent(key, repository="shown")) == "gpu_public"
    assert (hub.files_of["ana/shown"], hub.jobs) == ({"README.md": b"mine"}, [])


@pytest.mark.parametrize("token", ["hf_\N{ZERO WIDTH SPACE}x", "“hf_x”", "hf_a\nhf_b"])
def test_what_no_request_can_carry_is_no_token(key: str, hub: JobsHub, token: str) -> None:
    assert refused(lambda: sent(key, token)) == "push_token"


def test_an_adapter_that_came_back_as_an_upload_has_lost_its_recipe(key: str, hub: JobsHub) -> None:
    """PEFT's config knows no batch size and no rate: nothing that is written of it may guess them."""
    one = SESSIONS.get(key).library.get("tried")
    SESSIONS.add(key, replace(one, id="back", record=replace(one.record, hyperparameters={"rank": 3})))
    assert refused(lambda: gpu_jobs.plan(key, "back", BIGGER)) == "gpu_no_recipe"
    assert refused(lambda: export.export(key, "back", "python")) == "no_recipe"
    with ZipFile(export.export(key, "back", "adapter")) as packed:
        assert not any(name.endswith("recipe.py") for name in packed.namelist())


def test_a_token_is_in_nothing_that_is_kept(key: str, hub: JobsHub, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        sent(key)
        hub.stages = [("COMPLETED", LINES)]
        [*gpu_jobs.follow(key, ANA, pause=0)]
    assert ANA not in repr(vars(SESSIONS.get(key))) + json.dumps(session_record(key)) + caplog.text
    assert not any(ANA.encode() in content for content in hub.files_of["ana/mine"].values())


def test_other_bases_than_the_catalogue_s_are_a_matter_of_settings(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ANY_BASE", False)
    assert refused(lambda: gpu_jobs.plan(key, "tried", BIGGER)) == "any_base_off"
    assert gpu_jobs.plan(key, "tried", gpu_jobs.BASE).spec.id == "smollm2-1.7b"
    assert refused(lambda: gpu_jobs.plan(key, "tried", "/etc")) == "gpu_folder"
    assert refused(lambda: gpu_jobs.plan(key, "tried", gpu_jobs.BASE, "tpu")) == "gpu_flavor"


def test_the_bases_that_are_offered_are_the_hub_s_the_smaller_first() -> None:
    offered = gpu_jobs.bases()
    assert gpu_jobs.BASE in offered
    assert offered[-1] == "HuggingFaceTB/SmolLM3-3B"
    assert all(locales.text(one, "gpu.base") for one in locales.LANGUAGES)
