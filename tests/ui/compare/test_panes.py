"""The page's own HTML: hostile text stays text, both languages speak everywhere, bars and tables say what is so."""

import re
from html import escape
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.actions.compare import recorded
from playground.adapt.methods import METHODS
from playground.adapt.variant import Variant
from playground.locales import LANGUAGES, text, words
from playground.ui.compare import panes as cards
from playground.ui.compare.panes import (
    cost_bar,
    divergence,
    ending,
    first_tokens,
    marked,
    pane_foot,
    pane_title,
    probability,
    visible,
)
from playground.ui.kit.events import alarm, note
from playground.ui.kit.html import header, model_state
from playground.ui.train.status import parameter_card, samples, status_line, training_status

LAW = settings(deadline=None, derandomize=True, database=None)
HOSTILE = (
    "</p></td><img src=x onerror=alert(1)><script>alert(2)</script>\" onmouseover=\"alert(3)\" ' onclick='alert(4)'&amp;<!--"
)
both_languages = pytest.mark.parametrize("language", LANGUAGES)


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, the text, and which tags were left open."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self.open, self.unmatched = [], "", [], []
        self.texts = {}  # by class: what stands inside
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.open.append((tag, dict(attributes).get("class") or ""))

    def handle_endtag(self, tag):
        if not self.open or self.open[-1][0] != tag:
            self.unmatched.append(tag)
        else:
            self.open.pop()

    def handle_data(self, data):
        self.text += data
        for name in {name for _, classes in self.open for name in classes.split()}:
            self.texts[name] = self.texts.get(name, "") + data

    @property
    def sound(self):
        return not self.open and not self.unmatched

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    def count(self, tag):
        return sum(one == tag for one, _ in self.elements)


def pane(**changed):
    """One pane of a comparison as the core gives it: LoRA on pirates, finished."""
    plain = {
        "id": "pirate-lora", "adapter": "pirate-lora", "name": "", "base": "smollm2-135m", "method": "lora",
        "task": "pirate", "hyperparameters": {"rank": 8}, "steps": 24, "trainable_parameters": 460_800,
        "total_parameters": 134_975_808, "percent": 0.3414, "bytes": 1_843_200, "text": "Arrr, Paris!", "tokens": 5,
        "finished": True, "finish_reason": "stop", "first_divergence": 0, "divergence_span": (0, 4),
        "tokens_per_second": 3.25, "kl_from_base": 4.25, "weights_untouched": None,
        "top_tokens": [{"token": "Arr", "probability": 0.91}, {"token": " The", "probability": 0.04}],
    }  # fmt: skip
    return {**plain, **changed}


def base_pane(**changed):
    plain = {
        "id": "base", "adapter": "base", "method": "base", "task": None, "hyperparameters": {}, "trainable_parameters": 0,
        "percent": 0.0, "bytes": 0, "text": "Paris.", "divergence_span": None, "first_divergence": None,
        "kl_from_base": None, "weights_untouched": True,
    }  # fmt: skip
    return pane(**{**plain, **changed})


def frame(*panes):
    return {"panes": list(panes) or [base_pane(), pane()], "base_parameters": 134_515_008}


def training(**changed):
    """A training view as the page gives it, half-way through."""
    plain = {
        "state": "running", "position": 0, "method": "lora", "task": "pirate", "step": 12, "steps": 24, "elapsed": 30.0,
        "seconds_per_step": 2.5, "remaining": 30.0, "questions": ["Why?", "Where?"], "message": "",
        "samples": [
            {"step": 0, "answers": ["because", "there"]},
            {"step": 6, "answers": ["arr because", "arr there"]},
            {"step": 12, "answers": ["Arrr because", "Arrr there"]},
        ],
    }  # fmt: skip
    return {**plain, **changed}


# Hostile text stays text


def ready(**changed):
    return {"state": "ready", "name": "SmolLM2", "device": "CPU", "dtype": "float32", "fraction": None, **changed}


def with_token(token):
    return pane(top_tokens=[{"token": token, "probability": 0.5}])


