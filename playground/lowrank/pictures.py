"""
A picture is a matrix: a file of grey levels from outside, checked before it is decoded.

Knows nothing about ranks or the page.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from playground import settings
from playground.errors import PlaygroundError

PICTURE = settings.EXAMPLES / "pictures" / "ship.png"
PICTURE_KINDS = ("PNG", "JPEG", "WEBP")


def read_picture(path: Path) -> np.ndarray:
    """
    A PNG, JPEG or WebP as grey levels from 0 (black) to 1 (white), (rows, columns) float32, at most PICTURE_SIDES a side.

    What is transparent becomes white. Raises PlaygroundError: too many bytes or pixels (before anything is decoded), no
    picture, or too small a one.
    """
    smallest, largest = settings.PICTURE_SIDES
    try:
        if path.stat().st_size > settings.MAX_PICTURE_BYTES:
            raise PlaygroundError("picture_bytes", maximum=settings.MAX_PICTURE_BYTES // 1_000_000)
        with Image.open(path, formats=PICTURE_KINDS) as image:
            if image.width * image.height > settings.MAX_PICTURE_PIXELS:
                raise PlaygroundError("picture_pixels", maximum=settings.MAX_PICTURE_PIXELS // 1_000_000)
            image.draft("L", (2 * largest, 2 * largest))  # a large JPEG is decoded small
            grey = _grey(ImageOps.exif_transpose(image))
    except PlaygroundError:
        raise
    except Image.DecompressionBombError as error:
        raise PlaygroundError("picture_pixels", maximum=settings.MAX_PICTURE_PIXELS // 1_000_000) from error
    except (OSError, SyntaxError, EOFError, IndexError, TypeError, ValueError, struct.error, zlib.error) as error:
        raise PlaygroundError("no_picture", kinds=", ".join(PICTURE_KINDS)) from error
    grey.thumbnail((largest, largest))
    if min(grey.size) < smallest:
        raise PlaygroundError("picture_too_small", minimum=smallest, maximum=largest)
    return (np.asarray(grey, dtype=np.float32) / 255).clip(0.0, 1.0)


def _grey(image: Image.Image) -> Image.Image:
    """Grey levels from 0 to 255, on white paper; 16 bits a pixel stay fractions."""
    if image.mode.startswith("I"):
        return Image.fromarray(np.asarray(image, dtype=np.float32) / 257)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L")
