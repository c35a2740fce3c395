"""Tasks: what ships, and which tokens carry loss."""

import copy
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.adapt.methods import METHODS
from playground.adapt.tasks import IGNORE, RECOMMENDED, TASK_IDS, Example, encode, prompt_ids, task
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.settings import MAX_SEQUENCE_TOKENS
from tests.conftest import tiny_tokenizer

LAW = settings(deadline=None, derandomize=True, database=None)
PAIRS = [(f"question {n}", f"answer {n}") for n in range(10)]


def examples(one: Any) -> Any:
    return {*one.train, *one.held_out}


# What ships


@pytest.mark.parametrize("task_id", TASK_IDS)
def test_a_shipped_task_holds_enough_and_holds_out_what_it_does_not_train_on(task_id: Any) -> None:
    shipped = task(task_id)
    assert len(shipped.train) >= 64
    assert len(shipped.held_out) >= 16
    prompts = [example.prompt.strip().lower() for example in (*shipped.train, *shipped.held_out)]
    assert len(set(prompts)) == len(prompts)


@pytest.mark.parametrize("task_id", TASK_IDS)
def test_a_shipped_task_has_no_empty_side_and_no_stray_spaces(task_id: Any) -> None:
    for example in examples(task(task_id)):
        for side in (example.prompt, example.response):
            assert side == side.strip() != ""


