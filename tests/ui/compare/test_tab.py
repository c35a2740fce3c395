"""The Compare tab: its controls make one value, its sliders are the core's bounds, and it follows what is its own."""

import json
import re
import threading
import uuid
from dataclasses import replace
from html import escape, unescape
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
import pytest
import torch

from playground import locales
from playground.actions.adapters import remove
from playground.actions.compare import Question, first_frame, pane_ids, recorded
from playground.actions.lanes import COMPARE
from playground.actions.many import MANY
from playground.adapt.adapters import Adapter
from playground.adapt.library import examples
from playground.bounds import Bound
from playground.compare.job import DECODING, Decoding, Frame, Pane
from playground.compare.many import TIMES
from playground.locales import LANGUAGES
from playground.settings import DEFAULT_BASE
from playground.ui.compare import panes
from playground.ui.compare import tab as compare
from playground.ui.compare.asked import Seen
from playground.ui.compare.former import Kept
from playground.ui.compare.opening import opening
from playground.ui.compare.own import Mine
from playground.ui.compare.picker import Picked
from playground.ui.compare.progress import progress
from playground.ui.kit import base, links
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS
from tests.faults import in_child, limited
from tests.ui.compare.comparisons import base_pane
from tests.ui.drawn import Page

VISIT = Visit("a-visitor-of-the-compare-tab", "en", DEFAULT_BASE)


@pytest.fixture
def tab() -> Any:
    with gr.Blocks():
        wording = Wording()
        choice = base.build(wording)
        state = {"key": gr.State(VISIT.key), "language": gr.State("en"), "base": choice.used}
        return compare.build(wording, Controls(Visit, state), choice)


