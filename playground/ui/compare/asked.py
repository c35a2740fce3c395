"""
A question as the controls have it; and what answers say that they answer: a mark on their HTML, and its two readers, the
script that compares it with the controls and the server that has to know whose answers are on a page.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import escape, unescape

from playground.actions.compare import Question, latest, recorded
from playground.actions.many import Repeated
from playground.compare.job import DECODING
from playground.ui.compare.decoding import Manner
from playground.ui.kit.visit import Visit

LATEST = "latest"  # the answers of the session's latest comparison; others are recorded, by their task
MARKED = re.compile(r'data-asked="([^"]*)"')
# Takes the answers and the controls, in the order of `data-asked`: says where they disagree
COMPARE = """(answers, ...controls) => {
  const asked = new DOMParser().parseFromString(answers || "", "text/html").querySelector("[data-asked]")?.dataset.asked;
  const same = !asked || JSON.stringify(JSON.parse(asked)) === JSON.stringify(controls);
  document.getElementById("answered").toggleAttribute("data-former", !same);
}"""


@dataclass(frozen=True)
class Asked(Manner):
    """A question, who shall answer it, in which manner, and how often where it is asked many times."""

    prompt: str
    panes: list[str]
    times: int

    @property
    def question(self) -> Question:
        return Question.of(self.base, self.prompt, self.panes, self.decoding)

    @property
    def repeated(self) -> Repeated:
        return Repeated(self.question, self.times)


def mark(question: Question) -> str:
    """The attribute that names the question."""
    asked = [question.base, question.prompt, question.panes, *(question.decoding[bound.name] for bound in DECODING)]
    return f'data-asked="{escape(json.dumps(asked))}"'


def marked(html: str) -> Question | None:
    """The question that a page's answers are marked with; None if there are none."""
    found = MARKED.search(html or "")
    if found is None:
        return None
    base, prompt, panes, *decoding = json.loads(unescape(found[1]))
    return Question.of(base, prompt, panes, dict(zip([bound.name for bound in DECODING], decoding, strict=True)))


@dataclass(frozen=True)
class Seen(Visit):
    """The answers that a page shows, as HTML."""

    answers: str

    @property
    def question(self) -> Question | None:
        return marked(self.answers)

    @property
    def source(self) -> str:
        """Where they come from: LATEST, the task of a recording, or "" if nothing was answered yet."""
        run = latest(self.key)
        if run and run.events and run.job == self.question:
            return LATEST
        return next((task for task, frame in recorded().items() if Question.of_frame(frame) == self.question), "")
