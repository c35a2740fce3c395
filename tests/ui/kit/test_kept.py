"""What was filled in in the labs comes back to its visitor, in the language that they read now."""

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from playground.ui.kit import kept

KEY = "a-visitor-who-fills-in"


@pytest.fixture
def fields() -> Any:
    with gr.Blocks():
        return {
            "text": gr.Textbox(elem_id="text"),
            "number": gr.Slider(0, 9, elem_id="number"),
            "file": gr.File(elem_id="file"),
            "list": gr.Dropdown(["a"], elem_id="list"),
            "later": gr.Dropdown([], elem_id="later"),
            "nameless": gr.Textbox(),
            "state": gr.State(0),
            "shown": gr.HTML("", elem_id="shown"),
        }


def test_what_a_visitor_fills_in_is_kept_and_lists_that_are_filled_later_only_where_they_will_be(fields: Any) -> None:
    names = {component: name for name, component in fields.items()}
    found = [names[one] for one in kept.keepable(list(fields.values()), [])]
    assert found == ["text", "number", "file", "list"]
    assert fields["later"] in kept.keepable(list(fields.values()), [fields["later"]])


def test_it_comes_back_to_its_visitor_alone_and_as_it_is_written_in_their_language(fields: Any, tmp_path: Path) -> None:
    text, number, file = (fields[name] for name in ("text", "number", "file"))
    path = tmp_path / "numbers.csv"
    path.touch()
    kept.keep(KEY, "en", {text: "0.5", number: 3, file: str(path)})
    retold = {text: lambda value, old, new: f"{value} from {old} to {new}"}
    every = [text, number, file]
    assert kept.find(KEY, "es", every, retold) == {text: "0.5 from en to es", number: 3, file: str(path)}
    assert (kept.holds(number, 9), kept.holds(number, 10), kept.holds(text, "10")) == (True, False, True)
    assert kept.find("another", "es", every, retold) == {}
    assert kept.find("", "es", every, retold) == {}
    path.unlink()
    assert file not in kept.find(KEY, "en", every, {})
    kept.keep(KEY, "en", {text: "x" * (kept.LONGEST + 1)})
    assert kept.find(KEY, "en", [text], {}) == {text: "0.5"}