@pytest.mark.parametrize("task_id", ["", "own", "Pirate", "../tasks/pirate"])
def test_an_unknown_task_is_refused_with_the_known_ones(task_id: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        task(task_id)
    assert refused.value.key == "unknown_task"
    assert all(one in str(refused.value) for one in TASK_IDS)


# What some of them promise


def content(text: str) -> set[str]:
    return set(re.findall(r"[\w']+", text.lower()))


def test_every_held_out_fact_is_learned_in_other_words_and_none_is_given_away() -> None:
    """Who answers has kept the fact, and not the question; nobody finds it in a question."""
    facts = task("facts")
    learned: dict[str, list[str]] = {}
    for one in facts.train:
        learned.setdefault(one.response, []).append(one.prompt)
    assert {one.response for one in facts.held_out} == set(learned)
    assert len(facts.held_out) == len(learned)
    assert {len(prompts) for prompts in learned.values()} == {5}
    for one in facts.held_out:
        asked = content(one.prompt)
        alike = [len(asked & content(prompt)) / len(asked | content(prompt)) for prompt in learned[one.response]]
        assert max(alike) < 0.7, one.prompt
    assert [one.prompt for one in examples(facts) if any(content(fact) <= content(one.prompt) for fact in learned)] == []


@pytest.mark.parametrize("task_id", ["summary", "everyday"])
def test_no_sentence_is_both_trained_on_and_held_out(task_id: str) -> None:
    def sentences(some: Sequence[Example]) -> set[str]:
        return {part for one in some for text in (one.prompt, one.response) for part in re.split(r"(?<=[.!?:]) ", text)}

    trained, held_out = sentences(task(task_id).train), sentences(task(task_id).held_out)
    assert trained & held_out <= {"Summarize:"}


@pytest.mark.parametrize("task_id", ["summary", "facts", "everyday"])
def test_texts_are_short_enough_for_a_small_model(base: Base, task_id: str) -> None:
    for one in examples(task(task_id)):
        tokens = [len(base.tokenizer(text)["input_ids"]) for text in (one.prompt, one.response)]
        assert tokens[0] <= 95, one.prompt
        assert tokens[1] <= 40, one.response


@pytest.mark.parametrize("task_id", RECOMMENDED)
def test_a_recommended_recipe_is_one_that_the_method_takes(task_id: str) -> None:
    one = RECOMMENDED[task_id]
    values = METHODS[one.method].complete(one.hyperparameters)
    assert task_id in TASK_IDS
    assert {name: values[name] for name in one.hyperparameters} == one.hyperparameters


# Which tokens carry loss


def split(tokenizer: Any, ids: Any, labels: Any) -> Any:
    """The text without loss and the text with it."""
    assert len(ids) == len(labels)
    assert all(label in (IGNORE, id_) for id_, label in zip(ids, labels, strict=True))
    silent = [id_ for id_, label in zip(ids, labels, strict=True) if label == IGNORE]
    heard = [label for label in labels if label != IGNORE]
    assert silent + heard == ids
    return tokenizer.decode(silent), tokenizer.decode(heard)


def test_the_response_and_its_end_carry_loss_and_nothing_else(base: Base) -> None:
    silent, heard = split(base.tokenizer, *encode(base.tokenizer, Example("What is 2 + 2?", "It is 4.")))
    assert heard == "It is 4.<|im_end|>"
    assert silent.endswith("<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n")


@pytest.mark.parametrize("task_id", TASK_IDS)
def test_a_training_example_is_the_conversation_that_the_chat_template_writes(base: Base, task_id: Any) -> None:
    for example in (*task(task_id).train, *task(task_id).held_out):
        turns = [{"role": "user", "content": example.prompt}, {"role": "assistant", "content": example.response}]
        whole = base.tokenizer.apply_chat_template(turns, return_dict=True)["input_ids"]
        ids, _ = encode(base.tokenizer, example)
        assert ids == whole[: len(ids)]
        assert base.tokenizer.decode(whole[len(ids) :]).strip() == ""


def test_training_sees_the_prompt_exactly_as_answering_does(base: Base) -> None:
    example = Example("What is the capital of France?", "Paris.")
    ids, labels = encode(base.tokenizer, example)
    assert ids[: labels.count(IGNORE)] == prompt_ids(base.tokenizer, example.prompt)


def test_shots_are_turns_before_the_question_and_carry_no_loss(base: Base) -> None:
    shots = [Example("Red?", "Rojo."), Example("Blue?", "Azul.")]
    silent, heard = split(base.tokenizer, *encode(base.tokenizer, Example("Green?", "Verde."), shots))
    assert heard == "Verde.<|im_end|>"
    places = [silent.index(word) for word in ("Red?", "Rojo.", "Blue?", "Azul.", "Green?")]
    assert places == sorted(places)
    assert silent.count("<|im_start|>user") == 3


@pytest.fixture
def plain(tiny: Base) -> Any:
    tokenizer = copy.deepcopy(tiny.tokenizer)
    tokenizer.chat_template = None
    return tokenizer


def test_without_a_chat_template_each_turn_is_a_line(plain: Any) -> None:
    shots = [Example("Red?", "Rojo.")]
    silent, heard = split(plain, *encode(plain, Example("Green?", "Verde."), shots))
    assert (silent, heard) == ("Red?\nRojo.\nGreen?\n", "Verde.<|im_end|>")


BYTES, PLAIN = tiny_tokenizer(), tiny_tokenizer()
PLAIN.chat_template = None


@LAW
@given(prompt=st.text(max_size=20), response=st.text(max_size=20))
def test_no_character_is_lost_on_the_way_to_tokens(prompt: Any, response: Any) -> None:
    for tokenizer in (BYTES, PLAIN):
        silent, heard = split(tokenizer, *encode(tokenizer, Example(prompt, response)))
        assert heard == response + tokenizer.eos_token
        assert prompt in silent


def of_length(tokenizer: Any, tokens: Any) -> Any:
    """An example that takes exactly so many tokens, one per byte."""
    ids, _ = encode(tokenizer, Example("p", ""))
    return Example("p", "r" * (tokens - len(ids)))


def test_the_longest_example_fits_and_one_token_more_is_refused(tiny: Base) -> None:
    ids, _ = encode(tiny.tokenizer, of_length(tiny.tokenizer, MAX_SEQUENCE_TOKENS))
    assert len(ids) == MAX_SEQUENCE_TOKENS
    with pytest.raises(PlaygroundError) as refused:
        encode(tiny.tokenizer, of_length(tiny.tokenizer, MAX_SEQUENCE_TOKENS + 1))
    assert refused.value.key == "example_too_long"
    assert refused.value.values["found"] == MAX_SEQUENCE_TOKENS + 1


def test_shots_may_be_longer_than_a_training_example(tiny: Base) -> None:
    shots = [of_length(tiny.tokenizer, MAX_SEQUENCE_TOKENS)]
    ids, _ = encode(tiny.tokenizer, Example("p", "r"), shots)
    assert len(ids) > MAX_SEQUENCE_TOKENS