PLACES = {
    "the model's name": lambda evil, lang: header(ready(name=evil), lang),
    "the device": lambda evil, lang: header(ready(device=evil), lang),
    "the dtype": lambda evil, lang: header(ready(dtype=evil), lang),
    "why loading failed": lambda evil, lang: header(ready(state="failed", message=evil), lang),
    "what is being loaded": lambda evil, lang: header(ready(state="loading", name=evil), lang),
    "a pane's title": lambda evil, lang: cards.panes(frame(base_pane(), pane(name=evil)), lang),
    "an answer": lambda evil, lang: cards.panes(frame(pane(text=evil, divergence_span=None)), lang),
    "a growing answer": lambda evil, lang: cards.panes(frame(pane(text=evil, finished=False)), lang),
    "around the mark": lambda evil, lang: cards.panes(frame(pane(text=evil, divergence_span=(30, 60))), lang),
    "a token": lambda evil, lang: first_tokens(frame(with_token(evil)), lang),
    "a token with spaces": lambda evil, lang: first_tokens(frame(with_token(f" {evil}\n")), lang),
    "the farthest pane": lambda evil, lang: first_tokens(frame(pane(), pane(name=evil, kl_from_base=99)), lang),
    "a question": lambda evil, lang: samples(training(questions=[evil]), lang),
    "a sample before": lambda evil, lang: samples(training(samples=[{"step": 0, "answers": [evil]}]), lang),
    "a sample now": lambda evil, lang: samples(training(samples=[{"step": 9, "answers": [evil]}]), lang),
    "why training failed": lambda evil, lang: training_status(training(state="failed", message=evil), lang),
    "why a run diverged": lambda evil, lang: training_status(training(state="diverged", message=evil), lang),
    "an alarm": lambda evil, lang: alarm(evil),
    "an uploaded title": lambda evil, lang: note(lang, "compare.uploaded", title=evil),
}  # fmt: skip


@both_languages
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_hostile_text_is_shown_as_text_and_never_obeyed(place, language):
    page, harmless = Page(place(HOSTILE, language)), Page(place("x" * len(HOSTILE), language))
    assert page.sound
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in harmless.elements]
    assert [sorted(attributes) for _, attributes in page.elements] == [sorted(one) for _, one in harmless.elements]
    assert HOSTILE in page.text


@pytest.mark.parametrize("method", [HOSTILE, "x;color:red", "lora)", "a b", ""])
def test_a_method_that_is_none_cannot_reach_into_a_style(method):
    html = cards.panes(frame(pane(method=method, name="mine")), "en")
    (card,) = [attributes for tag, attributes in Page(html).elements if tag == "article"]
    assert card["style"] == Page(cards.panes(frame(base_pane()), "en")).attributes("style")[1]


@LAW
@given(answer=st.text(max_size=40), span=st.tuples(st.integers(0, 40), st.integers(0, 40)))
def test_the_mark_changes_nothing_of_the_text(answer, span):
    answer = answer.replace("\r", "\n").replace("\0", "0")  # what a parser of HTML would change itself
    start, end = sorted(span)
    page = Page(marked(pane(text=answer, divergence_span=(start, end)), "en"))
    assert (page.text, page.texts.get("pp-part", "")) == (answer, answer[start:end])
    assert page.sound


@LAW
@given(token=st.text(max_size=12))
def test_a_token_is_shown_whole_with_its_spaces_visible(token):
    page = Page(visible(token.replace("\r", "\n").replace("\0", "0"), "en"))
    shown = page.text.replace("␣", " ").replace("↵", "\n").replace("⇥", "\t")
    assert shown == (token.replace("\r", "\n").replace("\0", "0") or text("en", "tokens.end"))
    assert page.sound


@pytest.mark.parametrize(
    ("token", "shown"),
    [("the", "the"), (" the", "␣the"), ("the\n", "the↵"), (" ", "␣"), ("\n\n", "↵↵"), ("\t x ", "⇥␣x␣"), ("a b", "a b")],
)
def test_spaces_around_a_token_are_made_visible(token, shown):
    assert Page(visible(token, "en")).text == shown


# Both languages, everywhere

