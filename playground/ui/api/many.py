"""
The named endpoint of answering many times.
"""

# No postponed annotations here: gradio reads the types of the endpoints from them.
from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.actions.many import start_many
from playground.actions.work import check_ended, own_place
from playground.compare.job import Decoding
from playground.compare.many import TIMES, USUAL_TEMPERATURE
from playground.ui.api.endpoints import key_of
from playground.ui.api.served import changes, gone


def answers(  # type: ignore[misc]
    base: str,
    prompt: str,
    adapters: list[Any],
    request: gr.Request,
    times: int = TIMES.default,
    max_new_tokens: int = Decoding.max_new_tokens,
    temperature: float = USUAL_TEMPERATURE,
    seed: int = Decoding.seed,
    top_p: float = Decoding.top_p,
    repetition_penalty: float = Decoding.repetition_penalty,
) -> dict[str, Any]:
    """
    Answer one prompt many times with several adapters: a stream of all panes' answers so far, the last one with a verdict on
    every two panes. A held-out question of a task is scored by its rule; otherwise lengths in tokens are compared.

    Args:
        base: a base id
        prompt: the question
        adapters: as in `compare`
        times: how many answers each gives, with the seed and those that follow it
        max_new_tokens: the longest answer
        temperature: above 0
        seed: the first one; answer by answer the same as `compare` with that seed
        top_p: nucleus sampling
        repetition_penalty: 1 is off

    Returns:
        a stream of {task, panes: [{adapter, mean, different, answers: [{seed, text, tokens, finish_reason,
            score}]}]} that grows. The last one has verdicts: [{one, other, difference, p, corrected, differs}] on
            every two panes (by their places): an exact permutation test of the means, Holm-corrected, at 5 %. For a
            question of no task, task and score are null

    Raises:
        what /compare refuses, a temperature of 0, and fewer than 2 or more than 16 answers
    """
    decoding = {
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "repetition_penalty": repetition_penalty,
        "seed": seed,
    }
    key = key_of(request)
    with own_place(key) as place:
        run = start_many(key, base, prompt, adapters, decoding, times, place)
        sent = None
        for _ in changes(run):
            if run.events and (state := (run.events[-1].written, run.events[-1].finished)) != sent:
                sent = state
                yield run.events[-1].as_json()
        if not gone():
            check_ended(run)


ENDPOINTS: dict[str, Callable[..., Any]] = {"answers": answers}
