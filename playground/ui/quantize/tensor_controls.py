"""
The controls of one tensor: where its numbers come from, what shares a scale, outliers, formats, the grid that is drawn.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from playground import locales
from playground.actions.tensor import MODULE, OWN
from playground.formats.distributions import DISTRIBUTIONS
from playground.formats.registry import FORMATS, USUAL
from playground.quantize.tensor import STOPS
from playground.ui.kit.sections import soft
from playground.ui.kit.wording import Wording, html
from playground.ui.quantize import own_numbers, tensor_html
from playground.ui.quantize.pieces import choices

SOURCES = (MODULE, *DISTRIBUTIONS, OWN)
COMPARED, GRID = ["int8", "int4", "nf4", "fp4"], "int4"  # at first: their errors are of one size
STOP = STOPS.index(64)
SHARE, SIZE = 0.0, 30.0  # percent, root mean squares
TYPED = 20_000  # characters; more comes as a file
ELSEWHERE = ("embedding", "norm")  # what never was in 4 bits


def sources(wording: Wording) -> tuple[dict[str, Any], dict[str, gr.Column], dict[str, gr.Button]]:
    """Where the numbers come from: controls, their groups by the source that needs them, and chips by ELSEWHERE."""
    make = wording.make

    def sources(language: str) -> list[tuple[str, str]]:
        return [(locales.text(language, f"tensor.source.{one}"), one) for one in SOURCES]

    source = make(gr.Radio, {"label": "tensor.source", "choices": sources}, value=MODULE, elem_id="tensor-source")
    with gr.Column(min_width=0) as modules:
        model = make(gr.Dropdown, {"label": "tensor.base"}, choices=[], elem_id="tensor-base")
        module = make(
            gr.Dropdown, {"label": "tensor.module", "info": "tensor.module.help"}, choices=[], elem_id="tensor-module"
        )
        make(html, {"value": lambda lang: soft(lang, "tensor.elsewhere")})
        with gr.Row(elem_classes="pp-chips"):
            chips = {
                what: make(
                    gr.Button, {"value": f"tensor.elsewhere.{what}"}, size="sm", elem_classes="chip",
                    elem_id=f"tensor-to-{what}",
                )
                for what in ELSEWHERE
            }  # fmt: skip
    with gr.Column(min_width=0, visible=False) as own:
        text = make(
            gr.Textbox, {"label": "tensor.numbers", "info": "tensor.numbers.help", "value": own_numbers.opening},
            lines=3, max_lines=6, max_length=TYPED, elem_id="tensor-numbers",
        )  # fmt: skip
        file = make(
            gr.File, {"label": "tensor.file"}, file_types=[".csv", ".txt", ".tsv"], type="filepath", height=110,
            elem_id="tensor-file",
        )  # fmt: skip
    with gr.Column(min_width=0, visible=False) as seeds:
        seed = make(gr.Slider, {"label": "tensor.seed"}, minimum=0, maximum=100, step=1, value=0, elem_id="tensor-seed")
    made = {"source": source, "model": model, "module": module, "text": text, "file": file, "seed": seed}
    return made, {"module": modules, "own": own, "seed": seeds}, chips


def granularity(wording: Wording) -> tuple[dict[str, Any], gr.HTML]:
    """What shares a scale, and the names of the slider's stops."""
    make = wording.make
    with gr.Column(min_width=0, elem_classes="pp-stopped"):
        stop = make(
            gr.Slider, {"label": "tensor.granularity"}, minimum=0, maximum=len(STOPS) - 1, step=1, value=STOP,
            elem_id="tensor-granularity",
        )  # fmt: skip
        stops = make(html, {"value": partial(tensor_html.stop_names, stop=STOP)}, elem_id="tensor-stops")
    zero_point = make(
        gr.Checkbox, {"label": "tensor.zero_point", "info": "tensor.zero_point.help"}, value=False,
        elem_id="tensor-zero-point",
    )  # fmt: skip
    return {"stop": stop, "zero_point": zero_point}, stops


def outliers(wording: Wording) -> dict[str, Any]:
    bounds = (("outliers", 1.0, 0.01, SHARE), ("size", 100.0, 1.0, SIZE))
    sliders = {
        name: wording.make(
            gr.Slider, {"label": f"tensor.{name}"}, minimum=0.0, maximum=most, step=step, value=value,
            elem_id=f"tensor-{name}",
        )
        for name, most, step, value in bounds
    }  # fmt: skip
    columns = wording.make(
        gr.Checkbox, {"label": "tensor.columns", "info": "tensor.columns.help"}, value=False, elem_id="tensor-columns"
    )
    return {**sliders, "columns": columns}


def formats(wording: Wording) -> dict[str, Any]:
    """Formats to compare: the usual ones; the others are in a fold."""
    usual = partial(choices, formats=USUAL)
    formats = wording.make(
        gr.CheckboxGroup, {"label": "tensor.formats", "choices": usual}, value=COMPARED, elem_id="tensor-formats"
    )
    return {"formats": formats}


def grid(wording: Wording) -> dict[str, Any]:
    """The format whose grid is drawn, and whether counts are logarithmic."""
    make, every = wording.make, partial(choices, formats=FORMATS)
    return {
        "grid": make(gr.Dropdown, {"label": "tensor.grid", "choices": every}, value=GRID, elem_id="tensor-grid"),
        "logarithmic": make(gr.Checkbox, {"label": "tensor.logarithmic"}, value=True, elem_id="tensor-logarithmic"),
    }
