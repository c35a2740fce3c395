"""
The named endpoint for what a pane is worth on a task.
"""

# No postponed annotations here: gradio reads the types of the endpoints from them.
from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.actions.scores import answer_json, start_scoring
from playground.actions.work import check_ended, own_place
from playground.ui.api.endpoints import key_of
from playground.ui.api.served import changes, gone


def score(base: str, pane: str, task: str, request: gr.Request) -> dict[str, Any]:
    """
    What a pane is worth on the held-out examples of a task: mean loss on the responses in nats, and the mean score of its
    greedy answers by the task's own rule (of your own examples by the scorer that they were trained on with; null without
    one), with the answers behind it; of an adapter also the loss on a neutral text before and after, and whether the
    difference is more than noise (`forgetting`).

    Args:
        base: a base id
        pane: "base", "base:nf4" and so on, "few_shot" (four examples, seed 0), an adapter id, or "id@step"
        task: a task id; "own" is that of an adapter that was trained on your own examples

    Returns:
        {pane, task, base, held_out_loss (nats), score (0 to 1), right, questions, examples: [{prompt, expected,
            answer, score}], forgetting}; answers are greedy, of up to 64 tokens

    Raises:
        an unknown id, and own examples that are not here
    """
    with own_place(key_of(request)) as place:
        run = start_scoring(key_of(request), base, task, [pane], place, neutral=True)
        for _ in changes(run):
            pass
        if gone():
            return {}
        check_ended(run)
        return answer_json(run)


ENDPOINTS: dict[str, Callable[..., Any]] = {"score": score}
