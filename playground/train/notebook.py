"""
A recipe as a Jupyter notebook (nbformat 4.5), a cell for each of its parts.
"""

from __future__ import annotations

import json
from typing import Any

from playground.adapt.adapters import Adapter
from playground.locales import text
from playground.train.recipe import needed, parts


def notebook(adapter: Adapter, language: str) -> str:
    """The JSON of the file: what to install, then the same code as `recipe.python`."""
    title = text(language, "recipe.notebook", method=text(language, f"methods.{adapter.record.method}.name"))
    cells = [_cell("markdown", f"# {title}"), _cell("code", f"%pip install -q {' '.join(needed(adapter))}")]
    cells += [_cell("code", part.strip()) for part in parts(adapter, language)]
    named = [{**cell, "id": f"cell-{number}"} for number, cell in enumerate(cells)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    whole = {"cells": named, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _cell(kind: str, source: str) -> dict[str, Any]:
    lines = source.splitlines(keepends=True)
    empty: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, "source": lines, **empty}
