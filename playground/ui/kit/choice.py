"""
Puts its own into the place of what gradio does with a list's value that is no longer offered: it counts as nothing chosen
(None). A browser may still hold one: after Escape, after a reload, while new choices are on their way. Gradio would refuse
the whole request, in words that no visitor sees. Not a class of its own: gradio writes a file beside each.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

refusing = gr.Dropdown.preprocess


def preprocess(self: gr.Dropdown, payload: Any) -> Any:
    """Of several values, one that is not offered is refused as ever: they are what somebody asked for, all of them."""
    gone = not (self.multiselect or self.allow_custom_value) and payload not in [value for _, value in self.choices]
    return None if gone else refusing(self, payload)


gr.Dropdown.preprocess = preprocess  # type: ignore[method-assign]
