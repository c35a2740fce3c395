"""
What adapting costs as HTML: figures, bars that add up, what was measured, and a claim worked through.

Knows no components and no events.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from playground.adapt import cost as arithmetic
from playground.adapt.cost import Cost, Measured
from playground.adapt.library import examples
from playground.adapt.published import PUBLISHED, Published
from playground.locales import NO_BREAK, counted, number, percent, significant, text
from playground.model.architecture import Linear
from playground.plots.lowrank.table import table
from playground.ui.compare.panes import pane_title
from playground.ui.kit.bars import bar, bytes_text, parts_of
from playground.ui.kit.html import colour, words

if TYPE_CHECKING:
    from playground.ui.kit.bars import Part


CLAIM_MODEL, CLAIM_RANK = "llama-2-7b", 8
# What a reader of the paper should know about its figure for memory
NOTES = {"gpt-3": "arithmetic.note.gpt_3", "llama-65b": "arithmetic.note.llama_65b"}


def method_name(method_id: str, language: str) -> str:
    return text(language, f"methods.{method_id}.name")


def precise(language: str, value: float) -> str:
    """A percentage with three figures, as the papers give them: 0.0108 %."""
    return significant(language, value, 3) + NO_BREAK + "%"


def result(model: Published, method_id: str, cost: Cost, language: str) -> str:
    """How much is trained, what it takes in memory and on disk, and where the model's shape is from."""
    remark = " " + words(language, NOTES[model.id]) if model.id in NOTES else ""
    figures = {
        "model": model.name,
        "total": number(language, cost.total),
        "percent": precise(language, cost.percent),
        "adapter": bytes_text(language, cost.adapter_bytes),
        "whole": bytes_text(language, cost.model_bytes),
        "ratio": significant(language, cost.model_bytes / cost.adapter_bytes),
    }
    source = words(language, "arithmetic.source", model=model.name, source=model.source)
    return (
        f'<div class="pp-count" {colour(method_id)}>'
        f'<p class="pp-soft">{words(language, "arithmetic.trained", **figures)}</p>'
        f'<div class="pp-figure">{number(language, cost.trainable)}</div>'
        f'<p class="pp-soft">{words(language, "arithmetic.share", **figures)}<br>'
        f"{words(language, 'arithmetic.size', **figures)}</p></div>"
        f"{memory_bars(cost, method_id, language)}{storage_bars(cost, method_id, language)}"
        f'<p class="pp-legend">{source}{remark}</p>'
    )


def memory_bars(cost: Cost, method_id: str, language: str) -> str:
    """Full fine-tuning, the adapter, and the adapter over 4 bits, each as long as what it holds."""
    longest = max(one.total for one in cost.memory)
    rows = "".join(
        bar(
            method_id if one.way == "four_bit" else one.way, _way(one.way, method_id, language), parts_of(one, language),
            longest, language,
        )
        for one in cost.memory
    )  # fmt: skip
    title = words(language, "arithmetic.memory")
    each = {"width": number(language, cost.width), "all": number(language, 2 * cost.width + arithmetic.MOMENT_BYTES)}
    rule = words(language, "arithmetic.rule", **each)
    return f'<h3 class="pp-name">{title}</h3>{rows}<p class="pp-legend">{rule}</p>'


def _way(way: str, method_id: str, language: str) -> str:
    if way == "four_bit":
        return text(language, "arithmetic.four_bit", method=method_name(method_id, language))
    return method_name(way, language)


def storage_bars(cost: Cost, method_id: str, language: str) -> str:
    """On disk, for N tasks: one base with N adapters, and N models."""
    adapters = cost.tasks * cost.adapter_bytes
    shared: list[Part] = [
        ("frozen", text(language, "arithmetic.part.base"), cost.stored_adapters - adapters),
        ("trained", counted(language, "arithmetic.part.adapters", cost.tasks), adapters),
    ]
    models: list[Part] = [("trained", counted(language, "arithmetic.part.models", cost.tasks), cost.stored_models)]
    names = text(language, "arithmetic.stored.models"), text(language, "arithmetic.stored.adapters")
    longest = max(cost.stored_models, cost.stored_adapters)
    rows = bar("full_fine_tuning", names[0], models, longest, language) + bar(method_id, names[1], shared, longest, language)
    return f'<h3 class="pp-name">{escape(counted(language, "arithmetic.disk", cost.tasks))}</h3>{rows}'


