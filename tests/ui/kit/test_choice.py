"""A list's value that is no longer offered, as a browser may still send it."""

import gradio as gr
import pytest

from playground.ui.kit import choice  # noqa: F401  it puts its own in gradio's place


def test_a_value_that_is_no_longer_offered_counts_as_nothing_chosen_and_the_request_is_served() -> None:
    offered = gr.Dropdown([("First", "a"), ("None", "")], value="")
    assert [offered.preprocess(one) for one in ("a", "", "gone", None)] == ["a", "", None, None]
    places = gr.Dropdown(["a", "b"], value="a", type="index")
    assert [places.preprocess(one) for one in ("b", "gone")] == [1, None]


def test_of_several_none_is_left_out_in_silence() -> None:
    offered = gr.Dropdown(["a", "b"], multiselect=True)
    assert offered.preprocess(["b", "a"]) == ["b", "a"]
    with pytest.raises(gr.Error):
        offered.preprocess(["a", "gone"])


def test_what_may_be_typed_is_taken() -> None:
    assert gr.Dropdown(["a"], allow_custom_value=True).preprocess("mine") == "mine"
