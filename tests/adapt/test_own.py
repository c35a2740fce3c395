"""A visitor's own examples as a task: split, scorer, limits, and how a model sees them."""

from dataclasses import replace
from typing import Any

import pytest

from playground.adapt.own import as_lines, held_out_of, seen, task_of, within
from playground.adapt.scorers import OWN as SCORERS
from playground.adapt.tasks import IGNORE, Example, encode
from playground.data import tables
from playground.data.given import Given
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.settings import MAX_EXAMPLE_CHARACTERS, MAX_OWN_EXAMPLES, MAX_SEQUENCE_TOKENS, MIN_OWN_EXAMPLES

PAIRS = [(f"question {n}", f"answer {n}") for n in range(10)]


def examples(one: Any) -> Any:
    return {*one.train, *one.held_out}


def typed(rows: Any, **asked: Any) -> Any:
    given = Given(rows=rows, **asked)
    return task_of(tables.read(given), given)


def test_an_example_of_the_greatest_length_is_taken() -> None:
    longest = ("p" * MAX_EXAMPLE_CHARACTERS, "r" * MAX_EXAMPLE_CHARACTERS)
    assert Example(*longest) in examples(typed([*PAIRS, longest]))


@pytest.mark.parametrize("empty", [("", ""), (None, None), (" ", "\n"), {"prompt": "", "response": None}])
def test_an_empty_row_of_the_table_is_no_example_and_no_mistake(empty: dict[str, Any] | tuple[Any, ...]) -> None:
    assert typed([*PAIRS, empty]) == typed(PAIRS)


def numbered(count: Any) -> Any:
    return [(f"question {n}", f"answer {n}") for n in range(count)]


def test_too_few_examples_are_refused_and_of_too_many_the_first_are_taken() -> None:
    with pytest.raises(PlaygroundError) as refused:
        typed(numbered(MIN_OWN_EXAMPLES - 1))
    assert (refused.value.key, refused.value.values["found"]) == ("data_count", MIN_OWN_EXAMPLES - 1)
    assert typed(numbered(MAX_OWN_EXAMPLES + 1)) == typed(numbered(MAX_OWN_EXAMPLES))


@pytest.mark.parametrize(("count", "held_out"), [(8, 2), (10, 2), (20, 4), (50, 10), (80, 16), (512, 16)])
def test_one_in_five_is_held_out_always_the_same(count: int, held_out: int) -> None:
    one, again = typed(numbered(count)), typed(numbered(count))
    assert one == again
    assert (len(one.train), len(one.held_out)) == (count - held_out, held_out)
    assert examples(one) == {Example(*pair) for pair in numbered(count)}


def test_a_repeated_prompt_counts_once_with_its_first_answer() -> None:
    doubled = [*PAIRS, *((f" {prompt}\n", "another answer") for prompt, _ in PAIRS)]
    assert typed(doubled) == typed(PAIRS)


def test_repeating_examples_does_not_make_enough_of_them() -> None:
    with pytest.raises(PlaygroundError) as refused:
        typed(PAIRS[:3] * 5)
    assert refused.value.values["found"] == 3


# The split


def test_those_at_the_end_can_be_held_out_and_as_many_as_one_likes() -> None:
    assert [one.prompt for one in typed(PAIRS, split="last").held_out] == ["question 8", "question 9"]
    assert [one.prompt for one in typed(PAIRS, split="last", held_out=4).held_out] == [f"question {n}" for n in range(6, 10)]
    assert len(typed(PAIRS, held_out=5).held_out) == 5


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ({"held_out": 6}, "own_held_out"),
        ({"held_out": 1}, "own_held_out"),
        ({"held_out": -1}, "own_held_out"),
        ({"split": "column"}, "own_split_column"),
        ({"split": "odd"}, "own_split"),
        ({"scorer": "nice"}, "own_scorer"),
        ({"scorer": "json"}, "own_scorer_json"),
    ],
)
def test_what_the_pairs_do_not_allow_is_refused(asked: Any, key: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        typed(PAIRS, **asked)
    assert refused.value.key == key


def test_a_column_says_what_is_held_out_unless_another_split_is_chosen() -> None:
    rows = [{"split": "test" if n % 3 else "train", "prompt": p, "response": r} for n, (p, r) in enumerate(PAIRS)]
    table = tables.read(Given(rows=rows))
    assert held_out_of(table, Given()) == len(task_of(table).held_out) == 6
    assert len(task_of(table, Given(split="mixed")).held_out) == 2


def test_own_examples_that_were_downloaded_come_back_with_their_split() -> None:
    made = typed(PAIRS)
    again = task_of(tables.read(Given(pasted=as_lines(made))))
    assert (again.train, again.held_out) == (made.train, made.held_out)


# The score


@pytest.mark.parametrize(
    ("scorer", "response", "answer", "score"),
    [
        ("exact", "Yes.", " yes ", 1), ("exact", "Yes", "Yes, sir", 0), ("exact", "…", "…", 1),
        ("contains", "Paris", "It is paris!", 1), ("contains", "Paris", "Parisian", 0), ("contains", "→", "a → b", 1),
        ("contains", "→", "a", 0), ("json", '{"a": 1, "b": 2}', '{"a": 1}', 0.5), ("json", '{"a": 1}', "[" * 10_000, 0),
        ("rouge_l", "the cat sat", "the cat", 0.8), ("rouge_l", "día", "", 0),
    ],
)  # fmt: skip
def test_an_answer_gets_what_the_scorer_says(scorer: str, response: str, answer: str, score: float) -> None:
    assert SCORERS[scorer](Example("?", response), answer) == pytest.approx(score)


def test_the_rule_of_own_examples_is_the_chosen_scorer() -> None:
    assert typed(PAIRS).rule == ""
    assert typed(PAIRS, scorer="rouge_l").rule == "rouge_l"


# What a model sees


def test_a_pair_is_shown_as_it_is_trained_on(base: Base) -> None:
    pair = tables.Pair(1, "¿Qué es 日本 🏴‍☠️?", "Un país 🏴‍☠️.")
    pieces = seen(base.tokenizer, pair)
    ids, labels = encode(base.tokenizer, Example(pair.prompt, pair.response))
    assert "".join(one.text for one in pieces) == base.tokenizer.decode(ids)
    heard = [token for token, label in zip(ids, labels, strict=True) if label != IGNORE]
    assert "".join(one.text for one in pieces if one.learned) == base.tokenizer.decode(heard) == "Un país 🏴‍☠️.<|im_end|>"
    assert not any("\ufffd" in one.text for one in pieces)


def test_pairs_of_too_many_tokens_are_left_out_by_their_lines(tiny: Base) -> None:
    around = len(encode(tiny.tokenizer, Example("A", "A"))[0]) - 2
    fits = MAX_SEQUENCE_TOKENS - around - 1  # with a response of one letter
    rows = [*PAIRS, ("x" * fits, "a"), ("y" * (fits + 1), "a"), ("é" * fits, "a")]
    table = within(tables.read(Given(rows=rows)), tiny.tokenizer)
    assert [(one.line, one.reason) for one in table.left_out] == [(12, "tokens"), (13, "tokens")]
    assert [pair.line for pair in table.pairs] == list(range(1, 12))
    same = replace(table, pairs=tuple(replace(pair, line=1) for pair in tables.read(Given(rows=rows)).pairs))
    assert len(within(same, tiny.tokenizer).pairs) == 11  # a line may hold several
