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
from playground.adapt.own import COLUMN, HELD_OUT, LAST, MIXED, most_held_out, split_of
from playground.adapt.scorers import OWN as SCORERS
from playground.data.delimited import CUTS
from playground.data.given import Given
from playground.data.letters import SAID
from playground.data.reading import READERS, TEXT
from playground.data.sheet import Sheet
from playground.data.tables import Table
from playground.errors import PlaygroundError
from playground.locales import number, text
from playground.ui.kit.controls import Changes, Controls
from playground.ui.kit.events import HIDDEN, alarm
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording, html
from playground.ui.train import own_html

SAMPLE = settings.EXAMPLES / "own" / "sample.csv"
EMPTY = (("", ""),) * settings.MIN_OWN_EXAMPLES  # rows of the typed table
PLACES = ("file", "dataset", "pasted", "rows")
COLUMNS = ("prompt", "context", "response")
ASKED = (*COLUMNS, "split", "held_out", "scorer", "encoding", "separator", "header")
HELD = (4, 8, 16, 32, 64, 128)  # how many can be held out, besides the usual
# Where the answer to what is wrong is one of the choices
OPENS = {"data_map", "data_header", "data_ambiguous", "data_encoding", "data_encoding_asked", "data_columns", "data_quotes",
         "own_split_column", "own_held_out", "own_scorer_json"}  # fmt: skip
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
    """A visitor's own examples as they are on the page, and the method, which decides what they are for."""

    given: Given
    method: str

    @classmethod
    def of(cls, key: str, language: str, base: str, method: str, **given: Any) -> Self:
        """Out of the controls."""
        return cls(key, language, base, given_of(given), method)


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

    @property
    def shown(self) -> list[Any]:
        """What a reading changes."""
        told = [self.controls[name] for name in (*PLACES[1:], *ASKED)]
        return [self.of_file, self.of_text, self.fold, *told]

    def show(self, seen: Own) -> Changes:
        """What was read, beside the place that counts, and what can be chosen about it."""
        given, language = seen.given, seen.language
        read, sheet, table, wrong = said(seen)
        first = bool(given.file or given.dataset.strip())
        changes: Changes = {
            self.of_file: read if first else "",
            self.of_text: "" if first else read,
            self.fold: gr.update(visible=True, open=True) if wrong in OPENS else gr.update(visible=not given.empty),
            self.controls["dataset"]: gr.update(visible=not given.file),
            self.controls["pasted"]: gr.update(visible=not first),
            self.controls["rows"]: gr.update(visible=not first),
        }
        about = _choices(given, sheet, table, language) | _how(given, sheet, wrong)
        return changes | {self.controls[name]: change for name, change in about.items()}

    def filled(self, given: Given, language: str) -> Changes:
        """The controls as they were left; columns are shown by `show` as soon as they are read."""
        plain = {name: getattr(given, name) for name in (*PLACES[:3], *ASKED)}
        plain |= {name: gr.update(choices=[(plain[name], plain[name])], value=plain[name]) for name in COLUMNS}
        plain |= {"rows": typed(language, given.rows or EMPTY)}
        return {self.controls[name]: value for name, value in plain.items()}


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
        rows = make(
            gr.Dataframe, {"label": "own.table", "value": typed}, type="array", column_count=(2, "fixed"), interactive=True,
            wrap=True, max_height=360, elem_id="own-table",
        )  # fmt: skip
        with make(gr.Accordion, {"label": "own.details"}, open=False, visible=False, elem_id="own-how") as fold:
            asked = _asked(wording)
    places = Places(
        {"file": file, "dataset": dataset, "pasted": pasted, "rows": rows, **asked}, column, of_file, of_text, fold
    )  # fmt: skip
    own_controls = Controls(Own.of, {**visit.components, **places.controls, "method": method})
    changed = [one.change for one in (file, pasted, rows, method)] + [dataset.submit, dataset.blur]
    changed += [one.input for one in asked.values()]
    seen = own_controls.handler(places.show)
    gr.on(changed, seen, own_controls.inputs, places.shown, trigger_mode="always_last", **HIDDEN)
    return places