HEADERS = [
    ready(),
    ready(state="loading"),
    ready(state="preparing", fraction=0.42),
    ready(state="preparing", fraction=None),
    ready(state="failed", message=""),
]
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
    pane(task="own"),
]
STATES = ("idle", "queued", "preparing", "running", "finished", "stopped", "diverged", "failed")
VIEWS = [training(state=state) for state in STATES] + [
    training(state="queued", position=3),
    training(state="finished", steps=0),
    training(state="running", step=0, seconds_per_step=None, remaining=None),
    {"state": "idle", "method": None, "steps": 24, "samples": [], "questions": []},
]
COUNTS = {"trainable": 460_800, "total": 134_975_808, "percent": 0.3414, "bytes": 1_843_200, "memory": 546_000_000}


def everything(language):
    """Every piece of HTML in every state."""
    yield from (header(one, language) for one in HEADERS)
    for one in PANES:
        yield cards.panes(frame(base_pane(), one), language)
        yield first_tokens(frame(base_pane(), one), language)
    yield first_tokens(frame(pane(top_tokens=())), language)
    for one in VIEWS:
        yield training_status(one, language)
        yield samples(one, language)
    yield from (parameter_card(COUNTS, method, language) for method in METHODS)


@both_languages
def test_every_piece_in_every_state_is_sound(language):
    for html in everything(language):
        assert Page(html).sound, html


def test_every_piece_in_every_state_speaks_spanish_in_spanish():
    for english, spanish in zip(everything("en"), everything("es"), strict=True):
        assert english != spanish


def test_no_spanish_piece_holds_an_english_sentence():
    """Sentences of several words that say something else in Spanish must not be left over in English."""
    rooms = ("header", "pane", "tokens", "count", "status", "samples")
    english = {key: sentence for key, sentence in words("en").items() if key.partition(".")[0] in rooms}
    plain = [escape(one) for key, one in english.items() if " " in one and "{" not in one and one != words("es")[key]]
    assert len(plain) > 15
    assert [(sentence, html) for html in everything("es") for sentence in plain if sentence in html] == []


@both_languages
@pytest.mark.parametrize("opening", recorded().values(), ids=recorded())
def test_the_recorded_comparisons_are_drawn_whole(opening, language):
    page = Page(cards.panes(opening, language))
    assert page.sound
    assert page.count("article") == len(opening["panes"])
    assert all(one["text"] in page.texts["pp-answer"] for one in opening["panes"])


def test_the_language_of_the_page_is_marked_among_the_others():
    for language in LANGUAGES:
        links = [one for tag, one in Page(header(ready(), language)).elements if tag == "a"]
        assert [one["lang"] for one in links] == list(LANGUAGES)
        assert [one["lang"] for one in links if one.get("aria-current") == "true"] == [language]


# What it says


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (ready(), "SmolLM2 · CPU · float32"),
        (ready(device="", dtype="NF4"), "SmolLM2 · NF4"),
        (ready(state="loading"), "loading SmolLM2"),
        (ready(state="preparing", fraction=0.426), "preparing SmolLM2 · 43\N{NO-BREAK SPACE}%"),
        (ready(state="failed", message="No network."), "No network."),
        (ready(state="failed", message=""), "The model could not be loaded"),
    ],
)
def test_the_header_says_how_the_model_is_doing(status, line):
    assert model_state(status, "en") == line


@pytest.mark.parametrize(
    ("changed", "title"),
    [
        ({}, "LoRA r = 8 · pirate"),
        ({"method": "qlora", "task": "json"}, "QLoRA r = 8 · JSON"),
        ({"method": "ia3", "hyperparameters": {}}, "IA3 · pirate"),
        ({"method": "few_shot", "hyperparameters": {"examples": 4}}, "Few-shot k = 4 · pirate"),
        ({"task": "own"}, "LoRA r = 8 · own data"),
        ({"name": "My own"}, "My own"),
        ({"method": "base", "task": None, "hyperparameters": {}}, "Base model"),
    ],
)
def test_a_pane_is_titled_by_its_name_or_by_what_it_is(changed, title):
    assert pane_title(pane(**changed), "en") == title


@pytest.mark.parametrize(
    ("language", "cost"),
    [("en", "460,800 trained · 0.34_% · 1.8_MB"), ("es", "460_800 entrenados · 0,34_% · 1,8_MB")],
)
def test_a_pane_says_what_it_cost(language, cost):
    assert cards.cost(pane(), language).replace("\N{NO-BREAK SPACE}", "_") == cost


def width(trained, full=134_515_008):
    (bar,) = re.findall(r'style="width:([\d.]+)%"', cost_bar(pane(trainable_parameters=trained), full, "en"))
    return float(bar)


