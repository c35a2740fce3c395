"""A training's job and events can be had before torch is there."""

import subprocess
import sys

import pytest

from playground.adapt.methods import METHODS
from playground.bounds import SEED
from playground.train.job import STEPS


@pytest.mark.parametrize("name", ["playground.train.job", "playground.compare.job"])
def test_a_job_imports_nothing_heavy(name: str) -> None:
    code = f"import sys, {name}; print([m for m in ('torch', 'transformers', 'peft', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_steps_of_every_method_are_allowed() -> None:
    assert all(STEPS.check(method.steps) for method in METHODS.values() if method.steps)
    assert SEED.check(SEED.maximum) == 2**31 - 1