def value(tab: Any, **changed: Any) -> Any:
    """The question that the controls make when they stand as at first, but for what is `changed`."""
    given = {
        **vars(VISIT),
        "prompt": "Why?",
        "panes": ["base"],
        **{bound.name: bound.default for bound in (*DECODING, TIMES)},
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

    return SESSIONS.submit(VISIT.key, COMPARE, frames, Question.of(DEFAULT_BASE, "Why?", ["base"], {}))


@pytest.mark.parametrize("bound", DECODING, ids=lambda bound: bound.name)
def test_every_control_of_decoding_is_one_of_the_core_s_bounds(tab: Any, bound: Bound) -> None:
    control = tab.decoding[bound.name]
    assert (control.minimum, control.maximum, control.value) == (bound.minimum, bound.maximum, bound.default)


def test_the_controls_make_one_question(tab: Any) -> None:
    asked = value(tab, prompt="Who?", temperature=0.5)
    assert (asked.key, asked.language, asked.base) == (VISIT.key, "en", DEFAULT_BASE)
    assert (asked.prompt, asked.panes) == ("Who?", ["base"])
    assert Decoding(**asked.decoding) == Decoding(temperature=0.5)


def opened(tab: Any, link: Any, key: str = "nobody") -> Any:
    return tab.opened(replace(VISIT, key=key), opening(key, link))


def test_a_link_carries_the_question_and_opens_it_again(tab: Any) -> None:
    link = tab.write_link(value(tab, prompt="Who?", panes=["base", "pirate-lora"], seed=7, times=12))[tab.link]
    assert link.startswith("lang=en&")
    query = dict(part.split("=") for part in link.replace("%2C", ",").replace("%3F", "?").split("&"))
    changes = opened(tab, links.read(query))
    assert changes[tab.prompt]["value"] == "Who?"
    assert changes[tab.panes]["value"] == ["base", "pirate-lora"]
    assert [changes[control]["value"] for control in tab.decoding.values()] == [64, 0.0, 1.0, 1.0, 7]
    assert changes[tab.many.times]["value"] == 12
    assert changes[tab.many.go]["value"].startswith("Answer 12 times")


def test_without_a_link_the_page_opens_with_the_first_example(tab: Any) -> None:
    changes = opened(tab, links.read({}))
    assert changes[tab.prompt]["value"] == first_frame()["prompt"]
    assert changes[tab.panes]["value"] == pane_ids(first_frame())


def asked_in(html: str) -> Any:
    """What answers say they were asked: base, question, panes, settings."""
    (found,) = re.findall(r'data-asked="([^"]*)"', html)
    return json.loads(unescape(found))


@pytest.mark.parametrize("task", recorded())
def test_a_link_to_a_recorded_example_shows_that_recording(tab: Any, task: Any) -> None:
    frame = recorded()[task]
    query = parse_qsl(links.write({"prompt": frame["prompt"], "panes": pane_ids(frame)}))
    changes = opened(tab, links.read(dict(query)))
    assert escape(frame["panes"][-1]["text"][-20:]) in changes[tab.answers]["value"]
    assert "recorded" in changes[tab.notice]["value"]


@pytest.mark.parametrize(
    "other",
    [{"prompt": "Who?"}, {"seed": 7}, {"max_new_tokens": 12}, {"panes": ["base"]}, {"base": "smollm2-360m"}],
    ids=str,
)
def test_a_link_to_anything_else_shows_nobody_s_answers_and_says_what_to_press(tab: Any, other: Any) -> None:
    changes = opened(tab, links.read(dict(parse_qsl(links.write(other)))))
    answers = changes[tab.answers]["value"]
    assert not any(escape(pane["text"][:12]) in answers for pane in first_frame()["panes"])
    assert "Press Compare" in answers
    assert asked_in(answers)[:3] == [changes[one]["value"] for one in (tab.base.used, tab.prompt, tab.panes)]


def test_a_link_to_what_is_not_here_names_it_and_what_is_shown_instead(tab: Any) -> None:
    changes = opened(tab, links.read({"panes": "base,3f2a9c,pirate-ia3,base:nf4,base:nf5", "base": "gpt-9"}))
    assert changes[tab.panes]["value"] == ["base", "pirate-ia3", "base:nf4"]
    said = changes[tab.notice]["value"]
    assert "Not here: 3f2a9c, base:nf5." in said
    assert "Shown instead: Base model, IA3 · pirate, Base model · NF4." in said
    assert "“gpt-9”" in said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Not taken from this link: Longest answer = 99999; Temperature = -1; Seed = <b>. Used instead: "
               "Longest answer = 64, Temperature = 0, Seed = 0."),
        ("es", "Longitud máxima = 99999"),
    ],
)  # fmt: skip
def test_a_link_to_settings_that_cannot_be_says_so_and_what_is_used(tab: Any, language: str, said: str) -> None:
    query = {"max_new_tokens": "99999", "temperature": "-1", "seed": "<b>", "top_p": "0.5"}
    opens = opening("nobody", links.read(query), links.refused(query))
    notice = tab.opened(replace(VISIT, key="nobody", language=language), opens)[tab.notice]["value"]
    assert said in Page(notice).text
    assert "Press Compare" not in notice  # those recorded answers are not to this


EIGHT = "base,pirate-lora,pirate-ia3,pirate-prompt_tuning,base:nf4,base:int8,sentiment-lora,json-lora"
IMPOSSIBLE = {  # by a link's parameters: values that cannot be, with what the page says of them
    "tab": [("quantisation", "Tab = quantisation. Used instead: Tab = Compare.")],
    "section": [("tensors", "Section = tensors."), ("toy", "Section = toy.")],  # the toy is not in Compare
    "lesson": [("none", "Lesson = none.")],
    "lang": [("xx", "Language = xx. Used instead: Language = English.")],
    "base": [("gpt-9", "“gpt-9”"), ("smollm2-135m:nf5", "“smollm2-135m:nf5”")],
    "panes": [(EIGHT, "Panes (6 fit) = sentiment-lora, json-lora."), ("base,gone", "Not here: gone.")],
    "own": [("Anna", "Names of adapters = Anna.")],
    "answers": [("nobody's", "Answers = nobody's.")],
    "for": [("pupils", "Page for = pupils.")],
    "temprature": [("1", "temprature (no such setting).")],
    **{
        bound.name: [(value, f"= {value}. Used instead:") for value in ("many", "-1", "1e99", "nan", "9" * 40)]
        for bound in (*DECODING, TIMES)
    },
}


