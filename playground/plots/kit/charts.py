"""
What all plotly figures have in common: no paper of their own, one set of colours, room for a phone.

Text and grid take their colours from theme.css, so that they follow light and dark. Knows nothing about what is drawn.
"""

from __future__ import annotations

import textwrap

import plotly.graph_objects as go

# One colour a method, readable on light and dark cards alike; the page's own pairs are in theme.css
COLOURS = {
    "base": "#7d8490",
    "prompt_tuning": "#c77700",
    "lora": "#3487cf",
    "ia3": "#0c9a75",
    "qlora": "#4a9cd6",
    "few_shot": "#c06a98",
    "full_fine_tuning": "#d2601a",
}
AMOUNT = [[0.0, "rgba(31,119,200,0.04)"], [1.0, "rgba(31,119,200,1)"]]
TOP, BOTTOM = 16, 48  # pixels above and below what is drawn
LETTER = 8  # pixels of a wide one of a title
SEPARATORS = {"es": ",\N{NO-BREAK SPACE}"}  # decimals, then thousands


def styled(figure: go.Figure, language: str, height: int = 300, x: str = "", y: str = "") -> go.Figure:
    """The figure with the page's looks and the names of its axes."""
    figure.update_layout(
        height=height,
        separators=SEPARATORS.get(language, ".,"),
        margin={"l": 56, "r": 16, "t": TOP, "b": BOTTOM},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13, "color": "#7d8490"},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hoverlabel={"font_size": 13},
        modebar={"remove": ["zoom", "pan", "select", "lasso", "zoomIn", "zoomOut", "autoScale", "resetScale"]},
        dragmode=False,
    )
    axis = {"gridcolor": "rgba(125,132,144,0.25)", "zerolinecolor": "rgba(125,132,144,0.5)", "fixedrange": True}
    figure.update_xaxes(title_text=x, **axis)
    figure.update_yaxes(title_text=upright(y, height), automargin=True, **axis)
    return figure


def upright(title: str, height: int) -> str:
    """A vertical axis's title in as many lines as a figure of that height, in pixels, needs for it."""
    return "<br>".join(textwrap.wrap(title, (height - TOP - BOTTOM) // LETTER, break_long_words=False))
