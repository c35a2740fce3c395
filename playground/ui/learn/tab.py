"""
The Learn tab: the route, one lesson, the guess. What a visitor has guessed is kept by the browser alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from playground.actions.lanes import TRAIN
from playground.actions.work import busy
from playground.learn.progress import Progress
from playground.ui.kit import links, locks, recipes
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, lead
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.learn import calculator, lesson_html, replay, teacher_html, timing_html

# Of both pages: the address names the lesson or the page, for a reload. Whoever listens to `select` gets what differs from
# NOTHING: the lesson or the page to open, the guess, or that it is to be guessed again.
SHARED = f"""
const HERE = {links.HERE}, RECIPE = {[*recipes.NAMES]};
const NOTHING = {{ lesson: null, reader: null, here: null, guess: null, again: false }};
const stand = places => {{
  const address = new URL(location.href);
  for (const [name, place] of Object.entries({{ tab: "learn", ...places }})) {{
    place ? address.searchParams.set(name, place) : address.searchParams.delete(name);
  }}
  for (const name of RECIPE) address.searchParams.delete(name); // it was another tab's
  address.hash = "";
  history.replaceState(history.state, "", address);
}};
"""
# What had the focus is gone once the answer is drawn: it goes to what is new
SCRIPT = (
    SHARED
    + """
let focus = null;
const ask = (data, next) => { focus = next; trigger("select", { ...NOTHING, ...data }); };
const open = (lesson, next) => { stand({ lesson, for: null }); ask({ lesson }, next); };
const link = () => {
  const lesson = element.querySelector("[data-open]").dataset.open;
  return `${HERE}?lang=${document.documentElement.lang}&tab=learn&lesson=${lesson}`;
};
const acts = {
  copy: async () => {
    await navigator.clipboard.writeText(link());
    const said = element.querySelector(".pp-copied");
    said.textContent = said.dataset.said;
  },
  print: () => window.print(),
  results: ({ file, rows }) => {
    const csv = JSON.parse(rows).map(row => row.join(",") + "\\r\\n").join("");
    const save = document.createElement("a");
    save.href = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
    save.download = file;
    save.click();
    URL.revokeObjectURL(save.href);
  },
  again: () => ask({ again: true }, ".pp-choices button, .pp-guess-number input"),
};
element.addEventListener("click", event => {
  const step = event.target.closest("a[data-lesson]"), guess = event.target.closest("[data-guess]");
  const act = event.target.closest("[data-act]"), way = event.target.closest("a[data-for]");
  if (way && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    stand({ for: way.dataset.for, lesson: null });
    ask({ reader: way.dataset.for, here: HERE });
  }
  if (step && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    open(step.dataset.lesson, "h2");
  }
  if (guess) ask({ guess: Number(guess.dataset.guess) }, ".pp-choices");
  if (act) acts[act.dataset.act](act.dataset);
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
TEACHER = SHARED + Path(__file__).with_name("teacher.js").read_text(encoding="utf-8").partition("*/")[2]
# The line above the comparison opens the tab in place, so that nothing that is filled in is lost
NEWCOMER = """
element.addEventListener("click", event => {
  if (!event.target.closest("[data-newcomer]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  document.querySelector("#tabs [role=tab][data-tab-id=learn]").click();
});
"""


# What lessons ask for without being drawn anew
SCRIPTS = SCRIPT + calculator.SCRIPT + timing_html.SCRIPT + replay.SCRIPT
SERVED = [calculator.at, timing_html.time_here]


@dataclass(frozen=True)
class Learner:
    """
    Who learns: the language, what the browser has kept, the lesson that the address names and for whom it asks ("": not),
    and what links begin with here.
    """

    language: str
    kept: object
    named: str
    reader: str = ""
    here: str = ""


@dataclass(frozen=True)
class LearnTab:
    """The tab's components, and what happens to them."""

    learner: Controls[Learner]
    kept: gr.BrowserState
    named: gr.State
    reader: gr.State
    here: gr.Textbox
    lesson: gr.HTML
    teacher: gr.HTML
    lockable: Callable[[], locks.Names]  # once the page is built

    @property
    def shown(self) -> list[Any]:
        return [self.kept, self.lesson, self.teacher]

    def open(self, learner: Learner) -> Changes:
        """The page of the address, its lesson, or the one that was open last."""
        progress = Progress.of(learner.kept).at(learner.named)
        return self.taught(progress, learner) if learner.reader else self.drawn(progress, learner.language)

    def act(self, given: Mapping[Any, Any], event: gr.EventData) -> Changes:
        """A lesson is opened, guessed, or to be guessed again; what cannot be changes nothing."""
        learner = self.learner.value(given)
        progress = Progress.of(learner.kept).at(event.lesson).guess(event.guess)
        if event.reader in links.READERS:
            return self.taught(progress, replace(learner, here=event.here))
        return self.drawn(progress.again() if event.again is True else progress, learner.language)

    def drawn(self, progress: Progress, language: str) -> Changes:
        busy_now = busy(TRAIN)
        return {self.kept: progress.kept, self.lesson: lesson_html.drawn(progress, language, busy_now), self.teacher: ""}

    def taught(self, progress: Progress, learner: Learner) -> Changes:
        """The teacher's page in place of the lesson, which stays the one that is open."""
        page = teacher_html.page(learner.language, links.here(learner.here), self.lockable())
        return {self.kept: progress.kept, self.lesson: "", self.teacher: page}


def build(wording: Wording, visit: Controls[Visit], lockable: Callable[[], locks.Names]) -> LearnTab:
    """The tab's layout and its own events; it is empty until `LearnTab.open`. `lockable`: what links can lock."""
    kept = gr.BrowserState({}, storage_key="peft-playground-learn", secret="peft-playground")  # still there after a restart
    named = gr.State("")
    wording.make(html, {"value": lambda lang: lead(lang, "learn.lead")})
    reader, here = gr.State(""), gr.Textbox(visible=False)
    lesson = html("", elem_id="lesson", js_on_load=SCRIPTS, server_functions=SERVED)
    teacher = html("", elem_id="teacher", js_on_load=TEACHER)
    asked = {"language": visit.components["language"], "kept": kept, "named": named, "reader": reader, "here": here}
    tab = LearnTab(Controls(Learner, asked), kept, named, reader, here, lesson, teacher, lockable)
    gr.on([lesson.select, teacher.select], tab.act, tab.learner.inputs, tab.shown, **HIDDEN)
    return tab
