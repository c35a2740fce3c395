"""Links: what is written can be read back, and what cannot be read falls back to the default."""

from typing import Any
from urllib.parse import parse_qs, parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.settings import MAX_ANSWERS, MAX_NEW_TOKENS, MAX_PANES
from playground.ui.kit import links

LAW = settings(deadline=None, derandomize=True, database=None)
DEFAULTS = {field.name: field.default for field in links.FIELDS}
ADAPTER = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-@", min_size=1, max_size=20)
STATES = st.fixed_dictionaries(
    {
        "tab": st.sampled_from(["compare", "train"]),
        "lesson": st.sampled_from(["", "fifty"]),
        "section": st.just(""),  # of a lab's tab
        "for": st.sampled_from(["", "teachers"]),
        "base": st.sampled_from(["smollm2-135m", "smollm2-135m:nf4_double", "bloomz-560m"]),
        "prompt": st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
        "panes": st.lists(ADAPTER, max_size=MAX_PANES, unique=True),
        "own": st.dictionaries(ADAPTER, st.sampled_from(["Anna", "LoRA r = 8 · pirata: 1"]), max_size=MAX_PANES),
        "max_new_tokens": st.integers(1, MAX_NEW_TOKENS),
        "temperature": st.just(0.0) | st.floats(0.01, 2),
        "top_p": st.floats(0.05, 1),
        "repetition_penalty": st.floats(1, 2),
        "seed": st.integers(0, 2**31 - 1),
        "times": st.integers(2, MAX_ANSWERS),
        "lock": st.lists(st.sampled_from(["rank", "steps", "prompt"]), unique=True),
        "hide": st.lists(st.sampled_from(["seed", "task"]), unique=True),
        "answers": st.sampled_from(["", "latest", "pirate"]),
    }
)


@LAW
@given(state=STATES)
def test_a_link_opens_the_state_that_it_was_made_from(state: Any) -> None:
    assert links.read(dict(parse_qsl(links.write(state)))) == state


@LAW
@given(state=STATES)
def test_a_link_holds_only_what_differs_from_the_default(state: Any) -> None:
    assert set(parse_qs(links.write(state))) == {name for name, value in state.items() if value != DEFAULTS[name]}


def test_the_default_state_needs_no_link() -> None:
    assert links.write(DEFAULTS) == ""
    assert links.read({}) == DEFAULTS


def test_what_is_no_field_is_neither_written_nor_read() -> None:
    assert links.write({"evil": 1, "seed": 3}) == "seed=3"
    assert links.read({"evil": "1", "lang": "es"}) == DEFAULTS


def test_titles_of_own_adapters_are_short_and_few() -> None:
    link = links.write({"own": {f"a{n}": "Anna, " + 60 * "x" for n in range(9)}})
    found = links.read(dict(parse_qsl(link)))["own"]
    assert len(found) == MAX_PANES
    assert all(title.startswith("Anna  xxx") and len(title) <= links.TITLE for title in found.values())
    assert links.read({"own": "a,b:,:c"})["own"] == {}
    assert links.refused({"own": "a,b:,:c,d:Dan"}) == {"own": "a, b:, :c"}
    assert links.refused({"own": ",".join(f"a{n}:Anna" for n in range(MAX_PANES + 1))}) == {"own": f"a{MAX_PANES}:Anna"}


@pytest.mark.parametrize("name", DEFAULTS)
def test_an_empty_value_is_the_default(name: Any) -> None:
    assert links.read({name: ""}) == DEFAULTS


@pytest.mark.parametrize("name", ["max_new_tokens", "temperature", "top_p", "repetition_penalty", "seed", "times"])
@pytest.mark.parametrize("value", ["many", "1,5", "0x10", "--1", "[]", "None", "1e"])
def test_a_number_that_cannot_be_read_is_the_default(name: str, value: str) -> None:
    assert links.read({name: value}) == DEFAULTS
    assert links.refused({name: value, "prompt": "Why?"}) == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "nan"),
        ("temperature", "inf"),
        ("temperature", "-0.5"),
        ("temperature", "2.5"),
        ("top_p", "nan"),
        ("top_p", "0"),
        ("top_p", "1.5"),
        ("repetition_penalty", "-inf"),
        ("repetition_penalty", "0.5"),
        ("max_new_tokens", "0"),
        ("max_new_tokens", "1000000"),
        ("max_new_tokens", "-5"),
        ("times", "1"),
        ("times", "2.5"),
        ("times", str(MAX_ANSWERS + 1)),
        ("seed", "-1"),
        ("seed", str(2**31)),
        ("seed", "9" * 5000),
    ],
)
def test_a_number_that_nothing_can_be_done_with_is_the_default(name: str, value: Any) -> None:
    assert links.read({name: value}) == DEFAULTS
    assert links.refused({name: value}) == {name: value}


@LAW
@given(state=STATES)
def test_nothing_of_a_link_that_was_copied_is_refused(state: Any) -> None:
    assert links.refused(dict(parse_qsl(links.write(state)))) == {}


@pytest.mark.parametrize(
    ("value", "panes"),
    [
        ("base", ["base"]),
        ("base,pirate-lora", ["base", "pirate-lora"]),
        (",base,,pirate-lora,", ["base", "pirate-lora"]),
        (",", []),
        (",".join("abcdefgh"), list("abcdefgh")[:MAX_PANES]),
        ("3f2a@12", ["3f2a@12"]),
    ],
)
def test_panes_are_listed_up_to_their_limit(value: Any, panes: Any) -> None:
    assert links.read({"panes": value})["panes"] == panes
    left = [one for one in value.split(",") if one and one not in panes]
    assert links.refused({"panes": value}) == ({"panes": ", ".join(left)} if left else {})


@pytest.mark.parametrize("name", ["tab", "lang"])
@pytest.mark.parametrize("value", ["quantisation", "xx", "Compare ", "0"])
def test_a_tab_and_a_language_that_there_are_not_are_the_default(name: str, value: str) -> None:
    assert links.read({name: value}) == DEFAULTS
    assert links.refused({name: value}) == {name: value}


@pytest.mark.parametrize("lang", ["en", "es", "ES", "es-MX"])
def test_a_language_may_name_its_country(lang: str) -> None:
    assert links.refused({"lang": lang}) == {}


def test_what_is_no_parameter_is_refused_unless_others_add_it() -> None:
    assert links.refused({"temprature": "1", "sed": "2", "empty": ""}) == {"temprature": "1", "sed": "2"}
    theirs = ("__theme", "__sign", "utm_source", "view", "deep_link", "logs", "fbclid", "gclid")
    assert links.refused(dict.fromkeys(theirs, "dark")) == {}


def test_one_visitor_cannot_change_the_defaults_of_another() -> None:
    links.read({})["panes"].append("mine")
    assert links.read({})["panes"] == []
