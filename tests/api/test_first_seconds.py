"""
The seconds in which the page is there and torch is not.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from tests.serving import ROOT, served

BASE = "smollm2-135m"
FIRST_CALLS: dict[str, tuple[Any, ...]] = {  # of every endpoint
    "bases": (), "methods": (), "tasks": (), "adapters": (), "formats": (), "accumulate": (), "stop": (),
    "count_parameters": (BASE, "lora", {}),
    "train": (BASE, "lora", "sentiment", {}, 1, 0),
    "compare": (BASE, "Hello?", ["base", "pirate-lora"], 1),
    "low_rank": ("pirate-lora",),
    "truncate": ("pirate-lora", "Hello?", 1, 1.0, [], [], 1),
    "soft_prompt": ("pirate-prompt_tuning",),
    "anatomy": ("nf4", 0.1),
    "quantize": (BASE, "", ["int8", "nf4"]),
    "survey": (BASE, ["nf4"]),
    "download_adapter": ("pirate-lora",),
    "upload_adapter": (handle_file(ROOT / "tests/serving.py"), BASE),
}  # fmt: skip


def test_the_page_is_built_without_torch() -> None:
    program = "import sys, app; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert "torch" not in modules


def test_requests_in_the_first_second_are_served_whatever_they_ask(tmp_path: Path) -> None:
    """Packages that several threads import at once are seen half made: peft without transformers, NF4 without its CPU."""

    def ask(name: str) -> Any:
        client = Client(url, verbose=False)  # a session each: /stop stops none of the others
        try:
            return list(client.submit(*FIRST_CALLS[name], api_name=f"/{name}")) or client.predict(api_name=f"/{name}")
        except AppError as error:
            return str(error)

    with served(tmp_path / "log.txt") as url, ThreadPoolExecutor(len(FIRST_CALLS)) as pool:
        known = Client(url, verbose=False).view_api(return_format="dict", print_info=False)["named_endpoints"]
        answers = dict(zip(FIRST_CALLS, pool.map(ask, FIRST_CALLS), strict=True))
    assert {f"/{name}" for name in FIRST_CALLS} == set(known)
    assert "cannot be read" in answers.pop("upload_adapter")
    assert [name for name, answer in answers.items() if not answer or isinstance(answer, str)] == []
    assert "Traceback" not in (tmp_path / "log.txt").read_text()