@pytest.mark.parametrize(("name", "value", "said"), [(name, *one) for name, all_ in IMPOSSIBLE.items() for one in all_])
def test_a_link_with_a_parameter_that_cannot_be_says_so_in_both_languages(
    tab: Any, name: str, value: str, said: str
) -> None:
    query = {name: value}
    for language in LANGUAGES:
        opens = opening("nobody", links.read(query), links.refused(query))
        notice = Page(tab.opened(replace(VISIT, key="nobody", language=language), opens)[tab.notice]["value"])
        assert "alert" in notice.attributes("role")
        assert language != "en" or said in notice.text


def test_every_parameter_of_a_link_has_impossible_values_but_a_question() -> None:
    """Which controls there are to hold, the page knows: tests/ui/kit/test_locks.py."""
    assert {field.name for field in (*links.FIELDS, links.LANGUAGE)} - set(IMPOSSIBLE) == {"prompt", *links.HOLDING}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"top_p": 0.9}, "greedy · 64 tokens · seed 0"),  # it decides nothing there
        ({"temperature": 0.7}, "temperature 0.7 · 64 tokens · seed 0"),
        ({"temperature": 0.7, "top_p": 0.9}, "temperature 0.7 · top-p 0.9 · 64 tokens · seed 0"),
        ({"repetition_penalty": 1.2}, "greedy · repetition penalty 1.2 · 64 tokens · seed 0"),
    ],
    ids=str,
)
def test_the_chip_and_the_answers_name_every_setting_that_decides_them(tab: Any, changed: Any, said: str) -> None:
    asked = value(tab, **changed)
    assert tab.summarize(asked)[tab.summary] == f"{said} ▾"
    assert said in panes.answers(first_frame(), asked.question, "en")


def test_after_a_reload_the_controls_are_those_of_the_answers(tab: Any) -> None:
    asked = value(tab, prompt="Why?", panes=["base", "base:nf4"], seed=3)
    key = "who reloads"
    run = SESSIONS.submit(key, COMPARE, lambda stop: iter([frame("Because.")]), asked.question)
    for _ in run.changes():
        pass
    changes = opened(tab, links.read({}), key)
    assert (changes[tab.prompt]["value"], changes[tab.panes]["value"]) == ("Why?", ["base", "base:nf4"])
    assert changes[tab.decoding["seed"]]["value"] == 3
    assert "Because." in changes[tab.answers]["value"]
    assert changes[tab.notice]["value"] == ""  # answers of one's own are no recording
    assert asked_in(changes[tab.answers]["value"])[:3] == [DEFAULT_BASE, "Why?", ["base", "base:nf4"]]
    *_, last = tab.attach(seen(changes, tab, key))
    assert "Because." in last[tab.answers]
    other = opened(tab, links.read({"prompt": "Another?"}), key)
    assert "Because." not in other[tab.answers]["value"]
    assert changes[tab.many.times]["value"] == TIMES.default
    many = SESSIONS.submit(key, COMPARE, lambda stop: iter(["anything"]), replace(asked, times=3).repeated, MANY)
    assert all(True for _ in many.changes())
    assert opened(tab, links.read({}), key)[tab.many.times]["value"] == 3
    assert opened(tab, links.read({"times": "5", "lock": "times"}), key)[tab.many.times]["value"] == 5
    assert list(tab.attach(seen(other, tab, key))) == [{tab.notice: gr.skip()}]


def seen(changes: Any, tab: Any, key: str, language: str = "en") -> Seen:
    """The answers that a page shows after `changes`."""
    return Seen(key, language, DEFAULT_BASE, changes[tab.answers]["value"])


def switched(tab: Any, asked: Any, shown: Seen) -> Any:
    """What the page opens with in Spanish, when the controls stand as `asked` and the page shows `shown`."""
    link = tab.write_link(replace(asked, language="es"), shown.source)[tab.link]
    return tab.opened(replace(VISIT, key=shown.key, language="es"), opening(shown.key, links.read(dict(parse_qsl(link)))))


