"""
The named endpoint for what is left of a base: one pruning before and after.
"""

# No postponed annotations here: gradio reads the types of the endpoints from them.
from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.actions.prune import pruned, pruning_of, start_prune
from playground.actions.work import check_ended, own_place
from playground.ui.api.endpoints import key_of
from playground.ui.api.served import changes, gone


def prune(base: str, request: gr.Request, what: str = "width-activation", percent: float = 20) -> dict[str, Any]:  # type: ignore[misc]
    """
    One pruning of a base, before and after.

    Args:
        base: a plain base id
        what: a kind with a rule, as width-activation, depth-cosine or pattern-wanda
        percent: what goes of it; a pattern has its own share

    Returns:
        a stream of {base, pruning, rows: [{pruning, parameters, bytes, zeros, tokens_per_second, loss, perplexity, right,
            answer}]} that grows by a row, the whole base first: loss and perplexity are those on the shipped text, right
            the share of its tokens that were the likeliest

    Raises:
        a base that does not exist, a kind or rule that there is not, a share outside its range
    """
    key, sent = key_of(request), 0
    with own_place(key) as place:
        run = start_prune(key, base, pruning_of(what, percent), place)
        for _ in changes(run):
            found = pruned(run.events[-1]) if run.events else {"rows": []}
            if len(found["rows"]) > sent:
                sent = len(found["rows"])
                yield found
        if not gone():
            check_ended(run)


ENDPOINTS: dict[str, Callable[..., Any]] = {"prune": prune}
