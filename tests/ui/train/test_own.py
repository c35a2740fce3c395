"""A visitor's own examples: which place counts, and what is shown of them before anything is trained."""

from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from playground.adapt.tables import Pair, Table, parse

from playground.errors import Columns
from playground.locales import text
from playground.settings import MIN_OWN_EXAMPLES
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.ui.train.own import Own, build, how, summary, typed, what_was_read
from tests.ui.drawn import Page, assert_laws, assert_shown_as_text, both_languages

PAIRS = [(f"question {n}", f"answer {n}") for n in range(10)]
NONE: list[list[Any]] = [["", ""]] * MIN_OWN_EXAMPLES
SHEET = "\n".join("\t".join(pair) for pair in PAIRS)


def own(rows: Any = NONE, pasted: str = "", file: Any = None, language: str = "en", method: str = "lora") -> Own:
    return Own("me", language, "smollm2-135m", file=file and str(file), pasted=pasted, rows=rows, method=method)


def pairs(given: Own) -> list[tuple[str, str]]:
    return [(pair.prompt, pair.response) for pair in given.table().pairs]


def test_a_file_counts_before_pasted_text_and_that_before_the_table(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("response;prompt\nto;from 1\n", encoding="utf-8")
    assert pairs(own([["typed", "row"]], "pasted\trow 2", file)) == [("from 1", "to")]
    assert pairs(own([["typed", "row"]], "pasted\trow 2")) == [("pasted", "row 2")]
    assert pairs(own([["typed", "row"], [None, None], ["", ""], [0, 1]])) == [("typed", "row"), ("0", "1")]


def test_a_spreadsheet_pasted_into_one_cell_is_its_table() -> None:
    assert pairs(own([["", ""], ["", SHEET], [None, ""]])) == PAIRS


@both_languages
def test_how_many_and_the_first_three_are_shown(language: Any) -> None:
    page = Page(what_was_read(own(pasted=SHEET, language=language)))
    assert text(language, "own.read", count="10", train="8", held_out="2") in page.text
    assert [one in page.text for pair in PAIRS[:4] for one in pair] == [True] * 6 + [False] * 2
    assert text(language, "own.no_header") in page.text


@both_languages
def test_few_shot_chooses_from_the_pairs_and_trains_on_none(language: Any) -> None:
    said = Page(what_was_read(own(pasted=SHEET, language=language, method="few_shot"))).text
    assert text(language, "prepare.own.read", count="10", train="8", held_out="2") in said
    assert text(language, "own.read", count="10", train="8", held_out="2") not in said


@both_languages
def test_the_typed_table_has_heads_of_the_language_over_the_rows_that_it_is_given(language: Any) -> None:
    """Gradio draws the heads of a value, and forgets those of a table whose value stays."""
    table = gr.Dataframe(type="array", column_count=2)
    drawn = table.postprocess(typed(language, [["Who?", "Me."]]))
    assert drawn.headers == [text(language, "own.prompt"), text(language, "own.response")]
    assert drawn.data == [["Who?", "Me."]]
    assert table.postprocess(typed(language)).data == NONE


def test_the_typed_table_has_its_two_columns_and_offers_no_third() -> None:
    with gr.Blocks():
        state = gr.State("")
        places, _ = build(Wording(), Controls(Visit, {"key": state, "language": state, "base": state}), gr.Radio(["lora"]))
    assert places["rows"].col_count == (2, "fixed")  # what gradio's table asks before it offers to add one


@both_languages
def test_what_cannot_be_read_is_said_in_its_place(language: Any) -> None:
    page = Page(what_was_read(own(pasted=SHEET + "\nalone", language=language)))
    cut, rows = text(language, "error.cut.any"), Columns(((11, 1),)).text(language)
    assert text(language, "error.data_columns", rows=rows, text="alone", cut=cut) in page.text
    assert what_was_read(own(language=language)) == ""


@both_languages
def test_too_few_are_shown_with_how_many_are_needed(language: Any) -> None:
    page = Page(what_was_read(own([["Who?", "Me."]], language=language)))
    assert text(language, "error.data_count", found=1, minimum=8, maximum=512) in page.text
    assert "Who?" in page.text


ONE = (Pair(1, "a", "b"),)
TABLES = [
    parse(SHEET),
    parse("Frage 1?;1,5\nFrage 2?;2\n"),
    parse("Answer,Question\nA,B\nC,B\n"),
    Table(ONE, ("prompt", "response")),
    Table(ONE, ("in", "out"), encoding="Windows-1252", left_out=("author", "<id>")),
]


def test_every_reading_keeps_the_laws() -> None:
    assert_laws(lambda language: [summary(table, method, language) for table in TABLES for method in ("lora", "few_shot")])


def test_all_that_was_recognised_is_said() -> None:
    none = "No header: the first column is taken as the prompt, the second as the response."
    assert [how(table, "en") for table in TABLES] == [
        ["The columns are cut at tabs.", none],
        ["The columns are cut at semicolons.", none],
        [
            "The columns are cut at commas.",
            "The column “Question” is the prompt, “Answer” the response.",
            "Left out, because they repeat an earlier prompt: 1.",
        ],
        [],
        [
            "The column “in” is the prompt, “out” the response.",
            "Read as Windows-1252. If letters look wrong, save the file as UTF-8.",
            "Other columns or fields, left out: author, &lt;id&gt;.",
        ],
    ]


@both_languages
@pytest.mark.parametrize("place", [lambda evil: Pair(1, evil, "b"), lambda evil: Pair(1, "a", evil)])
def test_hostile_examples_are_shown_as_text(place: Any, language: Any) -> None:
    assert_shown_as_text(lambda evil, lang: summary(Table((place(evil),), (evil, "b")), "lora", lang), language)