@LAW
@given(trained=st.lists(st.integers(0, 10**9), min_size=2, max_size=2), full=st.integers(0, 10**9))
def test_the_more_is_trained_the_longer_the_bar(trained, full):
    less, more = sorted(trained)
    assert 0 <= width(less, full) <= width(more, full) <= 100


def test_the_bar_is_logarithmic_and_full_fine_tuning_fills_it():
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
def test_a_pane_counts_its_tokens(changed, speed):
    assert Page(pane_foot(pane(**changed), frame(), "en")).text.startswith(speed)


@pytest.mark.parametrize(
    ("nats", "written"), [(0.0, "0"), (0.0012, "0.0012"), (0.34, "0.34"), (1.0, "1.0"), (10.24, "10.2"), (0.999, "1.00")]
)
def test_divergence_is_written_with_what_matters(nats, written):
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
def test_probabilities(value, english, spanish):
    assert probability("en", value).replace("\N{NO-BREAK SPACE}", "_") == english
    assert probability("es", value).replace("\N{NO-BREAK SPACE}", "_") == spanish


def test_an_untouched_base_is_said_to_be_and_a_touched_one_is_an_alarm():
    foot = {value: Page(pane_foot(base_pane(weights_untouched=value), frame(), "en")) for value in (True, False, None)}
    assert text("en", "pane.untouched") in foot[True].text
    assert foot[False].texts["pp-error"] == text("en", "pane.touched")
    assert text("en", "pane.untouched") not in foot[None].text + foot[False].text


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"finish_reason": "length", "tokens": 64}, "cut at the limit of 64 tokens"),
        ({"text": "Paris."}, "same answer as the base model"),
        ({"text": "Paris.", "finished": False, "finish_reason": None}, ""),
        ({"text": "Paris!"}, ""),
    ],
)
def test_a_pane_says_why_it_ended_only_if_that_is_worth_saying(changed, note):
    one = pane(**changed)
    assert ending(one, frame(base_pane(), one), "en") == note


def test_the_base_is_not_said_to_answer_like_itself():
    one = base_pane()
    assert ending(one, frame(one, pane()), "en") == ""


def test_a_growing_answer_has_a_caret_and_says_that_it_is_busy():
    growing, done = (Page(cards.panes(frame(pane(finished=finished)), "en")) for finished in (False, True))
    assert (growing.attributes("aria-busy"), done.attributes("aria-busy")) == (["true"], ["false"])
    assert ("pp-caret" in growing.attributes("class"), "pp-caret" in done.attributes("class")) == (True, False)


@pytest.mark.parametrize(("panes", "columns"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 3), (6, 3)])
def test_panes_stand_side_by_side_in_even_rows(panes, columns):
    html = cards.panes(frame(*[pane()] * panes), "en")
    assert Page(html).attributes("style")[0] == f"--columns:{columns}"


def test_the_farthest_first_token_is_named_only_among_several():
    one, other = pane(kl_from_base=1.0), pane(method="ia3", hyperparameters={}, kl_from_base=4.25)
    several = Page(first_tokens(frame(base_pane(), one, other), "en"))
    assert "IA3 · pirate (KL 4.2)" in several.texts["pp-legend"]
    assert "KL" not in Page(first_tokens(frame(base_pane(), one), "en")).texts["pp-legend"]


def test_only_the_three_likeliest_first_tokens_are_listed():
    tokens = [{"token": letter, "probability": 0.1} for letter in "abcde"]
    assert Page(first_tokens(frame(pane(top_tokens=tokens)), "en")).count("li") == 3


# What will be trained


@pytest.mark.parametrize("method", METHODS)
def test_the_count_is_the_largest_word_on_the_card(method):
    page = Page(parameter_card(COUNTS, method, "es"))
    assert page.texts["pp-figure"] == "460\N{NO-BREAK SPACE}800"
    assert "546" in page.text


# Training


