"""
What a request says of a control whose choices were replaced while it was on its way: an adapter that has just been deleted,
a module of the base before. Gradio answers such a request with an error of its own, in English, for values that are no
choices now. Here it is read as the browser itself will show the control a moment later.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

CHOICE = (gr.Dropdown, gr.Radio, gr.CheckboxGroup)


def newest(control: Any, value: Any, state: Any) -> Any:
    """
    `value`, but for a control that this session's handlers have changed (perhaps back to its first choices): of a list what
    can still be chosen; of a single value that cannot be chosen any more, what the control was set to last, or nothing.
    `state` is gradio's of the session.
    """
    if not isinstance(control, CHOICE) or state is None or control._id not in state:
        return value
    now = state[control._id]
    known = [one for _, one in now.choices]
    if value is None or now is control or getattr(now, "allow_custom_value", False):
        return value
    if isinstance(value, list):
        return [one for one in value if one in known]
    if value in known:
        return value
    told = state.config_values.get(control._id, {}).get("props", {}).get("value")
    return told if told in known else None
