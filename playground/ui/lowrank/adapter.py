"""
The trained adapter in the low-rank lab: where it learned, one module's update, and the answer with less of it.

One adapter is chosen at the top, at one checkpoint; everything below follows. Handlers turn actions into HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import gradio as gr

from playground.ui.kit import sections
from playground.ui.kit.events import HIDDEN, STREAM
from playground.ui.kit.html import card
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section
from playground.ui.kit.wording import Wording, html
from playground.ui.lowrank import convert, edits, overlap, ranks, repair, softprompt
from playground.ui.lowrank.linked import Linked, more, restore, run
from playground.ui.lowrank.looked import FIRST, Cards, Looked, Picked
from playground.ui.lowrank.shared import Shared, ready_made


def chooser(wording: Wording) -> dict[str, Any]:
    """Above the list: which adapter, at which checkpoint, and what has to be said of it; components by fields of `Cards`."""
    make = wording.make
    with gr.Column(elem_id="lab-chooser"):
        with gr.Row():
            adapter = make(
                gr.Dropdown, {"label": "updates.adapter", "choices": ready_made}, value=FIRST, elem_id="lab-adapter",
                scale=3,
            )  # fmt: skip
            step = make(
                gr.Slider, {"label": "updates.step", "info": "updates.step.help"}, minimum=0, maximum=1, step=1, value=0,
                visible=False, elem_id="lab-step", scale=2,
            )  # fmt: skip
        told = html("", elem_id="lab-told")
        return {"adapter": adapter, "step": step, "told": told, "chosen": gr.State(FIRST), "settled": gr.State("")}


def build(lab: Lab, above: Mapping[str, Any]) -> None:
    """The sections about the adapter that is chosen `above`, and their events; a link to one carries the controls of all."""
    make = lab.wording.make
    with lab.opened("updates") as first, card_of(lab, "updates.title", "updates.lead"):
        where = make(html, {"value": lambda lang: sections.soft(lang, "updates.where.empty")}, elem_id="lab-network")
    with lab.opened("module") as second, card_of(lab, "module.title", "module.lead"), gr.Column() as looked_into:
        with gr.Row():
            picker = {"label": "updates.module", "info": "updates.module.help"}
            module = make(gr.Dropdown, picker, choices=[], elem_id="lab-module-picker")
            kept = make(gr.Slider, {"label": "edits.rank"}, minimum=1, maximum=8, step=1, value=8, elem_id="lab-kept")
        inside = make(html, {"value": lambda lang: card(lang, "inside")}, elem_id="lab-module")
        enough, as_lora = ranks.build(lab), convert.build(lab)
    less = edits.build(lab)
    fix = repair.build(lab)
    pair, other = overlap.build(lab)
    prompt, tokens = softprompt.build(lab)
    shared = Shared(lab.visitor, lab.language, lab.base, above["chosen"], less.prompt, module)
    cards = Cards(
        **above, where=where, weights=(looked_into, *less.columns, fix.cards.column), module=module, kept=kept,
        knobs=less.knobs, prompt=less.prompt, left_out=prompt.left_out, inside=inside,
    )  # fmt: skip
    overlap.wire(pair, shared)
    attaching = (
        ranks.wire(enough, shared),
        edits.wire(shared, less),
        repair.wire(fix, shared),
        convert.wire(as_lora, shared),
        softprompt.wire(prompt, shared),
    )
    controls = shared.controls(
        Linked, **{**vars(cards), **vars(pair), **vars(cards.knobs), **vars(fix.knobs), "as_rank": as_lora.as_rank}
    )
    section = Section(
        controls, [*cards.all, pair.other, pair.side], lambda linked: {}, cards.follow,
        stamp=cards.stamp, offered=[cards.adapter, module, cards.knobs.kinds, prompt.left_out],
        run=partial(run, cards), restore=partial(restore, cards), more=more,
    )  # fmt: skip
    _wire(lab.draw(section, first, second, *less.places, fix.place, other, tokens), shared, cards, attaching)


@contextmanager
def card_of(lab: Lab, title: str, lead: str) -> Iterator[None]:
    """A section's card, with its heading."""
    with gr.Column(elem_classes="pp-card"):
        lab.wording.make(html, sections.headed(title, lead))
        yield


def _wire(followed: gr.State, shared: Shared, cards: Cards, attaching: Iterable[dict[str, Any]]) -> None:
    own = {"adapter": cards.adapter, "step": cards.step, "settled": cards.settled, "kept": cards.kept}
    picked, looked = shared.controls(Picked, **own), shared.controls(Looked, **own)
    draw: dict[str, Any] = {"fn": looked.handler(cards.draw), "inputs": looked.inputs, "outputs": cards.inside}
    draw |= {"trigger_mode": "always_last", **HIDDEN}
    cards.adapter.input(picked.handler(cards.picked), picked.inputs, [cards.chosen, cards.step], **STREAM)
    stepped = [cards.chosen, cards.step]
    cards.step.input(picked.handler(cards.stepped), picked.inputs, stepped, trigger_mode="always_last", **STREAM)
    for attach in attaching:
        followed.change(**attach)
        cards.chosen.change(**attach)
    cards.chosen.change(looked.handler(cards.look), looked.inputs, cards.all, **HIDDEN).then(**draw)
    cards.kept.input(**draw)
    cards.module.input(**draw)
    cards.module.input(looked.handler(cards.frame), looked.inputs, cards.where, **HIDDEN)
