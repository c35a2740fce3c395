"""A visitor's own table: read as it was meant from whatever people have, or refused with what would be right."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from playground.adapt.own import task_of
from playground.adapt.tasks import Example
from playground.data import delimited, headers, tables
from playground.data.given import Given
from playground.data.tables import Table
from playground.errors import Columns, PlaygroundError
from playground.locales import LANGUAGES
from playground.settings import MAX_EXAMPLE_CHARACTERS, MAX_OWN_EXAMPLES

PAIRS = [(f"question {n}", f"answer {n}") for n in range(10)]
OBJECTS = [{"prompt": prompt, "response": response} for prompt, response in PAIRS]


def read(path: Path, **asked: Any) -> Table:
    return tables.read(Given(file=str(path), **asked))


def parse(text: str, **asked: Any) -> Table:
    return tables.read(Given(pasted=text, **asked))


def of_rows(rows: Any, **asked: Any) -> Table:
    return tables.read(Given(rows=rows, **asked))


def left_out(table: Table) -> list[tuple[int, str]]:
    return [(one.line, one.reason) for one in table.left_out]


def examples(one: Any) -> Any:
    return {*one.train, *one.held_out}


def csv_of(pairs: Any, separator: str = ",") -> Any:
    return "".join(f"{prompt}{separator}{response}\n" for prompt, response in pairs)


def lines_of(objects: Any, gap: Any = "\n", **options: Any) -> Any:
    return gap.join(json.dumps(one, **options) for one in objects)


def reading(folder: Any, name: Any, content: Any) -> Any:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return task_of(read(path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", csv_of(PAIRS)),
        ("header.csv", "prompt,response\n" + csv_of(PAIRS)),
        ("proud header.csv", " Prompt , RESPONSE\n" + csv_of(PAIRS)),
        ("excel.csv", "\ufeffprompt,response\r\n" + csv_of(PAIRS).replace("\n", "\r\n")),
        ("SHOUT.CSV", csv_of(PAIRS)),
        ("no last newline.csv", csv_of(PAIRS).rstrip("\n")),
        ("blank line at the end.csv", csv_of(PAIRS) + "\n"),
        ("blank lines between.csv", csv_of(PAIRS).replace("\n", "\n\n")),
        ("empty row.csv", csv_of(PAIRS) + ",\n"),
        ("semicolons.csv", csv_of(PAIRS, ";")),
        ("tabs.csv", csv_of(PAIRS, "\t")),
        ("tabs.tsv", csv_of(PAIRS, "\t")),
        ("spaces behind commas.csv", csv_of([(f'"{p}"', f' "{r}"') for p, r in PAIRS])),
        ("told to Excel.csv", "sep=;\r\n" + csv_of(PAIRS, ";")),
        ("TOLD.csv", "SEP=;\r\n" + csv_of(PAIRS, ";")),
        ("one behind the other.csv", "\ufeffprompt,response\n" + csv_of(PAIRS[:5]) + "\ufeff" + csv_of(PAIRS[5:])),
        ("old Mac.csv", csv_of(PAIRS).replace("\n", "\r")),
        ("swapped.csv", "response,prompt\n" + csv_of([(r, p) for p, r in PAIRS])),
        ("swapped.json", json.dumps([("Response", "Prompt"), *((r, p) for p, r in PAIRS)])),
        ("turned objects.json", json.dumps([dict(reversed(one.items())) for one in OBJECTS])),
        ("other names.json", json.dumps([{"question": p, "answer": r} for p, r in PAIRS])),
        ("wide.csv", csv_of(PAIRS).encode("utf-16")),
        ("wide without mark.tsv", csv_of(PAIRS, "\t").encode("utf-16-le")),
        ("pairs.json", json.dumps(PAIRS)),
        ("objects.json", json.dumps(OBJECTS, indent=1)),
        ("header pair.json", json.dumps([("prompt", "response"), *PAIRS])),
        ("more fields.json", json.dumps([{**one, "author": 1} for one in OBJECTS])),
        ("mark.json", "\ufeff" + json.dumps(OBJECTS)),
        ("objects.jsonl", lines_of(OBJECTS)),
        ("pairs.jsonl", lines_of(PAIRS)),
        ("blank lines.jsonl", lines_of(OBJECTS, gap="\n \n") + "\n\n"),
        ("windows.jsonl", lines_of(OBJECTS, gap="\r\n")),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value[-6:] else "",
)
def test_the_same_examples_are_read_from_every_kind_of_file(tmp_path: Path, name: str, content: Any) -> None:
    assert examples(reading(tmp_path, name, content)) == {Example(*pair) for pair in PAIRS}


@pytest.mark.parametrize(
    ("quoted", "meant"),
    [
        ('"one, two"', "one, two"),
        ('"say ""hi"""', 'say "hi"'),
        ('"first\nsecond"', "first\nsecond"),
        ('"first\r\nsecond"', "first\nsecond"),
        ("¿qué tal? 日本 🏴‍☠️", "¿qué tal? 日本 🏴‍☠️"),
        ("  spaces around  ", "spaces around"),
    ],
)
def test_a_csv_cell_means_what_it_says(tmp_path: Path, quoted: str, meant: str) -> None:
    assert Example(meant, "yes") in examples(reading(tmp_path, "own.csv", csv_of([*PAIRS, (quoted, "yes")])))


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85"], ids=ascii)
def test_only_a_newline_ends_a_line_of_jsonl(tmp_path: Path, odd: str) -> None:
    content = lines_of([*OBJECTS, {"prompt": f"before{odd}after", "response": "yes"}], ensure_ascii=False)
    assert Example(f"before{odd}after", "yes") in examples(reading(tmp_path, "own.jsonl", content))


