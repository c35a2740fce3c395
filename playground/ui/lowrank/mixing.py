"""
Two to four adapters become one: their weights, the rule, where they get into each other's way, the answers, the scores.

A mix is an adapter of the session, so the rest of the page opens it like any other. Handlers turn actions into HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground import locales
from playground.actions import mixing
from playground.actions.adapters import described
from playground.actions.export import download
from playground.actions.mixing import ANSWERS, MIX, SCORES, SPREAD
from playground.errors import PlaygroundError
from playground.lowrank.mix import COUNT, RULES
from playground.ui.compare.lab import Answers
from playground.ui.compare.panes import file_title, pane_title
from playground.ui.kit import marks, sections
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, STREAM, alarm
from playground.ui.kit.lab import Lab
from playground.ui.kit.sections import Section
from playground.ui.lowrank import mixing_html as drawn
from playground.ui.lowrank.mixing_controls import FIRST, WEIGHTS, Layout, layout
from playground.ui.lowrank.overlap import same_start
from playground.ui.lowrank.shared import known
from playground.work.sessions import SESSIONS

if TYPE_CHECKING:
    from playground.actions.mixing import Made
    from playground.adapt.adapters import Adapter
    from playground.lowrank.mix import Mix
    from playground.work.jobs import Run

ASKED = ("prompt", "adapters", *WEIGHTS, "rule", "rank", "density", "majority_sign", "seed")  # what the answers depend on
SAID = Answers(ANSWERS, "mix.go", "lab.elsewhere.adapter")


@dataclass(frozen=True)
class Asked:
    """What the controls say, and who moves them."""

    key: str
    language: str
    base: str
    adapters: list[str]
    weight1: float
    weight2: float
    weight3: float
    weight4: float
    rule: str
    rank: int
    density: float
    majority_sign: str
    seed: int
    show: str  # what the map shows
    prompt: str

    @property
    def weights(self) -> list[float]:
        """Those of the chosen adapters."""
        return [getattr(self, name) for name in WEIGHTS][: len(self.adapters)]

    def mix(self) -> Mix:
        """Raises PlaygroundError."""
        values = {name: getattr(self, name) for name in RULES[self.rule].takes}
        return mixing.mix_of(self.key, self.adapters, self.weights, rule=self.rule, **values)


@dataclass(frozen=True)
class Cards:
    """The components, and how they follow."""

    at: Layout

    def draw(self, asked: Asked) -> Changes:
        """What can be chosen now, and everything that follows what is chosen; sliders hold what a link or a visitor gave."""
        choices = [(pane_title(one, asked.language), one["id"]) for one in mixing.offered(asked.key, asked.base)]
        ids = [one for _, one in choices]
        chosen = [one for one in asked.adapters or FIRST if one in ids][: COUNT[1]]
        changes = self.chosen(replace(asked, adapters=chosen))
        for name, control in {**self.at.weights, **self.at.settings}.items():
            changes[control]["value"] = getattr(asked, name)
        return {self.at.adapters: gr.update(choices=choices, value=chosen), **changes}

    def offer(self, asked: Asked) -> Changes:
        """What can be chosen now."""
        return {self.at.adapters: self.draw(asked)[self.at.adapters]}

    def chosen(self, asked: Asked) -> Changes:
        """The adapters changed: a weight for each, their question, the map; what a rule takes."""
        changes: Changes = {}
        names = self._names(asked)
        for place, name in enumerate(WEIGHTS):
            label = {"label": locales.text(asked.language, "mix.weight_of", name=names[place])} if place < len(names) else {}
            changes[self.at.weights[name]] = gr.update(visible=place < len(names), **label)
        if not asked.prompt and asked.adapters:
            changes[self.at.prompt] = next((one for each in self._chosen(asked) for one in each.record.questions), "")
        return changes | self.map(asked) | self.ruled(asked)

    def map(self, asked: Asked) -> Changes:
        """Where the adapters get into each other's way; why they cannot be mixed."""
        try:
            found = mixing.interference(asked.key, asked.adapters)
        except PlaygroundError as error:
            return {self.at.map: alarm(error.message(asked.language))}
        records = [one.record for one in self._chosen(asked)]
        alike = all(same_start(records[0], one) for one in records[1:])
        seed = records[0].seed if alike else None
        return {self.at.map: drawn.interfering(found, asked.show, self._names(asked), seed, asked.language)}

    def ruled(self, asked: Asked) -> Changes:
        """Only the settings that a rule takes, and what it does."""
        takes = RULES[asked.rule].takes
        changes: Changes = {control: gr.update(visible=name in takes) for name, control in self.at.settings.items()}
        return changes | {self.at.ruled: drawn.rule_said(asked.rule, [*asked.weights, 0.0], asked.language)}

    def _chosen(self, asked: Asked) -> list[Adapter]:
        return [found for one in asked.adapters if (found := known(asked.key, one))]

    def _names(self, asked: Asked) -> list[str]:
        return [pane_title(one.summary(), asked.language) for one in self._chosen(asked)]

    # What the buttons do

    def mix(self, asked: Asked) -> Iterator[Changes]:
        """
        The mix, as an adapter of the session, once for the same settings; then its answer beside those of the base and of
        its adapters.
        """
        done = mixing.latest_mix(asked.key)
        try:
            mix = asked.mix()
            if done and done.adapter.record.mix == mix.told():
                yield from self._answered(done, asked)
                return
            run = mixing.start_mix(asked.key, mix, mixing.mix_name(mix, asked.language))
        except PlaygroundError as error:
            yield {self.at.notice: alarm(error.message(asked.language))}
            return
        yield from self._made(run, asked)

    def press(self, asked: Asked, linked: Mapping[str, str]) -> Iterator[Changes]:
        """For a link from somebody who had mixed."""
        yield from self.mix(asked)

    def _made(self, run: Run, asked: Asked) -> Iterator[Changes]:
        yield {self.at.made: "", self.at.panes: "", self.at.after: gr.update(visible=False)}  # they are another mix's
        yield from sections.watch(run, self.at.notice, lambda run: {self.at.notice: sections.progress(run, asked.language)})
        if run.state != "finished" or run.replaced:
            return
        yield from self._answered(run.events[-1], asked)

    def _answered(self, done: Made, asked: Asked) -> Iterator[Changes]:
        try:
            yield self._there(done, asked)
            answers = mixing.start_mixed_answers(
                asked.key, done.adapter.id, asked.prompt, {"max_new_tokens": sections.ANSWER_TOKENS}
            )
        except PlaygroundError as error:
            yield {self.at.notice: alarm(error.message(asked.language))}
            return
        SAID.remember(asked.key, {name: getattr(asked, name) for name in ASKED})
        yield from SAID.follow(answers, asked.key, asked.language, self.at.notice, self.at.panes)

    def _there(self, done: Made, asked: Asked) -> Changes:
        """What became of it, with its zip; nothing of the scores of another one."""
        adapter_id, language = done.adapter.id, asked.language
        mix = described(asked.key, adapter_id)
        several = [one.summary() for one in mixing.parents(asked.key, adapter_id)]
        panes = [{"id": "base"}, *several, mix]
        path = download(asked.key, adapter_id, file_title(mix, language), language)
        return {
            self.at.made: drawn.made(done, asked.prompt, panes, language),
            self.at.after: gr.update(visible=True),
            self.at.download: gr.update(value=path),
            self.at.scores: "",
            self.at.again: gr.update(visible=mixing.draws(done.adapter.record.mix)),
            self.at.spread: "",
        }

    def attach(self, asked: Asked) -> Iterator[Changes]:
        """At a visit: what was mixed last, while it is there, or that nothing was; what runs is followed."""
        session, done = SESSIONS.get(asked.key), mixing.latest_mix(asked.key)
        run = session.runs.get(MIX)
        yield unchanged(self.at.notice) if run or done else {self.at.panes: sections.soft(asked.language, "mix.empty")}
        if run and not run.ended:
            yield from self._made(run, asked)
        elif done:
            yield self._there(done, asked)
            if answers := session.runs.get(ANSWERS):
                yield from SAID.follow(answers, asked.key, asked.language, self.at.notice, self.at.panes)
            if scored := session.runs.get(SCORES):
                yield from self._scored(scored, asked)
            if spread := session.runs.get(SPREAD):
                yield from self._spread(spread, asked)

    def score(self, asked: Asked) -> Iterator[Changes]:
        """Every task of the adapters: the base, each alone, and the latest mix."""
        yield from self._measure(asked, mixing.start_mixed_scores, self.at.scores, self._scored)

    def again(self, asked: Asked) -> Iterator[Changes]:
        """The latest mix from three seeds, beside the exact sum."""
        yield from self._measure(asked, mixing.start_spread, self.at.spread, self._spread)

    def _measure(
        self,
        asked: Asked,
        start: Callable[[str, str], Run],
        said: gr.HTML,
        follow: Callable[[Run, Asked], Iterator[Changes]],
    ) -> Iterator[Changes]:
        """Start measuring the latest mix, and follow that; where it cannot be, `said` says why."""
        done = mixing.latest_mix(asked.key)
        try:
            if done is None:
                raise PlaygroundError("mix_first")
            run = start(asked.key, done.adapter.id)
        except PlaygroundError as error:
            yield {said: alarm(error.message(asked.language))}
            return
        yield from follow(run, asked)

    def _spread(self, run: Run, asked: Asked) -> Iterator[Changes]:
        done = mixing.latest_mix(asked.key)
        if done is None or run.job != done.adapter.id:
            return

        def changes(run: Run) -> Changes:
            found = run.events[-1] if run.events else None
            standing = "" if run.state == "finished" else sections.progress(run, asked.language)
            return {self.at.spread: standing + (drawn.spread(found, asked.language) if found else "")}

        yield from sections.watch(run, self.at.spread, changes)

    def _scored(self, run: Run, asked: Asked) -> Iterator[Changes]:
        done = mixing.latest_mix(asked.key)
        if done is None or run.job.adapter != done.adapter.id:
            return

        made_from = {"adapters": [one.id for one in mixing.parents(asked.key, run.job.adapter)]}
        said = marks.changed(asked.language, "mix.go")

        def changes(run: Run) -> Changes:
            found = mixing.scored(run)
            shown = drawn.table(run.job, found, asked.language) + self._standing(run, len(found), asked.language)
            return {self.at.scores: marks.marked(shown, made_from, said), self.at.stop: gr.update(visible=not run.ended)}

        yield from sections.watch(run, self.at.scores, changes)

    def _standing(self, run: Run, done: int, language: str) -> str:
        if run.state != "running":
            return "" if run.state == "finished" else sections.progress(run, language)
        count = len(run.job.tasks) * len(run.job.panes)
        said = {"done": locales.number(language, done), "count": locales.number(language, count)}
        return sections.soft(language, "score.running", **said)


