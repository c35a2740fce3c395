"""
What a visitor or a program may ask for, in plain values: the one way from the page and the API into the core.

Core modules that need torch are imported when first used, so that the page is served before torch is there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground import adapters, locales, settings, tasks
from playground.adapters import BASE, Adapter
from playground.bases import BASES, CATALOGUE, Architecture, split_id
from playground.errors import PlaygroundError
from playground.jobs import COMPARE, LAB, SESSIONS, TRAIN, Run
from playground.methods import METHODS, method, training_memory

if TYPE_CHECKING:
    from playground.bases import Base
    from playground.generation import Frame
    from playground.training import Event, Started


def list_bases() -> list[dict[str, Any]]:
    return [
        {
            "id": spec.id,
            "name": spec.name,
            "parameters": spec.parameters,
            "source": spec.source,
            "loaded": BASES.is_loaded(spec.id),
        }
        for spec in CATALOGUE.values()
    ]


def list_adapters(key: str | None, base_id: str | None = None) -> list[dict[str, Any]]:
    """The session's adapters, newest first, then the examples (without a key only those); of one base if asked for."""
    own = SESSIONS.get(key).library.own() if key else []
    found = [adapter.summary() for adapter in (*own, *adapters.examples().values())]
    return [one for one in found if base_id is None or one["base"].partition(":")[0] == base_id.partition(":")[0]]


