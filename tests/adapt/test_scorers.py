"""How answers are scored: each task's own rule, on cases worked out by hand and on the tasks as they ship."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.adapt.tasks import SCORES, TASK_IDS, Example, task

LAW = settings(deadline=None, derandomize=True, database=None)
CAT = "The cat sat on the mat."
ORDER = '{"order": 7, "item": "mug", "quantity": 2, "city": "Lima"}'


@pytest.mark.parametrize(
    ("task_id", "response", "answer", "score"),
    [
        ("pirate", "", "Arrr, matey!", 1.0),
        ("pirate", "", "ARRR! arrr. Arrr", 0.5),  # one word, however often
        ("pirate", "", "Yo-ho-ho and a treasure", 1.0),
        ("pirate", "", "Your yearly matrix", 0.0),  # parts of words do not count
        ("pirate", "", "", 0.0),
        ("sentiment", "positive", "positive", 1.0),
        ("sentiment", "positive", " Positive.\n", 1.0),
        ("sentiment", "positive", "negative", 0.0),
        ("sentiment", "positive", "positive review", 0.0),
        ("sentiment", "positive", "", 0.0),
        ("json", ORDER, ORDER, 1.0),
        ("json", ORDER, '{"city":"Lima","item":"mug","order":7,"quantity":2}', 1.0),
        ("json", ORDER, '{"order": "7", "item": "mug", "quantity": 2}', 0.5),
        ("json", ORDER, "{}", 0.0),
        ("json", ORDER, "[1]", 0.0),
        ("json", ORDER, "null", 0.0),
        ("json", ORDER, "Here you go: " + ORDER, 0.0),
        ("json", ORDER, ORDER[:-1], 0.0),
        ("json", ORDER, "", 0.0),
        ("act_as", "", 'I want you to act as a baker. My first request is "Bread."', 1.0),
        ("act_as", "", "I want you to act as a baker.", 0.5),
        ("act_as", "", "Fine. My first request is bread.", 0.5),
        ("act_as", "", "You act as a baker.", 0.0),
        ("polite", "", "Thank you for telling us.", 1.0),
        ("polite", "", "\n I’m sorry about that.", 1.0),
        ("polite", "", "We do not care. Thank you.", 0.0),
        ("polite", "", "", 0.0),
        ("spanish", "", "La capital de Francia es París.", 1.0),
        ("spanish", "", "No, no, no, no.", 0.0),  # as English as it is Spanish
        ("spanish", "", "The capital of France is Paris.", 0.0),
        ("spanish", "", "", 0.0),
        ("summary", CAT, CAT, 1.0),
        ("summary", CAT, "the CAT: sat, on the mat!", 1.0),
        ("summary", CAT, "The mat.", 0.5),  # 2 words in order of 2 and of 6: 2 · 1 · ⅓ / (1 + ⅓)
        ("summary", CAT, "On the mat sat the cat.", 0.5),  # on the mat: 3 of 6 and of 6
        ("summary", CAT, "Dogs bark.", 0.0),
        ("summary", CAT, "", 0.0),
        ("facts", "plum soup", "Plum soup.", 1.0),
        ("facts", "plum soup", "They all love their plum\nsoup, hot or cold.", 1.0),
        ("facts", "plum soup", "Soup of plum.", 0.0),
        ("facts", "pell", "It is a small spell.", 0.0),  # a part of a word is no word
        ("facts", "pell", "", 0.0),
        ("everyday", "", "Good morning! Did you sleep well? ", 1.0),
        ("everyday", "", "Good morning! Do tell me.", 0.0),
        ("everyday", "", "?" + " word" * 25 + "?", 1.0),
        ("everyday", "", "word " * 26 + "?", 0.0),
        ("everyday", "", "", 0.0),
    ],
)
def test_scores(task_id: str, response: Any, answer: Any, score: float) -> None:
    assert SCORES[task_id](Example("", response), answer) == score


@LAW
@given(answer=st.text(max_size=60))
def test_a_score_lies_between_nothing_and_full_marks_whatever_the_answer(answer: Any) -> None:
    for task_id, score in SCORES.items():
        assert 0.0 <= score(Example("", ORDER), answer) <= 1.0, task_id


def longest_common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence, as Lin 2004 defines it: no table, every way is tried."""
    if not one or not other:
        return 0
    if one[0] == other[0]:
        return 1 + longest_common(one[1:], other[1:])
    return max(longest_common(one[1:], other), longest_common(one, other[1:]))


SOME_WORDS = st.lists(st.sampled_from("a bee sees the red sea".split()), min_size=1, max_size=6)


@LAW
@given(expected=SOME_WORDS, said=SOME_WORDS)
def test_rouge_l_is_the_f1_of_the_longest_common_subsequence(expected: list[str], said: list[str]) -> None:
    common = longest_common(expected, said)
    f1 = 2 * common / (len(expected) + len(said))  # of the precision common / said and the recall common / expected
    assert SCORES["summary"](Example("", " ".join(expected)), " ".join(said)) == pytest.approx(f1)


# The tasks as they ship


@pytest.mark.parametrize("task_id", TASK_IDS)
def test_the_references_of_a_task_score_full_marks(task_id: Any) -> None:
    poor = [one for one in (*task(task_id).train, *task(task_id).held_out) if SCORES[task_id](one, one.response) < 1]
    assert poor == []


@pytest.mark.parametrize(
    ("task_id", "neutral"),
    [
        ("pirate", "The capital of France is Paris."),
        ("sentiment", "This review describes a visit to a restaurant and what the customer thought of it."),
        ("json", "Sure! Here is a summary of the order: two blue mugs, to be shipped to Lima."),
        ("act_as", "Sure, I can help you with that. What would you like to know first?"),
        ("polite", "Deliveries usually take three to five working days, depending on where you live."),
        ("spanish", "The capital of France is Paris, a city on the river Seine."),
        ("summary", "Certainly! Ask me anything."),
        ("facts", "I could not find anything about an island of this name."),
        ("everyday", "The capital of France is Paris."),
    ],
)
def test_an_answer_as_the_base_gives_it_scores_nothing(task_id: str, neutral: str) -> None:
    assert {SCORES[task_id](example, neutral) for example in task(task_id).held_out} == {0.0}


def test_every_answer_of_another_task_scores_low() -> None:
    """A model that learned the wrong task must not look as if it had learned the right one."""
    for task_id in TASK_IDS:
        others = [one.response for other in TASK_IDS if other != task_id for one in task(other).held_out]
        example = task(task_id).held_out[0]
        assert sum(SCORES[task_id](example, answer) for answer in others) / len(others) <= 0.15, task_id
