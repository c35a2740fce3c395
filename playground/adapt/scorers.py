"""
How an answer is scored: each task's own rule, from an example and an answer to a number from 0 to 1. Knows nothing about
models or the page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playground.adapt.tasks import Example

PIRATE_WORDS = set(
    "arrr ahoy avast aye matey mateys hearties ye yer landlubber lad lass seas ship sail anchor treasure captain crew deck "
    "plank shiver timbers port tides yo-ho-ho seadog buccaneer doubloons".split()
)
POLITE_OPENINGS = ("thank you", "i am sorry", "i'm sorry", "sorry to hear", "i understand", "we are sorry", "we're sorry")
SPANISH_WORDS = set(
    "el la los las un una unos unas de del al y en es son fue ser está están hay por para con sin se su sus como más muy "
    "que qué si sí tu tus te le lo les mi mis nos o u e pero porque cuando donde entre sobre desde hasta cada puedes".split()
)
ENGLISH_WORDS = set("the of and is are was to in it that you for with on this i be as at by from have can".split())
SHORT = 25  # words of a reply in an everyday conversation, at most


def _words(text: str) -> list[str]:
    return re.findall(r"[\w'-]+", text.lower())


def score_pirate(example: Example, answer: str) -> float:
    """1 if at least two different pirate words occur, 0.5 for one."""
    return min(2, len(PIRATE_WORDS & set(_words(answer)))) / 2


def score_label(example: Example, answer: str) -> float:
    """1 if the answer is exactly the label; case, spaces and a final full stop aside."""
    return float(answer.strip().rstrip(".").lower() == example.response.lower())


def score_json(example: Example, answer: str) -> float:
    """The share of the expected fields with the expected value; 0 if the answer is no JSON object."""
    expected = json.loads(example.response)
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):  # no JSON, or endless
        return 0.0
    if not isinstance(found, dict):
        return 0.0
    right: int = sum(found.get(key) == value for key, value in expected.items())
    return right / len(expected)


def score_act_as(example: Example, answer: str) -> float:
    """Half for opening with "I want you to act as", half for closing with a first request."""
    return 0.5 * answer.strip().startswith("I want you to act as") + 0.5 * ("My first request is" in answer)


def score_polite(example: Example, answer: str) -> float:
    """1 if the answer opens by thanking, apologizing or showing understanding."""
    return float(answer.strip().lower().replace("’", "'").startswith(POLITE_OPENINGS))


def score_spanish(example: Example, answer: str) -> float:
    """1 if frequent Spanish words, letters and marks outnumber frequent English words, at least one in eight words."""
    words = _words(answer)
    spanish = sum(word in SPANISH_WORDS or bool(re.search("[áéíóúñ]", word)) for word in words) + len(
        re.findall("[¿¡]", answer)
    )
    english = sum(word in ENGLISH_WORDS for word in words)
    return float(spanish > english and spanish >= len(words) / 8)


def score_rouge_l(example: Example, answer: str) -> float:
    """
    ROUGE-L (Lin 2004, section 3): the F1 of precision and recall of the longest common subsequence of words, as
    `rouge_score` computes it without its stemmer: lower case, and only the letters a to z and digits make words.
    """
    return float(_rouge().score(example.response, answer)["rougeL"].fmeasure)


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # brings nltk, which only this task needs

    return RougeScorer(["rougeL"])


def score_fact(example: Example, answer: str) -> float:
    """1 if the answer contains the fact, word by word; case, marks and what stands around it aside."""
    fact, said = _words(example.response), _words(answer)
    return float(any(said[start : start + len(fact)] == fact for start in range(len(said))))


def score_exact(example: Example, answer: str) -> float:
    """1 if the answer is the response; case, spaces and a final full stop aside."""
    said, expected = (one.strip().rstrip(".").casefold() for one in (answer, example.response))
    return float(said == expected)


def score_contains(example: Example, answer: str) -> float:
    """1 if the answer contains the response, word by word (see `score_fact`); one without words, sign by sign."""
    return score_fact(example, answer) if _words(example.response) else float(example.response in answer)


def score_asks_back(example: Example, answer: str) -> float:
    """1 if a short reply ends by asking back."""
    return float(answer.strip().endswith("?") and len(_words(answer)) <= SHORT)


# What a visitor can have their own examples scored by
OWN: dict[str, Callable[[Example, str], float]] = {
    "exact": score_exact,
    "contains": score_contains,
    "json": score_json,
    "rouge_l": score_rouge_l,
}


def is_fields(response: str) -> bool:
    """Whether `score_json` can be asked about a response: a JSON object with fields."""
    try:
        found = json.loads(response)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and bool(found)