DEEP, LONG_NUMBER = "[" * 100_000, "[" + "1" * 5_000 + "]"


@pytest.mark.parametrize(
    ("name", "content", "key"),
    [
        ("own.txt", csv_of(PAIRS), "data_kind"),
        ("own.xls", b"\xd0\xcf\x11\xe0", "data_kind"),
        ("own", csv_of(PAIRS), "data_kind"),
        ("cyrillic.csv", "Привет мир,Как дела\n".encode("cp1251") * 10, "data_encoding"),
        ("dos.csv", csv_of([*PAIRS, ("año", "sí")]).encode("cp850"), "data_encoding"),
        ("polish.csv", csv_of([*PAIRS, ("żółw", "źródło")]).encode("cp1250"), "data_encoding"),
        ("mac.csv", csv_of([*PAIRS, ("¿Cuántos?", "Él comió")]).encode("mac_roman"), "data_encoding"),
        ("mac german.csv", csv_of([*PAIRS, ("Was heißt Öl?", "Räder")]).encode("mac_roman"), "data_encoding"),
        ("dos capitals.csv", csv_of([*PAIRS, ("NIÑO", "maður")]).encode("cp850"), "data_encoding"),
        ("turkish.csv", csv_of([*PAIRS, ("çağ", "gül")]).encode("cp1254"), "data_encoding"),
        ("japanese mail.csv", csv_of([*PAIRS, ("世界", "天気")]).encode("iso2022_jp"), "data_encoding"),
        ("escapes.csv", csv_of([*PAIRS, ("\x1b[1mbold", "x")]), "data_encoding"),
        ("a zero.csv", "a\0b,c\nd,e\n", "data_encoding"),
        ("half wide.csv", b"\xff\xfea\0b", "data_encoding"),
        ("open quote.csv", csv_of(PAIRS) + '"never closed,x\n', "data_quotes"),
        ("broken.json", json.dumps(OBJECTS)[:-1], "data_json"),
        ("deep.json", DEEP, "data_json"),
        ("number.json", LONG_NUMBER, "data_json"),
        ("blank.json", " \n", "data_empty"),
        ("broken.jsonl", lines_of(OBJECTS[:2]) + "\n{\n{", "data_json"),
        ("deep.jsonl", DEEP, "data_json"),
        ("object.json", json.dumps(OBJECTS[0]), "data_no_list"),
        ("word.json", '"prompt"', "data_no_list"),
        ("nothing.json", "[]", "data_count"),
        ("nothing.csv", "\n\n", "data_empty"),
        ("header only.csv", "prompt,response\n", "data_count"),
        ("one column.csv", "a\n" * 10, "data_columns"),
        ("three columns.csv", "a,b,c\n" * 10, "data_map"),
        ("commas.tsv", csv_of(PAIRS), "data_columns"),
        ("twice.json", '[{"prompt": "a", "prompt": "b", "response": "c"}]', "data_json"),
        ("no names.json", json.dumps([{"text": p, "label": r} for p, r in PAIRS]), "data_map"),
        ("long.csv", csv_of(PAIRS) * 60_000, "data_too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 25 else "",
)
def test_a_file_that_is_no_data_is_refused_with_the_reason(tmp_path: Path, name: str, content: Any, key: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        reading(tmp_path, name, content)
    assert refused.value.key == key
    assert refused.value.message("es") != refused.value.message("en")


def rows_with(changed: dict[int, Any]) -> list[Any]:
    return [changed.get(n, pair) for n, pair in enumerate(PAIRS)]


LONG = "y" * (MAX_EXAMPLE_CHARACTERS + 1)


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        ({1: ("alone",), 4: ("a", "b", "c")}, {2: "columns", 5: "columns"}),
        ({1: None, 2: 7, 3: "text"}, {2: "no_row", 3: "no_row", 4: "no_row"}),
        ({0: ("prompt", None), 1: ("", "response"), 2: ("  ", "x")}, {1: "empty", 2: "empty", 3: "empty"}),
        ({5: ("x", LONG), 7: ("x", "")}, {6: "long", 8: "empty"}),
        ({2: (["a"], "b"), 3: ("a\x1b[1m", "b"), 4: ("\ud83c", "b")}, {3: "no_text", 4: "control", 5: "control"}),
        ({3: PAIRS[0], 4: (PAIRS[0][0], "another")}, {4: "repeated", 5: "repeated"}),
    ],
)
def test_rows_that_are_no_pairs_are_left_out_by_their_number_and_with_the_reason(changed: Any, reasons: Any) -> None:
    table = of_rows(rows_with(changed))
    assert dict(left_out(table)) == reasons
    assert pairs_of(table) == [pair for line, pair in enumerate(PAIRS, 1) if line not in reasons]


def test_of_more_pairs_than_are_taken_the_first_are() -> None:
    table = parse(csv_of([(f"question {n}", "x") for n in range(MAX_OWN_EXAMPLES + 3)]))
    assert len(table.pairs) == MAX_OWN_EXAMPLES
    assert left_out(table) == [(MAX_OWN_EXAMPLES + n, "many") for n in (1, 2, 3)]


def pairs_of(table: Table) -> list[tuple[str, str]]:
    return [(pair.prompt, pair.response) for pair in table.pairs]


def refusal(text: str) -> PlaygroundError:
    with pytest.raises(PlaygroundError) as refused:
        parse(text)
    return refused.value


# Columns


@pytest.mark.parametrize(
    ("sheet", "found", "unused"),
    [
        (
            'Nº;Pregunta;Respuesta\n1;¿Quién?;Yo, claro\n2;¿Dónde?;"Aquí; allí"\n',
            [("¿Quién?", "Yo, claro"), ("¿Dónde?", "Aquí; allí")],
            ("Nº",),
        ),
        ("question,answer,id\nWho?,Me,7\nWhere?,Here,8\n", [("Who?", "Me"), ("Where?", "Here")], ("id",)),
        ("response\tnote\tprompt\t\nMe\t\tWho?\t\n", [("Who?", "Me")], ("note", "4")),
        ("input,prompt,response\nx,Who?,Me\n", [("Who?", "Me")], ("input",)),  # exact names before others
    ],
)
def test_of_more_columns_the_two_that_are_named_are_read(sheet: str, found: Any, unused: Any) -> None:
    table = parse(sheet)
    assert (pairs_of(table), table.unused) == (found, unused)


def test_lists_of_a_json_file_may_have_more_columns_too(tmp_path: Path) -> None:
    sheet = [["id", "prompt", "response"], *([n, *pair] for n, pair in enumerate(PAIRS))]
    (tmp_path / "a.json").write_text(json.dumps(sheet), encoding="utf-8")
    assert pairs_of(read(tmp_path / "a.json")) == PAIRS


def test_below_named_columns_a_line_of_another_length_is_refused() -> None:
    error = refusal("id,question,answer\n1,Who?,Me\n2,Where?\n3,a,b,c\n")
    assert (error.key, error.values["columns"], error.values["rows"]) == ("data_columns_named", 3, Columns(((3, 2), (4, 4))))


@pytest.mark.parametrize("header", ["id,question,note", "question,prompts,answer", "answer,reply,question"])
def test_of_more_columns_none_is_guessed(header: str) -> None:
    assert refusal(f"{header}\na,b,c\n").key == "data_map"


def test_a_file_with_another_separator_is_told_which_are_read(tmp_path: Path) -> None:
    error = refusal("prompt|response\nWho?|Me\n")
    assert "separated by commas, semicolons or tabs" in error.message("en")
    assert "separadas por comas, puntos y comas o tabuladores" in error.message("es")
    assert "separated by semicolons" in str(refusal("sep=;\nWho?|Me\n"))
    (tmp_path / "a.tsv").write_text("Who?,Me\n" * 9, encoding="utf-8")
    with pytest.raises(PlaygroundError) as refused:
        read(tmp_path / "a.tsv")
    assert "separated by tabs" in str(refused.value)


# Separators


def test_a_decimal_comma_is_no_separator() -> None:
    said = [("1,5 mal zwei?", "3"), ("Hallo?", "Ja"), ("2,5 mal zwei?", "5")]
    assert pairs_of(parse(csv_of(said, ";"))) == said
    assert pairs_of(parse("Prompt;Response\n" + csv_of(said[:1] * 2, ";"))) == said[:1]
    assert pairs_of(parse(csv_of(said[:1] * 2, "\t"))) == said[:1]


@pytest.mark.parametrize("text", ["1,5 mal zwei?;3\n" * 9, "1,5 mal zwei?;3\n" * 8 + "2,5 mal zwei? 5\n"])
def test_where_two_separators_may_be_meant_none_is_guessed(text: str) -> None:
    error = refusal(text)
    assert error.key == "data_ambiguous"
    for one in LANGUAGES:
        assert "prompt,response" in error.message(one)
        assert "prompt;response" in error.message(one)


@pytest.mark.parametrize("separator", delimited.SEPARATORS)
def test_every_cell_survives_every_separator(separator: str) -> None:
    """Whatever the cells hold, what a spreadsheet writes is read back."""
    draw, letters = random.Random(0), "aé ñ,;\t\"\n'1"
    said = [("start 1,", "end;")]
    said += [(f"x{''.join(draw.choices(letters, k=9))}y", f"x{''.join(draw.choices(letters, k=9))}y") for _ in range(40)]
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in said]
    assert pairs_of(parse("prompt" + separator + "response\n" + csv_of(quoted, separator))) == said


