"""
What a link gives and the page does not take, in a plain sentence: the same for the page, a question and a lab's section.
"""

from __future__ import annotations

from collections.abc import Mapping

from playground.bounds import shown
from playground.locales import text


def untaken(given: Mapping[str, str], labels: Mapping[str, str], instead: Mapping[str, str], language: str) -> str:
    """
    What is not taken, by the names of parameters, with what the page calls them (a name without a label is no setting), and
    what is used `instead` of those that have something.
    """
    unknown = {name: text(language, "link.unknown", name=shown(name)) for name in given if name not in labels}
    wrong = "; ".join(unknown.get(name) or f"{labels[name]} = {shown(value)}" for name, value in given.items())
    used = ", ".join(f"{labels[name]} = {instead[name]}" for name in given if name in instead)
    said = text(language, "link.refused", wrong=wrong)
    return f"{said} {text(language, 'link.instead', used=used)}" if used else said
