"""
The Learn tab: the route, one lesson, the guess. What a visitor has guessed is kept by the browser alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.actions.lanes import TRAIN
from playground.actions.work import busy
from playground.learn.progress import Progress
from playground.ui.kit import recipes
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, lead
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.learn import lesson_html, replay

# Whoever listens to `select` gets the lesson to open, the guess, or that it is to be guessed again. What had the focus is
# gone once the answer is drawn: it goes to what is new. The address names the lesson, for a reload, and no recipe any more.
SCRIPT = (
    f"const recipe = {sorted(recipes.OWN)};"
    + """
let focus = null;
const ask = (data, next) => { focus = next; trigger("select", { lesson: null, guess: null, again: false, ...data }); };
const open = (lesson, next) => {
  const address = new URL(location.href);
  address.searchParams.set("tab", "learn");
  address.searchParams.set("lesson", lesson);
  for (const name of recipe) address.searchParams.delete(name);
  address.hash = "";
  history.replaceState(history.state, "", address);
  ask({ lesson }, next);
};
const link = () => {
  const lesson = element.querySelector("[data-open]").dataset.open;
  return `${location.origin}${location.pathname}?lang=${document.documentElement.lang}&tab=learn&lesson=${lesson}`;
};
const acts = {
  copy: async () => {
    await navigator.clipboard.writeText(link());
    const said = element.querySelector(".pp-copied");
    said.textContent = said.dataset.said;
  },
  print: () => {
    const foot = document.querySelector("footer"); // outside of what our sheet may style for paper
    foot.hidden = true;
    window.print();
    foot.hidden = false;
  },
  again: () => ask({ again: true }, ".pp-choices button, .pp-guess-number input"),
};
element.addEventListener("click", event => {
  const step = event.target.closest("a[data-lesson]"), guess = event.target.closest("[data-guess]");
  const act = event.target.closest("[data-act]");
  if (step && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    open(step.dataset.lesson, "h2");
  }
  if (guess) ask({ guess: Number(guess.dataset.guess) }, ".pp-choices");
  if (act) acts[act.dataset.act]();
});
element.addEventListener("change", ({ target }) => {
  if (target.matches(".pp-pick select")) open(target.value, ".pp-pick select");
});
element.addEventListener("submit", event => {
  event.preventDefault();
  const field = event.target.querySelector("input");
  if (Number.isNaN(field.valueAsNumber)) field.focus(); else ask({ guess: field.valueAsNumber }, ".pp-choices");
});
watch("value", () => requestAnimationFrame(() => {
  if (focus) element.querySelector(focus)?.focus({ preventScroll: focus !== "h2" });
  focus = null;
}));
"""
)
# The line above the comparison opens the tab in place, so that nothing that is filled in is lost
NEWCOMER = """
element.addEventListener("click", event => {
  if (!event.target.closest("[data-newcomer]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  document.querySelector("#tabs [role=tab][data-tab-id=learn]").click();
});
"""


@dataclass(frozen=True)
class Learner:
    """Who learns: the language, what the browser has kept, and the lesson that the address names ("": none)."""

    language: str
    kept: object
    named: str


@dataclass(frozen=True)
class LearnTab:
    """The tab's components, and what happens to them."""

    learner: Controls[Learner]
    kept: gr.BrowserState
    named: gr.State
    lesson: gr.HTML

    @property
    def shown(self) -> list[Any]:
        return [self.kept, self.lesson]

    def open(self, learner: Learner) -> Changes:
        """The lesson of the address, or the one that was open last."""
        return self.drawn(Progress.of(learner.kept).at(learner.named), learner.language)

    def act(self, given: Mapping[Any, Any], event: gr.EventData) -> Changes:
        """A lesson is opened, guessed, or to be guessed again; what cannot be changes nothing."""
        learner = self.learner.value(given)
        progress = Progress.of(learner.kept).at(event.lesson).guess(event.guess)
        return self.drawn(progress.again() if event.again is True else progress, learner.language)

    def drawn(self, progress: Progress, language: str) -> Changes:
        return {self.kept: progress.kept, self.lesson: lesson_html.drawn(progress, language, busy(TRAIN))}


def build(wording: Wording, visit: Controls[Visit]) -> LearnTab:
    """The tab's layout and its own events; it is empty until `LearnTab.open`."""
    kept = gr.BrowserState({}, storage_key="peft-playground-learn", secret="peft-playground")  # still there after a restart
    named = gr.State("")
    wording.make(html, {"value": lambda lang: lead(lang, "learn.lead")})
    lesson = html("", elem_id="lesson", js_on_load=SCRIPT + replay.SCRIPT)
    learner = Controls(Learner, {"language": visit.components["language"], "kept": kept, "named": named})
    tab = LearnTab(learner, kept, named, lesson)
    lesson.select(tab.act, learner.inputs, tab.shown, **HIDDEN)
    return tab
