"""
A job on a rented GPU as HTML: what it would cost and from what that is computed; its stage, its curve, its last lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from playground import locales
from playground.actions.gpu_jobs import Plan
from playground.export.gpu_jobs import STAGES
from playground.locales import number, seconds, significant, size, text
from playground.plots.loss import loss_curve
from playground.train import gpu_cost
from playground.train.gpu_cost import FLAVORS, Flavor
from playground.ui.kit.events import alarm
from playground.ui.kit.html import words

SEEN = 9  # lines of the log: what .pp-seen has room for


def money(language: str, dollars: float) -> str:
    """`$0.05`: cents, rounded up."""
    cents = -(-round(dollars * 1e6) // 10_000)
    return text(language, "gpu.money", amount=number(language, cents / 100, 2))


def flavors(language: str, prices: Mapping[str, float] | None = None) -> list[tuple[str, str]]:
    """Choices with what an hour costs, the cheapest first."""

    def dollars(one: Flavor) -> float:
        return (prices or {}).get(one.id, one.dollars)

    def named(one: Flavor) -> str:
        price = money(language, dollars(one))
        return text(language, "gpu.flavor.one", gpu=one.name, memory=number(language, one.memory), price=price)

    return [(named(one), one.id) for one in sorted(FLAVORS.values(), key=dollars)]


def estimated(plan: Plan, language: str) -> str:
    """The total in one sentence, what it is computed from below, and whose prices they are."""
    one = plan.estimate
    told = {
        "total": money(language, one.total), "minutes": number(language, one.minutes),
        "price": money(language, one.dollars), "limit": number(language, one.limit), "most": money(language, one.most),
    }  # fmt: skip
    begin = {
        "begin": seconds(language, gpu_cost.BEGIN), "fetched": size(language, one.fetched),
        "rate": size(language, gpu_cost.BYTES_A_SECOND), "steps": number(language, one.steps),
        "step": seconds(language, one.step), "tokens": number(language, one.tokens),
        "operations": number(language, gpu_cost.OPERATIONS), "parameters": number(language, one.parameters),
        "share": locales.percent(language, 100 * gpu_cost.SHARE), "gpu": one.flavor.name,
        "peak": number(language, one.flavor.peak / 1e12), "layers": number(language, one.layers),
        "layer": significant(language, 1000 * gpu_cost.LAYER), "memory": size(language, one.memory),
    }  # fmt: skip
    record = plan.adapter.record
    counts = {"steps": number(language, one.steps), "done": number(language, record.steps)}
    said = [words(language, "gpu.planned", **counts)] if record.steps < one.steps else []
    said.append(words(language, "gpu.from", **begin))
    if one.flavor.id in plan.prices:
        said.append(words(language, "gpu.prices.hub"))
    else:
        said.append(words(language, "gpu.prices.published", source=gpu_cost.PUBLISHED, read=gpu_cost.READ))
        said += [escape(plan.silent.message(language))] if plan.silent else []
    small = "".join(f'<p class="pp-soft pp-small">{one}</p>' for one in said)
    return f'<p class="pp-note">{words(language, "gpu.estimate", **told)}</p>{small}'


def progress(view: Mapping[str, Any], language: str) -> str:
    """Stage, step, time and dollars so far with the job's page on the hub; the curve; the end of the log."""
    steps = {"step": number(language, view["step"]), "steps": number(language, view["steps"])}
    stage = view["stage"]  # a new one has no words yet
    parts = [
        words(language, f"gpu.stage.{stage}") if stage in STAGES else escape(stage),
        words(language, "gpu.step", **steps),
    ]
    parts += [escape(seconds(language, view["seconds"])), escape(money(language, view["dollars"]))]
    line = f'<p class="pp-note" role="status">{" · ".join(parts)} · {link(view["address"])}</p>'
    wrong = alarm(text(language, "gpu.failed", message=view["message"] or "–")) if stage == "ERROR" else ""
    curve = loss_curve(view, language) if view["losses"] else ""
    label = escape(text(language, "gpu.log"))
    seen = escape("\n".join(view["log"][-SEEN:]))
    log = f'<pre class="pp-seen" tabindex="0" aria-label="{label}">{seen}</pre>' if seen else ""
    return line + wrong + curve + log


def link(address: str) -> str:
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">{escape(address)}</a>'
