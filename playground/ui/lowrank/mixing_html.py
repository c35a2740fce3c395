"""
What is said and drawn about a mix: its adapters' interference, what its rule does, what became of it. Pure: values and a
language in, HTML out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from math import isfinite
from typing import TYPE_CHECKING, Any

from playground import locales
from playground.lowrank.mix import RULES
from playground.plots.lowrank import mixing as plots
from playground.ui.compare.panes import pane_colour, pane_title
from playground.ui.kit.html import folded, words
from playground.ui.kit.sections import soft
from playground.ui.lowrank.pieces import small, to_compare

if TYPE_CHECKING:
    from playground.actions.mixing import Made, Scoring
    from playground.lowrank.interference import Interference
    from playground.lowrank.spread import Spread
    from playground.ui.kit.html import Values

EXACT = 1e-4  # float32 rounds
PAIRED = [one.family for one in RULES.values() if one.on == "factors" and f"{one.family}_svd" in RULES]


def rule_name(rule: str, language: str) -> str:
    """TIES, on updates; a rule that there is on one of the two alone needs no more than its name."""
    one = RULES[rule]
    name = locales.text(language, f"mix.rule.{one.family}")
    return locales.text(language, f"mix.on.{one.on}", rule=name) if one.family in PAIRED else name


def rule_said(rule: str, weights: Sequence[float], language: str) -> str:
    """What a rule does, in small print; what PEFT makes of negative weights where signs are elected."""
    one = RULES[rule]
    said = [words(language, f"mix.rule.{one.family}.help")]
    if one.family in PAIRED:
        said.append(words(language, f"mix.on.{one.on}.help"))
    if "majority_sign" in one.takes and min(weights) < 0:
        said.append(words(language, "mix.negative"))
    return small(" ".join(said))


def interfering(found: Sequence[Interference], measure: str, names: Sequence[str], alike: int | None, language: str) -> str:
    """The map and its sentence; `alike` is the seed of those that began with the very same A."""
    cells = [asdict(one) for one in found]
    means = {name: _mean(cells, name, language) for name in ("cosine", "rows", "columns")}
    chances = {name: _mean(cells, f"{name}_by_chance", language) for name in ("rows", "columns")}
    line = soft(language, "mix.said", **means, **{f"{name}_chance": value for name, value in chances.items()})
    line += soft(language, "mix.same_seed", seed=alike) if alike is not None else ""
    return plots.interference(cells, measure, names, language) + line


def _mean(cells: Sequence[Values], name: str, language: str) -> str:
    values = [cell[name] for cell in cells if cell[name] is not None]
    return locales.significant(language, sum(values) / len(values)).replace("-", "−") if values else "–"


def made(done: Made, prompt: str, panes: Sequence[Values], language: str) -> str:
    """That a mix is there, how far it lies from the plain sum, and the way to Compare."""
    adapter = done.adapter
    rank, size = adapter.record.hyperparameters["rank"], locales.size(language, adapter.record.bytes)
    said = words(language, "mix.made", name=adapter.name, rank=locales.number(language, rank), size=size)
    said = f"{said} {_apart(done.distance, language)}{_stacked(adapter.record.mix, language)}"
    return f'<p class="pp-conclusion">{said}</p>' + to_compare("mix.compare", adapter.record.base, prompt, panes, language)


def _stacked(mix: Values, language: str) -> str:
    """That a plain sum is what PEFT gives with all of them active at once, where it is one."""
    plain = mix["rule"] == "cat" and all(one["weight"] == 1 for one in mix["adapters"])
    return " " + words(language, "mix.stacked") if plain else ""


def _apart(distance: float, language: str) -> str:
    """How far a mix lies from the weighted sum; nothing where that sum is nothing, and so no measure."""
    if not isfinite(distance):
        return ""
    share = locales.percent(language, 100 * distance)
    return words(language, "mix.exact") if distance < EXACT else words(language, "mix.apart", apart=share)


def table(subject: Scoring, found: Any, language: str) -> str:
    """All scores that are known, and what each adapter's own task has left in the mix."""
    rows = [
        {
            "title": pane_title(one, language),
            "colour": pane_colour(one),
            "scores": {
                task: {"score": getattr(each, "score", None), "loss": getattr(each, "held_out_loss", None)}
                for task in subject.tasks
                if (each := found.get((task, one["id"])))
            },
        }
        for one in subject.panes
    ]
    return plots.scores(rows, subject.tasks, language) + _left(subject, found, language)


def _left(subject: Scoring, found: Any, language: str) -> str:
    """Pirate: 94 % alone, 81 % mixed; of those whose both numbers are there."""
    *several, mix = subject.panes[1:]
    said = []
    for task in subject.tasks:
        alone = [_score(found, task, one["id"]) for one in several if one["task"] == task]
        mixed = _score(found, task, mix["id"])
        if mixed is None or not alone or None in alone:
            continue
        values = {"alone": max(alone), "mixed": mixed}  # type: ignore[type-var]
        written = {name: locales.percent(language, 100 * value) for name, value in values.items()}  # type: ignore[operator]
        said.append(locales.text(language, "mix.left", task=locales.text(language, f"tasks.{task}.name"), **written))
    return f'<p class="pp-outcome">{escape(" ".join(said))}</p>' if said else ""


def _score(found: Any, task: str, pane: str) -> float | None:
    score: float | None = getattr(found.get((task, pane)), "score", None)
    return score


def spread(found: Spread, language: str) -> str:
    """Of each task the losses of the seeds and of the exact sum, and whether these lie farther apart."""
    said = []
    for task, one in found.verdicts().items():
        losses = locales.listed(language, [locales.number(language, value, 3) for value in one.seeds])
        seeds = locales.listed(language, [locales.number(language, seed) for seed in found.seeds])
        figures = {
            "difference": locales.significant(language, abs(one.difference)),
            "exact": locales.number(language, one.exact, 3),
        }
        values = {"task": locales.text(language, f"tasks.{task}.name"), "losses": losses, "seeds": seeds, **figures}
        said.append(locales.text(language, "mix.spread.said", **values))
        key = f"mix.spread.{'differs' if one.differs else 'noise'}"
        said.append(locales.text(language, key, spread=locales.significant(language, one.spread), **values))
    return f'<p class="pp-outcome">{escape(" ".join(said))}</p>' if said else ""


def stacking(language: str) -> str:
    """Behind a fold: choosing an adapter for a row, and several active at once."""
    lines = "".join(small(words(language, f"mix.how.{one}")) for one in ("linear", "switching", "stacking", "orthogonal"))
    return folded(language, "mix.how", lines)
