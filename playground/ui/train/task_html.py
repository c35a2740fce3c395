"""
What is said below the list of tasks: what a task is about, its examples, and the recipe that belongs to it. Pure: plain
values and a language in, HTML out.
"""

from __future__ import annotations

from html import escape

from playground import locales, settings
from playground.actions import catalogue
from playground.adapt import tasks
from playground.adapt.methods import METHODS
from playground.adapt.tasks import OWN, RECOMMENDED
from playground.locales import number, text
from playground.ui.kit import recipes
from playground.ui.kit.html import folded, words
from playground.ui.train.race_html import recipe_of
from playground.ui.train.status import PREPARES

TO_TRAIN_ON, HELD_OUT = 4, 2  # examples that are shown

# A press on the link fills the form in place; opened elsewhere, in another tab or from paper, it is a link like any other
USE = """
element.addEventListener("click", event => {
  if (!event.target.closest("a[data-recipe]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  trigger("select", {});
});
"""


def task_info(task_id: str, method: str, language: str, base: str = settings.DEFAULT_BASE) -> str:
    """
    How many examples there are and what a method does with them, or how many of their own a visitor may bring; and the
    task's own recipe, if it has one.
    """
    about = f"tasks.{task_id}.about"
    said = [text(language, about)] if about in locales.words(language) else []
    line = " ".join([*said, _counts(task_id, method, language)])
    return f'<p class="pp-soft pp-small">{escape(line)}</p>{recommended(task_id, language, base)}{some(task_id, language)}'


def some(task_id: str, language: str) -> str:
    """Behind a fold: a few of a task's examples, and by what rule its answers are scored; a visitor knows their own."""
    if task_id == OWN:
        return ""
    task = tasks.task(task_id)
    parts = [f"<p>{words(language, 'train.some.rule', rule=text(language, f'race.rule.{task.rule}'))}</p>"]
    for key, examples, count in (("train", task.train, TO_TRAIN_ON), ("held_out", task.held_out, HELD_OUT)):
        parts.append(f"<p>{words(language, f'train.some.{key}')}</p>")
        parts += [f'<p class="pp-seen"><b>{escape(one.prompt)}</b>\n{escape(one.response)}</p>' for one in examples[:count]]
    return folded(language, "train.some", "".join(parts))


def _counts(task_id: str, method: str, language: str) -> str:
    if task_id == OWN:
        key, counts = "train.own_info", {"minimum": settings.MIN_OWN_EXAMPLES, "maximum": settings.MAX_OWN_EXAMPLES}
    else:
        task = catalogue.describe_task(task_id)
        key = "prepare.task_info" if method == PREPARES else "train.task_info"
        counts = {name: task[name] for name in ("train", "held_out")}
    return text(language, key, **{name: number(language, count) for name, count in counts.items()})


def recommended(task_id: str, language: str, base: str) -> str:
    """The recipe that a task carries, and a link that fills the form with it; "" without one. It changes nothing itself."""
    one = RECOMMENDED.get(task_id)
    if one is None:
        return ""
    values = METHODS[one.method].complete(one.hyperparameters)
    link = recipes.link(language, base, one.method, task_id, values, steps=one.steps, seed=0)
    return (
        f'<p class="pp-soft pp-small">{words(language, f"tasks.{task_id}.recipe", recipe=recipe_of(one, language))} '
        f'<a href="?{escape(link)}" data-recipe>{words(language, "train.recipe")}</a></p>'
    )
