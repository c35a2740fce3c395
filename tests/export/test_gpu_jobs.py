"""Hugging Face Jobs by huggingface_hub's own client, against a hub on the loopback address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.errors import PlaygroundError
from playground.export import gpu_jobs
from tests.hub import SHA, at
from tests.jobs_hub import ANA, BARRED, POOR, READS, JobsHub, jobs_hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobsHub]:
    with jobs_hub() as served:
        at(served, tmp_path / "cache", monkeypatch)
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (made := tmp_path / "made").mkdir()
    (made / "train.py").write_text("print(1)\n")
    return made


def test_prices_are_told_to_everybody_by_the_hour(hub: JobsHub) -> None:
    assert gpu_jobs.prices() == pytest.approx({"cpu-basic": 0.01002, "l4x1": 0.9})
    assert hub.tokens == {""}
    hub.hardware[1]["unitLabel"] = "fortnight"
    assert "l4x1" not in gpu_jobs.prices()  # no guess
    hub.hardware[1]["unitLabel"] = "minute"


def test_a_job_runs_the_script_of_that_commit_and_has_the_token_as_a_secret(hub: JobsHub, folder: Path) -> None:
    there, job = gpu_jobs.start(folder, "train.py", "mine", "l4x1", 12, "ana", ANA)
    assert (there.repository, hub.private["ana/mine"]) == ("ana/mine", True)
    assert hub.files_of["ana/mine"]["train.py"] == b"print(1)\n"
    (asked,) = hub.jobs
    assert asked["command"] == ["uv", "run", f"{hub.url}/ana/mine/resolve/{SHA}/train.py"]
    assert (asked["flavor"], asked["timeoutSeconds"], asked["secrets"]) == ("l4x1", 720, {"HF_TOKEN": ANA})
    assert ANA not in str(asked["environment"]) + str(asked["labels"])
    assert (job.id, job.owner) == ("job-1", "ana")
    assert job.address.endswith("/jobs/ana/job-1")


@pytest.mark.parametrize(("token", "key"), [(READS, "push_forbidden"), (POOR, "gpu_no_money"), (BARRED, "gpu_forbidden")])
def test_what_the_hub_refuses_is_a_sentence(hub: JobsHub, folder: Path, token: str, key: str) -> None:
    with pytest.raises(PlaygroundError) as error:
        gpu_jobs.start(folder, "train.py", "mine", "l4x1", 12, "ana", token)
    assert error.value.key == key
    assert hub.jobs == []


def test_whose_a_token_is_is_asked_before_anything_else(hub: JobsHub) -> None:
    assert gpu_jobs.check_token(f" {ANA} ") == "ana"
    for token, key in (("hf_nobody", "push_token"), (" ", "push_no_token")):
        with pytest.raises(PlaygroundError) as error:
            gpu_jobs.check_token(token)
        assert error.value.key == key


def test_a_look_has_the_whole_log_and_none_while_it_waits(hub: JobsHub, folder: Path) -> None:
    _, job = gpu_jobs.start(folder, "train.py", "mine", "l4x1", 12, "ana", ANA)
    hub.stages = [
        ("SCHEDULING", ["never shown"]),
        ("RUNNING", ["one"]),
        ("RUNNING", ["one", "two"]),
        ("ERROR", ["one", "two"]),
    ]
    hub.message = "exit code 1"
    looks = [gpu_jobs.look(job, ANA) for _ in range(4)]
    assert [one.log for one in looks] == [(), ("one",), ("one", "two"), ("one", "two")]
    assert [one.ended for one in looks] == [False, False, False, True]
    assert (looks[3].message, looks[3].seconds) == ("exit code 1", 90.0)
    gpu_jobs.cancel(job, ANA)
    assert hub.cancelled == ["job-1"]


def test_a_job_that_is_gone_is_said_to_be(hub: JobsHub) -> None:
    with pytest.raises(PlaygroundError) as error:
        gpu_jobs.look(gpu_jobs.Job("job-2", "ana", ""), ANA)
    assert error.value.key == "gpu_gone"


@pytest.mark.parametrize("offline", [True, False])
def test_without_a_network_it_says_so(monkeypatch: pytest.MonkeyPatch, offline: bool) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    for ask in (gpu_jobs.prices, lambda: gpu_jobs.check_token(ANA), lambda: gpu_jobs.look(gpu_jobs.Job("1", "a", ""), ANA)):
        with pytest.raises(PlaygroundError) as error:
            ask()
        assert error.value.key == "push_offline"
