"""
The figures of the lesson on pruning: what the course's model of one billion lost, and what the embedded base does.
"""

from __future__ import annotations

from playground.learn.figures import Bar, Figure, Figures
from playground.prune.rows import recorded

# Llama-3.2-1B with 40 % of its MLP neurons left out by max + |min| (Pere Martra's course, notebook 6_3): BoolQ and Lambada
# (openai) before and after, accuracies; its parameters before, and after 20 %
COURSE = {"boolq": (0.634, 0.622), "lambada": (0.619, 0.293)}
COURSE_PARAMETERS = (1_235_814_400, 1_074_792_448)


def left_out() -> Figures:
    """How much two tasks lose of one pruning, and how much the embedded base loses by which rule; recorded."""
    bars = tuple(
        Bar(f"{task}_{when}", Figure(100 * value, "%", 1), "base" if when == "before" else "quantized")
        for task, values in COURSE.items()
        for when, value in zip(("before", "after"), values, strict=True)
    )
    found = {one.pruning: one for one in recorded()[0].rows}
    names = {"whole": "", "activation": "width-20-activation", "max_min": "width-20-max_min", "apart": "width-20-apart"}
    read = {name: found[pruning].perplexity for name, pruning in names.items()}
    more = {name: Figure(value, "", 1 if value < 100 else 0) for name, value in read.items()}
    more |= {name: Figure(count) for name, count in zip(("course", "course_left"), COURSE_PARAMETERS, strict=True)}
    return Figures(100 * COURSE["lambada"][1], bars, more, origin="published")
