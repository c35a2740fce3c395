"""
How an answer is written: the card with its controls, made from the bounds of decoding, and its settings in one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import gradio as gr

from playground.bounds import Bound
from playground.compare.job import DECODING, REPETITION_PENALTY, TOP_P
from playground.compare.many import TIMES
from playground.locales import counted, text, written
from playground.ui.kit.events import note
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording

SLIDER_STEPS = {"max_new_tokens": 1, "temperature": 0.1, "top_p": 0.05, "repetition_penalty": 0.05, "times": 1}
# a seed is typed
CARD = "decoding"


@dataclass(frozen=True)
class Manner(Visit):
    """How an answer shall be written, by the names of DECODING."""

    decoding: dict[str, Any]

    @classmethod
    def of(cls, **given: Any) -> Self:
        """Out of the controls, of which those of decoding together make one field."""
        return cls(decoding={bound.name: given.pop(bound.name) for bound in DECODING}, **given)


def card(wording: Wording) -> tuple[dict[str, Any], gr.Slider]:
    """The card, hidden at first, its controls by the names of what they set, and how often panes answer below (many.py)."""
    with gr.Column(elem_classes="pp-card pp-behind", elem_id=CARD), gr.Row():
        controls = {bound.name: _control(wording, bound) for bound in DECODING}
        times = _control(wording, TIMES)
    return controls, times


def _control(wording: Wording, bound: Bound) -> Any:
    said = {"label": f"decoding.{bound.name}", "info": f"decoding.{bound.name}.help"}
    limits: dict[str, Any] = {"minimum": bound.minimum, "maximum": bound.maximum, "value": bound.default}
    if bound.name in SLIDER_STEPS:
        return wording.make(gr.Slider, said, step=SLIDER_STEPS[bound.name], elem_id=bound.name, **limits)
    return wording.make(gr.Number, said, precision=0, elem_id=bound.name, **limits)


def summary(language: str, decoding: Mapping[str, Any], times: int = 1) -> str:
    """greedy · 64 tokens · seed 0; what else decides the answers where it is not as usual. Several `times`: seeds 0 to 7."""
    how = [text(language, "decoding.greedy")]
    if decoding["temperature"]:
        how = [text(language, "decoding.sampled", temperature=written(language, decoding["temperature"]))]
        if decoding["top_p"] != TOP_P.default:
            how.append(text(language, "decoding.top", top_p=written(language, decoding["top_p"])))
    if decoding["repetition_penalty"] != REPETITION_PENALTY.default:
        how.append(text(language, "decoding.penalty", penalty=written(language, decoding["repetition_penalty"])))
    said = {"how": " · ".join(how), "seed": decoding["seed"]}
    if times > 1:
        return counted(language, "decoding.seeds", decoding["max_new_tokens"], **said, last=decoding["seed"] + times - 1)
    return counted(language, "decoding.summary", decoding["max_new_tokens"], **said)


def resets(former: Manner, now: Mapping[str, Any]) -> str:
    """That answers are written in another manner `now`, if it is another one."""
    if dict(now) == former.decoding:
        return ""
    said = {name: summary(former.language, one) for name, one in (("now", now), ("former", former.decoding))}
    return note(former.language, "compare.resets", **said)


def chip(language: str, decoding: Mapping[str, Any]) -> str:
    """The settings on the chip that opens them."""
    return f"{summary(language, decoding)} ▾"
