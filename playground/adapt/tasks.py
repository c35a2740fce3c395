"""
Teaching tasks: examples to train on and to hold out, how an answer is scored, and how an example becomes token ids.

The project's own tasks lie in `examples/tasks/*.jsonl`; a visitor's table becomes a task of the same kind (see `own`). Only
responses carry loss. Knows nothing about models beyond their tokenizer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.adapt import scorers
from playground.bounds import shown
from playground.errors import PlaygroundError
from playground.model.tokens import turn_end

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


IGNORE = -100  # the label that carries no loss (torch.nn.functional.cross_entropy)
OWN = "own"
OWN_FILE = "my-examples.jsonl"  # what a visitor's own task is called as a file


@dataclass(frozen=True)
class Example:
    prompt: str
    response: str


@dataclass(frozen=True)
class Task:
    """
    `train` and `held_out` share no example. A visitor's own task has the id "own", and the `scorer` that they have chosen
    (of `scorers.OWN`), "" for none.
    """

    id: str
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    scorer: str = ""

    @property
    def rule(self) -> str:
        """By what its answers are scored (of RULES): a ready-made task by its own rule; "" where they are not."""
        return self.id if self.id in SCORES else self.scorer


SCORES: dict[str, Callable[[Example, str], float]] = {
    "pirate": scorers.score_pirate,
    "sentiment": scorers.score_label,
    "json": scorers.score_json,
    "act_as": scorers.score_act_as,
    "polite": scorers.score_polite,
    "spanish": scorers.score_spanish,
    "summary": scorers.score_rouge_l,
    "facts": scorers.score_fact,
    "everyday": scorers.score_asks_back,
}
TASK_IDS = tuple(SCORES)
RULES = scorers.OWN | SCORES
GRADED = frozenset({"summary", "rouge_l"})  # rules whose score is a likeness: no answer is simply right


@dataclass(frozen=True)
class Recommended:
    """A recipe that belongs to a task: how it differs from the method's usual settings, and its steps."""

    method: str
    hyperparameters: Mapping[str, Any]
    steps: int


RECOMMENDED = {
    "sentiment": Recommended("lora", {"learning_rate": 2e-3}, 24),  # at 0.01 LoRA scores 52 %, here 96 % (3 seeds)
    "facts": Recommended("lora", {}, 60),  # the usual 24 steps mix the facts up
    # Hugging Face's smol-course, the notebook on LoRA, with everyday conversations
    "everyday": Recommended("lora", {"rank": 6, "alpha": 8, "dropout": 0.05, "targets": "all_linear"}, 24),
}


@cache
def task(task_id: str) -> Task:
    """One of the project's tasks. Raises PlaygroundError for an id that does not exist."""
    if task_id not in SCORES:
        raise PlaygroundError("unknown_task", task=shown(task_id), known=", ".join(TASK_IDS))
    lines = (settings.EXAMPLES / "tasks" / f"{task_id}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    train, held_out = (
        tuple(Example(row["prompt"], row["response"]) for row in rows if row["split"] == split)
        for split in ("train", "held_out")
    )
    return Task(task_id, train, held_out)


# Text to token ids


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prompt: str, shots: Sequence[Example] = ()) -> list[int]:
    """
    The ids that the model continues: the chat template with the answer opened, or, where a base has no chat template,
    the plain text with one line per turn. `shots` are example turns before the question. Raises PlaygroundError if they
    are more than `settings.MAX_PROMPT_TOKENS`.
    """
    ids = _prompt_ids(tokenizer, prompt, shots)
    _check_length(len(ids), shots)
    return ids


def _check_length(tokens: int, shots: Sequence[Example]) -> None:
    if tokens > settings.MAX_PROMPT_TOKENS:
        key = "few_shot_too_long" if shots else "prompt_too_many_tokens"
        raise PlaygroundError(key, found=tokens, maximum=settings.MAX_PROMPT_TOKENS, examples=len(shots))


def _prompt_ids(tokenizer: PreTrainedTokenizerBase, prompt: str, shots: Sequence[Example]) -> list[int]:
    if tokenizer.chat_template is None:
        turns = "".join(f"{shot.prompt}\n{shot.response}\n" for shot in shots)
        return list(tokenizer(turns + prompt + "\n")["input_ids"])
    messages = []
    for shot in shots:
        messages += [{"role": "user", "content": shot.prompt}, {"role": "assistant", "content": shot.response}]
    messages.append({"role": "user", "content": prompt})
    encoded: Any = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
    return list(encoded["input_ids"])


def any_two(tokenizer: PreTrainedTokenizerBase, shots: Sequence[Example] = ()) -> list[list[int]]:
    """The prompts of two questions that have nothing in common: what both begin with, any question to `shots` does."""
    return [_prompt_ids(tokenizer, question, shots) for question in ("A", "7")]


def encode(
    tokenizer: PreTrainedTokenizerBase, example: Example, shots: Sequence[Example] = ()
) -> tuple[list[int], list[int]]:
    """
    (input ids, labels) of one example, equally long: the labels are IGNORE over the prompt and the ids over the
    response and the token that ends a turn. Raises PlaygroundError if the example is longer than
    `settings.MAX_SEQUENCE_TOKENS`, or together with `shots` than `settings.MAX_PROMPT_TOKENS`.
    """
    before = _prompt_ids(tokenizer, example.prompt, shots)
    end = turn_end(tokenizer)
    after = [*tokenizer(example.response, add_special_tokens=False)["input_ids"], *([] if end is None else [end])]
    if not shots and len(before) + len(after) > settings.MAX_SEQUENCE_TOKENS:
        raise PlaygroundError(
            "example_too_long",
            prompt=example.prompt[:40],
            found=len(before) + len(after),
            maximum=settings.MAX_SEQUENCE_TOKENS,
        )
    if shots:
        _check_length(len(before) + len(after), shots)
    return before + after, [IGNORE] * len(before) + after
