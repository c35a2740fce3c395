"""
A recipe that was tried here, on a bigger base and a GPU that a visitor rents (Hugging Face Jobs): what that would cost, the
job, how it goes, its end, and its adapter brought back.

A token is an argument of whatever needs one, and is kept nowhere: whoever follows a job has it for as long as that lasts.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground import locales
from playground.actions import another
from playground.actions.adapters import plain_name
from playground.adapt import tasks
from playground.adapt.adapters import RECORD, Adapter
from playground.adapt.own import as_lines
from playground.errors import PlaygroundError
from playground.export import card, gpu_jobs
from playground.export.hub import clean
from playground.model.bases import BASES
from playground.model.catalogue import CATALOGUE, BaseSpec, typed
from playground.train import gpu_cost, gpu_script
from playground.train.recipe import examples_file
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.export.gpu_jobs import Job, Look

PLACE, STARTING = "gpu_job", "gpu_job_starting"  # of a session's forms: the latest one; held while one is sent
PAUSE = 2.0  # seconds between two looks
LOOKS = 5  # that may fail in a row, for reasons that pass
PASSING = ("push_offline", "push_rate", "gpu_refused")
LINES = 200  # of a log that are shown
BASE = "HuggingFaceTB/SmolLM2-1.7B-Instruct"  # what is offered first
FLAVOR = "l4x1"
_NEVER = threading.Event()


@dataclass(frozen=True)
class Plan:
    """What a job would be; `silent` says why the hub told no prices, so that they are those that were published."""

    estimate: gpu_cost.Estimate
    adapter: Adapter
    spec: BaseSpec
    prices: Mapping[str, float]
    silent: PlaygroundError | None

    @property
    def offline(self) -> bool:
        """Whether the hub was not reached, so that nothing can be sent."""
        return self.silent is not None and self.silent.key == "push_offline"

    def json(self) -> dict[str, Any]:
        one = self.estimate
        return {
            "base": self.spec.repository, "flavor": one.flavor.id, "gpu": one.flavor.name,
            "gpu_bytes": one.flavor.memory * 1e9, "dollars_an_hour": one.dollars,
            "prices": "hub" if one.flavor.id in self.prices else "published",
            "source": gpu_cost.PUBLISHED, "read": gpu_cost.READ, "steps": one.steps, "tokens_a_step": one.tokens,
            "parameters": one.parameters, "needed_bytes": one.memory, "begin_seconds": one.begin, "step_seconds": one.step,
            "minutes": one.minutes, "limit_minutes": one.limit, "dollars": one.total, "most_dollars": one.most,
            "share_of_peak": gpu_cost.SHARE, "peak": one.flavor.peak,
        }  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """The latest job of a session. Its token is not among what is known of it."""

    job: Job
    repository: str
    base: str  # as the hub has it
    method: str
    steps: int
    dollars: float  # an hour
    stop: threading.Event = field(default_factory=threading.Event, compare=False)
    ended: threading.Event = field(default_factory=threading.Event, compare=False)


def bases() -> list[str]:
    """The catalogue's bases that are on the hub, the smaller ones first."""
    found = [one for one in CATALOGUE.values() if one.source == "hub"]
    return [one.repository for one in sorted(found, key=lambda one: one.parameters or 0)]


def plan(key: str, adapter_id: str, base: str = BASE, flavor: str = FLAVOR) -> Plan:
    """
    What it would take to train an adapter's recipe on another base; nothing is asked for. Raises PlaygroundError: an adapter
    that no recipe makes again there, a base that is not on the hub or too large for the card, an unknown machine.
    """
    adapter, chosen = SESSIONS.get(key).library.get(adapter_id), gpu_cost.flavor(flavor)
    gpu_script.check_travels(adapter)
    spec = typed(_spec(base))
    prices, silent = _prices()
    record, task = adapter.record, adapter.examples or tasks.task(adapter.record.task)
    base_id = gpu_script.base_on(record, spec.id)
    assert spec.architecture is not None, "of the hub's bases it is known"
    found = gpu_cost.estimate(
        base_id, spec.architecture, record.method, record.hyperparameters, task, gpu_script.planned(record), chosen,
        prices.get(flavor),
    )  # fmt: skip
    return Plan(found, adapter, spec, prices, silent)


def start(key: str, asked: Plan, repository: str, token: str, language: str = locales.DEFAULT) -> Sent:
    """
    Send the script, its examples and a README to a private repository, and run it. Raises PlaygroundError: the session's
    former job is not known to have ended, no name, no token, no network, what the hub refuses.
    """
    owner = gpu_jobs.check_token(token)
    spec, estimate = asked.spec, asked.estimate
    named = replace(asked.adapter, name=asked.adapter.name or plain_name(asked.adapter))
    session = SESSIONS.get(key)
    with session.forms.setdefault(STARTING, threading.Lock()), tempfile.TemporaryDirectory() as made:
        former = latest(key)
        if former and not _has_ended(former, token):
            raise PlaygroundError("gpu_running", job=former.job.id)
        carried = gpu_script.carried(named, _outline(spec))
        for name, content in files(carried, repository, owner, language).items():
            (Path(made) / name).write_text(content, encoding="utf-8")
        run = (gpu_script.SCRIPT, repository, estimate.flavor.id, estimate.limit)
        there, job = gpu_jobs.start(Path(made), *run, owner, token)
        sent = Sent(job, there.repository, spec.repository, named.record.method, estimate.steps, estimate.dollars)
        session.forms[PLACE] = sent
    return sent


