"""
What columns and fields are called: which of them are the prompt and the response, and what may be a header.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any

# Without accents and in small letters
PROMPTS = frozenset(
    "prompt prompts instruction instructions input inputs question questions query q user human "
    "pregunta preguntas entrada entradas instruccion instrucciones consulta consultas enunciado usuario".split()
)
RESPONSES = frozenset(
    "response responses output outputs answer answers completion completions reply a assistant "
    "respuesta respuestas salida salidas contestacion contestaciones asistente".split()
)
ALPACA = ("instruction", "input", "output")
CHATS = ("messages", "conversations", "conversation")
EXACT = ("prompt", "response")  # beside these, other fields of an object may have any name
LIKE_A_NAME = re.compile(r"\W*([^\W\d]\w*|[^\W\d]+(\W+[^\W\d]+){1,3}|(column|columna|field|campo) \w+|\d)\W*")
LETTER, LONGEST_NAME = re.compile(r"[^\W\d_]"), 30  # characters
SPOKEN = re.compile(r"[.,;:!?¡¿…]")  # in sentences, not in names


def order(cells: Sequence[Any]) -> tuple[int, int] | None:
    """Where the columns of prompt and response stand, if these cells name them."""
    names = [_plain(cell) for cell in cells]

    def called(exact: str, known: Collection[str]) -> list[int]:
        places = [place for place, name in enumerate(names) if name in known]
        return [place for place in places if names[place] == exact] or places

    prompts, responses = called(EXACT[0], PROMPTS), called(EXACT[1], RESPONSES)
    return (prompts[0], responses[0]) if len(prompts) == len(responses) == 1 else None


def alpaca(cells: Sequence[Any]) -> tuple[int, int, int] | None:
    """Where instruction, input and output stand, as Stanford Alpaca calls them, if these cells are so called."""
    names = [_plain(cell) for cell in cells]
    found = [[place for place, name in enumerate(names) if name == one] for one in ALPACA]
    return (found[0][0], found[1][0], found[2][0]) if all(len(one) == 1 for one in found) else None


def known(cells: Sequence[Any]) -> bool:
    """Whether these cells are names of columns that say what is in them."""
    names = [_plain(cell) for cell in cells]
    return bool(order(cells) or alpaca(cells)) or any(name in CHATS for name in names)


def may_be_a_header(cells: Sequence[Any]) -> bool:
    """Whether a first line that names no known columns looks as if it named some."""
    names = [_plain(cell) for cell in cells]
    known = any(name in PROMPTS | RESPONSES for name in names)
    return known or all(LIKE_A_NAME.fullmatch(name) and not SPOKEN.search(name) for name in names)


def could_be_names(cells: Sequence[Any]) -> bool:
    """Whether all of these could be names, though nothing says that they are: short, with a letter, each another."""
    names = [name for name in map(_plain, cells) if name]
    short = all(len(name) <= LONGEST_NAME and LETTER.search(name) and not SPOKEN.search(name) for name in names)
    return short and len(set(names)) == len(names) > 1


def half_known(cells: Sequence[Any]) -> bool:
    """Whether just one of these cells is the name of a prompt or response; a single letter says too little."""
    return sum(name in PROMPTS | RESPONSES and len(name) > 1 for name in map(_plain, cells)) == 1


def turned(cells: Sequence[Any]) -> bool:
    """Whether the response stands before the prompt in two columns of which one has a known name."""
    first, second = map(_plain, cells)
    return first in RESPONSES or second in PROMPTS


def _plain(name: Any) -> str:
    """A name in small letters, without accents, without the marks around it."""
    letters = unicodedata.normalize("NFKD", str(name).strip(" \t:*_\"'").casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
