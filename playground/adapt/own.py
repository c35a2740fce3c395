"""
A visitor's own examples as a task: what of their table is trained on and held out, how its answers are scored, and how a
model will see it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from playground import settings
from playground.adapt import scorers
from playground.adapt.tasks import IGNORE, OWN, Example, Task, encode
from playground.bounds import shown
from playground.data.given import Given
from playground.data.sheet import LeftOut
from playground.data.tables import Pair, Table
from playground.errors import PlaygroundError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MIXED, LAST, COLUMN = "mixed", "last", "column"
SPLITS = (MIXED, LAST, COLUMN)  # drawn once and for all, those at the end, or as a column called "split" says
HELD_OUT = (2, 16)  # at least and at most, of a fifth of the pairs, where nobody has said how many


@dataclass(frozen=True)
class Piece:
    """A token, or the few that make a whole character, and whether it carries loss."""

    text: str
    learned: bool


def task_of(table: Table, given: Given = Given()) -> Task:  # noqa: B008  # frozen
    """
    A task from a visitor's table. Raises PlaygroundError if there are too few pairs, or none are left on one side; for a
    split or scorer that there is not or that the pairs do not allow.
    """
    pairs = table.pairs
    if not settings.MIN_OWN_EXAMPLES <= len(pairs) <= settings.MAX_OWN_EXAMPLES:
        raise PlaygroundError(
            "data_count", found=len(pairs), minimum=settings.MIN_OWN_EXAMPLES, maximum=settings.MAX_OWN_EXAMPLES
        )
    _check_scorer(given.scorer, table)
    train, held_out = _split(table, given)
    return Task(OWN, tuple(map(_example, train)), tuple(map(_example, held_out)), given.scorer)


def split_of(table: Table, given: Given) -> str:
    """The split that is chosen, or the usual one: as the table says, if it says so, else mixed."""
    return given.split or (COLUMN if table.splits else MIXED)


def held_out_of(table: Table, given: Given) -> int:
    """How many pairs are held out: as many as are asked for, or a fifth within HELD_OUT."""
    if split_of(table, given) == COLUMN:
        return sum(pair.held_out for pair in table.pairs)
    least, most = HELD_OUT
    return given.held_out or max(least, min(most, len(table.pairs) // 5))


def most_held_out(table: Table) -> int:
    """Half of the pairs."""
    return len(table.pairs) // 2


def within(table: Table, tokenizer: PreTrainedTokenizerBase) -> Table:
    """The table without the pairs that are longer than `settings.MAX_SEQUENCE_TOKENS`, which are left out by their lines."""
    around = len(encode(tokenizer, Example("A", "A"))[0])  # of the template; a token has at least one byte
    long = list[Pair]()
    for pair in table.pairs:
        if around + len((pair.prompt + pair.response).encode()) <= settings.MAX_SEQUENCE_TOKENS:
            continue
        try:
            encode(tokenizer, _example(pair))
        except PlaygroundError:
            long.append(pair)
    if not long:
        return table
    pairs = tuple(pair for pair in table.pairs if pair not in long)
    left_out = [*table.left_out, *(LeftOut(pair.line, "tokens") for pair in long)]
    return replace(table, pairs=pairs, left_out=tuple(sorted(left_out, key=lambda one: one.line)))


def seen(tokenizer: PreTrainedTokenizerBase, pair: Pair) -> list[Piece]:
    """A pair as a model reads it in training: in its chat template, token by token. Raises PlaygroundError as `encode`."""
    ids, labels = encode(tokenizer, _example(pair))
    return list(_pieces(tokenizer, ids, labels))


def as_lines(task: Task) -> str:
    """A task as the project's own ones lie in `examples/tasks`: JSON Lines, what is trained on in its order first."""
    rows = [("train", one) for one in task.train] + [("held_out", one) for one in task.held_out]
    lines = [{"split": split, "prompt": one.prompt, "response": one.response} for split, one in rows]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _example(pair: Pair) -> Example:
    return Example(pair.prompt, pair.response)


def _check_scorer(scorer: str, table: Table) -> None:
    if scorer and scorer not in scorers.OWN:
        raise PlaygroundError("own_scorer", found=shown(scorer), known=", ".join(scorers.OWN))
    if scorer == "json":
        wrong = [pair.line for pair in table.pairs if not scorers.is_fields(pair.response)]
        if wrong:
            raise PlaygroundError("own_scorer_json", unit=table.sheet.counted, line=wrong[0])


def _split(table: Table, given: Given) -> tuple[list[Pair], list[Pair]]:
    """What is trained on and what is held out; always the same."""
    way, pairs = split_of(table, given), list(table.pairs)
    if way not in SPLITS:
        raise PlaygroundError("own_split", found=shown(way), known=", ".join(SPLITS))
    if way == COLUMN:
        train, held_out = ([pair for pair in pairs if pair.held_out == side] for side in (False, True))
        if not table.splits or not train or not held_out:
            raise PlaygroundError("own_split_column")
        return train, held_out
    count, least, most = held_out_of(table, given), HELD_OUT[0], most_held_out(table)
    if not least <= count <= most:
        raise PlaygroundError("own_held_out", found=count, minimum=least, maximum=most)
    if way == LAST:
        return pairs[:-count], pairs[-count:]
    random.Random(0).shuffle(pairs)
    return pairs[count:], pairs[:count]


def _pieces(tokenizer: PreTrainedTokenizerBase, ids: list[int], labels: list[int]) -> Iterator[Piece]:
    held: list[int] = []
    for place, (token, label) in enumerate(zip(ids, labels, strict=True)):
        held.append(token)
        text = str(tokenizer.decode(held))
        last = place + 1 == len(ids) or (labels[place + 1] == IGNORE) != (label == IGNORE)
        if last or not text.endswith("\ufffd"):
            yield Piece(text, label != IGNORE)
            held = []
