"""
A decoder's block with what a method trains of it lit: tokens below, attention above them, the feed-forward block on top.
"""

from __future__ import annotations

from collections.abc import Callable

from playground.learn.families import PROMPT, Trained

WIDTH, HEIGHT, BOX = 150, 112, 18
# Each linear layer of a Llama-like block: what stands on it, its left and upper edge, its width
PLACES = {
    "q_proj": ("q", 14, 52, BOX), "k_proj": ("k", 48, 52, BOX), "v_proj": ("v", 82, 52, BOX), "o_proj": ("o", 116, 52, BOX),
    "gate_proj": ("gate", 10, 10, 32), "up_proj": ("up", 62, 10, 24), "down_proj": ("down", 106, 10, 34),
}  # fmt: skip
TOKENS, TOKEN = range(54, 150, 16), 10  # left edges of the tokens, and their side
VIRTUAL = range(6, 54, 16)  # of the virtual ones before them


def rectangle(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="2" class="{kind}"/>'


def biases(x: int, y: int, width: int) -> str:
    return rectangle(x, y + BOX + 2, width, 4, "pp-lit")


def factors(x: int, y: int, width: int) -> str:
    """B and A: two thin ones."""
    return rectangle(x + width + 2, y, 4, BOX, "pp-lit") + rectangle(x, y - 6, width, 4, "pp-lit")


def vector(x: int, y: int, width: int) -> str:
    """After keys and values, before the layer that leaves the feed-forward block (Liu et al. 2022, section 3.3)."""
    return rectangle(x - 6 if y == PLACES["down_proj"][2] else x + width + 2, y, 4, BOX, "pp-lit")


BESIDE: dict[str, Callable[[int, int, int], str]] = {"biases": biases, "factors": factors, "vector": vector}


def block(trained: Trained) -> str:
    """An SVG; its words are next to it, so that it is hidden from whoever listens."""
    frame = rectangle(1, 38, WIDTH - 2, 44, "pp-frame") + rectangle(1, 1, WIDTH - 2, 36, "pp-frame")
    layers = "".join(_layer(name, trained) for name in PLACES)
    tokens = "".join(rectangle(x, 94, TOKEN, TOKEN, "pp-unlit") for x in TOKENS)
    prompt = "".join(rectangle(x, 94, TOKEN, TOKEN, "pp-lit") for x in VIRTUAL) if PROMPT in trained.parts else ""
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{frame}{layers}{prompt}{tokens}</svg>'


def _layer(name: str, trained: Trained) -> str:
    label, x, y, width = PLACES[name]
    lit = name in trained.parts
    kind = "pp-lit" if lit and trained.how == "whole" else "pp-unlit"
    beside = BESIDE[trained.how](x, y, width) if lit and trained.how in BESIDE else ""
    word = f'<text x="{x + width / 2:g}" y="{y + 13:g}" class="{kind}">{label}</text>'
    return rectangle(x, y, width, BOX, kind) + word + beside