def count_parameters(base_id: str, method_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """What would be trained, before training: counts as PEFT's after wrapping, float32 bytes, memory at least needed."""
    spec, _ = split_id(base_id)
    architecture: Architecture = spec.architecture or BASES.get(base_id).architecture
    chosen = method(method_id)
    count = chosen.counts(architecture, values)
    trainable, total = count["trainable_parameters"], count["total_parameters"]
    form = split_id(chosen.base_id(base_id, values))[1]
    memory = training_memory(architecture, trainable, form)
    return {
        "trainable": trainable,
        "total": total,
        "percent": 100 * trainable / total,
        "bytes": count["bytes"],
        "memory": memory,
    }


def have(base_id: str) -> None:
    """Load a base here, in the request's thread: a download or rounding to fewer bits must not hold up the worker."""
    spec, form = split_id(base_id)
    if spec.source != "embedded" or form:
        BASES.get(base_id)


def start_training(
    key: str,
    base_id: str,
    method_id: str,
    task: tasks.Task,
    values: Mapping[str, Any],
    steps: int | None = None,
    seed: int = 0,
) -> Run:
    """Queue a training for a session. Raises PlaygroundError at once if it cannot be served."""
    from playground.training import Ended, TrainingJob, train

    have(base_id)
    job = TrainingJob(base_id, method_id, task, dict(values), steps, seed).checked()
    session = SESSIONS.get(key)

    def events(stop: Any) -> Iterator[Event]:
        for event in train(job, BASES.get, stop):
            if isinstance(event, Ended):
                session.library.add(event.adapter)
            yield event

    return SESSIONS.submit(key, TRAIN, events, job)


def start_comparison(key: str, base_id: str, prompt: str, adapter_ids: Sequence[str], decoding: Mapping[str, Any]) -> Run:
    """Queue a comparison for a session. Raises PlaygroundError at once if it cannot be served."""
    chosen = [pane(key, base_id, one) for one in adapter_ids]
    return start_answers(key, COMPARE, COMPARE, base_id, prompt, chosen, decoding)


def pane(key: str, base_id: str, pane_id: str) -> Adapter | None:
    """What a pane shows: None is the plain base, "base:nf4" that base in NF4. Raises PlaygroundError."""
    name, mark, form = str(pane_id).partition(":")
    if name != BASE:
        return SESSIONS.get(key).library.get(pane_id)
    return adapters.quantized(f"{split_id(base_id)[0].id}:{form}") if mark else None


def start_answers(
    key: str,
    lane: str,
    place: str,
    base_id: str,
    prompt: str,
    chosen: Sequence[Adapter | None],
    decoding: Mapping[str, Any],
    subject: Any = None,
) -> Run:
    """
    Queue a comparison of adapter values (None: the base), shown at `place`, about `subject` (the job itself unless said
    otherwise). Raises PlaygroundError at once.
    """
    from playground.generation import CompareJob, Decoding, compare

    job = CompareJob(base_id, prompt, tuple(chosen), Decoding(**decoding))
    job.check()
    for needed in (base_id, *(adapters.base_id(adapter, base_id) for adapter in chosen if adapter is not None)):
        have(needed)
    return SESSIONS.submit(key, lane, lambda stop: compare(job, BASES.get), subject or job, place)


def examined(key: str, adapter_id: str) -> tuple[Base, Adapter]:
    """An adapter of the session and the base that it runs on, loaded. Raises PlaygroundError."""
    adapter = SESSIONS.get(key).library.get(adapter_id)
    return BASES.get(adapters.base_id(adapter, adapter.record.base)), adapter


def low_rank(key: str, adapter_id: str, module: str) -> dict[str, Any]:
    """The numbers of one module's update; an empty module means the most changed one. Raises PlaygroundError."""
    from playground import findings

    return asdict(findings.report(*examined(key, adapter_id), module))


def start_edited(
    key: str,
    place: str,
    adapter_id: str,
    edit: Mapping[str, Any],
    prompt: str,
    decoding: Mapping[str, Any],
    names: tuple[str, str] = ("", ""),
) -> Run:
    """
    Queue a comparison of the base that an adapter runs on, the whole adapter and what `edit` (see `edits.Edit`) leaves
    of it, named as `names` say. Raises PlaygroundError at once.
    """
    from playground import edits
    from playground.generation import CompareJob, Decoding, compare

    base, adapter = examined(key, adapter_id)
    wanted = edits.Edit(**edit).checked(adapter)
    whole = replace(adapter, name=names[0] or adapter.name)
    job = CompareJob(base.id, prompt, (None, whole, whole), Decoding(**decoding))
    job.check()

    def events(stop: Any) -> Iterator[Frame]:
        left = replace(edits.edited(base, adapter, wanted), name=names[1] or adapter.name)
        yield from compare(replace(job, adapters=(None, whole, left)), BASES.get)

    return SESSIONS.submit(key, LAB, events, adapter_id, place)


def held_out_task(key: str, adapter: Adapter) -> tasks.Task | None:
    """The task whose held-out examples an adapter is measured on; None if those examples are not here any more."""
    if adapter.record.task in tasks.TASK_IDS:
        return tasks.task(adapter.record.task)
    run = SESSIONS.get(key).runs.get(TRAIN)
    ended = getattr(run.events[-1], "adapter", None) if run and run.events else None
    return run.job.task if run and ended and ended.id == adapter.id.partition(adapters.STEP_MARK)[0] else None


def start_sweep(key: str, adapter_id: str, edits: Sequence[Mapping[str, Any]], place: str) -> Run:
    """Queue the measuring of an adapter under several edits. Raises PlaygroundError at once."""
    from playground.edits import Edit
    from playground.evaluation import SweepJob, sweep

    adapter = SESSIONS.get(key).library.get(adapter_id)
    task = held_out_task(key, adapter)
    if task is None:
        raise PlaygroundError("no_held_out")
    job = SweepJob(adapter.record.base, adapter, tuple(Edit(**edit).checked(adapter) for edit in edits), task)
    return SESSIONS.submit(key, LAB, lambda stop: sweep(job, BASES.get), adapter_id, place)


def effects(key: str, adapter_id: str, edit: Mapping[str, Any], place: str) -> dict[str, Any] | None:
    """Losses and divergences of the base, the adapter and what `edit` leaves of it; None without held-out examples."""
    if held_out_task(key, SESSIONS.get(key).library.get(adapter_id)) is None:
        return None
    run = start_sweep(key, adapter_id, [{}, edit], place)
    for _ in run.changes():
        pass
    if run.error:
        raise run.error
    if run.state == "stopped":
        raise PlaygroundError("replaced")
    done = run.events[-1]
    plain = [{"held_out_loss": one.held_out_loss, "kl_from_base": one.kl_from_base} for one in done.effects]
    return {"base": {"held_out_loss": done.base_loss, "kl_from_base": 0.0}, "whole": plain[0], "left": plain[1]}


def soft_prompt(key: str, adapter_id: str, nearest: int) -> dict[str, Any]:
    """The virtual tokens of a prompt-tuning adapter in numbers. Raises PlaygroundError."""
    from playground import softprompt

    return asdict(softprompt.report(*examined(key, adapter_id), nearest))


DOWNLOADS = tempfile.TemporaryDirectory(prefix="peft-playground-")  # goes with the process


def download(key: str, adapter_id: str) -> str:
    """The path of a zip of one adapter of the session; gradio copies it at once, so only the latest few are kept."""
    folder = tempfile.mkdtemp(dir=DOWNLOADS.name)
    path = adapters.pack(SESSIONS.get(key).library.get(adapter_id), Path(folder))
    for old in sorted(Path(DOWNLOADS.name).iterdir(), key=lambda one: one.stat().st_mtime)[: -settings.MAX_SESSIONS]:
        shutil.rmtree(old, ignore_errors=True)
    return str(path)


def upload(key: str, path: str | None, base_id: str) -> Adapter:
    """Check a zip and add its adapter to the session. Raises PlaygroundError with the reason if it is refused."""
    from playground import uploads
    from playground.training import new_id

    if not path:
        raise PlaygroundError("no_file")
    adapter = uploads.unpack(Path(path), BASES.get(base_id), new_id())
    SESSIONS.get(key).library.add(adapter)
    return adapter


def event_json(event: Event) -> dict[str, Any]:
    """One training event as the API gives it; the last one names the adapter instead of carrying it."""
    plain = {name: value for name, value in vars(event).items() if name not in ("adapter", "error")}
    if plain["event"] in ("finished", "stopped", "failed"):
        plain |= {"adapter": event.adapter.summary(), "error": str(event.error) if event.error else None}  # type: ignore[union-attr]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}


def training_view(run: Run | None, language: str) -> dict[str, Any]:
    """What the Train tab draws: the run's state and everything that its events have told so far."""
    if run is None:
        return {"state": "idle", "losses": [], "held_out": [], "samples": [], "questions": [], "method": None, "steps": 24}
    job = run.job
    view: dict[str, Any] = {
        "state": "queued" if run.state == "queued" else "preparing",
        "position": run.position,
        "method": job.method,
        "task": job.task.id,
        "hyperparameters": job.hyperparameters,
        "step": 0,
        "steps": job.steps,
        "seed": job.seed,
        "losses": [],
        "held_out": [],
        "samples": [],
        "questions": [],
        "message": "",
        "adapter": None,
    }
    for event in run.events:
        _VIEW[event.event](view, event)
    if run.state == "failed" and view["state"] not in ("diverged",):
        view["state"] = "failed"
    if run.state == "stopped" and view["state"] in ("queued", "preparing"):
        view["state"] = "stopped"
    error = run.error or view.pop("error", None)
    view["message"] = error.message(language) if error else ""
    return view


def _started(view: dict[str, Any], event: Started) -> None:
    view |= {"state": "running", "questions": list(event.questions)}
    view |= {"remaining": event.estimated_seconds} if event.steps else {}


def _step(view: dict[str, Any], event: Any) -> None:
    view["losses"].append((event.step, event.loss))
    view |= {"seconds_per_step": event.elapsed / event.step}
    view |= {
        name: getattr(event, name)
        for name in ("step", "elapsed", "remaining", "tokens_per_second", "learning_rate", "gradient_norm")
    }


def _evaluation(view: dict[str, Any], event: Any) -> None:
    view["held_out"].append((event.step, event.held_out_loss))


def _sample(view: dict[str, Any], event: Any) -> None:
    view["samples"].append({"step": event.step, "answers": list(event.answers)})


def _ended(view: dict[str, Any], event: Any) -> None:
    state = "diverged" if event.event == "failed" else event.event
    view |= {"state": state, "adapter": event.adapter.summary(), "elapsed": event.seconds, "error": event.error}
    view["checkpoints"] = [checkpoint.step for checkpoint in event.adapter.checkpoints]


_VIEW = {
    "started": _started, "step": _step, "evaluation": _evaluation, "sample": _sample,
    "finished": _ended, "stopped": _ended, "failed": _ended,
}  # fmt: skip


def describe_methods() -> list[dict[str, Any]]:
    def bounds(parameter: Any) -> dict[str, Any]:
        plain = {"default": parameter.default, "minimum": parameter.minimum, "maximum": parameter.maximum}
        return plain | ({"choices": list(parameter.choices)} if parameter.choices else {})

    return [
        {
            "id": one.id,
            "name": locales.text(locales.DEFAULT, f"methods.{one.id}.name"),
            "family": one.family,
            "paper": one.paper,
            "steps": one.steps,
            "hyperparameters": {parameter.name: bounds(parameter) for parameter in one.hyperparameters},
        }
        for one in METHODS.values()
    ]


def describe_tasks() -> list[dict[str, Any]]:
    found = [tasks.task(task_id) for task_id in tasks.TASK_IDS]
    return [
        {
            "id": one.id,
            "name": locales.text(locales.DEFAULT, f"tasks.{one.id}.title"),
            "train": len(one.train),
            "held_out": len(one.held_out),
        }
        for one in found
    ]
