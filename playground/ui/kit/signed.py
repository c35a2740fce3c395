"""
Who has signed in with their account of the Hugging Face hub, on a Space that asks for that.
"""

from __future__ import annotations

import os

import gradio as gr

from playground import settings

SIGNS_IN = bool(settings.SPACE and os.environ.get("OAUTH_CLIENT_ID"))  # a Space whose README asks for hf_oauth


def token_of(pasted: str, request: gr.Request) -> str:
    """The token that was pasted, or that of whoever has signed in."""
    return pasted.strip() or signed_in(request)


def signed_in(request: gr.Request) -> str:
    """The token of whoever has signed in on a Space, as gradio keeps it in their cookie; "" for everybody else."""
    session = getattr(getattr(request, "request", None), "scope", {}).get("session") or {}
    return str((session.get("oauth_info") or {}).get("access_token") or "")
