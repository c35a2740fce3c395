"""
Writing a benchmark's table.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch

from playground.model.kernels import processor

RESULTS = Path(__file__).with_name("results")


def machine() -> str:
    """What the numbers were measured on."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{processor()}, {os.cpu_count()} cores"
    names = ("torch", "transformers", "peft", "bitsandbytes", "gradio")
    libraries = ", ".join(f"{name} {version(name)}" for name in names if find_spec(name))
    return f"{device}; Python {platform.python_version()}, {libraries}"


Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]  # its title, heads, rows


def write(name: str, title: str, head: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> None:
    """Print one table and keep it in `results/<name>.md`."""
    write_all(name, title, [("", head, rows)], note)


def write_all(name: str, title: str, tables: Sequence[Table], note: str = "") -> None:
    """Print several tables and keep them in `results/<name>.md`."""
    lines = [f"# {title}", "", machine()]
    for subtitle, head, rows in tables:
        lines += ["", *([f"## {subtitle}", ""] if subtitle else [])]
        lines += [" | ".join(["", *head, ""]).strip(), "|" + " --- |" * len(head)]
        lines += [" | ".join(["", *row, ""]).strip() for row in rows]
    lines += ["", note] if note else []
    RESULTS.mkdir(exist_ok=True)
    text = "\n".join(lines) + "\n"
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(text, flush=True)
