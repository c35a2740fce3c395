"""What all plotly figures share: a vertical axis's title has as many lines as it needs beside its figure."""

import plotly.graph_objects as go

from playground.plots.kit.charts import BOTTOM, LETTER, TOP, styled


def test_a_long_vertical_title_breaks_between_words_and_a_short_one_does_not() -> None:
    long = "primeras j direcciones de LoRA r = 8 · tono alegre (tuyo, n.º 12)"
    drawn = styled(go.Figure(), "es", 340, x=long, y=long)
    lines = drawn.layout.yaxis.title.text.split("<br>")
    assert " ".join(lines) == long
    assert all(len(line) * LETTER <= 340 - TOP - BOTTOM for line in lines)
    assert drawn.layout.yaxis.automargin
    assert drawn.layout.xaxis.title.text == long
    assert styled(go.Figure(), "es", y="corto").layout.yaxis.title.text == "corto"
