"""
The leaderboard's named endpoint.
"""

# No postponed annotations here: gradio reads the types of the endpoints from them.
from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.actions.leaderboard import board, own_runs
from playground.ui.api.endpoints import key_of


def leaderboard(request: gr.Request, task: str = "pirate", every: bool = False) -> dict[str, Any]:
    """
    How the methods compare on a task, as measured beforehand: score, loss, cost and forgetting of each over all seeds,
    who lies inside the noise of the best, and this session's own runs.

    Args:
        task: a task id
        every: whether also the methods that are not in front, where they were measured (`more` says how many)

    Returns:
        {task, base, processor, methods: [{method, score: {mean, low, high, values} from 0 to 1, loss in nats,
            parameters, bytes, seconds of the processor, prompt_tokens, forgetting in nats, processor, recipe}],
            more, best, near (inside the noise of the best score), below, cheapest, unbeaten, own, …}

    Raises:
        an unknown task
    """
    return {**board(task, every), "own": own_runs(key_of(request), task)}


ENDPOINTS: dict[str, Callable[..., Any]] = {"leaderboard": leaderboard}
