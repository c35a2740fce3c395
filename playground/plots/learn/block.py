"""
A decoder's block with what a method trains of it lit: tokens below, attention above them, the feed-forward block on top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from playground.adapt.method import CACHE, NORM, PROMPT, Trained

WIDTH, HEIGHT, BOX = 150, 112, 18
# Each linear layer of a Llama-like block: what stands on it, its left and upper edge, its width
PLACES = {
    "q_proj": ("q", 14, 52, BOX), "k_proj": ("k", 48, 52, BOX), "v_proj": ("v", 82, 52, BOX), "o_proj": ("o", 116, 52, BOX),
    "gate_proj": ("gate", 8, 10, 32), "up_proj": ("up", 56, 10, 24), "down_proj": ("down", 100, 10, 34),
}  # fmt: skip
TOKENS, TOKEN = range(54, 150, 16), 10  # left edges of the tokens, and their side
VIRTUAL = range(6, 54, 16)  # of the virtual ones before them
NORMS = (84, 40)  # upper edges of the lines on which a norm stands, below attention and below the feed-forward block
DIAGONAL = (1, 4.5, 8, 11.5, 15)  # of a box, left and upper edges of what is trained along it
SCATTERED = ((3, 4), (11, 3), (6, 9), (13, 8), (3, 13), (10, 14))  # of a box, what is trained of a sparse one


def rectangle(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="2" class="{kind}"/>'


def biases(x: int, y: int, width: int) -> str:
    return rectangle(x, y + BOX + 2, width, 4, "pp-lit")


def factors(x: int, y: int, width: int) -> str:
    """B and A: two thin ones."""
    return rectangle(x + width + 2, y, 4, BOX, "pp-lit") + rectangle(x, y - 6, width, 4, "pp-lit")


def _fixed(x: int, y: int, width: int) -> str:
    """Two thin ones that stay as they are."""
    return rectangle(x + width + 2, y, 4, BOX, "pp-unlit") + rectangle(x, y - 6, width, 4, "pp-unlit")


def core(x: int, y: int, width: int) -> str:
    """What is trained where two fixed ones meet."""
    return _fixed(x, y, width) + rectangle(x + width + 2, y - 6, 4, 4, "pp-lit")


def turned_core(x: int, y: int, width: int) -> str:
    """A small rotation where two fixed ones meet."""
    steps = (rectangle(x + width + 2 + 2.5 * step, y - 8 + 2.5 * step, 3, 3, "pp-lit") for step in range(3))
    return _fixed(x, y, width) + "".join(steps)


def sparse_core(x: int, y: int, width: int) -> str:
    """Between two fixed ones the diagonal, and a few numbers off it."""
    fixed = rectangle(x - 6, y, 4, BOX, "pp-unlit") + rectangle(x + width + 2, y, 4, BOX, "pp-unlit")
    return fixed + _dots([*((place, place) for place in DIAGONAL), *SCATTERED[1:4:2]], x, y, width)


def weakest(x: int, y: int, width: int) -> str:
    """Of the weight's own directions the strong ones stay, the weak ones do not, nor do their singular values."""
    weak = rectangle(x + width + 7, y, 2, BOX, "pp-lit") + rectangle(x, y - 8.5, width, 2, "pp-lit")
    return _fixed(x, y, width) + weak + rectangle(x + width + 7, y - 8.5, 2, 2, "pp-lit")


def some(x: int, y: int, width: int) -> str:
    """A few numbers of the weight itself."""
    return _dots(SCATTERED, x, y, width)


def _dots(places: Sequence[tuple[float, float]], x: int, y: int, width: int) -> str:
    return "".join(rectangle(x + left * width / BOX, y + top, 2.5, 2.5, "pp-lit") for left, top in places)


def rotation(x: int, y: int, width: int) -> str:
    """Small squares on the diagonal, in front of the weight."""
    return "".join(rectangle(x + width + 1 + 2.5 * step, y + 6 * step, 4, 4, "pp-lit") for step in range(3))


def spectrum(x: int, y: int, width: int) -> str:
    """A few lines of different heights over the weight."""
    heights = (5, 2, 4, 1, 3)
    return "".join(
        rectangle(x + place * width / 5, y - 1 - height, 2, height, "pp-lit") for place, height in enumerate(heights)
    )


def vector(x: int, y: int, width: int) -> str:
    """After keys and values, before the layer that leaves the feed-forward block (Liu et al. 2022, section 3.3)."""
    return rectangle(x - 6 if y == PLACES["down_proj"][2] else x + width + 2, y, 4, BOX, "pp-lit")


BESIDE: dict[str, Callable[[int, int, int], str]] = {
    "biases": biases, "factors": factors, "core": core, "some": some, "rotation": rotation, "spectrum": spectrum,
    "vector": vector, "turned_core": turned_core, "sparse_core": sparse_core, "weakest": weakest,
}  # fmt: skip


def block(trained: Trained) -> str:
    """An SVG; its words are next to it, so that it is hidden from whoever listens."""
    frame = rectangle(1, 38, WIDTH - 2, 44, "pp-frame") + rectangle(1, 1, WIDTH - 2, 36, "pp-frame")
    layers = "".join(_layer(name, trained) for name in PLACES)
    tokens = "".join(rectangle(x, 94, TOKEN, TOKEN, "pp-unlit") for x in TOKENS)
    around = "".join(draw() for part, draw in AROUND.items() if part in trained.parts)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{frame}{layers}{around}{tokens}</svg>'


def _prompt() -> str:
    return "".join(rectangle(x, 94, TOKEN, TOKEN, "pp-lit") for x in VIRTUAL)


def _cache() -> str:
    """Keys and values before those of the tokens, inside of attention."""
    return "".join(rectangle(PLACES[name][1] - 8, y, 5, 5, "pp-lit") for name in ("k_proj", "v_proj") for y in (53, 59, 65))


def _norms() -> str:
    return "".join(rectangle(8, y, WIDTH - 16, 4, "pp-lit") for y in NORMS)


AROUND: dict[str, Callable[[], str]] = {PROMPT: _prompt, CACHE: _cache, NORM: _norms}


def _layer(name: str, trained: Trained) -> str:
    label, x, y, width = PLACES[name]
    lit = name in trained.parts
    kind = "pp-lit" if lit and trained.how == "whole" else "pp-unlit"
    beside = BESIDE[trained.how](x, y, width) if lit and trained.how in BESIDE else ""
    word = f'<text x="{x + width / 2:g}" y="{y + 13:g}" class="{kind}">{label}</text>'
    return rectangle(x, y, width, BOX, kind) + word + beside
