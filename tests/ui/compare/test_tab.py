"""The Compare tab: its controls make one value, its sliders are the core's bounds, and it follows what is its own."""

import threading
from typing import Any

import gradio as gr
import pytest

from playground.actions.compare import first_frame, pane_ids
from playground.bounds import Bound
from playground.compare.job import DECODING, Decoding, Frame, Pane
from playground.settings import DEFAULT_BASE
from playground.ui.compare import tab as compare
from playground.ui.compare.picker import Picked
from playground.ui.kit import links
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.work.lanes import COMPARE
from playground.work.sessions import SESSIONS
from tests.ui.compare.comparisons import base_pane

VISIT = Visit("a-visitor-of-the-compare-tab", "en", DEFAULT_BASE)


@pytest.fixture
def tab() -> Any:
    with gr.Blocks():
        state = {"key": gr.State(VISIT.key), "language": gr.State("en"), "base": gr.Dropdown([DEFAULT_BASE], render=False)}
        return compare.build(Wording(), Controls(Visit, state))


def value(tab: Any, **changed: Any) -> Any:
    """The question that the controls make when they stand as at first, but for what is `changed`."""
    given = {
        **vars(VISIT),
        "prompt": "Why?",
        "panes": ["base"],
        **{bound.name: bound.default for bound in DECODING},
        **changed,
    }
    return tab.asked.value({component: given[name] for name, component in tab.asked.components.items()})


def frame(text: Any) -> Any:
    summary = {name: base_pane()[name] for name in ("id", "base", "method", "task", "hyperparameters", "steps")}
    costs = {"trainable_parameters": 0, "percent": 0.0, "bytes": 0}
    return Frame(DEFAULT_BASE, 1000, "Why?", Decoding(), (Pane("base", summary | costs, text),))


def answer(*texts: Any, until: Any = None) -> Any:
    """A comparison of the visitor that writes `texts` and then, if it is told to, waits."""

    def frames(stop: Any) -> Any:
        for text in texts:
            yield frame(text)
        while until and not until.is_set():
            yield frame(texts[-1])

    return SESSIONS.submit(VISIT.key, COMPARE, frames)


@pytest.mark.parametrize("bound", DECODING, ids=lambda bound: bound.name)
def test_every_control_of_decoding_is_one_of_the_core_s_bounds(tab: Any, bound: Bound) -> None:
    control = tab.decoding[bound.name]
    assert (control.minimum, control.maximum, control.value) == (bound.minimum, bound.maximum, bound.default)


def test_the_controls_make_one_question(tab: Any) -> None:
    asked = value(tab, prompt="Who?", temperature=0.5)
    assert (asked.key, asked.language, asked.base) == (VISIT.key, "en", DEFAULT_BASE)
    assert (asked.prompt, asked.panes) == ("Who?", ["base"])
    assert Decoding(**asked.decoding) == Decoding(temperature=0.5)


def test_a_link_carries_the_question_and_opens_it_again(tab: Any) -> None:
    link = tab.write_link(value(tab, prompt="Who?", panes=["base", "pirate-lora"], seed=7))[tab.link]
    assert link.startswith("lang=en&")
    query = dict(part.split("=") for part in link.replace("%2C", ",").replace("%3F", "?").split("&"))
    opened = tab.opened(VISIT, links.read(query))
    assert opened[tab.prompt]["value"] == "Who?"
    assert opened[tab.panes]["value"] == ["base", "pirate-lora"]
    assert [opened[control]["value"] for control in tab.decoding.values()] == [64, 0.0, 1.0, 1.0, 7]


def test_without_a_link_the_page_opens_with_the_first_example(tab: Any) -> None:
    opened = tab.opened(VISIT, links.read({}))
    assert opened[tab.prompt]["value"] == first_frame()["prompt"]
    assert opened[tab.panes]["value"] == pane_ids(first_frame())


def test_panes_that_a_base_cannot_show_go(tab: Any) -> None:
    changes = tab.offer(Picked(VISIT.key, "en", "bloomz-560m", ["base", "pirate-lora", "base:nf4"], None))
    assert changes[tab.panes]["value"] == ["base", "base:nf4"]


def test_a_question_that_cannot_be_served_changes_nothing_but_the_notice(tab: Any) -> None:
    (changes,) = tab.start(value(tab, prompt="  "))
    assert set(changes) == {tab.notice}
    assert 'role="alert"' in changes[tab.notice]


def test_a_comparison_is_shown_until_it_has_ended(tab: Any) -> None:
    *_, last = tab.follow(answer("Be", "Because."), "en")
    assert set(last) == set(tab.shown)
    assert "Because." in last[tab.answers]
    assert (last[tab.go]["visible"], last[tab.stop]["visible"]) == (True, False)


def test_whoever_follows_a_comparison_looks_away_from_one_that_a_newer_one_replaced(tab: Any) -> None:
    end = threading.Event()
    followed = tab.follow(answer("Old.", until=end), "en")
    seen = next(followed)
    while tab.answers not in seen:
        seen = next(followed)
    new = answer("New.")
    end.set()
    *_, last = followed
    assert last == {tab.notice: gr.skip()}
    *_, last = tab.attach(VISIT)
    assert new.state == "finished"
    assert "New." in last[tab.answers]


def test_stopping_gives_the_button_back_even_where_nobody_follows(tab: Any) -> None:
    run = answer("On and on.", until=threading.Event())
    changes = tab.halt(VISIT)
    assert (changes[tab.go]["visible"], changes[tab.stop]["visible"]) == (True, False)
    for _ in run.changes():
        pass
    assert run.state == "stopped"
