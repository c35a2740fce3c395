"""
A notebook of the course, step by step: what it stored beside what the same gives here.

Pure: a lesson's id and a language in, HTML out.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from playground.learn import notebooks
from playground.learn.lessons import lesson
from playground.learn.notebooks import BASE_ANSWERS, NOTEBOOKS
from playground.learn.route import figures
from playground.locales import machine, number, text
from playground.model.catalogue import CATALOGUE
from playground.plots.learn.runs import Line, curves
from playground.ui.learn.tables import table

RUNS = {"notebook-prompts": ("prompts", "sayings"), "notebook-lora": ("bloomz", "llama", "scale")}  # by lesson
COLOURS = {
    "prompts": "--m-prompt_tuning", "sayings": "--m-few_shot", "bloomz": "--m-lora", "llama": "--m-full_fine_tuning",
    "scale": "--m-ia3",
}  # fmt: skip


def notebook(lesson_id: str, language: str) -> str:
    """The lesson's steps, numbered; below those that have any, the numbers of the notebook and of here."""
    one, found = lesson(lesson_id, language), figures(lesson_id)
    below = {"counts": counts, "training": training, "answers": answers}
    items = (
        f"<li><p>{escape(one.filled(said, found))}</p>{below[name](RUNS[lesson_id], language) if name in below else ''}</li>"
        for name, said in one.steps.items()
    )
    return f'<ol class="pp-notebook">{"".join(items)}</ol>'


def counts(names: Iterable[str], language: str) -> str:
    """Numbers trained: stored by the notebook, counted for its model, and on this page's."""
    rows = []
    for name in names:
        stored, here = NOTEBOOKS[name].stored, recorded_of(name)
        if stored is not None:
            pairs = (
                (stored.trainable, stored.total),
                notebooks.counted(name, stored.model),
                (here["trainable"], here["total"]),
            )
            model = CATALOGUE[stored.model].name.removesuffix("-Instruct")  # of the same shape
            rows.append([f"{_name(name, language)}, {model}", *(_of(trained, total, language) for trained, total in pairs)])
    return table(_heads(["stored", "counted", "on_this"], language), rows)


def _of(trained: int, total: int, language: str) -> str:
    return text(language, "notebook.of", trained=number(language, trained), total=number(language, total))


def training(names: Iterable[str], language: str) -> str:
    """The recorded losses as curves, and their means beside the notebook's."""
    names = list(names)
    lines = [
        Line(_name(name, language), COLOURS[name], list(enumerate(recorded_of(name)["losses"], start=1))) for name in names
    ]
    rows = []
    for name in names:
        stored, here = NOTEBOOKS[name].stored, recorded_of(name)
        losses = [stored.loss if stored else None, here["loss"], here["losses"][-1]]
        written = ["–" if loss is None else number(language, loss, 3) for loss in losses]
        rows.append([_name(name, language), number(language, NOTEBOOKS[name].steps), *written])
    said = text(language, "notebook.curves", machine=machine(language, notebooks.recorded()["machine"]))
    heads = _heads(["steps", "stored_loss", "here_loss", "last"], language)
    return f'{curves(lines, said, language)}<p class="pp-soft pp-small">{escape(said)}</p>{table(heads, rows)}'


def answers(names: Iterable[str], language: str) -> str:
    """Question by question: what the bases answered, in the notebook and here, then every run."""
    by: dict[str, list[str]] = {}
    for name in names:
        by.setdefault(NOTEBOOKS[name].question, []).append(name)
    return "".join(
        f'<figure><figcaption><b lang="en">{escape(question)}</b></figcaption>'
        f"<dl>{''.join(_said(head, said) for head, said in _heard(question, runs, language))}</dl></figure>"
        for question, runs in by.items()
    )


def _heard(question: str, names: list[str], language: str) -> list[tuple[str, str]]:
    """Who answered, and what."""
    found = [
        (text(language, "notebook.base_there"), BASE_ANSWERS[question]),
        (text(language, "notebook.base_here"), recorded_of(names[0])["before"]),
    ]
    for name in names:
        stored, run = NOTEBOOKS[name].stored, _name(name, language)
        if stored is not None:
            found.append((text(language, "notebook.tuned_there", run=run), stored.answer))
        found.append((text(language, "notebook.tuned_here", run=run), recorded_of(name)["after"]))
    return found


def _said(head: str, said: str) -> str:
    return f'<div><dt>{escape(head)}</dt><dd lang="en">{escape(said)}</dd></div>'


def recorded_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = notebooks.recorded()["runs"][name]
    return found


def _heads(names: Iterable[str], language: str) -> list[str]:
    return [text(language, f"notebook.head.{one}") for one in names]


def _name(name: str, language: str) -> str:
    return text(language, f"notebook.run.{name}")