# Headers


@pytest.mark.parametrize("name", sorted(headers.PROMPTS))
@pytest.mark.parametrize("dress", [str, str.upper, lambda name: f'"{name.title()}"'], ids=["plain", "loud", "quoted"])
def test_columns_may_be_called_as_people_call_them_in_either_order(name: str, dress: Any) -> None:
    for response in ("response", "Salida", "RESPUESTA"):
        straight = parse(f"\ufeff{dress(name)};{response}\n" + csv_of(PAIRS, ";"))
        turned = parse(f"{response},{dress(name)}\n" + csv_of([(r, p) for p, r in PAIRS]))
        assert pairs_of(straight) == pairs_of(turned) == PAIRS
        for table in (straight, turned):
            assert table.sheet.header
            assert table.columns.used == (dress(name).strip('"'), "", response)


def test_accents_and_marks_in_a_header_do_not_matter() -> None:
    assert pairs_of(parse("Instrucción,Contestación:\n" + csv_of(PAIRS))) == PAIRS


@pytest.mark.parametrize(
    "header",
    [
        "Frage,Antwort", "text,label", "q,label", "instruction,input", "source text,target text", "col1,col2",
        "Column 1,Column 2", "0,1", "question,pregunta", "Frage (DE),Antwort (DE)", "[src],[tgt]",
        "Kundenfrage_1,Reaktion",
    ],
)  # fmt: skip
def test_what_may_be_a_header_never_becomes_an_example(header: str) -> None:
    error = refusal(f"\n{header}\n" + csv_of(PAIRS))
    assert (error.key, error.values["line"]) == ("data_header", 2)
    for language in LANGUAGES:
        assert header.replace(",", " | ") in error.message(language)
        assert {"en": "“prompt;response”", "es": "«prompt;respuesta»"}[language] in error.message(language)


