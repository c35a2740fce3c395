"""
The reference of the API, written from the endpoints themselves: what their docstrings say, what their signatures take.

`make api` writes it into API.md; a test compares. Gradio's own documentation and MCP read `flat`.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

import gradio as gr

FILE = "API.md"
KINDS = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object", list: "array"}
SECTIONS = {"Args:": "parameters", "Returns:": "returns", "Raises:": "raises"}
HEAD = """# The API

Written by `make api` from the endpoints' own docstrings. How to call them: [README](README.md#the-api). Every one is also a
tool for MCP clients, under its name without the slash. Losses and divergences are in nats, sizes in bytes, times in seconds,
unless something else is said. A request that cannot be served raises, with one sentence that says what is wrong and what
would be right: a value that is missing, of another kind, or one of those named below.
"""


@dataclass(frozen=True)
class Told:
    """What a docstring says. `raises` is "nothing" where only the kinds of values can be wrong."""

    summary: str
    parameters: Mapping[str, str]
    returns: str
    raises: str


def told(endpoint: Callable[..., Any]) -> Told:
    """The parts of an endpoint's docstring, each in one line; continued lines are indented further."""
    found: dict[str, list[str]] = {"summary": [], "parameters": [], "returns": [], "raises": []}
    part = "summary"
    for line in (inspect.getdoc(endpoint) or "").splitlines():
        if line in SECTIONS:
            part = SECTIONS[line]
        elif part == "parameters" and line.startswith(" " * 8):
            found[part][-1] += f" {line.strip()}"
        elif line.strip():
            found[part].append(line.strip())
    pairs = (line.partition(": ") for line in found.pop("parameters"))
    parameters = {name: meaning for name, _, meaning in pairs}
    return Told(parameters=parameters, **{name: " ".join(lines) for name, lines in found.items()})


def flat(endpoint: Callable[..., Any]) -> str:
    """The docstring with a line for each thing, as gradio reads it."""
    one = told(endpoint)
    parameters = "".join(f"    {name}: {meaning}\n" for name, meaning in one.parameters.items())
    wrong = f". An error is: {one.raises}" if one.raises not in ("", "nothing") else ""
    return f"{one.summary}\n\nArgs:\n{parameters}\nReturns:\n    {one.returns}{wrong}\n"


def reference(endpoints: Mapping[str, Callable[..., Any]]) -> str:
    """The whole file, of endpoints by their names."""
    return HEAD + "".join(_entry(name, endpoint) for name, endpoint in endpoints.items())


def public(page: gr.Blocks) -> dict[str, Callable[..., Any]]:
    """The endpoints of a page as they were written, by their names, in the order of the alphabet."""
    found = {str(one.api_name): one.fn for one in page.fns.values() if one.api_visibility == "public" and one.fn}
    return {name: inspect.unwrap(found[name]) for name in sorted(found)}


def _entry(name: str, endpoint: Callable[..., Any]) -> str:
    one, rows = told(endpoint), _rows(endpoint)
    table = f"| value | kind | left out | meaning |\n| --- | --- | --- | --- |\n{rows}\n" if rows else ""
    streams = " (a stream)" if inspect.isgeneratorfunction(endpoint) else ""
    wrong = f"Errors: {one.raises}.\n" if one.raises != "nothing" else ""
    gives = f"Gives{streams}: {_code(one.returns)}.\n"
    return f"\n## /{name}\n\n{one.summary}\n\n{table}" + "\n".join(part for part in (gives, wrong) if part)


def _rows(endpoint: Callable[..., Any]) -> str:
    meanings, hints = told(endpoint).parameters, get_type_hints(endpoint)
    taken = [one for one in inspect.signature(endpoint).parameters.values() if hints[one.name] is not gr.Request]
    return "".join(
        f"| `{one.name}` | {_kind(hints[one.name])} | {_default(one)} | {meanings[one.name]} |\n" for one in taken
    )


def _kind(hint: Any) -> str:
    options = [one for one in get_args(hint) if one is not type(None)] if get_origin(hint) not in (list, dict) else []
    plain = options[0] if options else hint
    return KINDS[get_origin(plain) or plain] + (" or null" if options else "")


def _default(one: inspect.Parameter) -> str:
    return "" if one.default is inspect.Parameter.empty else f"`{json.dumps(one.default)}`"


def _code(returns: str) -> str:
    """Shapes in braces as code, the outermost ones."""
    return re.sub(r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}", lambda shape: f"`{shape[0]}`", returns)
