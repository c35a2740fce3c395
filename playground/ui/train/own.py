"""
A visitor's own examples: where they go, how they shall be read, split and scored, and what was read of them, before
anything is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Self

import gradio as gr

from playground import settings
from playground.actions import own
from playground.actions.own import Reading
from playground.data.given import Given, Source
from playground.data.reading import READERS
from playground.data.sheet import Sheet
from playground.data.tables import Table
from playground.errors import PlaygroundError
from playground.locales import text
from playground.ui.kit.controls import Changes, Controls, unchanged
from playground.ui.kit.events import HIDDEN, alarm
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.train import own_choices, own_html
from playground.ui.train.own_choices import COLUMNS, in_columns

NONE = Source()
SAMPLE = settings.EXAMPLES / "own" / "sample.csv"
EMPTY = (("", ""),) * settings.MIN_OWN_EXAMPLES  # rows of the typed table
PLACES = ("file", "dataset", "pasted", "rows")
ASKED = (*COLUMNS, "split", "held_out", "scorer", "encoding", "separator", "header")
# Where the answer to what is wrong is one of the choices
OPENS = {
    "data_map", "data_map_places", "data_header", "data_ambiguous", "data_encoding", "data_encoding_asked", "data_columns",
    "data_quotes", "own_split_column", "own_held_out", "own_scorer_json",
}  # fmt: skip
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
    """
    A visitor's own examples as they are on the page, the method, which decides what they are for, and which data were read
    last.
    """

    given: Given
    method: str
    before: Source = NONE

    @classmethod
    def of(cls, key: str, language: str, base: str, method: str, before: Source, **given: Any) -> Self:
        """Out of the controls."""
        return cls(key, language, base, given_of(given), method, before)


def given_of(controls: Mapping[str, Any]) -> Given:
    """What of the controls' values says of own examples; what nothing is chosen in is found."""
    found = {field.name: controls[field.name] for field in fields(Given) if controls.get(field.name) is not None}
    rows = [["" if cell is None else str(cell) for cell in row] for row in found.get("rows", ())]
    return Given(**{**found, "rows": rows})


@dataclass(frozen=True)
class Places:
    """The controls by the fields of `Given`, and what they bring with them."""

    controls: dict[str, Any]
    column: gr.Column
    of_file: gr.HTML
    of_text: gr.HTML
    fold: gr.Accordion
    typed: gr.Accordion  # around the typed table
    before: gr.State  # which data were read last
    seen: Controls[Own]

    @property
    def shown(self) -> list[Any]:
        """What a reading changes."""
        told = [self.controls[name] for name in ("dataset", "pasted", *ASKED)]
        return [self.of_file, self.of_text, self.fold, self.typed, self.before, *told]

    @property
    def restored(self) -> list[Any]:
        """What a form brings back besides the controls."""
        return [self.typed, self.before]

    def show(self, seen: Own) -> Changes:
        """
        What was read, beside the place that counts, and what can be chosen about it: other data begin with all found. What
        is chosen stays where there are no data: while a page opens, they may be on their way.
        """
        if seen.given.empty:
            return {self.of_file: "", self.of_text: "", self.fold: gr.update(visible=False)} | self._seen(first=False)
        fresh = not seen.given.source.continues(seen.before)
        seen = replace(seen, given=seen.given.afresh()) if fresh else seen
        given, language = seen.given, seen.language
        read, sheet, table, wrong = said(seen)
        first = bool(given.file or given.dataset.strip())
        changes: Changes = {
            self.of_file: read if first else "",
            self.of_text: "" if first else read,
            self.fold: gr.update(visible=True, open=True) if wrong in OPENS else gr.update(visible=True),
            self.before: given.source,
        }
        about = own_choices.offered(given, sheet, table, language) | own_choices.how(given, sheet, wrong, fresh)
        changes |= {self.controls[name]: change for name, change in about.items()}
        return changes | self._seen(first, file=bool(given.file))

    def read_again(self, seen: Own) -> Changes:
        """After a reload: a data set's id, unlike a file or a text, reads nothing by coming back."""
        return self.show(seen) if seen.given.source.place == "dataset" else unchanged(self.of_file)

    def _seen(self, first: bool, file: bool = False) -> Changes:
        """Which places can be seen: none below a `file` or, where `first`, one that counts before the others."""
        return {
            self.controls["dataset"]: gr.update(visible=not file),
            self.controls["pasted"]: gr.update(visible=not first),
            self.typed: gr.update(visible=not first),
        }

    def filled(self, given: Given, language: str) -> Changes:
        """The controls as they were left; columns are shown by `show` as soon as they are read."""
        plain = {name: getattr(given, name) for name in (*PLACES[:3], *ASKED)}
        plain |= {name: gr.update(choices=[(plain[name], plain[name])], value=plain[name]) for name in COLUMNS}
        plain |= {"rows": typed(language, given.rows or EMPTY)}
        changes: Changes = {self.controls[name]: value for name, value in plain.items()}
        return changes | {self.before: given.source, self.typed: gr.update(open=not Given(rows=given.rows).empty)}