@pytest.mark.parametrize(
    ("header", "turned"),
    [("pregunta,precio", False), ("Your question,answer", False), ("precio,Pregunta", True), ("response,text", True)],
)
def test_one_known_name_of_two_makes_a_header_and_says_which_is_which(header: str, turned: bool) -> None:
    table = parse(f"{header}\n" + csv_of(PAIRS))
    assert table.sheet.header
    assert pairs_of(table) == [(r, p) if turned else (p, r) for p, r in PAIRS]


WIDE = "".join(f"How {n}?;So {n}.;T-{n}\n" for n in range(9))


@pytest.mark.parametrize("asked", [{}, {"prompt": "1", "response": "2"}])
def test_of_more_columns_too_a_first_line_that_may_be_a_header_is_asked_for(asked: Any) -> None:
    with pytest.raises(PlaygroundError) as refused:
        parse("Feld 1;Feld 2;Ticket-Nr\n" + WIDE, **asked)
    assert refused.value.key == "data_header"
    table = parse("Feld 1;Feld 2;Ticket-Nr\n" + WIDE, header="yes", prompt="Feld 1", response="Feld 2")
    assert (len(table.pairs), table.unused) == (9, ("Ticket-Nr",))


def test_of_more_columns_a_first_line_with_sentences_or_numbers_is_an_example() -> None:
    for first in ("What is it?;It is so.;T-10\n", "Feld;Wert;71\n"):
        assert refusal(first + WIDE).key == "data_map_places"
        assert len(parse(first + WIDE, prompt="1", response="2").pairs) == 10


