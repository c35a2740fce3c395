"""
The named endpoint for a visitor's own examples.
"""

# No postponed annotations here: gradio reads the types of the endpoints from them.
from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.actions.own import as_json, read, sheet_of
from playground.data.given import Given


def examples(base: str, own: dict[str, Any], request: gr.Request) -> dict[str, Any]:
    """
    What is read of your own examples before anything is trained.

    Args:
        base: a base id
        own: where they are: rows (pairs, or objects as data sets have them: prompt and response, alpaca, conversations),
            pasted (a text: CSV, TSV, JSON, JSON Lines) or dataset (an id of the hub, a file's path may follow); how they are
            read: prompt, context and response (names of columns), separator, header ("yes" or "no"); what for: split
            ("mixed", "last", "column"), held_out (how many), scorer ("exact", "contains", "json", "rouge_l"). What is left
            out is found, or as usual

    Returns:
        {pairs, train, held_out, scorer, columns: {prompt, context, response}, unused, encoding, separator, header, part,
            more, left_out: [{line, reason}], first: [{line, pieces: [{text, learned}]}], error}: the first three token by
            token as the base sees them, learned where a token carries loss; error says why they make no task

    Raises:
        none of the three places or more than one, a text or a data set that cannot be read, a value that there is not
    """
    given = Given.of(own)
    return as_json(read(sheet_of(given), given, base))


ENDPOINTS: dict[str, Callable[..., Any]] = {"examples": examples}
