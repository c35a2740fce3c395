"""
The named endpoints that say what there is: bases, methods, tasks, adapters, and what a training would cost.
"""

# No postponed annotations here: see endpoints.py.
from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.actions import adapters as library
from playground.actions import catalogue
from playground.ui.api.endpoints import key_of


def bases(request: gr.Request) -> list[Any]:
    """
    The base models, those that this session has loaded last: id, name, parameters, source, and whether it is loaded.

    Returns:
        a list of {id, name, parameters, source, loaded}; parameters is null where it is not known before loading

    Raises:
        nothing
    """
    return catalogue.list_bases(key_of(request))


def methods() -> list[Any]:
    """
    The methods: id, name, family, paper, default steps, and the range of every hyperparameter.

    Returns:
        a list of {id, name, family, sentence, formula, paper, peft_type, front, merges, mixes, quantized, steps,
            hyperparameters: {name: {default, minimum, maximum, choices}}}

    Raises:
        nothing
    """
    return catalogue.describe_methods()


def task_list() -> list[Any]:
    """
    The tasks: id, name, and how many training and held-out examples each has.

    Returns:
        a list of {id, name, train, held_out}, the last two in examples

    Raises:
        nothing
    """
    return catalogue.describe_tasks()


def adapters(request: gr.Request) -> list[Any]:
    """
    This session's own adapters, newest first, and the ready-made ones.

    Returns:
        a list of {id, name, base, method, task, hyperparameters, steps, trainable_parameters, total_parameters,
            percent, bytes, own, made_for, undone, mixed, converted}

    Raises:
        nothing
    """
    return library.list_adapters(key_of(request))


def count_parameters(
    base: str,
    method: str,
    request: gr.Request,
    hyperparameters: dict[str, Any] = {},  # noqa: B006
) -> dict[str, Any]:
    """
    Trainable parameters before training, as PEFT counts them after wrapping.

    Args:
        base: a base id, with :nf4, :int8 … for its form in fewer bits
        method: a method id
        hyperparameters: what differs from the method's defaults

    Returns:
        {trainable, total, percent, bytes, untrained_bytes, memory}: numbers of the model, a percentage, bytes of the
            adapter, those of them that are drawn or found once, and bytes that training takes

    Raises:
        an unknown base or method, a hyperparameter that there is not, or one outside its range
    """
    return catalogue.count_parameters(base, method, hyperparameters)


ENDPOINTS: dict[str, Callable[..., Any]] = {
    "bases": bases, "methods": methods, "tasks": task_list, "adapters": adapters, "count_parameters": count_parameters,
}  # fmt: skip