def test_rows_of_nothing_but_separators_are_counted_and_empty_lines_are_not() -> None:
    assert left_out(parse(csv_of(PAIRS[:2], ";") + "\n;\n \n" + csv_of(PAIRS[2:], ";"))) == [(4, "empty")]


def test_below_a_header_every_line_is_an_example() -> None:
    assert pairs_of(parse("prompt,response\ncat,gato\n" + csv_of(PAIRS))) == [("cat", "gato"), *PAIRS]


def test_a_table_without_header_says_so() -> None:
    assert parse(csv_of(PAIRS)).sheet.header is False


def test_a_header_that_comes_again_is_no_example() -> None:
    """As in two files that were put one behind the other."""
    table = parse("prompt,response\n" + csv_of(PAIRS) + "prompt,response\nmore,of it\n")
    assert pairs_of(table) == [*PAIRS, ("more", "of it")]
    assert left_out(table) == [(12, "header")]


def test_other_fields_of_objects_are_named() -> None:
    table = of_rows([{"input": "a", "author": 1, "output": "b"}, {"id": 2, "input": "c", "output": "d"}])
    assert (pairs_of(table), table.unused) == ([("a", "b"), ("c", "d")], ("author", "id"))


# Lines


@pytest.mark.parametrize(
    ("name", "content", "key", "values"),
    [
        (
            "a.csv",
            'prompt,response\n"two\nlines",x\n\n,\na,b,c\nalone\n',
            "data_columns",
            {"rows": Columns(((6, 3), (7, 1)))},
        ),
        ("a.csv", 'prompt,response\na,b\n"c,d\n', "data_quotes", {"line": 3}),
        ("a.json", '[\n["a", "b"]\n["c", "d"]]', "data_json", {"line": 3, "column": 1}),
        ("a.jsonl", '\n{"prompt": "a", "response": "b"}\n{"prompt": "a" "b"}\n', "data_json", {"line": 3, "column": 16}),
    ],
)
def test_what_is_wrong_is_named_by_the_lines_of_the_file(
    tmp_path: Path, name: Any, content: Any, key: Any, values: Any
) -> None:
    with pytest.raises(PlaygroundError) as refused:
        reading(tmp_path, name, content)
    assert refused.value.key == key
    assert values.items() <= refused.value.values.items()


