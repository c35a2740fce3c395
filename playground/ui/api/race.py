"""
The race's named endpoint.
"""

# No postponed annotations here: gradio reads the types of the endpoints from them.
from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.actions.own import asked
from playground.actions.race import USUAL, changes, outcome_json, racer_json, start_race
from playground.actions.work import stop
from playground.ui.api.endpoints import key_of
from playground.ui.api.served import gone


def race(  # type: ignore[misc]
    base: str,
    task: str,
    request: gr.Request,
    racers: list[Any] = list(USUAL),  # noqa: B006
    steps: int = 0,
    seed: int = 0,
    own: dict[str, Any] = {},  # noqa: B006
) -> dict[str, Any]:
    """
    Train two to six methods or settings on one task, same seed, side by side: a stream of their events as in `train`, each
    with its `racer` (from 1); the last one is the table. What was read of own examples comes first.

    Args:
        base: a base id
        task: a task id, or "own"
        racers: method ids, or objects {"method", "hyperparameters"} with what differs from the method's defaults
        steps: optimizer steps of each; 0 takes 24
        seed: decides initialization and order of each
        own: your own examples, as /examples takes them; with the task "own" only

    Returns:
        a stream of the events of all of them, each with its racer; before finished come answers to held-out
            questions as they grow, and their score as in /score. The last one is {event: "race", racers: [{racer,
            method, hyperparameters, steps, trainable_parameters, held_out_loss, score, seconds, answers, adapter,
            error}], best}

    Raises:
        fewer than two racers or more than six, two that are the same, one that trains nothing, what /train refuses
    """
    key = key_of(request)
    learned, told = asked(task, own, base)
    runs = start_race(key, base, learned, racers, steps=steps or None, seed=seed)
    sent = [0] * len(runs)
    try:
        if told:
            yield told
        for _ in changes(runs):
            if gone():
                return
            for number, run in enumerate(runs):
                for event in run.events[sent[number] :]:
                    yield racer_json(number + 1, event)
                    sent[number] += 1
        yield outcome_json(key, runs)
    finally:
        for run in runs:
            stop(run)


ENDPOINTS: dict[str, Callable[..., Any]] = {"race": race}