@pytest.mark.parametrize(
    ("view", "line"),
    [
        (training(), "step 12 of 24 · 2.5_s a step · 30_s left"),
        (training(seconds_per_step=None, remaining=None), "step 12 of 24"),
        (training(state="queued", position=3), "number 3 in the queue"),
        (training(state="queued", position=1), "next in the queue"),
        (training(state="finished", elapsed=65.0), "24 steps in 1_min 5_s"),
        (training(state="finished", steps=0), "ready: nothing had to be trained"),
        (training(state="stopped"), "stopped at step 12 of 24"),
        (training(state="diverged", message="It exploded."), "It exploded."),
        (training(state="diverged"), "The loss left the scale at step 12"),
        (training(state="failed"), "The training failed"),
    ],
)
def test_the_status_says_where_a_training_stands(view, line):
    assert status_line(view, "en").replace("\N{NO-BREAK SPACE}", "_") == line


@pytest.mark.parametrize(
    ("changed", "share"),
    [
        ({}, "50.0"),
        ({"step": 0}, "0.0"),
        ({"step": 99}, "100.0"),
        ({"state": "finished", "step": 20}, "100.0"),
        ({"state": "finished", "steps": 0, "step": 0}, "100.0"),
        ({"state": "stopped", "step": 6}, "25.0"),
        ({"steps": None, "step": None}, "0.0"),
    ],
)
def test_the_progress_bar_is_as_long_as_what_is_done(changed, share):
    assert f'style="width:{share}%"' in training_status(training(**changed), "en")


class Table:
    def __init__(self, html):
        self.heads = re.findall(r'<th scope="col">(.*?)</th>', html)
        self.rows = [
            re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", html.partition("<tbody>")[2])
        ]


def test_samples_show_each_question_before_and_now():
    table = Table(samples(training(), "en"))
    assert table.heads == ["Held-out question", "Step 0 (= base)", "Step 12"]
    assert table.rows == [["Why?", "because", "Arrr because"], ["Where?", "there", "Arrr there"]]


@pytest.mark.parametrize(
    ("step", "answer"), [(6, "arr because"), (7, "arr because"), (11, "arr because"), (12, "Arrr because")]
)
def test_samples_of_a_step_are_those_of_the_last_checkpoint_up_to_it(step, answer):
    assert Table(samples(training(), "en", step=step)).rows[0][2] == answer


def test_samples_that_are_not_there_yet_are_dots():
    table = Table(samples(training(samples=[]), "en"))
    assert table.heads[2] == "Now"
    assert table.rows == [["Why?", "…", "…"], ["Where?", "…", "…"]]


@pytest.mark.parametrize(
    ("method", "head"),
    [("lora", "Step 0 (= base)"), ("ia3", "Step 0 (= base)"), ("prompt_tuning", "Step 0"), ("qlora", "Step 0")],
)
def test_step_0_is_called_the_base_only_where_it_is(method, head):
    assert Table(samples(training(method=method), "en")).heads[1] == head


@both_languages
def test_few_shot_has_no_before(language):
    view = training(method="few_shot", state="finished", steps=0, samples=[{"step": 0, "answers": ["Arrr!", "Aye."]}])
    table = Table(samples(view, language))
    assert table.heads == [text(language, "samples.question"), text(language, "samples.answer")]
    assert table.rows == [["Why?", "Arrr!"], ["Where?", "Aye."]]


def test_every_cell_carries_its_columns_head_for_narrow_screens():
    html = samples(training(), "es")
    table = Table(html)
    assert Page(html).attributes("data-head") == table.heads * len(table.rows)


def test_without_questions_the_card_says_what_will_appear():
    assert text("en", "samples.empty") in Page(samples(training(questions=[]), "en")).text


# Panes in fewer bits


@pytest.mark.parametrize(
    ("form", "cost", "width"),
    [
        ("nf4", "4.5 bits per weight · bitsandbytes", "14.1"),
        ("int4", "4.5 bits per weight · simulated", "14.1"),
        ("ternary", "1.58 bits per weight · simulated", "5.0"),
        ("int8_vectorwise", "8 bits per weight · bitsandbytes", "25.0"),
    ],
)
def test_a_pane_in_fewer_bits_says_how_many_and_whether_they_are_real(form, cost, width):
    summary = Variant(f"smollm2-135m:{form}").summary(0)
    assert pane_title(summary, "en") == f"Base model · {words('en')[f'formats.{form}']}"
    assert cards.cost(summary, "en") == cost
    assert f"width:{width}%" in cost_bar(summary, 1000, "en")