def test_in_another_language_the_answers_stay_and_name_their_own_question(tab: Any) -> None:
    key, asked = "who switches", value(tab, key="who switches")
    run = SESSIONS.submit(key, COMPARE, lambda stop: iter([frame("Because.")]), asked.question)
    for _ in run.changes():
        pass
    edited = replace(asked, prompt="And who?", panes=["base", "base:nf4"])
    changes = switched(tab, edited, seen(opened(tab, links.read({}), key), tab, key))
    assert (changes[tab.prompt]["value"], changes[tab.panes]["value"]) == ("And who?", ["base", "base:nf4"])
    answers = changes[tab.answers]["value"]
    assert "Because." in answers
    assert "Respuestas a «Why?»" in answers
    assert asked_in(answers)[:3] == [DEFAULT_BASE, "Why?", ["base"]]
    *_, last = tab.attach(seen(changes, tab, key, "es"))  # it may still have been running
    assert "Because." in last[tab.answers]


@pytest.mark.parametrize("task", recorded())
def test_in_another_language_a_recording_stays_too(tab: Any, task: str) -> None:
    key, frame = f"who switches {task}", recorded()[task]
    shown = Seen(key, "en", DEFAULT_BASE, panes.answers(frame, Question.of_frame(frame), "en"))
    assert shown.source == task
    changes = switched(tab, value(tab, key=key, prompt="Edited?"), shown)
    assert asked_in(changes[tab.answers]["value"])[1] == frame["prompt"]
    assert escape(frame["panes"][-1]["text"][-20:]) in changes[tab.answers]["value"]
    assert changes[tab.prompt]["value"] == "Edited?"


def test_a_copied_link_and_a_question_without_answers_carry_none(tab: Any) -> None:
    assert "answers=" not in tab.write_link(value(tab))[tab.link]
    blank = opened(tab, links.read({"prompt": "Nobody asked?"}))
    assert seen(blank, tab, "nobody").source == ""


def test_an_example_brings_everything_that_it_was_asked_with(tab: Any) -> None:
    changes = tab.example("json", value(tab))
    controls = [tab.base.used, tab.prompt, tab.panes, *tab.decoding.values()]
    now = [changes[one]["value"] if isinstance(changes[one], dict) else changes[one] for one in controls]
    assert now == asked_in(changes[tab.answers])


def test_an_example_says_which_settings_it_brings_instead_of_a_visitor_s_own(tab: Any) -> None:
    said = tab.example("json", value(tab, language="es", temperature=0.7, seed=3))[tab.notice]
    assert "voraz · 64 tokens · semilla 0" in said
    assert "temperatura 0,7 · 64 tokens · semilla 3" in said
    assert "Los de antes" not in tab.example("json", value(tab, language="es"))[tab.notice]


def test_an_example_says_which_chosen_panes_made_way_and_one_press_brings_them_back(tab: Any) -> None:
    changes = tab.example("json", value(tab, panes=["base", "base:nf4", "pirate-ia3"]))
    said = Page(changes[tab.former.said]).text
    assert said == "These panes made way: Base model · NF4, IA3 · pirate."
    assert changes[tab.former.row]["visible"] is True
    back = pressed(tab, changes[tab.former.kept])
    assert back[tab.panes]["value"] == ["base", "base:nf4", "pirate-ia3"]
    assert (back[tab.former.row]["visible"], back[tab.former.kept]) == (False, None)
    assert tab.base.used not in back  # it was the same


def test_with_the_former_panes_their_base_comes_back(tab: Any) -> None:
    back = pressed(tab, {"base": "bloomz-560m", "panes": ["base", "base:nf4"]})
    assert (back[tab.base.used], back[tab.panes]["value"]) == ("bloomz-560m", ["base", "base:nf4"])


@pytest.mark.parametrize("panes", [["base"], *(pane_ids(frame) for frame in recorded().values())])
def test_nothing_is_said_where_nothing_of_the_visitor_s_makes_way(tab: Any, panes: list[str]) -> None:
    changes = tab.example("json", value(tab, panes=panes))
    assert (changes[tab.former.row]["visible"], changes[tab.former.kept]) == (False, None)


