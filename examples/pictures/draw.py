"""
Draws `ship.png`, the picture of the low-rank lab: `python examples/pictures/draw.py`.

A sailing ship at sea under a sky with a sun, 128 × 128 grey levels. Sky and sea are almost of rank one, the ship is not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE, FINE = 128, 4  # pixels a side, and how much finer it is drawn before it is averaged down
HORIZON = 0.68  # of the height


def ship() -> Image.Image:
    """The picture; the same pixels every time."""
    y, x = np.mgrid[0 : SIDE * FINE, 0 : SIDE * FINE] / (SIDE * FINE)
    sky = 150 + 80 * y / HORIZON
    far = (y - HORIZON) / (1 - HORIZON)  # 0 at the horizon, 1 at the lower edge
    waves = np.sin(60 * x / (0.35 + far.clip(0)) + 5 * np.sin(9 * x)) * np.sin(90 * far.clip(0) ** 0.6)
    sea = 105 - 50 * far + 16 * waves * (0.2 + far.clip(0))
    glow = 60 * np.exp(-(((x - 0.77) ** 2 + (y - 0.2) ** 2) / 0.02))
    image = Image.fromarray(np.where(y < HORIZON, sky + glow, sea).clip(0, 255).astype(np.uint8))
    _draw(ImageDraw.Draw(image))
    return image.resize((SIDE, SIDE), Image.Resampling.BOX)


def _draw(pen: ImageDraw.ImageDraw) -> None:
    def polygon(grey: int, *corners: tuple[float, float]) -> None:
        pen.polygon([(SIDE * FINE * x, SIDE * FINE * y) for x, y in corners], fill=grey)

    centre, radius = (0.77, 0.2), 0.085
    pen.ellipse([SIDE * FINE * (c + sign * radius) for sign in (-1, 1) for c in centre], fill=255)
    polygon(40, (0.425, 0.13), (0.44, 0.13), (0.44, 0.68), (0.425, 0.68))  # mast
    polygon(250, (0.45, 0.17), (0.71, 0.58), (0.45, 0.6))  # main sail
    polygon(225, (0.415, 0.22), (0.415, 0.6), (0.2, 0.585))  # fore sail
    polygon(60, (0.44, 0.09), (0.56, 0.115), (0.44, 0.145))  # flag
    polygon(35, (0.17, 0.64), (0.79, 0.62), (0.7, 0.77), (0.27, 0.77))  # hull
    polygon(215, (0.19, 0.662), (0.775, 0.643), (0.77, 0.658), (0.2, 0.677))  # its stripe


if __name__ == "__main__":
    ship().save(Path(__file__).with_name("ship.png"), optimize=True)
