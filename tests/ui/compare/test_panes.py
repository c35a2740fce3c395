"""The panes: hostile text stays text, both languages speak everywhere, bars and marks say what is so."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.actions.compare import Question, recorded, unanswered
from playground.adapt.variant import Variant
from playground.locales import text, words
from playground.ui.compare import panes
from playground.ui.compare.panes import (
    cost_bar,
    divergence,
    ending,
    file_title,
    marked,
    pane_foot,
    pane_title,
)
from playground.ui.compare.progress import done
from playground.ui.compare.tokens_html import first_tokens, probability, visible
from tests.ui.compare.comparisons import base_pane, frame, pane
from tests.ui.drawn import (
    HOSTILE,
    Page,
    assert_laws,
    assert_shown_as_text,
    both_languages,
)

LAW = settings(deadline=None, derandomize=True, database=None)


# Hostile text stays text


def with_token(token: Any) -> Any:
    return pane(top_tokens=[{"token": token, "probability": 0.5}])


def asked(prompt: str = "Why?") -> Any:
    return Question.of("smollm2-135m", prompt, ["base", "pirate-lora"], {"seed": 7})


PLACES = {
    "a pane's title": lambda evil, lang: panes.panes(frame(base_pane(), pane(name=evil)), lang),
    "an answer": lambda evil, lang: panes.panes(frame(pane(text=evil, divergence_span=None)), lang),
    "a growing answer": lambda evil, lang: panes.panes(frame(pane(text=evil, finished=False)), lang),
    "around the mark": lambda evil, lang: panes.panes(frame(pane(text=evil, divergence_span=(30, 60))), lang),
    "a token": lambda evil, lang: first_tokens(frame(with_token(evil)), lang),
    "a token with spaces": lambda evil, lang: first_tokens(frame(with_token(f" {evil}\n")), lang),
    "the question": lambda evil, lang: panes.answers(frame(), asked(evil), lang),
    "the farthest pane": lambda evil, lang: first_tokens(frame(pane(), pane(name=evil, kl_from_base=99)), lang),
}  # fmt: skip


@both_languages
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_hostile_text_is_shown_as_text_and_never_obeyed(place: Any, language: Any) -> None:
    assert_shown_as_text(place, language)


@pytest.mark.parametrize("method", [HOSTILE, "x;color:red", "lora)", "a b", ""])
def test_a_method_that_is_none_cannot_reach_into_a_style(method: Any) -> None:
    html = panes.panes(frame(pane(method=method, name="mine")), "en")
    (card,) = [attributes for tag, attributes in Page(html).elements if tag == "article"]
    assert card["style"] == Page(panes.panes(frame(base_pane()), "en")).attributes("style")[1]


@LAW
@given(answer=st.text(max_size=40), span=st.tuples(st.integers(0, 40), st.integers(0, 40)))
def test_the_mark_changes_nothing_of_the_text(answer: Any, span: Any) -> None:
    answer = answer.replace("\r", "\n").replace("\0", "0")  # what a parser of HTML would change itself
    start, end = sorted(span)
    page = Page(marked(pane(text=answer, divergence_span=(start, end)), "en"))
    assert (page.text, page.texts.get("pp-part", "")) == (answer, answer[start:end])
    assert page.sound


@LAW
@given(token=st.text(max_size=12))
def test_a_token_is_shown_whole_with_its_spaces_visible(token: Any) -> None:
    page = Page(visible(token.replace("\r", "\n").replace("\0", "0"), "en"))
    shown = page.text.replace("␣", " ").replace("↵", "\n").replace("⇥", "\t")
    assert shown == (token.replace("\r", "\n").replace("\0", "0") or text("en", "tokens.end"))
    assert page.sound


@pytest.mark.parametrize(
    ("token", "shown"),
    [("the", "the"), (" the", "␣the"), ("the\n", "the↵"), (" ", "␣"), ("\n\n", "↵↵"), ("\t x ", "⇥␣x␣"), ("a b", "a b")],
)
def test_spaces_around_a_token_are_made_visible(token: str, shown: str) -> None:
    assert Page(visible(token, "en")).text == shown


# Both languages, everywhere

PANES = [
    pane(),
    base_pane(),
    base_pane(weights_untouched=False),
    base_pane(weights_untouched=None),
    pane(method="few_shot", trainable_parameters=0, hyperparameters={"examples": 4}),
    pane(method="prompt_tuning", hyperparameters={"virtual_tokens": 20}),
    pane(text="", finished=False),
    pane(text="", finished=True, tokens=0),
    pane(tokens=1),
    pane(finish_reason="length"),
    pane(tokens_per_second=None, kl_from_base=None, divergence_span=None),
    pane(finish_reason="overflow"),
    pane(finish_reason="overflow", text="", tokens=0, tokens_per_second=None, kl_from_base=None, top_tokens=()),
    pane(task="own"),
]


def everything(language: Any) -> Any:
    """Every piece of HTML in every state."""
    for one in PANES:
        yield panes.panes(frame(base_pane(), one), language)
        yield first_tokens(frame(base_pane(), one), language)
    yield first_tokens(frame(pane(top_tokens=())), language)
    yield panes.answers(frame(), asked(), language)
    yield panes.answers(unanswered("", asked()), asked(), language)


def test_every_piece_in_every_state_keeps_the_laws() -> None:
    assert_laws(everything)


@both_languages
@pytest.mark.parametrize("opening", recorded().values(), ids=recorded())
def test_the_recorded_comparisons_are_drawn_whole(opening: Any, language: Any) -> None:
    page = Page(panes.panes(opening, language))
    assert page.sound
    assert page.count("article") == len(opening["panes"])
    assert all(one["text"] in page.texts["pp-answer"] for one in opening["panes"])


# What it says


@pytest.mark.parametrize(
    ("changed", "title"),
    [
        ({}, "LoRA r = 8 · pirate"),
        ({"method": "qlora", "task": "json"}, "QLoRA r = 8 · JSON"),
        ({"hyperparameters": {"rank": 8, "dora": True}}, "DoRA r = 8 · pirate"),
        ({"hyperparameters": {"rank": 8, "rate_ratio": 1.0, "initialization": "random"}}, "LoRA r = 8 · pirate"),
        ({"hyperparameters": {"rank": 8, "rate_ratio": 16.0}}, "LoRA+ r = 8 · pirate"),
        ({"hyperparameters": {"rank": 8, "initialization": "pissa"}}, "LoRA r = 8 PiSSA · pirate"),
        ({"hyperparameters": {"rank": 8, "dora": True, "initialization": "orthogonal"}}, "DoRA r = 8 orthogonal · pirate"),
        ({"undone": "OLoRA"}, "LoRA r = 8 OLoRA · pirate"),  # of an upload
        ({"method": "qlora", "hyperparameters": {"rank": 4, "initialization": "loftq"}}, "QLoRA r = 4 LoftQ · pirate"),
        ({"method": "prompt_tuning", "hyperparameters": {"initialization": "text"}}, "Prompt tuning · pirate"),
        ({"method": "ia3", "hyperparameters": {}}, "IA3 · pirate"),
        ({"method": "few_shot", "hyperparameters": {"examples": 4}}, "Few-shot k = 4 · pirate"),
        ({"task": "own"}, "LoRA r = 8 · own data"),
        ({"task": ""}, "LoRA r = 8"),  # of an upload that does not tell
        ({"name": "My own"}, "My own"),
        ({"name": "My own", "id": "x@12", "steps": 12}, "My own, step 12"),
        ({"own": True, "number": 3}, "LoRA r = 8 · pirate (yours, no. 3)"),
        ({"own": True, "number": 3, "id": "x@12", "steps": 12}, "LoRA r = 8 · pirate (yours, no. 3, step 12)"),
        ({"method": "base", "task": None, "hyperparameters": {}}, "Base model"),
    ],
)
def test_a_pane_is_titled_by_its_name_or_by_what_it_is(changed: dict[str, Any], title: str) -> None:
    assert pane_title(pane(**changed), "en") == title


@pytest.mark.parametrize(
    ("changed", "title"),
    [
        ({}, "LoRA r = 8 · pirate 3"),
        ({"id": "x@12", "steps": 12}, "LoRA r = 8 · pirate 3, step 12"),
        ({"name": "Anna"}, "Anna"),
        ({"name": "Anna", "id": "x@12", "steps": 12}, "Anna, step 12"),
    ],
)
def test_outside_of_its_session_an_adapter_is_nobody_s_own(changed: dict[str, Any], title: str) -> None:
    assert file_title(pane(own=True, number=3, **changed), "en") == title


@both_languages
def test_answers_name_the_question_the_base_and_the_settings(language: Any) -> None:
    line = Page(panes.answers(frame(), asked(), language)).texts["pp-asked"]
    assert all(one in line for one in ("Why?", "SmolLM2-135M-Instruct", "64 tokens", "7"))


def test_before_anybody_was_asked_the_panes_say_who_will_answer_and_what_to_press() -> None:
    page = Page(panes.answers(unanswered("", asked()), asked(), "en"))
    assert "Press Compare" in page.texts["pp-asked"]
    assert "460,800 trained" in page.text
    assert "pp-foot" not in page.texts
    assert set(page.attributes("aria-busy")) == {"false"}


@pytest.mark.parametrize(
    ("language", "cost"),
    [("en", "460,800 trained · 0.34_% · 1.8_MB"), ("es", "460_800 entrenados · 0,34_% · 1,8_MB")],
)
def test_a_pane_says_what_it_cost(language: str, cost: str) -> None:
    assert panes.cost(pane(), language).replace("\N{NO-BREAK SPACE}", "_") == cost


@both_languages
def test_a_pane_that_was_cut_says_what_is_left_and_not_that_it_was_trained(language: Any) -> None:
    cut = panes.cost(pane(trainable_parameters=57_600, trained_parameters=460_800), language)
    assert cut.startswith({"en": "57,600 of 460,800 left", "es": "quedan 57\xa0600 de 460\xa0800"}[language])
    assert panes.cost(pane(trained_parameters=460_800), language) == panes.cost(pane(), language)


def width(trained: Any, full: Any = 134_515_008) -> Any:
    (bar,) = re.findall(r'style="width:([\d.]+)%"', cost_bar(pane(trainable_parameters=trained), full, "en"))
    return float(bar)


def test_the_bar_has_a_mark_at_every_power_of_ten() -> None:
    """What is ten times as much reaches one mark farther, up to full fine-tuning at the end."""
    (decade,) = re.findall(r'style="--decade:([\d.]+)%"', cost_bar(pane(trainable_parameters=1000), 10**8, "en"))
    widths = [
        float(re.findall(r'style="width:([\d.]+)%"', cost_bar(pane(trainable_parameters=10**power), 10**8, "en"))[0])
        for power in range(1, 9)
    ]
    assert widths == pytest.approx([float(decade) * power for power in range(1, 9)], abs=0.1)
    assert widths[-1] == 100


@LAW
@given(trained=st.lists(st.integers(0, 10**9), min_size=2, max_size=2), full=st.integers(0, 10**9))
def test_the_more_is_trained_the_longer_the_bar(trained: Any, full: Any) -> None:
    less, more = sorted(trained)
    assert 0 <= width(less, full) <= width(more, full) <= 100


def test_the_bar_is_logarithmic_and_full_fine_tuning_fills_it() -> None:
    assert (width(0), width(1), width(134_515_008)) == (0, 0, 100)
    assert width(10**6, 10**8) == 75
    assert width(10**4, 10**8) == 50


@pytest.mark.parametrize(
    ("changed", "speed"),
    [
        ({"tokens": 1}, "1 token · 3.2 tok/s"),
        ({"tokens": 5, "tokens_per_second": None}, "5 tokens"),
        ({"tokens": 0}, "0 tokens · "),
    ],
)
def test_a_pane_counts_its_tokens(changed: dict[str, Any], speed: str) -> None:
    assert Page(pane_foot(pane(**changed), frame(), "en")).text.startswith(speed)


@both_languages
@pytest.mark.parametrize("written", ["", "Arrr"])
def test_a_pane_whose_numbers_overflow_says_so_once(language: Any, written: str) -> None:
    one = pane(finish_reason="overflow", text=written, divergence_span=None)
    assert Page(panes.pane_card(one, frame(base_pane(), one), language)).text.count(text(language, "pane.overflow")) == 1


@both_languages
def test_the_speed_says_that_all_write_together(language: Any) -> None:
    hint = text(language, "pane.speed_hint")
    assert hint in Page(pane_foot(pane(), frame(), language)).attributes("title")
    assert hint not in Page(pane_foot(pane(tokens_per_second=None), frame(), language)).attributes("title")


@pytest.mark.parametrize(
    ("nats", "written"), [(0.0, "0"), (0.0012, "0.0012"), (0.34, "0.34"), (1.0, "1.0"), (10.24, "10.2"), (0.999, "1.00")]
)
def test_divergence_is_written_with_what_matters(nats: float, written: str) -> None:
    assert divergence("en", nats) == written


@pytest.mark.parametrize(
    ("value", "english", "spanish"),
    [
        (1.0, "100_%", "100_%"),
        (0.912, "91_%", "91_%"),
        (0.04, "4_%", "4_%"),
        (0.0042, "0.4_%", "0,4_%"),
        (0.001, "0.1_%", "0,1_%"),
        (0.0009, "< 0.1_%", "< 0,1_%"),
        (0.0, "< 0.1_%", "< 0,1_%"),
    ],
)
def test_probabilities(value: float, english: str, spanish: str) -> None:
    assert probability("en", value).replace("\N{NO-BREAK SPACE}", "_") == english
    assert probability("es", value).replace("\N{NO-BREAK SPACE}", "_") == spanish


def test_an_untouched_base_is_said_to_be_and_a_touched_one_is_an_alarm() -> None:
    foot = {value: Page(pane_foot(base_pane(weights_untouched=value), frame(), "en")) for value in (True, False, None)}
    assert text("en", "pane.untouched") in foot[True].text
    assert foot[False].texts["pp-error"] == text("en", "pane.touched")
    assert text("en", "pane.untouched") not in foot[None].text + foot[False].text


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"finish_reason": "length", "tokens": 64}, "cut at the limit of 64 tokens"),
        ({"finish_reason": "overflow"}, text("en", "pane.overflow")),
        ({"text": "Paris."}, "same answer as the base model"),
        ({"text": "Paris.", "finished": False, "finish_reason": None}, ""),
        ({"text": "Paris!"}, ""),
    ],
)
def test_a_pane_says_why_it_ended_only_if_that_is_worth_saying(changed: dict[str, Any], note: str) -> None:
    one = pane(**changed)
    assert ending(one, frame(base_pane(), one), "en") == note


def test_the_base_is_not_said_to_answer_like_itself() -> None:
    one = base_pane()
    assert ending(one, frame(one, pane()), "en") == ""


def test_a_growing_answer_has_a_caret_and_says_that_it_is_busy() -> None:
    growing, done = (Page(panes.panes(frame(pane(finished=finished)), "en")) for finished in (False, True))
    assert (growing.attributes("aria-busy"), done.attributes("aria-busy")) == (["true"], ["false"])
    assert ("pp-caret" in growing.attributes("class"), "pp-caret" in done.attributes("class")) == (True, False)


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 3), (6, 3)])
def test_panes_stand_side_by_side_in_even_rows(count: int, columns: int) -> None:
    html = panes.panes(frame(*[pane()] * count), "en")
    assert Page(html).attributes("style")[0] == f"--columns:{columns}"


def test_the_farthest_first_token_is_named_only_among_several() -> None:
    one, other = pane(kl_from_base=1.0), pane(method="ia3", hyperparameters={}, kl_from_base=4.25)
    several = Page(first_tokens(frame(base_pane(), one, other), "en"))
    assert "IA3 · pirate (KL 4.2)" in several.texts["pp-legend"]
    assert "KL" not in Page(first_tokens(frame(base_pane(), one), "en")).texts["pp-legend"]


def test_only_the_three_likeliest_first_tokens_are_listed() -> None:
    tokens = [{"token": letter, "probability": 0.1} for letter in "abcde"]
    assert Page(first_tokens(frame(pane(top_tokens=tokens)), "en")).count("li") == 3


# Panes in fewer bits


@pytest.mark.parametrize(
    ("form", "cost", "width"),
    [
        ("nf4", "4.5 bits per weight · bitsandbytes", "14.1"),
        ("int4", "4.5 bits per weight · simulated", "14.1"),
        ("ternary", "1.585 bits per weight · simulated", "5.0"),
        ("int8_vectorwise", "8 bits per weight · bitsandbytes", "25.0"),
    ],
)
def test_a_pane_in_fewer_bits_says_how_many_and_whether_they_are_real(form: str, cost: str, width: str) -> None:
    summary = Variant(f"smollm2-135m:{form}").summary(0)
    assert pane_title(summary, "en") == f"Base model · {words('en')[f'formats.{form}']}"
    assert panes.cost(summary, "en") == cost
    assert f"width:{width}%" in cost_bar(summary, 1000, "en")


# What is said of answers that are all there

SAME: dict[str, Any] = {"divergence_span": None, "first_divergence": None, "text": "Paris.", "kl_from_base": 0.0}


@pytest.mark.parametrize(
    ("shown", "key"),
    [
        ([base_pane(), pane()], "compare.done.part"),
        ([base_pane(), pane(**SAME)], "compare.done.same"),
        ([base_pane(), pane(**SAME), pane()], "compare.done.some"),
        ([base_pane(), pane(**SAME, finish_reason="length")], "compare.done.same_so_far"),
        ([base_pane(), pane(**SAME, finish_reason="length"), pane()], "compare.done.some_so_far"),
        ([base_pane()], "compare.done"),
        ([base_pane(), pane(**SAME, finish_reason="overflow")], "compare.done"),
        ([pane()], "compare.done.part"),
    ],
)
def test_answers_are_said_to_part_only_where_they_do(shown: Any, key: str) -> None:
    assert done(frame(*shown)) == key


@both_languages
def test_the_title_of_the_first_tokens_says_whether_they_differ(language: Any) -> None:
    def title(*shown: Any) -> str:
        return re.findall('pp-title">([^<]*)<', first_tokens(frame(*shown), language))[0]  # type: ignore[no-any-return]

    assert title(base_pane(), pane(**SAME)) == text(language, "tokens.alike")
    assert title(pane()) == text(language, "tokens.alone")
    other = [{"token": "The", "probability": 0.91}, {"token": " A", "probability": 0.04}]
    assert title(base_pane(top_tokens=other), pane()) == text(language, "tokens.title")
    near = [{"token": "Arr", "probability": 0.9100001}, {"token": " The", "probability": 0.04}]
    assert title(base_pane(top_tokens=near), pane(**SAME)) == text(language, "tokens.alike")  # as it is written


def test_the_farthest_answers_are_all_named_and_none_where_all_are_alike() -> None:
    far = [pane(id="a", name="Anna", kl_from_base=4.21), pane(id="b", name="Ben", kl_from_base=4.2)]
    assert "Farthest from the base model: Anna, Ben (KL 4.2)" in first_tokens(frame(*far, pane(kl_from_base=1.0)), "en")
    assert "Farthest" not in first_tokens(frame(*far), "en")


def test_ended_answers_and_first_tokens_can_be_saved_as_rows_unrounded() -> None:
    one = pane(text='=arr, "matey"', kl_from_base=1.0625)
    growing, ended = (Page(panes.panes(frame(base_pane(), {**one, "finished": done}), "es")) for done in (False, True))
    assert growing.attributes("data-rows") == []
    (rows,) = ended.attributes("data-rows")
    header, base, adapted = json.loads(rows)
    told = dict(zip(header, adapted, strict=True))
    assert (told["answer"], told["kl_from_base"]) == (one["text"], 1.0625)
    assert told["trainable_parameters"] == one["trainable_parameters"]
    assert base[header.index("kl_from_base")] is None
    likely = {"token": " Arrr", "probability": 0.123456}
    (rows,) = Page(first_tokens(frame(pane(top_tokens=[likely])), "en")).attributes("data-rows")
    assert json.loads(rows)[1][1:] == [1, " Arrr", 0.123456]
