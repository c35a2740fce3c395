"""
A visitor's own examples: where they go, and what was read of them, before anything is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from playground import settings
from playground.actions.train import own_table
from playground.adapt.headers import EXACT
from playground.adapt.tables import Table
from playground.adapt.tasks import task_of
from playground.errors import PlaygroundError
from playground.locales import number, text
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, alarm
from playground.ui.kit.html import words
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.train.status import PREPARES, sample_row

FILES = [".csv", ".tsv", ".json", ".jsonl"]
FIRST = 3  # pairs that are shown
EMPTY = (("", ""),) * settings.MIN_OWN_EXAMPLES  # rows of the typed table
SEPARATORS = {",": "own.separator.comma", ";": "own.separator.semicolon", "\t": "own.separator.tab"}
# A file that is dropped on the table goes where files go: gradio's table would guess its separator, and take its first
# line for the names of the columns whatever their order.
DROPPED = """
document.addEventListener("drop", event => {
  if (!event.target.closest("#own-table")) return;
  event.preventDefault();
  event.stopPropagation();
  const input = document.querySelector("#own-file input[type=file]");
  if (!input) return;
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}, true);
"""
# Gradio opens a cell at its first letter and gives it the focus a frame later, when that letter has gone nowhere: an open
# cell has the focus as soon as it is there
OPENED = """
new MutationObserver(changes => {
  const added = changes.flatMap(change => [...change.addedNodes]).filter(node => node.nodeType === Node.ELEMENT_NODE);
  const open = added.map(node => node.matches("textarea") ? node : node.querySelector("textarea"));
  open.find(field => field?.closest("#own-table [role=gridcell]"))?.focus();
}).observe(element.closest(".pp-card"), { childList: true, subtree: true });
"""


@dataclass(frozen=True)
class Own(Visit):
    """A visitor's own examples as they are on the page: a file counts first, then what was pasted, then what was typed."""

    file: str | None
    pasted: str
    rows: list[list[Any]]
    method: str  # decides what they are for

    def table(self) -> Table:
        """Raises PlaygroundError if they cannot be read as they were meant."""
        return own_table(self.rows, self.file, self.pasted)


def build(wording: Wording, visit: Controls[Visit], method: gr.Radio) -> tuple[dict[str, Any], gr.Column]:
    """The three places for them and, beside each, what was read; the places by the fields of `Own`, and the column."""
    make = wording.make
    with gr.Column(visible=False) as column:
        file = make(
            gr.File, {"label": "own.file"}, file_types=FILES, type="filepath", height=110, elem_id="own-file"
        )  # fmt: skip
        of_file = html("", elem_id="own-read-file", elem_classes="pp-read", js_on_load=DROPPED + OPENED)
        pasted = make(
            gr.Textbox, {"label": "own.paste", "info": "own.paste.help"}, value="", lines=3, max_lines=8,
            elem_id="own-paste",
        )  # fmt: skip
        of_text = html("", elem_id="own-read", elem_classes="pp-read")  # below what is pasted, above what is typed
        rows = make(
            gr.Dataframe, {"label": "own.table", "value": typed}, type="array", column_count=(2, "fixed"), interactive=True,
            wrap=True, max_height=360, elem_id="own-table",
        )  # fmt: skip
    places: dict[str, Any] = {"file": file, "pasted": pasted, "rows": rows}
    own = Controls(Own, {**visit.components, **places, "method": method})
    changed = [place.change for place in (*places.values(), method)]
    seen = own.handler(lambda given: show(given, of_file, of_text))
    gr.on(changed, seen, own.inputs, [of_file, of_text], trigger_mode="always_last", **HIDDEN)
    return places, column


def heads(language: str) -> list[str]:
    """What the columns of the typed table are called; their order is what counts."""
    return [text(language, "own.prompt"), text(language, "own.response")]


def typed(language: str, rows: Sequence[Sequence[Any]] = EMPTY) -> dict[str, Any]:
    """The typed table as gradio takes it: it shows other heads only together with the rows below them."""
    return {"headers": heads(language), "data": [list(row) for row in rows]}


def show(own: Own, of_file: gr.HTML, of_text: gr.HTML) -> Changes:
    """What was read, beside the place that counts."""
    read = what_was_read(own)
    return {of_file: read if own.file else "", of_text: "" if own.file else read}


def what_was_read(own: Own) -> str:
    """How many pairs there are and the first of them, how they were recognised, or why they cannot be read."""
    try:
        table = own.table()
    except PlaygroundError as error:
        return alarm(error.message(own.language))
    return f'<div role="status">{summary(table, own.method, own.language)}</div>' if table.pairs else ""


def summary(table: Table, method: str, language: str) -> str:
    """A table that was read, as HTML."""
    head = heads(language)
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    first = [(pair.prompt, pair.response) for pair in table.pairs[:FIRST]]
    drawn = "".join(
        sample_row(row, head, [list(column) for column in zip(*first, strict=True)]) for row in range(len(first))
    )
    lines = "".join(f'<p class="pp-soft pp-small">{one}</p>' for one in how(table, language))
    shown = f'<table class="pp-samples"><thead><tr>{cells}</tr></thead><tbody>{drawn}</tbody></table>'
    return how_many(table, method, language) + shown + lines


def how_many(table: Table, method: str, language: str) -> str:
    """How many pairs, to train on or to choose from, and to hold out; or why they are too few or too many."""
    try:
        task = task_of(table)
    except PlaygroundError as error:
        return f'<p class="pp-small">{escape(error.message(language))}</p>'
    counts = {"count": len(table.pairs), "train": len(task.train), "held_out": len(task.held_out)}
    key = "prepare.own.read" if method == PREPARES else "own.read"
    said = words(language, key, **{name: number(language, count) for name, count in counts.items()})
    return f'<p class="pp-small">{said}</p>'


def how(table: Table, language: str) -> list[str]:
    """What was recognised, one sentence each."""
    said = []
    if table.separator:
        said.append(words(language, SEPARATORS[table.separator]))
    if not table.header:
        said.append(words(language, "own.no_header"))
    elif table.header != EXACT:
        said.append(words(language, "own.header", prompt=table.header[0], response=table.header[1]))
    if table.encoding != Table.encoding:
        said.append(words(language, "own.encoding", encoding=table.encoding))
    repeated = len(table.pairs) - len({pair.prompt for pair in table.pairs})
    if repeated:
        said.append(words(language, "own.repeated", count=number(language, repeated)))
    if table.left_out:
        said.append(words(language, "own.left_out", names=", ".join(table.left_out)))
    return said
