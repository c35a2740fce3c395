"""A visitor's own examples: which place counts, and what is shown of them before anything is trained."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pyarrow as pa
import pytest
from pyarrow import parquet

from playground.actions import own as actions
from playground.actions.own import Reading
from playground.adapt.own import Piece
from playground.adapt.tasks import OWN, Task
from playground.data import tables
from playground.data.given import Given
from playground.data.sheet import REASONS, LeftOut, Sheet
from playground.data.tables import Columns, Pair, Table
from playground.errors import Columns as Counted
from playground.errors import PlaygroundError
from playground.locales import text
from playground.model.bases import Base
from playground.settings import MIN_OWN_EXAMPLES
from playground.ui.kit.controls import Controls
from playground.ui.kit.visit import Visit
from playground.ui.kit.wording import Wording
from playground.ui.train import own_choices
from playground.ui.train.own import SAMPLE, Own, build, given_of, said, typed
from playground.ui.train.own_choices import in_columns
from playground.ui.train.own_html import column_choice, how, spans, summary
from tests.ui.drawn import Page, assert_laws, assert_shown_as_text, both_languages

PAIRS = [(f"question {n}", f"answer {n}") for n in range(10)]
NONE: list[list[Any]] = [["", ""]] * MIN_OWN_EXAMPLES
SHEET = "\n".join("\t".join(pair) for pair in PAIRS)


@pytest.fixture(autouse=True)
def _base(base: Base) -> None:
    """The page shows what the embedded base will see."""


def own(
    rows: Any = NONE, pasted: str = "", file: Any = None, language: str = "en", method: str = "lora", **asked: Any
) -> Own:
    given = given_of({"rows": rows, "pasted": pasted, "file": file and str(file), **asked})
    return Own("me", language, "smollm2-135m", given, method, given.source)


def read(given: Own) -> str:
    return said(given)[0]


def pairs(given: Own) -> list[tuple[str, str]]:
    return [(pair.prompt, pair.response) for pair in tables.read(given.given).pairs]


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
    page = Page(read(own(pasted=SHEET, language=language)))
    assert text(language, "own.read", count="10", train="8", held_out="2") in page.text
    assert [one in page.text for pair in PAIRS[:4] for one in pair] == [True] * 6 + [False] * 2
    assert page.text.count("<|im_start|>user") == 3  # as the model will see them
    assert text(language, "own.no_header") in page.text


@both_languages
def test_few_shot_chooses_from_the_pairs_and_trains_on_none(language: Any) -> None:
    said = Page(read(own(pasted=SHEET, language=language, method="few_shot"))).text
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


@pytest.fixture(scope="module")
def places() -> Any:
    with gr.Blocks():
        state = gr.State("")
        return build(Wording(), Controls(Visit, {"key": state, "language": state, "base": state}), gr.Radio(["lora"]))


def test_the_typed_table_has_its_two_columns_and_offers_no_third(places: Any) -> None:
    assert places.controls["rows"].col_count == (2, "fixed")  # what gradio's table asks before it offers to add one


@both_languages
def test_what_cannot_be_read_is_said_in_its_place(language: Any) -> None:
    page = Page(read(own(pasted="a\nb\nc", language=language)))
    cut, rows = text(language, "error.cut.any"), Counted(((1, 1), (2, 1), (3, 1))).text(language)
    assert text(language, "error.data_columns", rows=rows, text="a", cut=cut) in page.text
    assert read(own(language=language)) == ""


@both_languages
def test_what_was_left_out_is_said_by_the_lines(language: Any) -> None:
    page = Page(read(own(pasted=SHEET + "\nalone\nquestion 3\tagain", language=language)))
    assert f"{text(language, 'own.out.columns')}: 11" in page.text
    assert f"{text(language, 'own.out.repeated')}: 12" in page.text


@pytest.mark.parametrize(
    ("lines", "written"), [([3], "3"), ([1, 2, 3, 5], "1–3, 5"), (range(1, 3000), "1–2,999"), (range(1, 99, 2), "23…")]
)
def test_lines_are_said_in_spans(lines: Any, written: str) -> None:
    assert spans(lines, "en").endswith(written)


# What can be chosen


def shown(places: Any, seen: Own) -> dict[str, Any]:
    changes = places.show(seen)
    return {name: changes[one] for name, one in places.controls.items() if one in changes} | {
        "fold": changes[places.fold], "typed": changes[places.typed]
    }  # fmt: skip


def test_nothing_can_be_chosen_before_there_is_something_to_choose_from(places: Any) -> None:
    assert shown(places, own())["fold"] == gr.update(visible=False)
    assert shown(places, own(pasted=SHEET))["fold"] == gr.update(visible=True)


def test_the_columns_that_count_are_chosen(places: Any) -> None:
    told = shown(places, own(pasted="question\tnote\tanswer\n" + "\n".join(f"q{n}\tx\ta{n}" for n in range(9))))
    assert [told[name]["value"] for name in ("prompt", "context", "response")] == ["question", "", "answer"]
    assert [one for _, one in told["context"]["choices"]] == ["", "question", "note", "answer"]


@both_languages
def test_where_columns_have_to_be_asked_for_the_fold_opens(places: Any, language: str) -> None:
    seen = own(pasted="id\ttitle\tlabel\n" + "\n".join(f"{n}\tt{n}\tl{n}" for n in range(9)), language=language)
    told = shown(places, seen)
    assert told["fold"] == gr.update(visible=True, open=True)
    assert [one for one, _ in told["prompt"]["choices"]] == ["", "id: 0", "title: t0", "label: l0"]
    chosen = replace(seen, given=replace(seen.given, prompt="title", response="label"))
    assert "9" in Page(read(chosen)).text
    assert shown(places, chosen)["fold"] == gr.update(visible=True)


def test_a_file_leaves_no_other_place_in_sight(places: Any) -> None:
    told = shown(places, own(pasted=SHEET, file=SAMPLE))
    assert [told[name]["visible"] for name in ("dataset", "pasted", "typed")] == [False] * 3
    assert [told[name]["visible"] for name in ("encoding", "separator", "header")] == [True] * 3


CHOSEN = {"header": "yes", "separator": "\t", "encoding": "cp1252", "prompt": "question 0", "response": "answer 0"}
OTHER = "\n".join(f"Wie {n}?\tSo {n}." for n in range(20))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"file": SAMPLE}, {"pasted": OTHER}),
        ({"pasted": SHEET}, {"pasted": OTHER}),
        ({"pasted": SHEET}, {"file": SAMPLE}),
        ({"file": "/tmp/a/own.csv"}, {"file": SAMPLE}),
        ({"dataset": "me/lines"}, {"pasted": OTHER}),
        ({}, {"pasted": OTHER}),
    ],
)
def test_other_data_begin_with_all_found(places: Any, before: Any, now: Any) -> None:
    seen = replace(own(**now, **CHOSEN), before=own(**before).given.source)
    told = shown(places, seen)
    assert [told[name]["value"] for name in ("header", "separator", "encoding")] == [""] * 3
    assert "20 pairs read" in Page("".join(places.show(seen)[one] for one in (places.of_file, places.of_text))).text
    assert places.show(seen)[places.before] == seen.given.source


@pytest.mark.parametrize("now", [SHEET + "\nquestion 10\tanswer 10", SHEET.replace("question 0", "Question 0"), SHEET])
def test_data_that_are_edited_are_read_as_was_chosen(places: Any, now: str) -> None:
    seen = replace(own(pasted=now, **CHOSEN), before=own(pasted=SHEET).given.source)
    told = shown(places, seen)
    assert not any("value" in told[name] for name in ("header", "separator", "encoding"))
    assert f"{len(now.splitlines()) - 1} pairs read" in Page(places.show(seen)[places.of_text]).text


def test_what_was_chosen_stays_while_a_page_opens_and_has_no_data_yet(places: Any) -> None:
    told = places.show(own(**CHOSEN))
    assert places.before not in told
    assert not any(places.controls[name] in told for name in CHOSEN)


def test_a_form_that_comes_back_is_read_as_it_was(places: Any) -> None:
    given = own(pasted=WIDE, prompt="b", response="a").given
    filled = places.filled(given, "en")
    told = shown(places, Own("me", "en", "smollm2-135m", given, "lora", filled[places.before]))
    assert [told[name]["value"] for name in ("prompt", "response")] == ["b", "a"]
    assert filled[places.typed] == gr.update(open=False)
    assert places.filled(own([["Who?", ""]], pasted=WIDE).given, "en")[places.typed] == gr.update(open=True)


WIDE = "a\tb\tc\n" + "\n".join(f"a{n}\tb{n}\tc{n}" for n in range(9))


def test_columns_stay_chosen_when_the_first_line_becomes_an_example_or_a_header(places: Any) -> None:
    for header, one, other in (("no", "b", "2"), ("yes", "2", "b")):
        told = shown(places, own(pasted=WIDE, header=header, prompt=one, response="c" if header == "no" else "3"))
        assert told["prompt"]["value"] == other


def test_a_column_is_offered_with_its_first_cells() -> None:
    cells = (("How do I reset it, when the old one is lost?", 1), ("", 2), ("Who?", None))
    sheet = Sheet(("1", "2"), tuple(enumerate(cells, 1)), header=False)
    assert column_choice("1", sheet, "en") == "column 1: How do I reset … · Wh…"
    assert column_choice("2", sheet, "es") == "columna 2: 1 · 2"


def test_no_number_to_hold_out_is_said_before_pairs_are_read(places: Any) -> None:
    assert [one for one, _ in own_choices.counts(Table(()), "en")] == ["a fifth"]
    assert shown(places, own(pasted=SHEET))["held_out"]["choices"][0] == ("a fifth: 2", 0)


def test_a_row_of_a_table_is_no_line_and_an_entry_of_a_list_has_a_place(tmp_path: Path) -> None:
    rows = [{"prompt": prompt, "response": response} for prompt, response in [*PAIRS, PAIRS[0]]]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "own.parquet")
    (tmp_path / "own.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    (tmp_path / "flat.json").write_text(json.dumps(rows), encoding="utf-8")
    told = [Page(read(own(file=tmp_path / name))).text for name in ("own.parquet", "own.json", "flat.json")]
    for page, place, out in zip(
        told, ("row 2", "line 6, element 2", "element 2"), ("1 row left", "1 line left", "1 element left"), strict=True
    ):
        assert place in page
        assert out in page


def test_columns_of_the_table_before_are_forgotten() -> None:
    asked = Given(prompt="title", response="b")
    assert in_columns(asked, Sheet(("a", "b"), ())) == Given(response="b")


@pytest.mark.parametrize("pasted", ["Frage;Antwort\nGröße?;Groß\n", SHEET])
def test_what_was_chosen_in_the_table_before_is_chosen_only_where_it_can_be(places: Any, pasted: str) -> None:
    """Gradio refuses whatever is asked with a value that is none of the choices."""
    told = shown(places, own(pasted=pasted, prompt="Pregunta", response="Respuesta", held_out=400))
    asked = [change for change in told.values() if "choices" in change]
    assert len(asked) == 5
    assert all(change["value"] in [one for _, one in change["choices"]] for change in asked)


def test_a_number_that_can_be_held_out_is_at_most_half(places: Any) -> None:
    assert [one for _, one in shown(places, own(pasted=SHEET))["held_out"]["choices"]] == [0, 4]
    assert "4 held out" in Page(read(own(pasted=SHEET, held_out=4))).text


def test_a_column_that_splits_is_what_counts(places: Any) -> None:
    rows = [{"split": "train" if n else "test", "prompt": f"q{n}", "response": "a"} for n in range(9)]
    seen = own(pasted="\n".join(map(json.dumps, rows)))
    assert "1 held out" in Page(read(seen)).text
    assert shown(places, seen)["held_out"]["visible"] is False
    assert [one for _, one in shown(places, seen)["split"]["choices"]] == ["", "last", "mixed"]


@both_languages
@pytest.mark.parametrize("scorer", ["", "exact", "contains", "rouge_l"])
def test_how_they_are_scored_is_said(scorer: str, language: str) -> None:
    said_of_it = Page(read(own(pasted=SHEET, scorer=scorer, language=language))).text
    assert text(language, f"own.scored.{scorer or 'none'}") in said_of_it


def test_json_cannot_be_scored_where_there_is_none(places: Any) -> None:
    assert "first that is none: line 1." in Page(read(own(pasted=SHEET, scorer="json"))).text
    assert shown(places, own(pasted=SHEET, scorer="json"))["fold"]["open"] is True


def test_the_sample_file_is_read_whole() -> None:
    table = tables.read(Given(file=str(SAMPLE)))
    assert (len(table.pairs), table.left_out, table.unused) == (20, (), ())


def test_programs_hear_the_same() -> None:
    told = actions.as_json(actions.read(actions.sheet_of(Given(rows=PAIRS)), Given(rows=PAIRS), "smollm2-135m"))
    assert (told["pairs"], told["train"], told["held_out"], told["error"]) == (10, 8, 2, None)
    learned = "".join(one["text"] for one in told["first"][0]["pieces"] if one["learned"])
    assert learned == "answer 0<|im_end|>"
    few = actions.as_json(actions.read(actions.sheet_of(Given(rows=PAIRS[:3])), Given(), "smollm2-135m"))
    assert few["error"] == "Between 8 and 512 different examples are needed; here there are 3."


@pytest.mark.parametrize(
    ("task", "told", "key"),
    [
        ("pirate", {"rows": PAIRS}, "own_other_task"),
        (OWN, {"rows": PAIRS, "file": "/etc/passwd"}, "own_unknown"),
        (OWN, {"rows": "a,b"}, "own_type"),
        (OWN, {"rows": PAIRS, "held_out": True}, "own_type"),
        (OWN, {}, "data_count"),
    ],
)
def test_programs_are_told_what_is_wrong(task: str, told: Any, key: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        actions.asked(task, told, "smollm2-135m")
    assert refused.value.key == key


@both_languages
def test_too_few_are_shown_with_how_many_are_needed(language: Any) -> None:
    page = Page(read(own([["Who?", "Me."]], language=language)))
    assert text(language, "error.data_count", found=1, minimum=8, maximum=512) in page.text
    assert "Who?" in page.text


def reading(table: Table, **changed: Any) -> Reading:
    first = tuple((pair, (Piece(pair.prompt, False), Piece(pair.response, True))) for pair in table.pairs)
    return Reading(**{"table": table, "first": first, "task": Task(OWN, (), ()), **changed})


ONE = (Pair(1, "a", "b"),)
NAMED = Columns("in", "out")
TABLES = [
    tables.read(Given(pasted=SHEET)),
    tables.read(Given(pasted="Frage 1?;1,5\nFrage 2?;2\n")),
    tables.read(Given(pasted="Answer,Question\nA,B\nC,D\n")),
    Table(ONE, Sheet(("in", "out", "author", "<id>"), (), encoding="Windows-1252", part="a.csv", more=True), NAMED),
    Table(ONE, Sheet(("in", "out"), (), part="Tickets", others=("Old", "<b>"), counted="row"), NAMED),
    Table(ONE, Sheet(("talk",), ()), Columns("talk", "talk", how="chat")),
    Table(ONE, Sheet(("1", "2", "3"), (), header=False), Columns("1", "3", "2", "chosen")),
    Table((), Sheet((), ()), left_out=tuple(LeftOut(line, reason) for line, reason in enumerate(REASONS, 1))),
]


def test_every_reading_keeps_the_laws() -> None:
    wrong = PlaygroundError("own_split_column")
    readings = [reading(one) for one in TABLES] + [reading(TABLES[0], task=None, wrong=wrong)]
    assert_laws(lambda language: [summary(one, method, language) for one in readings for method in ("lora", "few_shot")])


def test_all_that_was_recognised_is_said() -> None:
    none = "No header: the first column is taken as the prompt, the second as the response."
    assert [how(table, "en") for table in TABLES] == [
        [none, "The columns are cut at tabs."],
        [none, "The columns are cut at semicolons."],
        ["Prompt: “Question”. Response: “Answer”.", "The columns are cut at commas."],
        [
            "Read from a.csv.",
            "Prompt: “in”. Response: “out”.",
            "Read as Windows-1252. If letters look wrong, choose another encoding below.",
            "Other columns or fields, left out: author, &lt;id&gt;.",
            "There is more: only the first 0 rows were looked at.",
        ],
        [
            "Only the first sheet with anything in it is read, “Tickets”; not read: Old, &lt;b&gt;.",
            "Prompt: “in”. Response: “out”.",
        ],
        [
            "“talk” holds conversations: the first question that is answered and its answer are taken; system messages and "
            "later turns are not."
        ],
        ["Prompt: “column 1”, with “column 2” below it. Response: “column 3”."],
        [],
    ]


HOSTILE = [
    lambda evil: reading(Table((Pair(1, evil, "b"),), Sheet(("a", "b"), ()), NAMED)),
    lambda evil: reading(Table(ONE, Sheet((evil, "b"), ()), Columns(evil, "b"))),
    lambda evil: reading(Table(ONE, Sheet(("in", "out", evil), ()), NAMED)),
    lambda evil: reading(Table(ONE, Sheet(("in", "out"), (), part=evil), NAMED)),
    lambda evil: reading(TABLES[0], task=None, wrong=PlaygroundError("own_split", found=evil, known="")),
]


@both_languages
@pytest.mark.parametrize("place", HOSTILE)
def test_hostile_examples_are_shown_as_text(place: Any, language: Any) -> None:
    assert_shown_as_text(lambda evil, lang: summary(place(evil), "lora", lang), language)