def build(wording: Wording, visit: Controls[Visit], method: gr.Radio) -> Places:
    """The places for them, beside each what was read, and a fold with what can be chosen."""
    make = wording.make
    with gr.Column(visible=False) as column:
        file = make(
            gr.File, {"label": "own.file"}, file_types=list(READERS), type="filepath", height=110, elem_id="own-file"
        )  # fmt: skip
        make(
            gr.DownloadButton, {"label": "own.sample"}, value=str(SAMPLE), size="sm", elem_classes="chip",
            elem_id="own-sample",
        )  # fmt: skip
        dataset = make(
            gr.Textbox, {"label": "own.dataset", "info": "own.dataset.help"}, value="", max_lines=1, max_length=300,
            elem_id="own-dataset",
        )  # fmt: skip
        of_file = html("", elem_id="own-read-file", elem_classes="pp-read", js_on_load=DROPPED + OPENED)
        pasted = make(
            gr.Textbox, {"label": "own.paste", "info": "own.paste.help"}, value="", lines=3, max_lines=8,
            elem_id="own-paste",
        )  # fmt: skip
        of_text = html("", elem_id="own-read", elem_classes="pp-read")  # below what is pasted, above what is typed
        with make(gr.Accordion, {"label": "own.table"}, open=False, elem_id="own-typed") as typing:
            rows = make(
                gr.Dataframe, {"label": "own.table", "value": typed}, type="array", column_count=(2, "fixed"), wrap=True,
                interactive=True, show_label=False, max_height=360, elem_id="own-table",
            )  # fmt: skip
        with make(gr.Accordion, {"label": "own.details"}, open=False, visible=False, elem_id="own-how") as fold:
            asked = _asked(wording)
    before = gr.State(NONE)
    controls = {"file": file, "dataset": dataset, "pasted": pasted, "rows": rows, **asked}
    seen = Controls(Own.of, {**visit.components, **controls, "method": method, "before": before})
    places = Places(controls, column, of_file, of_text, fold, typing, before, seen)
    changed = [one.change for one in (file, pasted, rows, method)] + [dataset.submit, dataset.blur]
    changed += [one.input for one in asked.values()]
    gr.on(changed, seen.handler(places.show), seen.inputs, places.shown, trigger_mode="always_last", **HIDDEN)
    return places


def _asked(wording: Wording) -> dict[str, Any]:
    """What can be chosen: the columns, what is held out, the score, and how a text is cut."""
    make = wording.make

    def choice(name: str, label: str, choices: Any, *, info: str = "", value: Any = "") -> Any:
        told = {"label": label, "choices": choices, **({"info": info} if info else {})}
        return make(gr.Dropdown, told, value=value, filterable=False, min_width=150, elem_id=f"own-{name}")

    def nothing(language: str) -> list[tuple[str, str]]:
        return [("", "")]

    columns = {name: choice(name, f"own.use.{name}", nothing) for name in COLUMNS}
    split = choice("split", "own.split", partial(own_choices.splits, Table(())), info="own.split.help")
    held_out = choice("held-out", "own.held_out", partial(own_choices.counts, Table(())), info="own.held_out.help", value=0)
    scorer = choice("scorer", "own.scorer", own_choices.scorers, info="own.scorer.help")
    with gr.Row():
        encoding = choice("encoding", "own.encoding.choice", own_choices.encodings)
        separator = choice("separator", "own.separator.choice", own_choices.separators)
        header = choice("header", "own.header.choice", own_choices.header_choices)
    return {
        **columns, "split": split, "held_out": held_out, "scorer": scorer, "encoding": encoding, "separator": separator,
        "header": header,
    }  # fmt: skip


def heads(language: str) -> list[str]:
    """What the columns of the typed table are called; their order is what counts."""
    return [text(language, "own.prompt"), text(language, "own.response")]


def typed(language: str, rows: Sequence[Sequence[Any]] = EMPTY) -> dict[str, Any]:
    """The typed table as gradio takes it: it shows other heads only together with the rows below them."""
    return {"headers": heads(language), "data": [list(row) for row in rows]}


def said(seen: Own) -> tuple[str, Sheet | None, Table | None, str]:
    """What was read, as HTML, or why it cannot be; the sheet and the table, as far as there are any; what is wrong."""
    if seen.given.empty:
        return "", None, None, ""
    sheet: Sheet | None = None
    try:
        sheet = own.sheet_of(seen.given)
        found: Reading = own.read(sheet, in_columns(seen.given, sheet), seen.base)
    except PlaygroundError as error:
        return alarm(error.message(seen.language)), sheet, None, error.key
    drawn = own_html.summary(found, seen.method, seen.language)
    return f'<div role="status">{drawn}</div>', sheet, found.table, found.wrong.key if found.wrong else ""
