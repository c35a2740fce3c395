"""A request that was sent before the choices of a list were replaced is answered, and names nothing that is gone."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from playground.ui.api.served import ServedBlocks

NEW = ["b", "c"]


def page(control: gr.components.Component) -> ServedBlocks:
    """0: replaces the choices of `control` by NEW and sets it; 1: says what it holds."""
    blocks = ServedBlocks()
    with blocks:
        control.render()
        gr.Button().click(lambda: gr.update(choices=NEW, value=value(control, "c")), None, control, api_visibility="private")
        gr.Button().click(json.dumps, control, gr.Textbox(), api_visibility="private")
    return blocks


def value(control: Any, one: str) -> Any:
    return [one] if isinstance(control, gr.CheckboxGroup) or getattr(control, "multiselect", False) else one


def asked(blocks: ServedBlocks, state: SessionState, function: int, *values: Any) -> Any:
    return asyncio.run(blocks.process_api(function, list(values), state=state))["data"]


KINDS = (
    lambda: gr.Dropdown(["a", "b"], render=False),
    lambda: gr.Radio(["a", "b"], render=False),
    lambda: gr.Dropdown(["a", "b"], multiselect=True, render=False),
    lambda: gr.CheckboxGroup(["a", "b"], render=False),
)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_gone_is_read_as_the_control_will_show_it(kind: Any) -> None:
    control = kind()
    several = isinstance(value(control, "a"), list)
    blocks = page(control)
    state = SessionState(blocks)
    assert asked(blocks, state, 1, value(control, "a")) == [json.dumps(value(control, "a"))]
    asked(blocks, state, 0)
    assert asked(blocks, state, 1, value(control, "b")) == [json.dumps(value(control, "b"))]
    asked(blocks, state, 0)
    assert asked(blocks, state, 1, value(control, "a")) == [json.dumps([] if several else "c")]
    if several:
        assert asked(blocks, state, 1, ["a", "b"]) == [json.dumps(["b"])]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_never_offered_is_refused_where_nothing_was_replaced(kind: Any) -> None:
    control = kind()
    blocks = page(control)
    with pytest.raises(gr.Error):
        asked(blocks, SessionState(blocks), 1, value(control, "z"))


@pytest.mark.parametrize("kind", KINDS)
def test_where_the_first_choices_are_back_what_was_offered_meanwhile_is_read_so_too(kind: Any) -> None:
    """A file was read and taken away: the browser may still hold one of its columns."""
    control = kind()
    blocks = page(control)
    with blocks:
        gr.Button().click(
            lambda: gr.update(choices=["a", "b"], value=value(control, "a")), None, control, api_visibility="private"
        )
    state = SessionState(blocks)
    asked(blocks, state, 0)
    asked(blocks, state, 2)
    several = isinstance(value(control, "a"), list)
    assert asked(blocks, state, 1, value(control, "c")) == [json.dumps([] if several else "a")]


def test_a_number_beyond_the_ends_that_a_slider_got_meanwhile_is_the_one_that_it_was_set_to() -> None:
    control = gr.Slider(0, 512, value=256, render=False)
    blocks = page(control)
    with blocks:
        gr.Button().click(lambda: gr.update(maximum=64, value=8), None, control, api_visibility="private")
    state = SessionState(blocks)
    assert asked(blocks, state, 1, 256) == ["256"]
    asked(blocks, state, 2)
    assert (asked(blocks, state, 1, 64), asked(blocks, state, 1, 256)) == (["64"], ["8"])
    with pytest.raises(gr.Error):
        asked(blocks, SessionState(blocks), 1, 1000)


@pytest.mark.parametrize("kind", KINDS)
def test_choices_that_are_replaced_while_gradio_reads_the_request_count_as_well(kind: Any) -> None:
    """It waits between two values, for a file as for this field, and another handler answers meanwhile."""
    control, typed = kind(), gr.Textbox(render=False)
    blocks = page(control)
    with blocks:
        typed.render()
        gr.Button().click(lambda _, one: json.dumps(one), [typed, control], gr.Textbox(), api_visibility="private")
    state = SessionState(blocks)
    replaced: list[Any] = []

    def read(payload: str) -> str:
        if not replaced:
            replaced.extend(asked(blocks, state, 0))
        return payload

    typed.preprocess = read  # type: ignore[method-assign, assignment]
    several = isinstance(value(control, "a"), list)
    assert asked(blocks, state, 2, "typed", value(control, "a")) == [json.dumps([] if several else "c")]
    assert replaced
