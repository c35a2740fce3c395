"""A QR code holds exactly what it was made of, dark on light, in its border."""

from __future__ import annotations

import re

import segno

from playground.plots.learn.qr import qr

LINK = "https://huggingface.co/spaces/someone/peft-playground?lang=es&tab=learn&lesson=full-fine-tuning"
BORDER = 4


def dark(svg: str) -> set[tuple[int, int]]:
    """The modules that the path draws, strokes of one unit, as (x, y)."""
    (path,) = re.findall(r'stroke="#000" d="([^"]+)"', svg)
    x = y = 0.0
    found = set()
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", path):
        values = [float(one) for one in re.findall(r"-?[\d.]+", numbers)]
        if command == "h":
            found |= {(round(x) + step, round(y - 0.5)) for step in range(round(values[0]))}
            x += values[0]
        else:
            x, y = (values[0], values[1]) if command == "M" else (x + values[0], y + values[1])
    return found


def test_what_is_drawn_is_the_code_of_the_link_in_a_border_of_four() -> None:
    svg = qr(LINK, "x")
    matrix = segno.make_qr(LINK, error="m").matrix
    assert dark(svg) == {(x + BORDER, y + BORDER) for y, row in enumerate(matrix) for x, one in enumerate(row) if one}
    side = len(matrix) + 2 * BORDER
    assert f'viewBox="0 0 {side} {side}"' in svg
    assert 'fill="#fff"' in svg
    assert dark(qr(LINK + "x", "x")) != dark(svg)


def test_its_label_is_shown_as_text() -> None:
    assert 'aria-label="&lt;b&gt;&quot;"' in qr(LINK, '<b>"')
