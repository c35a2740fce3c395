"""
What a training shows, before anybody has asked for one: its card, and what can be done with its adapter.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground import locales
from playground.actions.train import training_view
from playground.plots.loss import loss_curve
from playground.ui.kit.html import heading
from playground.ui.kit.wording import Wording, html
from playground.ui.train import home, status

IDLE = training_view(None, locales.DEFAULT)
CHIP: dict[str, Any] = {"size": "sm", "elem_classes": "chip"}


def progress(wording: Wording) -> dict[str, Any]:
    """The card with the loss, and the samples below it."""
    make = wording.make
    with gr.Column(elem_classes="pp-card"):
        with gr.Row(elem_classes="pp-card-head"):
            make(html, {"value": lambda lang: heading(lang, "loss.title")})
            line = make(
                html, {"value": lambda lang: status.training_status(IDLE, lang)}, elem_id="status", elem_classes="pp-grow"
            )
            stop = make(gr.Button, {"value": "train.stop"}, visible=False, elem_id="stop-train", **CHIP)
        loss = make(html, {"value": lambda lang: loss_curve(IDLE, lang)}, elem_id="loss")
    samples = make(html, {"value": lambda lang: status.samples(IDLE, lang)}, elem_id="samples")
    return {"status": line, "stop": stop, "loss": loss, "samples": samples}


def results(wording: Wording) -> dict[str, Any]:
    """What can be done with an adapter: look at its checkpoints, compare, download, take it home."""
    make = wording.make
    scrubber = make(
        gr.Radio, {"label": "train.scrub", "info": "train.scrub.help"}, choices=[], visible=False, elem_id="scrubber",
        elem_classes="pp-steps",
    )  # fmt: skip
    with gr.Row(elem_classes="pp-chips", visible=False, elem_id="after") as after:
        compare = make(gr.Button, {"value": "train.compare"}, elem_id="compare-it", **CHIP)
        save = make(gr.DownloadButton, {"label": "train.download"}, visible=False, elem_id="download", **CHIP)
        python = make(gr.Button, {"value": "home.python"}, elem_id="python", **CHIP)
        own = make(gr.DownloadButton, {"label": "train.examples"}, visible=False, elem_id="download-examples", **CHIP)
    buttons = {"after": after, "compare": compare, "download": save, "python": python, "examples": own}
    return {"scrubber": scrubber, **buttons, "home": home.build(wording)}