def pressed(tab: Any, kept: Any) -> Any:
    """What the button does that brings the former panes back."""
    return tab.former.bring_back(Kept(VISIT.key, "en", DEFAULT_BASE, kept), tab.base, tab.panes)


def test_panes_that_a_base_cannot_show_go(tab: Any) -> None:
    changes = tab.offer(Picked(VISIT.key, "en", "bloomz-560m", ["base", "pirate-lora", "base:nf4"], None))
    assert changes[tab.panes]["value"] == ["base", "base:nf4"]


def test_a_question_that_cannot_be_served_changes_nothing_but_the_notice(tab: Any) -> None:
    (changes,) = tab.start(value(tab, prompt="  "))
    assert set(changes) == {tab.notice}
    assert 'role="alert"' in changes[tab.notice]


def test_a_comparison_is_shown_until_it_has_ended(tab: Any) -> None:
    *_, last = tab.follow(answer("Be", "Because."), VISIT)
    assert set(last) == set(tab.shown)
    assert "Because." in last[tab.answers]
    assert (last[tab.go]["visible"], last[tab.stop]["visible"]) == (True, False)


def test_whoever_follows_a_comparison_looks_away_from_one_that_a_newer_one_replaced(tab: Any) -> None:
    end = threading.Event()
    followed = tab.follow(answer("Old.", until=end), VISIT)
    changes = next(followed)
    while tab.answers not in changes:
        changes = next(followed)
    new = answer("New.")
    end.set()
    *_, last = followed
    assert last == {tab.notice: gr.skip()}
    *_, last = tab.attach(seen(opened(tab, links.read({}), VISIT.key), tab, VISIT.key))
    assert new.state == "finished"
    assert "New." in last[tab.answers]


def test_stopping_gives_the_button_back_even_where_nobody_follows(tab: Any) -> None:
    run = answer("On and on.", until=threading.Event())
    changes = tab.halt(VISIT)
    assert (changes[tab.go]["visible"], changes[tab.stop]["visible"]) == (True, False)
    for _ in run.changes():
        pass
    assert run.state == "stopped"


def test_stopping_in_the_queue_says_that_nothing_was_written(tab: Any) -> None:
    run = Run(COMPARE, lambda stop: iter(()), Question.of(DEFAULT_BASE, "Why?", ["base"], {}))
    run._update(state="stopped")
    assert "before the first token" in progress(run, "en")


# A visitor's own adapters


@pytest.fixture
def own() -> Any:
    """Two adapters of one visitor, trained alike."""
    key = f"owner-{uuid.uuid4().hex}"
    for adapter_id in ("a", "b"):
        record = examples()["pirate-lora"].record
        SESSIONS.add(key, Adapter(adapter_id, record, {"peft_type": "LORA", "r": 8}, {"w": torch.zeros(2)}))
    return key


def mine(key: str, **changed: Any) -> Mine:
    return replace(Mine(key, "en", DEFAULT_BASE, "a", "", ["base", "a", "b"]), **changed)


def titles(update: Any) -> Any:
    return {one: title for title, one in update["choices"]}


def test_adapters_that_were_trained_alike_can_be_told_apart(tab: Any, own: Any) -> None:
    offered = titles(tab.own.offer(replace(VISIT, key=own))[tab.own.adapter])
    assert offered == {"a": "LoRA r = 8 · pirate (yours, no. 1)", "b": "LoRA r = 8 · pirate (yours, no. 2)"}
    changes = tab.own.look(mine(own))
    assert "24 steps" in changes[tab.own.details]
    assert changes[tab.own.download]["value"].endswith("/lora-r-8-pirate-1.zip")


@pytest.mark.parametrize("language", ["en", "es"])
def test_without_room_for_its_zip_an_adapter_is_shown_and_that_is_said(tab: Any, own: Any, language: str) -> None:
    def tried() -> list[Any]:
        with limited(10):
            changes = tab.own.look(replace(mine(own), language=language))
        return [changes[tab.own.details], changes[tab.own.name], changes[tab.own.download]["visible"]]

    details, name, offered = in_child(tried)[1]
    assert locales.text(language, "error.no_space") in details
    assert "24" in details
    assert (bool(name), offered) == (True, False)


