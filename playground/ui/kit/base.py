"""
The one choice of base of the whole page: what was picked, and what answers until that is loaded.

A base that cannot be loaded changes nothing: the former one goes on, and a sentence says why. Knows nothing about what
the base is used for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr

from playground import locales, settings
from playground.actions import catalogue
from playground.errors import PlaygroundError
from playground.model.catalogue import parts_of
from playground.model.pruning import Pruning
from playground.ui.kit.controls import Changes, unchanged
from playground.ui.kit.events import closable, note
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html

QUANTIZED = ("nf4_double", "int8_vectorwise")


@dataclass(frozen=True)
class Wanted(Visit):
    """The base that was picked; `base` is the one that answers."""

    wanted: str


@dataclass(frozen=True)
class BaseChoice:
    """`picked` is what a visitor sees; `used` has no looks: everything that computes reads it, and follows its changes."""

    picked: gr.Dropdown
    used: gr.Dropdown
    notice: gr.HTML

    @property
    def all(self) -> list[gr.Dropdown | gr.HTML]:
        return [self.picked, self.used, self.notice]

    def choose(self, wanted: Wanted) -> Iterator[Changes]:
        """Load what was picked, then use it; if it cannot be had, go back to what is used."""
        names = {"base": base_name(wanted.wanted, wanted.language), "former": base_name(wanted.base, wanted.language)}
        waits = wanted.wanted != wanted.base and not catalogue.is_loaded(wanted.wanted)
        yield {self.notice: note(wanted.language, "base.loading", **names) if waits else ""}
        try:
            catalogue.load(wanted.wanted)
        except PlaygroundError as error:
            yield self._back(wanted.base, error, wanted.language)
        else:
            yield {self.used: wanted.wanted, self.notice: ""}

    def arrive(self, visit: Visit) -> Iterator[Changes]:
        """A link has named a base, which is used already: load it, or go back to the default one."""
        yield unchanged(self.notice)
        if visit.base == settings.DEFAULT_BASE:
            return
        try:
            catalogue.load(visit.base)
        except PlaygroundError as error:
            yield self._back(settings.DEFAULT_BASE, error, visit.language)

    def set(self, base_id: str) -> Changes:
        """Use a base from now on, whatever was picked."""
        return {self.picked: base_id, self.used: base_id, self.notice: ""}

    def _back(self, former: str, error: PlaygroundError, language: str) -> Changes:
        stays = locales.text(language, "base.stays", former=base_name(former, language))
        return self.set(former) | {self.notice: closable(f"{error.message(language)} {stays}", language)}


def build(wording: Wording) -> BaseChoice:
    """A quiet row with the select, for above the tabs."""
    with gr.Row(elem_id="base-row"):
        picked = wording.make(
            gr.Dropdown, {"label": "base.label", "info": "base.help", "choices": base_choices},
            value=settings.DEFAULT_BASE, filterable=False, elem_id="base", min_width=0,
        )  # fmt: skip
        used = wording.make(
            gr.Dropdown, {"choices": base_choices}, value=settings.DEFAULT_BASE, visible="hidden", elem_id="base-used"
        )
        notice = html("", elem_id="base-notice")
    return BaseChoice(picked, used, notice)


def base_choices(language: str) -> list[tuple[str, str]]:
    """Every base, and the default one also in 4 and 8 bits."""
    listed = catalogue.list_bases()
    plain = [(one["name"] + (" · hub" if one["source"] == "hub" else ""), one["id"]) for one in listed]
    default = settings.DEFAULT_BASE.partition(":")[0]
    quantized = [f"{default}:{form}" for form in QUANTIZED]
    return [*plain, *((base_name(one, language), one) for one in quantized)]


def base_name(base_id: str, language: str) -> str:
    """SmolLM2-135M-Instruct · NF4."""
    return " · ".join([catalogue.base_status(base_id)["name"], *step_names(base_id, language)])


def step_names(base_id: str, language: str) -> list[str]:
    """What was done to a base, in its order: pruned, rounded."""
    _, pruning, form = parts_of(base_id)
    left = [pruning_name(pruning, language)] if pruning else []
    return [*left, *([locales.text(language, f"formats.{form}")] if form else [])]


def pruning_name(pruning: Pruning, language: str) -> str:
    """MLP neurons −20 % (max + |min|)."""
    kind = locales.text(language, f"pruning.kind.{pruning.kind}")
    rule = locales.text(language, f"pruning.rule.{pruning.rule}")
    name = f"{kind} −{locales.percent(language, 100 * pruning.share)} ({rule})"
    return name if pruning.multiple == 1 else f"{name} × {pruning.multiple}"