@pytest.mark.parametrize(
    ("name", "content", "out"),
    [
        ("a.csv", 'sep=,\r\nprompt,response\r\na,\r\n"b\r\nb",c\r\n,d\r\n', [(3, "empty"), (6, "empty")]),
        ("a.csv", "prompt,response\n" + csv_of(PAIRS) + "\nalone\na,b,c\n", [(13, "columns"), (14, "columns")]),
        ("a.json", '[\n {"prompt": "a", "response": "b"},\n\n {"prompt": "x",\n "y": 2}, {"response": "a"}]',
         [(4, "empty"), (5, "empty")]),
        ("a.json", '[["a 1", "b"],\n\n ["a", 1], ["a"\n],\n5]', [(3, "columns"), (4, "no_row")]),
        ("a.json", '[["a 1", "b"], ["a", ""], 5, ["c 1", "d"]]', [(2, "empty"), (3, "no_row")]),
        ("a.jsonl", lines_of(OBJECTS) + '\n{"prompt"\n[1]\n', [(11, "json"), (12, "no_row")]),
    ],
)  # fmt: skip
def test_what_is_left_out_is_named_by_the_lines_of_the_file(tmp_path: Path, name: str, content: str, out: Any) -> None:
    (tmp_path / name).write_bytes(content.encode())
    assert left_out(read(tmp_path / name)) == out


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Line 2 has 3 columns; line 4 has 1."), ("es", "La línea 2 tiene 3 columnas; la línea 4, 1.")],
)
def test_lines_with_other_columns_are_said_in_a_sentence(tmp_path: Path, language: str, said: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        reading(tmp_path, "a.csv", "prompt,response\na,b,c\nd,e\nalone\n")
    assert said in refused.value.message(language)
    assert said in PlaygroundError(refused.value.key, **refused.value.values).message(language)
    if language == "en":
        assert said in str(refused.value)


def test_of_many_wrong_lines_the_first_are_said_and_that_there_are_more() -> None:
    assert Columns(tuple((line, 1) for line in range(1, 6)), more=True).text("es").endswith("la línea 5, 1…")
    assert Columns(((1, 1),)).text("es") == "La línea 1 tiene 1 columna."


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_names_that_the_spanish_sentences_give_are_read(separator: str) -> None:
    table = parse(f"prompt{separator}respuesta\n" + csv_of(PAIRS, separator))
    assert table.columns.used == ("prompt", "", "respuesta")
    assert pairs_of(of_rows([{"prompt": "a", "respuesta": "b"}])) == [("a", "b")]


# Letters


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig"])
@pytest.mark.parametrize(
    "extra",
    [
        ("¿Cuántos años?", "Diez, señor"),
        ("Größe?", "1,5 m – “etwa”"),
        ("l’œuf", "à 3 €"),
        ("—Sí —dijo", "«Niño» nº 3, 20 °C, ÑANDÚ"),
    ],
    ids=ascii,
)
def test_letters_are_read_as_they_were_written(tmp_path: Path, encoding: str, extra: tuple[str, str]) -> None:
    if encoding == "latin-1":
        of_latin = str.maketrans({**dict.fromkeys("–—", "-"), **dict.fromkeys("’“”", "'"), "œ": "oe", "€": "e"})
        extra = (extra[0].translate(of_latin), extra[1].translate(of_latin))
    (tmp_path / "own.csv").write_bytes(("prompt;response\n" + csv_of([*PAIRS, extra], ";")).encode(encoding))
    table = read(tmp_path / "own.csv")
    assert pairs_of(table)[-1] == extra
    assert (table.sheet.encoding == "Windows-1252") == (encoding in ("latin-1", "cp1252"))


# Shapes


@pytest.mark.parametrize(
    ("row", "pair", "how"),
    [
        ({"instruction": "Add", "input": "1 and 2", "output": "3"}, ("Add\n\n1 and 2", "3"), "alpaca"),
        ({"instruction": "Greet", "input": "", "output": "Hi"}, ("Greet", "Hi"), "alpaca"),
        ({"conversations": [{"from": "system", "value": "Be kind"}, {"from": "human", "value": "Hi"},
                            {"from": "gpt", "value": "Ho"}, {"from": "human", "value": "More"}]}, ("Hi", "Ho"), "chat"),
        ({"id": 1, "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]},
         ("Hi", "Ho"), "chat"),
        ({"talk": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}, {"role": "assistant", "content": "Ho"}]},
         ("Hi", "Ho"), "chat"),
        ({"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant", "content": "Ho"}]},
         ("Hi", "Ho"), "named"),
        ({"question": "Is it?", "answer": True}, ("Is it?", "true"), "named"),
        ({"question": "Half of 3?", "answer": 1.5}, ("Half of 3?", "1.5"), "named"),
        ({"question": "Half of 4?", "answer": 2.0}, ("Half of 4?", "2"), "named"),
        ({"prompt": "Read", "response": {"city": "Málaga"}}, ("Read", '{"city": "Málaga"}'), "named"),
    ],
)  # fmt: skip
def test_the_shapes_that_data_sets_have_are_recognised(tmp_path: Path, row: Any, pair: Any, how: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(row), encoding="utf-8")
    table = read(tmp_path / "a.jsonl")
    assert (pairs_of(table), table.columns.how) == ([pair], how)
    assert pairs_of(parse(json.dumps(row))) == pairs_of(parse(json.dumps([row], indent=1))) == [pair]


