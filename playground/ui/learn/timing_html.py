"""
Products in each type as a table: recorded, and once its button was pressed, timed here (`SCRIPT` asks `time_here`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground import locales
from playground.actions.learn import time_products
from playground.errors import PlaygroundError
from playground.learn import timing
from playground.learn.timing import BATCHES, Product
from playground.locales import NO_BREAK, listed, machine, number, significant, size, text
from playground.ui.kit.events import alarm
from playground.ui.kit.html import words
from playground.ui.learn.tables import table

PLAIN = "float32"
READ_BACK = {"int8_read_back", "nf4"}  # turned back into float32 first
SCRIPT = """
element.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-time]");
  if (!button) return;
  button.disabled = true;
  const shown = button.closest(".pp-timing").querySelector(".pp-timed");
  shown.innerHTML = await server.time_here({ lang: shown.lang });
  button.disabled = false;
});
"""


def products(language: str) -> str:
    """The recorded table, with the button that measures here."""
    recorded, found = timing.recorded()
    said = text(language, "timing.recorded", machine=machine(language, recorded))
    return (
        f'<section class="pp-more-of-it pp-timing"><h3>{words(language, "timing.title")}</h3>'
        f'<p class="pp-soft">{words(language, "timing.layer", **_layer(language))}</p>'
        f'<div class="pp-timed" role="status" lang="{language}">{drawn(found, said, language)}</div>'
        f'<p><button type="button" class="chip" data-time>{words(language, "timing.go")}</button></p></section>'
    )


def time_here(given: Mapping[str, Any]) -> str:
    """The table of this machine, measured now."""
    language = locales.choose(given.get("lang"))
    try:
        return drawn(time_products(), text(language, "timing.here"), language)
    except PlaygroundError as error:
        return alarm(error.message(language))


def _layer(language: str) -> dict[str, str]:
    inputs, outputs = timing.shape()
    return {"inputs": number(language, inputs), "outputs": number(language, outputs), "many": number(language, BATCHES[1])}


def drawn(found: Sequence[Product], said: str, language: str) -> str:
    """A row for each type, both numbers of tokens side by side; where it was measured, and what it comes to."""
    by = {(one.kind, one.tokens): one for one in found}
    heads = [
        text(language, f"timing.head.{one}", tokens=number(language, tokens))
        for tokens in BATCHES
        for one in ("time", "rate", "moved", "ratio")
    ]
    rows = [
        [
            kind_name(kind, language),
            *(cell for tokens in BATCHES for cell in _cells(by[kind, tokens], by[PLAIN, tokens], language)),
        ]
        for kind in dict.fromkeys(one.kind for one in found)
    ]
    sentences = " ".join([*(_sentence(by, tokens, language) for tokens in BATCHES), *_reasons(by, language)])
    return f'{table(heads, rows)}<p class="pp-soft pp-small">{escape(said)}</p><p class="pp-meaning">{escape(sentences)}</p>'


def _cells(one: Product, plain: Product, language: str) -> list[str]:
    """Time, operations a second, bytes, and how many times as fast as float32; without a time where there is no product."""
    if one.seconds is None or plain.seconds is None:
        return [text(language, "timing.none"), "", "", ""]
    return [
        f"{significant(language, 1000 * one.seconds)}{NO_BREAK}ms",
        significant(language, one.rate / 1e9),
        size(language, one.moved),
        f"×{NO_BREAK}{significant(language, plain.seconds / one.seconds)}",
    ]


def _reasons(by: Mapping[tuple[str, int], Product], language: str) -> list[str]:
    """Why fewer bits are slower, as far as that is known: what torch reports of the processor, and what reading back is."""
    slow = {kind for kind, tokens in by if _slower(by[kind, tokens], by[PLAIN, tokens])}
    said = []
    for key, native in (("converted", False), ("own", True)):
        found = [
            kind for (kind, tokens), one in by.items() if tokens == BATCHES[0] and one.native is native and kind in slow
        ]
        if found:
            kinds = [kind_name(kind, language) for kind in found]
            said.append(text(language, f"timing.why.{key}", kinds=listed(language, kinds)))
    return [*said, text(language, "timing.why.read_back")] if slow & READ_BACK else said


def _slower(one: Product, plain: Product) -> bool:
    return one.seconds is not None and plain.seconds is not None and one.seconds > plain.seconds


def _sentence(by: Mapping[tuple[str, int], Product], tokens: int, language: str) -> str:
    """Which is the fastest, and which are slower than float32 though they have fewer bits."""
    known = {kind: one.seconds for (kind, read), one in by.items() if read == tokens and one.seconds is not None}
    said, slower = fastest(known, tokens, language), [kind for kind in known if known[kind] > known[PLAIN]]
    if not slower:
        return said
    kinds = listed(language, [kind_name(one, language) for one in slower])
    return f"{said} {locales.counted(language, 'timing.slower', len(slower), kinds=kinds)}"


def fastest(seconds: Mapping[str, float], tokens: int, language: str) -> str:
    """The kind that takes the shortest, and how many times as fast as float32 it is; plain text."""
    best = min(seconds, key=lambda kind: seconds[kind])
    values = {"fastest": kind_name(best, language), "times": significant(language, seconds[PLAIN] / seconds[best])}
    key = "timing.fastest.float32" if best == PLAIN else "timing.fastest"
    return locales.counted(language, key, tokens, **values)


def kind_name(kind: str, language: str) -> str:
    """Plain text."""
    return text(language, f"timing.kind.{kind}")
