"""
The methods behind one click: by family, each with a sentence, its formula, its paper, and the block with what it trains.

A press on one chooses it among the methods above, whose choices they are; those that are not chosen are not seen there.
What is read stays open.
"""

from __future__ import annotations

from html import escape

from playground import locales
from playground.adapt.method import FAMILIES
from playground.adapt.methods import FRONT, LEFT_OUT, METHODS, MORE
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
    count = locales.number(language, len(MORE))
    left_out = "".join(f"<li>{words(language, f'methods.left_out.{one}')}</li>" for one in LEFT_OUT)
    return (
        f'<details class="pp-methods"><summary>{words(language, "train.more_methods", count=count)}</summary>{groups}'
        f'<p class="pp-soft pp-small">{words(language, "train.left_out", count=len(LEFT_OUT))}</p>'
        f'<ul class="pp-soft pp-small">{left_out}</ul></details>'
    )


def _group(family_id: str, language: str) -> str:
    """One of them is open at a time."""
    cards = "".join(_card(name, language) for name, one in MORE.items() if one.family == family_id)
    if not cards:
        return ""
    count = sum(one.family == family_id for one in MORE.values())
    title = f"{words(language, f'learn.family.{family_id}')} ({locales.number(language, count)})"
    return f'<details name="methods"><summary>{title}</summary><div class="pp-blocks">{cards}</div></details>'


def _card(method_id: str, language: str) -> str:
    one = METHODS[method_id]
    return (
        f'<button type="button" data-method="{method_id}">{block(one.trained(model()))}'
        f"<b>{words(language, f'methods.{method_id}.name')}</b>"
        f"<span>{words(language, f'methods.{method_id}.sentence')}</span>"
        f"<code>{escape(one.formula)}</code><small>{escape(one.paper)}</small>"
        '<small class="pp-misfit"></small></button>'
    )
