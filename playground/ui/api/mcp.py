"""
The same endpoints as tools for programs that speak MCP, at /gradio_api/mcp/: gradio makes them of the named endpoints.

What gradio's server does otherwise than this program's API promises is put right here: results are JSON, and a session is
its client's. Gradio calls every endpoint through one client of its own, so that all of them would share one.
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
from gradio.context import LocalContext
from gradio_client.utils import is_file_obj_with_meta

SESSION = "x-session"  # the header by which calls share adapters: any word of one's own
MARK = "x-gradio-user"  # what gradio's client says of itself when it calls for MCP


def session_of(request: gr.Request) -> str:
    """Whose adapters a call sees: of one that comes by MCP its SESSION, without one a session of its own."""
    headers = request.headers
    if headers.get(MARK) != "mcp":
        return f"api-{request.session_hash}"
    word = headers.get(SESSION, "")
    return f"mcp-{word or LocalContext.event_id.get(None)}"


def in_json(server: Any) -> Any:
    """Gradio's MCP server, whose results are JSON, not what Python prints of them; files stay their addresses."""
    plain = server.postprocess_output_data

    def written(data: list[Any], root_url: str) -> list[Any]:
        return list(plain([_written(one) for one in data], root_url))

    server.postprocess_output_data = written
    return server


def _written(value: Any) -> Any:
    structured = isinstance(value, dict | list) and not is_file_obj_with_meta(value)
    return json.dumps(value, ensure_ascii=False) if structured else value
