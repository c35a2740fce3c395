"""
Less of an adapter: the controls that cut, weaken and switch off, the answers that follow them, and whole sweeps.

What is left of an adapter is again an adapter, so the answers are an ordinary comparison. Knows nothing of how an
adapter is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales
from playground.actions.adapters import examined
from playground.actions.lowrank import start_edited, start_sweep
from playground.errors import PlaygroundError
from playground.ui.compare.panes import old_follow_answers
from playground.ui.kit import sections
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.wording import Wording, html
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter
    from playground.lowrank.sweep import Sweep


CUT, SWEEP = "edits-answers", "edits-sweep"  # places of the session's runs
FACTORS = ("lora", "qlora")
STRENGTHS = tuple(step / 2 for step in range(-2, 5))
BLOCKS = 6  # pieces that the layers are cut into


@dataclass(frozen=True)
class Controls:
    """Which module is shown, and how much of the adapter is left."""

    module: gr.Dropdown
    rank: gr.Slider
    strength: gr.Slider
    first: gr.Slider
    last: gr.Slider
    kinds: gr.CheckboxGroup
    go: gr.Button

    @property
    def edit(self) -> list[Any]:
        """In the order that `values` takes them."""
        return [self.rank, self.strength, self.first, self.last, self.kinds]


def controls(wording: Wording) -> Controls:
    make = wording.make
    with gr.Column(elem_classes="pp-card pp-left", min_width=0):
        module = make(
            gr.Dropdown, {"label": "updates.module", "info": "updates.module.help"}, choices=[], elem_id="lab-module-picker"
        )
        rank = make(
            gr.Slider, {"label": "edits.rank", "info": "edits.rank.help"}, minimum=0, maximum=8, step=1, value=8,
            elem_id="lab-rank",
        )  # fmt: skip
        strength = make(
            gr.Slider, {"label": "edits.strength", "info": "edits.strength.help"}, minimum=-1.0, maximum=2.0, step=0.25,
            value=1.0, elem_id="lab-strength",
        )  # fmt: skip
        first, last = (
            make(gr.Slider, {"label": f"edits.{name}"}, minimum=0, maximum=29, step=1, value=value, elem_id=f"lab-{name}")
            for name, value in (("first", 0), ("last", 29))
        )
        kinds = make(gr.CheckboxGroup, {"label": "edits.kinds"}, choices=[], elem_id="lab-kinds")
        go = make(gr.Button, {"value": "edits.go"}, variant="primary", elem_id="lab-answer", elem_classes="pp-go")
    return Controls(module, rank, strength, first, last, kinds, go)


def results(
    wording: Wording, controls: Controls, prompt: gr.Textbox, visitor: gr.BrowserState, language: gr.BrowserState,
    chosen: gr.Textbox,
) -> list[Any]:  # fmt: skip
    """Two cards, the answers and the sweeps, and what fills them. Returns what `attach` updates."""
    make, inputs = wording.make, [visitor, language, chosen]
    with gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("edits.answers.title", "edits.answers.lead"))
        notice = make(html, {"value": lambda lang: ""}, elem_id="lab-notice")
        panes = make(html, {"value": lambda lang: sections.soft(lang, "edits.answers.empty")}, elem_id="lab-panes")
    with gr.Column(elem_classes="pp-card"):
        make(html, sections.headed("edits.sweep.title", "edits.sweep.lead"))
        with gr.Row(elem_classes="pp-chips"):
            buttons = {
                name: make(
                    gr.Button, {"value": f"edits.sweep.{name}"}, size="sm", elem_classes="chip", elem_id=f"sweep-{name}"
                )
                for name in ("rank", "strength", "layers", "kinds")
            }
            stop = make(gr.Button, {"value": "edits.stop"}, size="sm", elem_classes="chip pp-push", elem_id="lab-stop")
        measured = make(html, {"value": lambda lang: ""}, elem_id="sweep-notice")
        swept = make(html, {"value": lambda lang: ""}, elem_id="sweep")
    gr.on(
        [controls.go.click, prompt.submit, *(one.input for one in controls.edit)],
        answers, [*inputs, prompt, *controls.edit], [notice, panes], trigger_mode="multiple", **STREAM,
    )  # fmt: skip
    for name, button in buttons.items():
        button.click(partial(sweep, name), inputs, [measured, swept], **STREAM)
    for place in (CUT, SWEEP):
        stop.click(lambda key, place=place: SESSIONS.stop(key, place), visitor, None, **HIDDEN)
    shown = [notice, panes, measured, swept]
    chosen.change(attach, inputs, shown, **STREAM)
    return shown


def ranges(adapter: Adapter) -> list[Any]:
    """The controls set for an adapter, leaving all of it, in the order of `Controls.edit`."""
    from playground.lowrank import updates

    most = updates.rank_of(adapter) if adapter.record.method in FACTORS else 0
    last, kinds = updates.layers_of(adapter) - 1, list(updates.kinds_of(adapter))
    return [
        gr.update(visible=most > 0, maximum=max(most, 1), value=most),
        1.0,
        gr.update(value=0, maximum=last),
        gr.update(value=last, maximum=last),
        gr.update(choices=kinds, value=kinds),
    ]


def values(adapter: Adapter, rank: Any, strength: Any, first: Any, last: Any, kinds: list[str]) -> dict[str, Any]:
    """The controls as `edits.Edit` takes them; None for what leaves everything as it is, an emptied field included."""
    from playground.lowrank import updates

    cut = adapter.record.method in FACTORS and rank is not None and rank != updates.rank_of(adapter)
    end = updates.layers_of(adapter) - 1
    layers = (0 if first is None else first, end if last is None else last)
    return {
        "rank": rank if cut else None,
        "strength": 1.0 if strength is None else strength,
        "layers": None if layers == (0, end) else layers,
        "kinds": None if set(kinds) == set(updates.kinds_of(adapter)) else tuple(kinds),
    }


def label(edit: Mapping[str, Any], language: str) -> str:
    """What an edit leaves: `rank 3 · layers 0–9`."""

    def said(key: str, **filled: object) -> str:
        return locales.text(language, f"edits.left.{key}", **filled)

    parts = []
    if edit["rank"] is not None:
        parts.append(said("rank", rank=locales.number(language, edit["rank"])))
    if edit["strength"] != 1:
        strength = locales.significant(language, edit["strength"], 2).replace("-", "−")
        parts.append(said("strength", strength=strength))
    if edit["layers"] is not None:
        parts.append(said("layers", first=edit["layers"][0], last=edit["layers"][1]))
    if edit["kinds"] is not None:
        parts.append(said("only", what=", ".join(edit["kinds"])) if edit["kinds"] else said("nothing"))
    return " · ".join(parts) or said("everything")


def answers(key: str, language: str, chosen: str, prompt: str, *edit: Any) -> Iterator[list[Any]]:
    """The base, the whole adapter and what the controls leave of it, answering the same prompt."""
    try:
        _, adapter = examined(key, chosen)
        left = values(adapter, *edit)
        names = locales.text(language, "edits.whole"), label(left, language)
        run = start_edited(key, CUT, chosen, left, prompt, {"max_new_tokens": sections.ANSWER_TOKENS}, names)
    except PlaygroundError as error:
        yield [alarm(error.message(language)), gr.skip()]
        return
    yield from old_follow_answers(run, language)


def sweep(name: str, key: str, language: str, chosen: str) -> Iterator[list[Any]]:
    """Measure the adapter under every edit of one row of them."""
    try:
        _, adapter = examined(key, chosen)
        run = start_sweep(key, chosen, plan(adapter, name), SWEEP)
    except PlaygroundError as error:
        yield [alarm(error.message(language)), gr.skip()]
        return
    yield from sections.old_follow(run, language, partial(table, language))


def table(language: str, done: Sweep) -> str:
    """The effects so far."""
    from playground.plots.lowrank.adapter import effects

    rows = [{**asdict(effect), "label": label(asdict(effect.edit), language)} for effect in done.effects]
    return effects(rows, done.base_loss, language)


def attach(key: str, language: str, chosen: str) -> Iterator[list[Any]]:
    """[notice, panes, notice, table] of what was last asked of the chosen adapter; another one's go."""
    answered, measured = (sections.run_of(key, place, chosen) for place in (CUT, SWEEP))
    shown = ["", sections.soft(language, "edits.answers.empty"), "", ""]
    yield shown
    if answered:
        for part in old_follow_answers(answered, language):
            yield [*part, gr.skip(), gr.skip()]
    if measured:
        for part in sections.old_follow(measured, language, partial(table, language)):
            yield [gr.skip(), gr.skip(), *part]


def some(rank: int, most: int = 16) -> list[int]:
    """All ranks from 0 to `rank`; of many only the small ones and then ever wider steps."""
    if rank <= most:
        return list(range(rank + 1))
    return sorted({0, 1, 2, 3, *(round(4 * (rank / 4) ** (place / 10)) for place in range(11))})


def plan(adapter: Adapter, name: str) -> list[dict[str, Any]]:
    """The edits of one sweep. Raises PlaygroundError if it makes no sense for this adapter."""
    from playground.lowrank import updates

    if name == "rank":
        return [{"rank": rank} for rank in some(updates.rank_of(adapter))]
    if name == "strength":
        return [{"strength": one} for one in STRENGTHS]
    if name == "kinds":
        return [{}, *({"kinds": (kind,)} for kind in updates.kinds_of(adapter))]
    count = updates.layers_of(adapter)
    edges = sorted({round(count * place / BLOCKS) for place in range(BLOCKS + 1)})
    return [{}, *({"layers": (first, after - 1)} for first, after in pairwise(edges))]