def _has_ended(sent: Sent, token: str) -> bool:
    """Whether a job goes on no more, also where nobody has followed it to its end. Raises PlaygroundError."""
    if not sent.ended.is_set():
        try:
            _look(sent, token)
        except PlaygroundError:
            if not sent.ended.is_set():
                raise
    return sent.ended.is_set()


def _look(sent: Sent, token: str) -> Look:
    """How a job is. Raises PlaygroundError where the hub does not say; one that it does not know any more has ended."""
    try:
        found = gpu_jobs.look(sent.job, token)
    except PlaygroundError as error:
        if error.key == "gpu_gone":
            sent.ended.set()
        raise
    if found.ended:
        sent.ended.set()
    return found


def files(carried: Adapter, repository: str, owner: str, language: str) -> dict[str, str]:
    """What is put into a repository, by name; the script has to know whose that is."""
    whole = repository.strip() if "/" in repository else f"{owner}/{repository.strip()}"
    examples = carried.examples or tasks.task(carried.record.task)
    return {
        gpu_script.SCRIPT: gpu_script.script(carried, whole, language),
        examples_file(carried.record): as_lines(examples),
        RECORD: gpu_script.told(carried),
        card.README: card.card(carried, {}, language),
    }


def latest(key: str) -> Sent | None:
    """The session's latest job, wherever it stands."""
    found: Sent | None = SESSIONS.get(key).forms.get(PLACE)
    return found


def follow(key: str, token: str, pause: float = PAUSE) -> Iterator[dict[str, Any]]:
    """
    How the session's job goes until it has ended: {job, address, repository, base, stage, message, step, steps, losses,
    seconds, dollars, log, ended}. `stop` is heard here, where the token is. Raises PlaygroundError where there is no job,
    and where the hub does not say several times in a row: the job goes on, and can be followed again.
    """
    sent = _known(key)
    cancelled, missed = False, 0
    while True:
        try:
            found = _look(sent, token)
        except PlaygroundError as error:
            missed += 1
            if error.key not in PASSING or missed == LOOKS:
                raise
        else:
            missed = 0
            yield view(sent, found)
            if found.ended:
                return
        if sent.stop.is_set() and not cancelled:
            gpu_jobs.cancel(sent.job, token)
            cancelled = True
        (_NEVER if cancelled else sent.stop).wait(pause)
        SESSIONS.get(key)  # it is still in use


def view(sent: Sent, found: Look) -> dict[str, Any]:
    losses = gpu_script.losses(found.log)
    return {
        "job": sent.job.id, "address": sent.job.address, "repository": sent.repository, "base": sent.base,
        "method": sent.method, "stage": found.stage, "message": found.message, "step": losses[-1][0] if losses else 0,
        "steps": sent.steps, "losses": losses, "seconds": found.seconds, "dollars": found.seconds * sent.dollars / 3600,
        "log": list(found.log[-LINES:]), "ended": found.ended,
    }  # fmt: skip


def stop(key: str) -> None:
    """Whoever follows the session's job ends it."""
    if sent := latest(key):
        sent.stop.set()


def end(sent: Sent, token: str) -> None:
    """End a job now, unless it has ended. Raises PlaygroundError where the hub does not."""
    if not sent.ended.is_set():
        gpu_jobs.cancel(sent.job, token)
        sent.ended.set()


def bring_back(key: str, token: str) -> dict[str, Any]:
    """
    The adapter of the session's job, as one of the session's own; its summary. Raises PlaygroundError: no job, one without
    an adapter, a base that is not loaded here.
    """
    from playground.model.candidate import id_of

    sent = _known(key)
    base_id = id_of(sent.base)
    if not BASES.is_loaded(base_id):
        raise PlaygroundError("gpu_base_not_here", base=sent.base)
    return another.receive(key, sent.repository, base_id, clean(token))


def _known(key: str) -> Sent:
    sent = latest(key)
    if sent is None:
        raise PlaygroundError("gpu_none")
    return sent


def _prices() -> tuple[Mapping[str, float], PlaygroundError | None]:
    """What the hub tells, or why it does not."""
    try:
        return gpu_jobs.prices(), None
    except PlaygroundError as error:
        return {}, error


def _spec(base: str) -> BaseSpec:
    """A base of the hub, in the catalogue or not. Raises PlaygroundError."""
    from playground.model.candidate import candidate, id_of, is_folder

    if is_folder(base):
        raise PlaygroundError("gpu_folder")
    if (known := CATALOGUE.get(id_of(base))) and known.source != "local":
        return known
    another.check_allowed()
    return candidate(base).spec


def _outline(spec: BaseSpec) -> gpu_script.Outline:
    """The model without its numbers, by what the hub tells of it. Raises PlaygroundError."""
    from playground.model.candidate import candidate

    found = candidate(spec.repository)
    assert found.spec.architecture is not None, "a candidate's is always known"
    return gpu_script.Outline(spec, found.skeleton, found.spec.architecture, spec.repository)
