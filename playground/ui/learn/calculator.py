"""
The calculator of the lesson on long prompts: three sliders, and what is computed from them as they move.

Pure but for `at`, which the page asks whenever a slider moves (`SCRIPT`). Knows nothing about Gradio.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from playground import locales
from playground.bounds import Bound
from playground.learn import breakeven
from playground.learn.breakeven import BATCH, REQUESTS, SHOTS, STEPS, Lengths
from playground.learn.families import model
from playground.locales import NO_BREAK, number, text
from playground.plots.learn.breakeven import chart
from playground.ui.kit.html import words

SOURCES = {"Kaplan et al. 2020": "https://arxiv.org/abs/2001.08361", "Liu et al. 2022": "https://arxiv.org/abs/2205.05638"}
FINE = 20  # positions of the slider of requests for a power of ten
# One question is on its way at a time; what was set meanwhile is asked next
SCRIPT = """
let asked = false, moved = false;
const calculate = async calculator => {
  if (asked) { moved = true; return; }
  asked = true;
  const sliders = [...calculator.querySelectorAll("input[type=range]")];
  const values = Object.fromEntries(sliders.map(slider => [slider.name, slider.valueAsNumber]));
  const found = await server.at({ lang: calculator.lang, ...values });
  calculator.querySelector(".pp-calculated").innerHTML = found.drawn;
  for (const slider of sliders) {
    slider.nextElementSibling.textContent = found[slider.name];
    slider.setAttribute("aria-valuetext", found[slider.name]);
  }
  asked = false;
  if (moved) { moved = false; calculate(calculator); }
};
element.addEventListener("input", ({ target }) => {
  const calculator = target.closest(".pp-calculator");
  if (calculator) calculate(calculator);
});
"""


def calculator(language: str) -> str:
    """The sliders and what they say at first; a sentence while the model is still being prepared."""
    lengths = breakeven.lengths()
    if lengths is None:
        return f'<p class="pp-soft">{words(language, "breakeven.not_yet")}</p>'
    found = at({"lang": language})
    sliders = "".join(_slider(bound, found[bound.name], language) for bound in (REQUESTS, SHOTS, STEPS))
    return (
        f'<section class="pp-calculator pp-more-of-it" lang="{language}"><h3>{words(language, "breakeven.title")}</h3>'
        f'<div class="pp-sliders">{sliders}</div>'
        f'<div class="pp-calculated" role="status">{found["drawn"]}</div>{_formula(lengths, language)}</section>'
    )


def _slider(bound: Bound, value: str, language: str) -> str:
    """Requests by powers of ten, everything else as it is."""
    powers = bound is REQUESTS
    low, high, now = ((_power if powers else int)(one or 0) for one in (bound.minimum, bound.maximum, bound.default))
    return (
        f'<label><span>{words(language, f"breakeven.{bound.name}")}</span><input type="range" name="{bound.name}" '
        f'min="{low}" max="{high}" step="1" value="{now}" aria-valuetext="{escape(value)}"/><output>{value}</output></label>'
    )


def _power(requests: float) -> int:
    return round(FINE * math.log10(requests))


def _requests(position: float) -> int:
    """Two figures of it: 1,000, 1,100, 1,300."""
    return int(float(f"{10 ** (position / FINE):.1e}"))


def at(given: Mapping[str, Any]) -> dict[str, str]:
    """What is drawn for the sliders' positions, and the value of each; what a position cannot be is the default."""
    language = locales.choose(given.get("lang"))
    requests = _requests(_sound(given, REQUESTS.name, _power, REQUESTS))
    shots, steps = (int(_sound(given, bound.name, int, bound)) for bound in (SHOTS, STEPS))
    values = {"requests": requests, SHOTS.name: shots, "steps": steps}
    lengths = breakeven.lengths()
    drawn = "" if lengths is None else _drawn(lengths, requests, shots, steps, language)
    return {"drawn": drawn} | {name: number(language, value) for name, value in values.items()}


def _sound(given: Mapping[str, Any], name: str, position: Callable[[Any], int], bound: Bound) -> float:
    low, high, default = (position(one) for one in (bound.minimum, bound.maximum, bound.default))
    found = given.get(name)
    return found if isinstance(found, int | float) and low <= found <= high else default


def _drawn(lengths: Lengths, requests: int, shots: int, steps: int, language: str) -> str:
    found = breakeven.compared(lengths, shots, steps)
    costs = found.totals(requests)
    cheap, dear = sorted(costs)
    values = {
        "shots": number(language, shots), "steps": number(language, steps), "requests": number(language, requests),
        "paid": number(language, found.paid), "times": number(language, dear / cheap, 1),
    }  # fmt: skip
    cheaper = "breakeven.trained_cheaper" if requests >= found.paid else "breakeven.examples_cheaper"
    said = text(language, cheaper, **values)
    paid = locales.counted(language, "breakeven.paid", found.paid, **values)
    return f'{chart(lengths, found, requests, said, language)}<p class="pp-meaning">{escape(f"{paid} {said}")}</p>'


def _formula(lengths: Lengths, language: str) -> str:
    """The rule and the counts, to work it out by hand; folded away."""
    counts = {name: number(language, getattr(lengths, name)) for name in ("question", "answer", "example", "trained")}
    parameters = number(language, model().parameters)
    lines = "".join(
        f"<p>{words(language, f'breakeven.{key}', **counts, batch=BATCH, parameters=parameters)}</p>"
        for key in ("counts", "rule", "left_out")
    )
    source = ", ".join(f'<a href="{url}" target="_blank" rel="noopener">{name}</a>' for name, url in SOURCES.items())
    return (
        f"<details><summary>{words(language, 'breakeven.how')}</summary>{lines}"
        f'<p class="pp-source">{words(language, "learn.source")}{NO_BREAK}{source}</p></details>'
    )
