"""
What a request says of a control whose choices or ends were replaced while it was on its way: an adapter that has just been
deleted, a module of the base before, a rank of the method before. Gradio answers such a request with an error of its own, in
English, for values that cannot be chosen now. Here it is read as the browser itself will show the control a moment later.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

CHOICE = (gr.Dropdown, gr.Radio, gr.CheckboxGroup)
CHANGING = (*CHOICE, gr.Slider)


def newest(control: Any, value: Any, state: Any) -> Any:
    """
    `value`, but for a control that this session's handlers have changed (perhaps back to its first choices): of a list what
    can still be chosen; of a single value that cannot be chosen any more, what the control was set to last, or nothing.
    `state` is gradio's of the session. A number that a visitor has typed outside of a slider's ends was refused before.
    """
    if not isinstance(control, CHANGING) or state is None or control._id not in state:
        return value
    now = state[control._id]
    if value is None or now is control or getattr(now, "allow_custom_value", False):
        return value
    told = state.config_values.get(control._id, {}).get("props", {}).get("value")
    if isinstance(now, gr.Slider):
        return next((one for one in (value, told) if one is not None and now.minimum <= one <= now.maximum), now.minimum)
    known = [one for _, one in now.choices]
    if isinstance(value, list):
        return [one for one in value if one in known]
    return next((one for one in (value, told) if one in known), None)
