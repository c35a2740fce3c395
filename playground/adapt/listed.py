"""
README's list of the methods: what each trains of the embedded base with its defaults, and what it can.
"""

from __future__ import annotations

from playground.adapt.methods import LEFT_OUT, METHODS
from playground.errors import PlaygroundError
from playground.locales import DEFAULT, text
from playground.model.architecture import Architecture

HEADS = ("method", "family", "PEFT", "trains", "merges", "mixes", "over 4 and 8 bits", "paper")


def markdown(architecture: Architecture) -> str:
    """A table of all methods, and below it PEFT's types that are none, each with its reason."""
    lines = [HEADS, ("---",) * len(HEADS)]
    for one in METHODS.values():
        try:
            trains = f"{one.trainable(architecture, {}):,}"
        except PlaygroundError:  # BitFit, where there are no biases
            trains = "nothing here"
        can = ("yes" if able else "" for able in (one.merges, one.mixes, one.quantized))
        lines.append((f"`{one.id}`", one.family, f"`{one.peft}`" if one.peft else "", trains, *can, one.paper))
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    left_out = "\n".join(f"- `{one}` {text(DEFAULT, f'methods.left_out.{one}')}." for one in LEFT_OUT)
    return f"{table}\n\n{left_out}\n"