def build(lab: Lab) -> None:
    """The section and its events."""
    at, place = layout(lab)
    cards = Cards(at)
    controls = Controls(
        Asked, {"key": lab.visitor, "language": lab.language, "base": lab.base, **at.controls}
    )  # fmt: skip
    inputs, handler = controls.inputs, controls.handler
    follows = [at.map, at.ruled, at.prompt, *at.weights.values(), *at.settings.values()]
    at.adapters.focus(handler(cards.offer), inputs, at.adapters, **HIDDEN)
    late: dict[str, Any] = {"trigger_mode": "always_last", **HIDDEN}
    at.adapters.input(handler(cards.chosen), inputs, follows, **late)
    at.show.input(handler(cards.map), inputs, at.map, **late)
    ruled = [at.rule.input, *(one.input for one in at.weights.values())]
    gr.on(ruled, handler(cards.ruled), inputs, [at.ruled, *at.settings.values()], **late)
    mixed = [at.notice, at.panes, at.made, at.after, at.download, at.scores, at.again, at.spread]
    pressed = [at.go.click, at.prompt.submit]
    gr.on(pressed, handler(cards.mix), inputs, mixed, trigger_mode="multiple", **STREAM)
    at.score.click(handler(cards.score), inputs, [at.scores, at.stop], **STREAM)
    at.stop.click(lambda key: SESSIONS.stop(key, SCORES), lab.visitor, None, **HIDDEN)
    at.again.click(handler(cards.again), inputs, at.spread, **STREAM)
    SAID.wire(at.panes, lab.base, {name: at.controls[name] for name in ASKED})
    marks.wire([at.scores], lab.base, {"adapters": at.adapters})
    shown = list(dict.fromkeys([at.adapters, *follows, *mixed, at.stop]))
    section = Section(controls, shown, cards.draw, cards.attach, offered=[at.adapters], pressed=pressed, run=cards.press)
    lab.draw(section, place)