def test_a_conversation_without_question_and_answer_is_left_out() -> None:
    turns = [[{"role": "system", "content": "x"}], [{"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]]
    good = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    table = of_rows([{"messages": one} for one in [good, *turns, 5]])
    assert (pairs_of(table), left_out(table)) == ([("x", "y")], [(2, "no_text"), (3, "no_text"), (4, "no_text")])


# What is asked


def test_columns_can_be_mapped_by_hand() -> None:
    sheet = "id,title,body,label\n1,a,b,c\n2,d,e,f\n"
    assert refusal(sheet).key == "data_map"
    table = parse(sheet, prompt="title", context="body", response="label")
    assert pairs_of(table) == [("a\n\nb", "c"), ("d\n\ne", "f")]
    assert (table.columns.how, table.unused) == ("chosen", ("id",))
    with pytest.raises(PlaygroundError) as refused:
        parse(sheet, prompt="title", response="nothing")
    assert refused.value.key == "data_no_column"


def test_by_hand_counts_more_than_what_columns_are_called() -> None:
    assert pairs_of(parse("prompt,response\na,b\n", prompt="response", response="prompt")) == [("b", "a")]


def test_whether_the_first_line_is_a_header_can_be_said() -> None:
    sheet = "cat,gato\n" + csv_of(PAIRS)
    assert refusal(sheet).key == "data_header"
    assert pairs_of(parse(sheet, header="no"))[0] == ("cat", "gato")
    assert pairs_of(parse(sheet, header="yes")) == PAIRS
    assert parse(sheet, header="yes").columns.used == ("cat", "", "gato")


def test_the_separator_can_be_said() -> None:
    text = "1,5 mal zwei?;3\n2,5 mal zwei?;5\n"
    assert refusal(text).key == "data_ambiguous"
    assert pairs_of(parse(text, separator=";")) == [("1,5 mal zwei?", "3"), ("2,5 mal zwei?", "5")]
    assert pairs_of(parse("sep=,\n" + text, separator=";"))[0] == ("1,5 mal zwei?", "3")


@pytest.mark.parametrize(
    ("encoding", "pair"),
    [("cp1251", ("Привет", "Как дела")), ("mac_roman", ("¿Cuántos?", "Él comió")), ("shift_jis", ("世界", "天気"))],
)
def test_the_encoding_can_be_said(tmp_path: Path, encoding: str, pair: tuple[str, str]) -> None:
    (tmp_path / "own.csv").write_bytes(("prompt,response\n" + csv_of([pair])).encode(encoding))
    assert pairs_of(read(tmp_path / "own.csv", encoding=encoding)) == [pair]
    with pytest.raises(PlaygroundError) as refused:
        read(tmp_path / "own.csv", encoding="utf_8")
    assert refused.value.key == "data_encoding_asked"


# Splits


def test_a_file_says_itself_what_is_held_out() -> None:
    rows = [{"split": "test" if n > 7 else "train", "prompt": p, "response": r} for n, (p, r) in enumerate(PAIRS)]
    assert [pair.line for pair in of_rows(rows).pairs if pair.held_out] == [9, 10]
    assert of_rows(rows).unused == ()
    silent = of_rows([{**one, "split": "train"} for one in rows])
    assert (silent.splits, silent.unused) == (False, ("split",))