def measured_line(found: Measured, cost: Cost, name: str, language: str) -> str:
    """What was measured, each beside what was predicted."""
    agrees = (found.trainable, found.total) == (cost.trainable, cost.total)
    figures = {"trainable": number(language, found.trainable), "total": number(language, found.total), "model": name}
    sentences = [
        words(language, "arithmetic.measured.same" if agrees else "arithmetic.measured.other", **figures),
        words(
            language, "arithmetic.measured.weights",
            held=bytes_text(language, found.frozen_bytes), predicted=bytes_text(language, found.predicted_frozen_bytes),
            bits=significant(language, 8 * found.frozen_bytes / (cost.total - cost.trainable)),
        ),
    ]  # fmt: skip
    if found.example:
        one = examples()[found.example.id]
        sizes = {"file": found.example.file_bytes, "predicted": found.example.predicted_bytes}
        said = {name: number(language, size) for name, size in sizes.items()}
        title = pane_title(one.summary(), language)
        sentences.append(words(language, "arithmetic.measured.file", title=title, **said))
    return f'<p class="pp-measured" role="status">{" ".join(sentences)}</p>'


# "A 7B model's ΔW has 7B entries too"


def claim(language: str) -> str:
    """The claim, worked through with the real shapes of one 7B model."""
    model = PUBLISHED[CLAIM_MODEL]
    found = arithmetic.whole_update(model.architecture, CLAIM_RANK)
    query = found.layers[0].layer
    figures = {
        "model": model.name,
        "shape": _shape(query, language),
        "query": number(language, query.inputs * query.outputs),
        "factors_of_query": number(language, found.layers[0].factors // query.count),
        "entries": number(language, found.entries),
        "share": percent(language, 100 * found.entries / found.parameters),
        "parameters": number(language, found.parameters),
        "others": number(language, found.others),
        "rank": number(language, found.rank),
        "factors": number(language, found.factors),
        "ratio": number(language, found.ratio),
        "whole_size": bytes_text(language, 2 * found.entries),
        "factor_size": bytes_text(language, 2 * found.factors),
    }
    return (
        f'<details class="pp-claim"><summary>{words(language, "arithmetic.claim")}</summary>'
        f"<p>{words(language, 'arithmetic.claim.one', **figures)}</p>"
        f'<div class="pp-scroll">{_claim_table(found, language)}</div>'
        f"<p>{words(language, 'arithmetic.claim.all', **figures)}</p>"
        f"<p>{words(language, 'arithmetic.claim.rank', **figures)}</p></details>"
    )


def _claim_table(found: arithmetic.WholeUpdate, language: str) -> str:
    heads = [
        text(language, "arithmetic.claim.layer"),
        text(language, "arithmetic.claim.shape"),
        text(language, "arithmetic.claim.count"),
        text(language, "arithmetic.claim.entries"),
        text(language, "arithmetic.claim.factors", rank=number(language, found.rank)),
    ]
    rows = [(one.layer.name, _shape(one.layer, language), one.layer.count, one.entries, one.factors) for one in found.layers]
    layers = sum(one.layer.count for one in found.layers)
    rows.append((text(language, "arithmetic.claim.together"), "", layers, found.entries, found.factors))
    cells = ((name, shape, *(number(language, count) for count in counts)) for name, shape, *counts in rows)
    return table("pp-entries", heads, ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in cells))


def _shape(layer: Linear, language: str) -> str:
    return f"{number(language, layer.outputs)} × {number(language, layer.inputs)}"
