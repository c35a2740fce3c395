"""
Hugging Face Jobs by huggingface_hub's own client: what a GPU costs, a script sent there, how it goes, and its end.

A visitor's token is an argument of every call and is kept by none; the job gets it as a secret. HF_ENDPOINT says where the
hub is. Knows nothing about what a script does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from playground.errors import PlaygroundError
from playground.export.hub import There, clean, put, usual
from playground.hub import Trouble, in_words

HOURS = {"second": 3600, "minute": 60, "hour": 1}  # of the units that prices are told in, how many an hour has
WAITS = "SCHEDULING"  # before there are logs
ENDED = ("COMPLETED", "CANCELED", "ERROR", "DELETED")  # stages after which nothing happens
STAGES = (WAITS, "RUNNING", *ENDED)
NAME = "peft-playground"


@dataclass(frozen=True)
class Job:
    """One that was sent: its id, whose it is, its page on the hub."""

    id: str
    owner: str
    address: str


@dataclass(frozen=True)
class Look:
    """How a job is: the hub's name for its stage, what it says about that, seconds that it has run, its log so far."""

    stage: str
    message: str
    seconds: float
    log: tuple[str, ...]

    @property
    def ended(self) -> bool:
        return self.stage in ENDED


def prices() -> Mapping[str, float]:
    """Dollars an hour by flavor, as the hub tells them to everybody now. Raises PlaygroundError where it does not."""
    from huggingface_hub import HfApi

    with in_words(_said):
        found = HfApi(token=False).list_jobs_hardware()
    return {one.name: one.unit_cost_usd * HOURS[one.unit_label] for one in found if one.unit_label in HOURS}


def check_token(token: str) -> str:
    """Whose token it is. Raises PlaygroundError for none, one that the hub does not know, and without a network."""
    from huggingface_hub import HfApi

    token = clean(token)
    with in_words(_said):
        return str(HfApi(token=token).whoami()["name"])


def start(
    folder: Path, script: str, repository: str, flavor: str, minutes: int, owner: str, token: str
) -> tuple[There, Job]:
    """
    Put the folder into a private repository and run the `script` in it, as it is in that commit, on a machine of this
    `flavor`, for so many minutes at most; the account of the `owner` pays. Raises PlaygroundError as `put`, and where the
    hub refuses the job.
    """
    from huggingface_hub import HfApi

    token = clean(token)
    there = put(folder, repository, token, own=True)
    hub = HfApi(token=token)
    with in_words(_said):
        told = hub.run_uv_job(
            f"{hub.endpoint}/{there.repository}/resolve/{there.commit}/{script}",
            flavor=flavor, timeout=f"{minutes}m", name=NAME, namespace=owner,
            env={"HF_HUB_DISABLE_PROGRESS_BARS": "1"}, secrets={"HF_TOKEN": token},
        )  # fmt: skip
    return there, Job(told.id, told.owner.name, told.url)


def look(job: Job, token: str) -> Look:
    """How it is now. Raises PlaygroundError where the hub does not say."""
    from huggingface_hub import HfApi

    hub = HfApi(token=clean(token))
    with in_words(_said):
        told = hub.inspect_job(job_id=job.id, namespace=job.owner)
        stage = str(getattr(told.status.stage, "value", told.status.stage))
        # The whole log again each time: then one that has ended before its job, or a page that was closed, changes nothing
        log = () if stage == WAITS else tuple(hub.fetch_job_logs(job_id=job.id, namespace=job.owner))
    return Look(stage, told.status.message or "", float((told.durations and told.durations.running_secs) or 0), log)


def cancel(job: Job, token: str) -> None:
    """End it. Raises PlaygroundError where the hub does not."""
    from huggingface_hub import HfApi

    hub = HfApi(token=clean(token))
    with in_words(_said):
        hub.cancel_job(job_id=job.id, namespace=job.owner)


def _said(found: Trouble) -> PlaygroundError:
    if known := usual(found):
        return known
    match found.status:
        case HTTPStatus.PAYMENT_REQUIRED:
            return PlaygroundError("gpu_no_money")
        case HTTPStatus.FORBIDDEN:
            return PlaygroundError("gpu_forbidden")
        case HTTPStatus.NOT_FOUND:
            return PlaygroundError("gpu_gone")
        case status:
            return PlaygroundError("gpu_refused", status=status, said=found.said[:200] or "–")