def test_a_link_with_an_own_adapter_says_that_only_this_session_has_it_and_its_reader_is_told_the_name(
    tab: Any, own: Any
) -> None:
    asked = value(tab, key=own, language="es", panes=["base", "pirate-ia3", "a"])
    said = Page(tab.say_copied(asked)[tab.copied]).text
    assert "pero LoRA r = 8 · pirata 1 solo está en tu sesión: descárgalo" in said
    link = dict(parse_qsl(tab.write_link(asked)[tab.link]))
    changes = tab.opened(replace(VISIT, key="a reader"), opening("a reader", links.read(link)))
    assert "Not here: LoRA r = 8 · pirata 1." in changes[tab.notice]["value"]
    assert changes[tab.panes]["value"] == ["base", "pirate-ia3"]
    two = Page(tab.say_copied(replace(asked, language="en", panes=["a", "b"]))[tab.copied]).text
    assert "LoRA r = 8 · pirate 1 and LoRA r = 8 · pirate 2 are only in your session" in two
    plain = replace(asked, panes=["base", "pirate-ia3"])
    assert "solo" not in tab.say_copied(plain)[tab.copied]
    assert "own=" not in tab.write_link(plain)[tab.link]


def test_the_name_in_a_link_is_shown_as_text(tab: Any) -> None:
    link = links.read({"panes": "base,zz", "own": "zz:<b>Anna</b>"})
    assert "&lt;b&gt;Anna&lt;/b&gt;" in opened(tab, link)[tab.notice]["value"]


def test_a_new_name_is_seen_everywhere_and_a_taken_one_is_refused(tab: Any, own: Any) -> None:
    changes = tab.own.call(mine(own, name=" Anna "), tab.panes)
    assert titles(changes[tab.panes])["a"] == titles(changes[tab.own.adapter])["a"] == "Anna"
    assert "value" not in changes[tab.panes]  # which are chosen stays the browser's
    assert changes[tab.own.download]["value"].endswith("/anna.zip")
    for wrong in ("Anna", "", "x" * 61):
        changes = tab.own.call(mine(own, adapter="b", name=wrong), tab.panes)
        assert set(changes) == {tab.own.said}
        assert 'role="alert"' in changes[tab.own.said]


def test_what_can_be_chosen_changes_what_is_chosen_only_where_it_must(tab: Any, own: Any) -> None:
    """The page may have other panes by the time that this answer comes."""
    chosen = Picked(own, "en", DEFAULT_BASE, ["base", "a"], None, looked="a")
    for same in (tab.offer(chosen), tab.offer(chosen, "a")):  # another checkpoint of it, or another base
        assert ["value" in same[one] for one in (tab.panes, tab.own.adapter)] == [False, False]
        assert tab.own.name not in same  # somebody may be typing it
    arrived = tab.offer(chosen, "b")
    assert (arrived[tab.own.adapter]["value"], "value" in arrived[tab.panes]) == ("b", False)
    remove(own, "a")
    gone = tab.offer(chosen)
    assert (gone[tab.panes]["value"], gone[tab.own.adapter]["value"]) == (["base"], "b")
    assert tab.own.name in gone


def test_answers_that_are_shown_follow_a_new_name(tab: Any, own: Any) -> None:
    question = Question.of(DEFAULT_BASE, "Why?", ["base", "a"], {})
    titled = "LoRA r = 8 · pirate (yours, no. 1)"
    record = SESSIONS.get(own).library.get("a").summary()
    written = Frame(DEFAULT_BASE, 1000, "Why?", Decoding(), (Pane("a", record, "Arrr."),))
    run = SESSIONS.submit(own, COMPARE, lambda stop: iter([written]), question)
    for _ in run.changes():
        pass
    shown = seen(opened(tab, links.read({}), own), tab, own)
    assert titled in shown.answers
    tab.own.call(mine(own, name="Anna"), tab.panes)
    changes = tab.retitle(shown)
    assert "Anna" in changes[tab.answers]
    assert titled not in changes[tab.answers]
    assert asked_in(changes[tab.answers]) == asked_in(shown.answers)
    *_, last = tab.follow(run, replace(VISIT, key=own))
    assert "Anna" in last[tab.answers]
    assert "Anna" in opened(tab, links.read({}), own)[tab.answers]["value"]
    example = opened(tab, links.read({"prompt": first_frame()["prompt"]}), own)
    assert tab.retitle(seen(example, tab, own)) == {tab.answers: gr.skip()}  # others are shown


