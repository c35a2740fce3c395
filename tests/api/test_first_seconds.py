"""
The seconds in which the page is there and torch is not.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gradio_client import Client

from tests.serving import ROOT, served

BASE = "smollm2-135m"
FIRST_CALLS: list[tuple[Any, ...]] = [
    ("compare", BASE, "Hello?", ["base", "pirate-lora"], 1),
    ("train", BASE, "lora", "sentiment", {}, 1, 0),
    ("quantize", BASE, "", ["int8", "nf4"], "", 64, False),
    ("low_rank", "pirate-lora", ""),
    ("soft_prompt", "pirate-prompt_tuning", 3),
]


def test_the_page_is_built_without_torch() -> None:
    program = "import sys, app; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert "torch" not in modules


def test_requests_in_the_first_second_are_served_however_many(tmp_path: Path) -> None:
    """Packages that several threads import at once are seen half made: peft without transformers, NF4 without its CPU."""
    with served(tmp_path / "log.txt") as url, ThreadPoolExecutor(len(FIRST_CALLS)) as pool:
        client = Client(url, verbose=False)
        answers = list(pool.map(lambda call: client.predict(*call[1:], api_name=f"/{call[0]}"), FIRST_CALLS))
    assert all(answers)
    assert "Traceback" not in (tmp_path / "log.txt").read_text()
