"""
What a visitor or a program may ask for, in plain values: the one way from the page and the API into the core.

Core modules that need torch are imported when first used, so that the page is served before torch is there.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from playground import locales
from playground.adapt import fitting, tasks
from playground.adapt.methods import METHODS, method, training_memory
from playground.errors import PlaygroundError
from playground.model.architecture import Architecture
from playground.model.bases import BASES
from playground.model.catalogue import CATALOGUE, held_in, is_simulated, split_id, steps_of
from playground.work.sessions import PLACES, SESSIONS

UNDER_WAY = ("downloading", "converting", "loading")  # states of a base that will be there soon


def list_bases(key: str | None = None) -> list[dict[str, Any]]:
    """The catalogue's bases, and behind them those that a session has typed; of these nobody else's are listed."""
    own = SESSIONS.get(key).bases.values() if key else ()
    return [
        {
            "id": spec.id,
            "name": spec.name,
            "parameters": spec.parameters,
            "source": spec.source,
            "loaded": BASES.is_loaded(spec.id),
        }
        for spec in (*CATALOGUE.values(), *own)
    ]


def count_parameters(base_id: str, method_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """
    What would be trained, before training: counts as PEFT's after wrapping, float32 bytes, those of them that are not
    trained, memory at least needed.
    """
    shape, chosen = architecture(base_id), method(method_id)
    count = chosen.counts(shape, values)
    trainable, total = count["trainable_parameters"], count["total_parameters"]
    form = split_id(chosen.base_id(base_id, values))[1]
    memory = training_memory(shape, trainable, form)
    return {
        "trainable": trainable,
        "total": total,
        "percent": 100 * trainable / total,
        "bytes": count["bytes"],
        "untrained_bytes": max(0, 4 * chosen.beside(shape, chosen.complete(values))),  # P-tuning leaves some out
        "memory": memory,
    }


def misfits(base_id: str) -> dict[str, PlaygroundError]:
    """
    The methods that a base cannot have, by id, each with the reason: what its layers and its size say, and QLoRA where its
    base in 4 bits was found not to run.
    """
    found = fitting.misfits(base_id, architecture(base_id))
    for one in METHODS.values():
        error = BASES.status(one.base_id(base_id, {})).error
        if error and error.key == "base_does_not_run":
            found.setdefault(one.id, error)
    return found


def architecture(base_id: str) -> Architecture:
    """Of a base, which is loaded if only its files can tell. Raises PlaygroundError if it cannot be."""
    spec, pruned, _ = steps_of(base_id)
    return BASES.get(held_in(base_id, None)).architecture if pruned else spec.architecture or BASES.get(base_id).architecture


def base_status(base_id: str) -> dict[str, Any]:
    """How a base is: its name, what was pruned of it, its form in fewer bits, what `bases.Status` says; where work runs."""
    spec, pruned, form = steps_of(base_id)
    made = {"name": spec.name, "pruned": pruned and str(pruned), "form": form}
    return {**made, **vars(BASES.status(base_id)), "where": PLACES.where()}


def load(base_id: str) -> Architecture:
    """Load a base before anything needs it. Raises PlaygroundError."""
    return BASES.get(base_id).architecture


def follow(base_id: str) -> Generator[dict[str, Any], None, None]:
    """The same, telling meanwhile how it goes (`base_status`); closing it stops a download that nobody else waits for."""
    for _ in BASES.follow(base_id):
        yield base_status(base_id)


def shape(base_id: str) -> Architecture:
    """The base's architecture: of the loaded model if it is here, else the catalogue's. Raises PlaygroundError."""
    spec, pruned, _ = steps_of(base_id)
    known = None if pruned else spec.architecture
    architecture = BASES.get(base_id).architecture if BASES.is_loaded(base_id) else known
    if architecture is None:
        raise PlaygroundError("shape_unknown", base=spec.name)
    return architecture


def is_loaded(base_id: str) -> bool:
    return BASES.is_loaded(base_id)


def parameters(base_id: str) -> int:
    """How many parameters a base has; 0 where nobody knows before it is loaded."""
    spec, pruned, _ = steps_of(base_id)
    known = None if pruned else spec.parameters
    return known or (BASES.get(base_id).architecture.parameters if BASES.is_loaded(base_id) else 0)


def comes(base_id: str) -> bool:
    """Whether a base is here, or will be soon."""
    return BASES.is_loaded(base_id) or BASES.status(base_id).state in UNDER_WAY


def have(base_id: str) -> None:
    """
    Load a base here, in the request's thread: a download must not hold up the worker. Of a form that is rounded here, and of
    what pruning leaves, only the plain base: they take turns in memory, and are made beside the worker when theirs comes.
    """
    spec, pruned, form = steps_of(base_id)
    if form and not pruned and not is_simulated(form):
        BASES.get(base_id)
    elif spec.source != "embedded":
        BASES.get(spec.id)


def describe_methods() -> list[dict[str, Any]]:
    def bounds(parameter: Any) -> dict[str, Any]:
        plain = {"default": parameter.default, "minimum": parameter.minimum, "maximum": parameter.maximum}
        return plain | ({"choices": list(parameter.choices)} if parameter.choices else {})

    return [
        {
            "id": one.id,
            "name": locales.text(locales.DEFAULT, f"methods.{one.id}.name"),
            "family": one.family,
            "sentence": locales.text(locales.DEFAULT, f"methods.{one.id}.sentence"),
            "formula": one.formula,
            "paper": one.paper,
            "peft_type": one.peft,
            "front": one.front,
            "merges": one.merges,
            "mixes": one.mixes,
            "quantized": one.quantized,
            "steps": one.steps,
            "hyperparameters": {parameter.name: bounds(parameter) for parameter in one.hyperparameters},
        }
        for one in METHODS.values()
    ]


def describe_tasks() -> list[dict[str, Any]]:
    return [describe_task(task_id) for task_id in tasks.TASK_IDS]


def describe_task(task_id: str) -> dict[str, Any]:
    """A teaching task's name, and how many examples it has to train on and to hold out. Raises PlaygroundError."""
    name, task = f"tasks.{task_id}.title", tasks.task(task_id)
    return {
        "id": task_id,
        "name": locales.text(locales.DEFAULT, name),
        "train": len(task.train),
        "held_out": len(task.held_out),
    }
