"""
All methods behind one click: by family, each with a sentence, its formula, its paper, what can be done with it, and the
block with what it trains.

A press on one chooses it among the methods above, whose choices they are; those that are neither in front nor chosen are not
seen there. What is read stays open. Below the methods stands which of them a base cannot have.
"""

from __future__ import annotations

import re
from html import escape

from playground import locales
from playground.actions import catalogue
from playground.adapt.method import FAMILIES, Method
from playground.adapt.methods import FRONT, LEFT_OUT, METHODS
from playground.errors import PlaygroundError
from playground.learn.families import model
from playground.plots.learn.block import block
from playground.ui.kit.html import words
from playground.ui.kit.wording import Wording, html

CHOOSE = """
const picker = () => document.querySelector("#method-picker");
const show = pressed => { // gradio takes the mark off the former one later
  for (const one of element.querySelectorAll("[data-method]")) {
    const input = picker()?.querySelector(`input[value="${one.dataset.method}"]`);
    one.setAttribute("aria-pressed", pressed ? pressed === one.dataset.method : Boolean(input?.checked));
    one.disabled = Boolean(input?.disabled);
    one.querySelector(".pp-misfit").textContent = input?.closest("label").title || "";
  }
};
element.addEventListener("click", (event) => {
  const one = event.target.closest("[data-method]");
  if (!one) return;
  picker()?.querySelector(`input[value="${one.dataset.method}"]`)?.click();
});
element.addEventListener("toggle", () => show(), true);
document.addEventListener("change", ({ target }) => picker()?.contains(target) && show(target.value));
"""


def build(wording: Wording) -> None:
    wording.make(html, {"value": drawn}, elem_id="more-methods", js_on_load=CHOOSE)


def family(method_id: str, language: str) -> str:
    """What a method says of its family; the methods in front say it in their own words."""
    own = f"methods.{method_id}.family" if method_id in FRONT else f"learn.family.{METHODS[method_id].family}"
    return locales.text(language, own)


def drawn(language: str) -> str:
    """A closed line with all of them behind it."""
    groups = "".join(_group(one, language) for one in FAMILIES)
    count = locales.number(language, len(METHODS))
    left_out = "".join(f"<li>{words(language, f'methods.left_out.{one}')}</li>" for one in LEFT_OUT)
    return (
        f'<details class="pp-methods"><summary>{words(language, "train.more_methods", count=count)}</summary>'
        f'<p class="pp-soft pp-small">{words(language, "train.drawing")}</p>{groups}'
        f'<p class="pp-soft pp-small">{words(language, "train.left_out", count=len(LEFT_OUT))}</p>'
        f'<ul class="pp-soft pp-small">{left_out}</ul></details>'
    )


def _group(family_id: str, language: str) -> str:
    """One of them is open at a time."""
    members = [name for name, one in METHODS.items() if one.family == family_id]
    cards = "".join(_card(name, language) for name in members)
    title = f"{words(language, f'learn.family.{family_id}')} ({locales.number(language, len(members))})"
    return f'<details name="methods"><summary>{title}</summary><div class="pp-blocks">{cards}</div></details>'


def _card(method_id: str, language: str) -> str:
    one = METHODS[method_id]
    return (
        f'<button type="button" data-method="{method_id}">{block(one.trained(model()))}'
        f"<b>{words(language, f'methods.{method_id}.name')}</b>"
        f"<span>{words(language, f'methods.{method_id}.sentence')}</span>"
        f"<code>{formula(one.formula)}</code><small>{escape(one.paper)}</small>{_abilities(one, language)}"
        '<small class="pp-misfit"></small></button>'
    )


def formula(plain: str) -> str:
    """As HTML: Λ_b with its letter below the line."""
    return re.sub(r"_(\w)", r"<sub>\1</sub>", escape(plain))


def _abilities(one: Method, language: str) -> str:
    """What can be done with an adapter of it, and what not; "" for what is none."""
    if not one.config:
        return ""
    able = {"merges": one.merges, "mixes": one.mixes, "quantized": one.quantized}
    said = []
    for key, wanted in (("methods.can", True), ("methods.cannot", False)):
        names = [locales.text(language, f"methods.can.{name}") for name, found in able.items() if found == wanted]
        said += [words(language, key, what=", ".join(names))] if names else []
    return f"<small>{' '.join(said)}</small>"


def misfits(base_id: str, language: str) -> str:
    """Which methods a base cannot have, and why; "" where it can have all. The picker reads the ids."""
    try:
        found = catalogue.misfits(base_id)
    except PlaygroundError:  # it cannot be had: that is said where bases are chosen
        found = {}
    return "".join(
        f'<p class="pp-soft pp-small" data-misfit="{one}"{"" if METHODS[one].front else " hidden"}>'
        f"{escape(error.message(language))}</p>"
        for one, error in found.items()
    )
