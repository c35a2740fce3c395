"""
What the Compare tab opens with: the question of a link, or the visitor's latest one, or the first example; and the answers
to exactly that question, if there are any.

Answers to another question are never shown under it, but where a page is opened again in another language: what it showed
stays, and names its own question. Knows no components.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from playground import locales, settings
from playground.actions.compare import (
    Question,
    first_frame,
    latest,
    latest_frame,
    pane_ids,
    recorded,
    recorded_answers,
    renamed,
    showable,
    unanswered,
)  # fmt: skip
from playground.actions.many import latest_many
from playground.compare.job import DECODING
from playground.compare.many import TIMES
from playground.model.catalogue import FOLDER
from playground.model.names import base_name
from playground.ui.compare import notices
from playground.ui.compare.asked import LATEST
from playground.ui.compare.panes import pane_title
from playground.ui.kit import links
from playground.ui.kit.base import bases_of, offered
from playground.ui.kit.events import alarm


@dataclass(frozen=True)
class Opening:
    """
    `question` is what the controls say, `panes` the summaries of its panes. `frame` is what is shown, and `asked` what that
    answers or, before anybody did, would answer.
    """

    question: Question
    panes: list[dict[str, Any]]
    frame: Mapping[str, Any]
    asked: Question
    recorded: bool = False  # whether `frame` is a recording
    missing: list[str] = field(default_factory=list)  # panes that the question named and that are not here, by their titles
    unknown_base: str = ""  # the base that the link named, if there is none of that name
    times: int = TIMES.default  # how often its panes answer where they answer many times
    refused: Mapping[str, str] = field(default_factory=dict)  # what the link gave and was not taken (links.refused)

    def notice(self, language: str) -> str:
        """What is shown, and what of a link is not here."""
        said = [alarm(sentence) for sentence in self.untaken(language)]
        if self.missing:
            said.append(notices.missing(self.missing, [pane_title(pane, language) for pane in self.panes], language))
        return "".join(said) or (notices.recorded(language) if self.recorded else "")

    def untaken(self, language: str) -> list[str]:
        """What of a link is not taken, panes aside, in plain sentences."""
        said = []
        if self.unknown_base:
            shown = base_name(self.question.base, language)
            said.append(locales.text(language, "compare.no_base", base=self.unknown_base[:60], shown=shown))
            if offered(self.unknown_base):
                said.append(locales.text(language, "compare.no_base.another"))
            elif self.unknown_base.startswith(FOLDER):
                said.append(locales.text(language, "compare.no_base.folder"))
        if self.refused:
            said.append(notices.refused(self.refused, {**self.question.decoding, TIMES.name: self.times}, language))
        return said


def opening(key: str, link: Mapping[str, Any], refused: Mapping[str, str] | None = None) -> Opening:
    """For a visitor who comes with a link, or with one that asks nothing; of its parameters some may be `refused`."""
    answers = link["answers"]
    unknown = {} if answers in ("", LATEST, *recorded()) else {"answers": answers}
    found = _opening(key, link)
    return replace(found, times=_times(key, link, found.question), refused={**(refused or {}), **unknown})


def _times(key: str, link: Mapping[str, Any], question: Question) -> int:
    """What the link says; where it asks nothing, how often the question was last answered, as that is shown again."""
    run, given = latest_many(key), links.asks(link) or TIMES.name in links.holds(link)
    times: int = link[TIMES.name] if given or run is None or run.job.question != question else run.job.times
    return times


def _opening(key: str, link: Mapping[str, Any]) -> Opening:
    run = latest(key)
    asked, unknown = _asked(key, run.job if run else None, link)
    question, gone = showable(key, asked)
    missing = [link["own"].get(one, one) for one in gone]
    blank = unanswered(key, question)
    if run and (run.job == asked or link["answers"] == LATEST):
        frame = latest_frame(run)
        shown = renamed(key, frame) if frame else blank
        return Opening(question, blank["panes"], shown, run.job, missing=missing, unknown_base=unknown)
    found = recorded().get(link["answers"]) or recorded_answers(asked)
    answered = Question.of_frame(found) if found else question
    return Opening(question, blank["panes"], found or blank, answered, found is not None, missing, unknown)


def _asked(key: str, latest: Question | None, link: Mapping[str, Any]) -> tuple[Question, str]:
    """What a link asks; where it leaves that open the visitor's `latest` question, but for what the link locks or hides."""
    linked, unknown = _linked(key, link)
    if latest is None or links.asks(link):
        return linked, unknown
    held = links.holds(link)
    of = {name: linked if name in held else latest for name in links.DEFAULTS}
    decoding = {bound.name: of[bound.name].decoding[bound.name] for bound in DECODING}
    question = Question.of(of["base"].base, of["prompt"].prompt, of["panes"].panes, decoding)
    return question, unknown if "base" in held else ""


def _linked(key: str, link: Mapping[str, Any]) -> tuple[Question, str]:
    """What a link asks, and what the first example does where it leaves that open; and its base, if there is no such one."""
    known = link["base"] in [one for _, one in bases_of(locales.DEFAULT, key)]
    first = first_frame()
    question = Question.of(
        link["base"] if known else settings.DEFAULT_BASE,
        link["prompt"] or first["prompt"],
        link["panes"] or pane_ids(first),
        {bound.name: link[bound.name] for bound in DECODING},
    )
    return question, "" if known else link["base"]
