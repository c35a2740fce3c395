"""
A matrix as a small picture: zero is the paper, positive blue, negative orange, the stronger the larger.

Takes numbers, gives HTML with the picture inside it, so that a slider's move changes it without a flicker. Zero is
transparent, hence one picture serves light and dark. Knows nothing about models or pages.
"""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from PIL import Image

POSITIVE, NEGATIVE = (31, 119, 200), (214, 104, 0)
STRONG = 0.995  # of the cells lie below full colour
MOST = 128  # cells along each side that are drawn
THINNEST = 10  # pixels that a side keeps, however few cells it has


def shrink(values: np.ndarray, most: int = MOST) -> tuple[np.ndarray, tuple[int, int]]:
    """
    At most `most` cells a side: each stands for a block and shows the block's largest entry with its sign, so that
    nothing large disappears. Returns the cells and the block's height and width.
    """
    height, width = (-(-size // most) for size in values.shape)
    largest, smallest = (_blocks(extreme, values, height, width) for extreme in (np.maximum, np.minimum))
    return np.where(largest >= -smallest, largest, smallest), (height, width)


def _blocks(extreme: np.ufunc, values: np.ndarray, height: int, width: int) -> np.ndarray:
    """One value for every block of rows and columns; the last blocks may be smaller."""
    rows, columns = (np.arange(0, size, step) for size, step in zip(values.shape, (height, width), strict=True))
    return extreme.reduceat(extreme.reduceat(values, rows, axis=0), columns, axis=1)


def full_colour(cells: np.ndarray) -> float:
    """Where a large matrix reaches full colour: few entries are far larger than all others and would leave it pale."""
    return float(np.quantile(np.abs(cells), STRONG)) or float(np.abs(cells).max())


def picture(values: np.ndarray, limit: float) -> str:
    """The matrix as a data address of a PNG; full colour at ±`limit`."""
    strength = np.clip(np.abs(values) / (limit or 1.0), 0.0, 1.0)[..., None]
    colours = np.where(values[..., None] >= 0, np.array(POSITIVE), np.array(NEGATIVE))
    return address(np.concatenate([colours, np.rint(255 * strength)], axis=-1).astype(np.uint8))


def address(pixels: np.ndarray) -> str:
    """Pixels (rows, columns[, channels]), uint8, as a data address of a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)  # encoding is most of the time of a slider's move
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def matrix(
    name: str, values: np.ndarray, note: str = "", limit: float | None = None, side: int = 180, longest: int = 0
) -> str:
    """
    A figure with the matrix, its name and a note below. The longer of `longest` (entries; 0: the matrix's own longer
    side) takes `side` pixels, so matrices drawn with the same `longest` have one scale.
    """
    cells, _ = shrink(np.asarray(values, dtype=np.float32))
    limit = full_colour(cells) if limit is None else limit
    scale = side / max(longest, *values.shape)
    height, width = (max(THINNEST, round(scale * size)) for size in values.shape)
    return (
        f'<figure class="pp-matrix"><img src="{picture(cells, limit)}" alt="{escape(f"{name}. {note}")}" '
        f'style="width:{width}px;height:{height}px"><figcaption><b>{escape(name)}</b> {escape(note)}</figcaption></figure>'
    )