def _asked(wording: Wording) -> dict[str, Any]:
    """What can be chosen: the columns, what is held out, the score, and how a text is cut."""
    make = wording.make

    def choice(name: str, label: str, choices: Any, *, info: str = "", value: Any = "") -> Any:
        told = {"label": label, "choices": choices, **({"info": info} if info else {})}
        return make(gr.Dropdown, told, value=value, filterable=False, min_width=120, elem_id=f"own-{name}")

    def nothing(language: str) -> list[tuple[str, str]]:
        return [("", "")]

    with gr.Row():
        columns = {name: choice(name, f"own.use.{name}", nothing) for name in COLUMNS}
    split = choice("split", "own.split", partial(splits, Table(())), info="own.split.help")
    held_out = choice("held-out", "own.held_out", partial(counts, Table(())), info="own.held_out.help", value=0)
    scorer = choice("scorer", "own.scorer", scorers, info="own.scorer.help")
    with gr.Row():
        encoding = choice("encoding", "own.encoding.choice", encodings)
        separator = choice("separator", "own.separator.choice", separators)
        header = choice("header", "own.header.choice", header_choices)
    return {
        **columns, "split": split, "held_out": held_out, "scorer": scorer, "encoding": encoding, "separator": separator,
        "header": header,
    }  # fmt: skip


# What can be chosen, in words


def splits(table: Table, language: str) -> list[tuple[str, str]]:
    found = "own.split.found.column" if table.splits else "own.split.found"
    more = [(text(language, "own.split.mixed"), MIXED)] if table.splits else []
    return [(text(language, found), ""), (text(language, "own.split.last"), LAST), *more]


def counts(table: Table, language: str) -> list[tuple[str, int]]:
    """The usual number and others, up to half of the pairs."""
    least, most = HELD_OUT
    usual = number(language, max(least, min(most, len(table.pairs) // 5)))
    return [
        (text(language, "own.held_out.usual", count=usual), 0),
        *((number(language, one), one) for one in HELD if one <= most_held_out(table)),
    ]


def scorers(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"own.scorer.{name or 'none'}"), name) for name in ("", *SCORERS)]


def encodings(language: str) -> list[tuple[str, str]]:
    return [(text(language, "own.found"), ""), *((said, name) for name, said in SAID.items())]


def separators(language: str) -> list[tuple[str, str]]:
    return [(text(language, "own.found"), ""), *((text(language, f"own.cut.{cut}"), one) for one, cut in CUTS.items())]


def header_choices(language: str) -> list[tuple[str, str]]:
    return [(text(language, "own.found"), ""), *((text(language, f"own.first.{one}"), one) for one in ("yes", "no"))]


def _choices(given: Given, sheet: Sheet | None, table: Table | None, language: str) -> dict[str, Any]:
    """Columns, split and number as they can be chosen in this table, with what counts chosen."""
    names = [(own_html.column_name(name, sheet, language), name) for name in sheet.columns] if sheet else []
    chosen = (table.columns if table else None) or in_columns(given, sheet or Sheet((), ()))
    changes: dict[str, Any] = {}
    for name in COLUMNS:
        empty = [(text(language, "own.use.nothing") if name == "context" else "", "")]
        changes[name] = gr.update(choices=[*empty, *names], value=getattr(chosen, name), visible=len(names) > 0)
    table = table or Table(())
    split = "" if given.split == MIXED and not table.splits else given.split
    by_column = bool(table.pairs) and split_of(table, replace(given, split=split)) == COLUMN
    changes["split"] = gr.update(choices=splits(table, language), value=split)
    numbers = counts(table, language)
    held_out = given.held_out if given.held_out in [one for _, one in numbers] else 0
    changes["held_out"] = gr.update(choices=numbers, value=held_out, visible=not by_column)
    return changes


def _how(given: Given, sheet: Sheet | None, wrong: str) -> dict[str, Any]:
    """Encoding, separator and first line where a text has them."""
    of_file = bool(given.file) and str(given.file).lower().endswith(TEXT)
    cut = bool(sheet and sheet.separator) or wrong in ("data_ambiguous", "data_columns", "data_quotes", "data_header")
    lines = bool(sheet and sheet.header is not None) or wrong == "data_header"
    seen = {"encoding": of_file, "separator": cut or bool(given.separator), "header": lines or bool(given.header)}
    return {name: gr.update(visible=visible) for name, visible in seen.items()}


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


def in_columns(given: Given, sheet: Sheet) -> Given:
    """Without chosen columns that another table had."""
    prompt, context, response = (
        one if one in sheet.columns else "" for one in (given.prompt, given.context, given.response)
    )  # fmt: skip
    return replace(given, prompt=prompt, context=context, response=response)
