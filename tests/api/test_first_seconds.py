"""
The seconds in which the page is there and torch is not; and the last one.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from playground.adapt.adapters import save
from tests.api.calling import BOUND, called
from tests.families import tiny_base, trained
from tests.hub import hub_served
from tests.kinds import folder_of_kind
from tests.serving import ROOT, serving

BASE, TINY = "smollm2-135m", "local"  # what needs none of the ready-made adapters is asked of a tiny base
FIRST_CALLS: dict[str, tuple[Any, ...]] = {  # of every endpoint
    "bases": (), "methods": (), "tasks": (), "adapters": (), "formats": (), "accumulate": (), "stop": (),
    "session": (), "examine_base": ("tiny/llama",), "load_base": (TINY,), "fetch_adapter": ("tiny/lora", TINY),
    "count_parameters": (TINY, "lora", {}),
    "train": (TINY, "lora", "sentiment", {}, 1, 0),
    "race": (TINY, "sentiment", ["ia3", "lora"], 1),
    "compare": (BASE, "Hello?", ["base", "pirate-lora"], 1),
    "low_rank": ("pirate-lora",),
    "truncate": ("pirate-lora", "Hello?", 1, 1.0, [], [], 1),
    "soft_prompt": ("pirate-prompt_tuning",),
    "mix": (["pirate-lora", "json-lora"], [1, 0.5]),
    "anatomy": ("nf4", 0.1),
    "quantize": (TINY, "", ["int8", "nf4"]),
    "survey": (TINY, ["nf4"]),
    "ladder": (TINY, "", 4, 16),
    "prune": (TINY, "width-max_min", 50),
    "download_adapter": ("pirate-lora",),
    "answers": (TINY, "Hello?", ["base"], 2, 1, 0.7),
    "score": (TINY, "base", "sentiment"),
    "leaderboard": ("pirate",),
    "examples": (TINY, {"rows": [["a", "b"]] * 9}),
    "plan_gpu_job": ("pirate-lora",),
}  # fmt: skip
ELSEWHERE = {  # a file goes another way, and jobs want an account
    "/upload_adapter", "/run_gpu_job", "/follow_gpu_job", "/fetch_gpu_job",
}  # fmt: skip


def test_the_page_is_built_without_torch() -> None:
    program = "import sys, app; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert "torch" not in modules


@dataclass(frozen=True)
class Life:
    """A server that was asked everything as soon as it answered, and then told to end."""

    endpoints: set[str]
    answers: dict[str, Any]
    log: str
    wrote: list[Path]  # of visitors' files, while it ran
    left: list[Path]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder = tmp_path_factory.mktemp("life")
    temporary, log = folder / "temporary", folder / "log.txt"
    temporary.mkdir()

    tiny = folder_of_kind("llama", folder / "tiny")
    save(trained(tiny_base("llama"), "lora")[0], folder / "lora")
    settings = {"TMPDIR": str(temporary), "PLAYGROUND_LOCAL_BASE": str(tiny), "HF_HOME": str(folder), "HF_HUB_OFFLINE": "0"}

    with hub_served() as hub, serving(log, HF_ENDPOINT=hub.url, **settings) as (url, _), ThreadPoolExecutor(32) as pool:
        hub.folders |= {"tiny/llama": tiny, "tiny/lora": folder / "lora"}
        answers = pool.map(lambda name: called(url, name, {"data": FIRST_CALLS[name]}), FIRST_CALLS)
        found = dict(zip(FIRST_CALLS, answers, strict=True))
        known = httpx.get(f"{url}/gradio_api/info", timeout=BOUND).json()["named_endpoints"]
        wrote = list(temporary.rglob("*.zip"))
    return Life(set(known), found, log.read_text(), wrote, list(temporary.rglob("*")))


def test_requests_in_the_first_second_are_served_whatever_they_ask(life: Life) -> None:
    """Packages that several threads import at once are seen half made: peft without transformers, NF4 without its CPU."""
    assert {f"/{name}" for name in FIRST_CALLS} | ELSEWHERE == life.endpoints
    assert [name for name, answer in life.answers.items() if not answer] == []
    assert "Traceback" not in life.log


def test_temporary_files_go_when_the_server_is_told_to_end(life: Life) -> None:
    assert life.wrote
    assert [path for path in life.left if not path.name.startswith("torchinductor_")] == []  # torch makes an empty folder
