"""
ZeroGPU by the real `spaces`: its emulation of CUDA, its fork, its queue of pickles, its questions to whoever lends GPUs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from playground.work.zero import FIRST, LEAST
from tests.kinds import folder_of_kind
from tests.serving import ROOT


@pytest.mark.timeout(200)
def test_a_training_on_a_gpu_that_is_lent_is_that_of_the_thread(tmp_path: Path) -> None:
    base = {"PLAYGROUND_LOCAL_BASE": str(folder_of_kind("llama", tmp_path / "tiny")), "PLAYGROUND_BASE": "local"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.zero_space"], cwd=ROOT, env=os.environ | base | {"HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["where"] == "zero"
    assert told["here"] == "cpu"  # the labs'
    assert told["states"] == ["finished"] * 3
    assert len(told["losses"][0]) == 2
    assert told["losses"][0] == told["losses"][1]
    assert told["losses"][0] == pytest.approx(told["losses"][2], abs=0.05)  # bfloat16 there, as on every GPU
    assert told["processes"] == 1, "the second training finds the process that the first one had"
    assert told["seconds"][:2] == [round(FIRST), round(LEAST)]
    assert told["refused"] == "zero_quota"