def receiving(tab: Any, monkeypatch: Any, panes: Any, notice: str = "", name: str = "Anna") -> Any:
    """What an upload changes; the adapter is added as the upload would."""
    key = f"brings-{uuid.uuid4().hex}"

    def upload(key: str, *_: Any) -> Any:
        SESSIONS.add(
            key,
            Adapter(
                "new", examples()["pirate-lora"].record, {"peft_type": "LORA", "r": 8}, {"w": torch.zeros(2)}, name=name
            ),
        )
        return SESSIONS.get(key).library.get("new").summary()

    monkeypatch.setattr(compare, "upload", upload)
    return tab.receive(Picked(key, "en", DEFAULT_BASE, panes, "a.zip", notice))


SIX = ["base", "base:nf4", "base:int8_vectorwise", "pirate-lora", "pirate-ia3", "pirate-prompt_tuning"]


def test_a_seventh_pane_says_which_one_makes_way(tab: Any, monkeypatch: Any) -> None:
    changes = receiving(tab, monkeypatch, SIX)
    assert changes[tab.panes]["value"] == [*SIX[:5], "new"]
    assert Page(changes[tab.former.said]).text == "This pane made way: Prompt tuning · pirate."
    assert pressed(tab, changes[tab.former.kept])[tab.panes]["value"] == SIX
    changes = receiving(tab, monkeypatch, SIX[:5])
    assert (changes[tab.panes]["value"], changes[tab.former.kept]) == ([*SIX[:5], "new"], None)


def missed(tab: Any, panes: str, own: str) -> str:
    return str(opened(tab, links.read({"panes": panes, "own": own}))[tab.notice]["value"])


def test_what_a_link_missed_is_no_longer_missed_once_it_is_here(tab: Any, monkeypatch: Any) -> None:
    one = missed(tab, "base,x", "x:Anna")
    assert "Not here: Anna." in one
    assert receiving(tab, monkeypatch, ["base"], one)[tab.notice] == ""
    assert receiving(tab, monkeypatch, ["base"], missed(tab, "base,x", ""), "renamed")[tab.notice] == ""
    two = receiving(tab, monkeypatch, ["base"], missed(tab, "base,x,y", "x:Anna,y:Béa & <Co>"))[tab.notice]
    assert "Not here: Béa &amp; &lt;Co&gt;." in two
    assert "Anna" not in Page(two).text.partition("instead")[0]
    assert "Shown instead: Base model, Anna." in two
    assert "Not here: Anna, Béa" in missed(tab, "base,x,y", "x:Anna,y:Béa")
    assert tab.notice not in receiving(tab, monkeypatch, ["base"], "<p>It runs.</p>")


def test_answers_that_nobody_gave_are_marked_as_such(tab: Any) -> None:
    """The sentence that names their question goes once another one stands above."""
    assert " data-blank>" in opened(tab, links.read({"prompt": "Nobody asked?"}))[tab.answers]["value"]
    assert "data-blank" not in opened(tab, links.read({}))[tab.answers]["value"]


def test_what_is_deleted_leaves_the_panes_and_says_what_becomes_of_its_answers(tab: Any, own: Any) -> None:
    changes = tab.own.delete(mine(own), tab.panes)
    assert changes[tab.panes]["value"] == ["base", "b"]
    assert list(titles(changes[tab.own.adapter])) == ["b"]
    assert "LoRA r = 8 · pirate (yours, no. 1) is gone" in changes[tab.own.said]
    assert 'role="alert"' in tab.own.delete(mine(own), tab.panes)[tab.own.said]
    changes = tab.own.delete(mine(own, adapter="b"), tab.panes)
    assert changes[tab.panes]["value"] == ["base"]
    assert changes[tab.own.column]["visible"] is False
