"""Runs that step together learn what each learns alone: any mix of methods, whoever joins, leaves or fails."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from peft import get_peft_model_state_dict

from playground.adapt.methods import method
from playground.adapt.tasks import Example, Task, encode
from playground.model import kernels
from playground.model.bases import Base
from playground.train import evaluation, together
from playground.train.batches import shares, shuffled
from playground.train.evaluation import response_loss
from playground.train.job import Ended, Evaluation, Step, TrainingJob
from playground.train.together import Company, Request
from playground.train.training import train
from playground.train.trainable import wrap
from tests.conftest import needs_bfloat16, tiny_tokenizer
from tests.families import one_thread, tiny_base  # noqa: F401
from tests.kinds import KINDS, model_of_kind

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
SAY = Task("pirate", *(tuple(Example(f"say {w}", f"{w}!") for w in words) for words in (WORDS[:8], WORDS[8:])))
LONGER = Task("own", tuple(Example(f"what about {w}?", f"{w}, {w} and {w}" * n) for n, w in enumerate(WORDS, 1)), SAY.held_out)

# One of each, and what is different about a method: what is reached, how high, what is dropped
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": ("lora", {"learning_rate": 0.02}),
    "lora_rank_2": ("lora", {"learning_rate": 0.02, "rank": 2, "alpha": 32, "batch_size": 2}),
    "lora_all_linear": ("lora", {"learning_rate": 0.01, "rank": 16, "targets": "all_linear"}),
    "lora_dropout": ("lora", {"learning_rate": 0.02, "targets": "all_linear", "dropout": 0.3, "rank": 4}),
    "lora_more_dropout": ("lora", {"learning_rate": 0.02, "dropout": 0.5, "batch_size": 3}),
    "rslora": ("lora", {"learning_rate": 0.01, "rslora": True}),
    "dora": ("lora", {"learning_rate": 0.02, "dora": True}),
    "dora_dropout": ("lora", {"learning_rate": 0.02, "dora": True, "dropout": 0.3}),
    "ia3": ("ia3", {"learning_rate": 0.3}),
    "prompt": ("prompt_tuning", {"learning_rate": 0.3, "virtual_tokens": 7, "initialization": "random"}),
    "prompt_vocabulary": ("prompt_tuning", {"learning_rate": 0.3, "virtual_tokens": 12, "batch_size": 1}),
}
STEPS = 12


def job_of(name: str, seed: int = 0, steps: int = STEPS, task: Task = SAY, base: str = "tiny") -> TrainingJob:
    chosen, values = RUNS[name]
    return TrainingJob(base, chosen, task, values, steps, seed)


def company() -> Company:
    return Company(pays=lambda base: True, most=10**6)


@pytest.fixture(autouse=True)
def short_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SAMPLE_TOKENS", 3)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many runs each pass answered."""
    found: list[int] = []
    losses = together.Pass.losses

    def noted(self: Any, seats: Any, *rest: Any) -> torch.Tensor:
        found.append(len(seats))
        return losses(self, seats, *rest)

    monkeypatch.setattr(together.Pass, "losses", noted)
    return found


def in_turn(runs: Sequence[Iterator[Any]], own: Company, starts: Sequence[int] | None = None) -> list[list[Any]]:
    """The events of runs that have a turn each, as a lane gives them, and then step together; some begin in a later turn."""
    events: list[list[Any]] = [[] for _ in runs]
    going = dict(enumerate(runs))
    for turn in itertools.count():
        for place, run in list(going.items()):
            if starts is None or turn >= starts[place]:
                event = next(run, None)
                if event is None:
                    del going[place]
                else:
                    events[place].append(event)
        own.step()
        if not going:
            return events
    raise AssertionError


def curves(events: Sequence[Any]) -> tuple[list[float], list[float]]:
    """Losses of the steps, and held-out losses."""
    steps = [event.loss for event in events if isinstance(event, Step)]
    return steps, [event.held_out_loss for event in events if isinstance(event, Evaluation)]


def assert_as_alone(events: Sequence[Any], alone: Sequence[Any]) -> None:
    (losses, held_out), (own, own_held_out) = curves(events), curves(alone)
    assert len(losses) == len(own)
    assert losses[:10] == pytest.approx(own[:10], abs=1e-4)
    assert held_out == pytest.approx(own_held_out, abs=1e-3)
    assert own[0] != own[-1]


def test_all_methods_at_once_learn_what_each_learns_alone(tiny: Base, passes: list[int]) -> None:
    jobs = [job_of(name, seed, task=(SAY, LONGER)[seed % 2]) for seed, name in enumerate(RUNS)]
    own = company()
    events = in_turn([train(job, lambda _: tiny, company=own) for job in jobs], own)
    assert max(passes) == len(RUNS)
    assert min(passes) > 1
    for job, seen in zip(jobs, events, strict=True):
        assert_as_alone(seen, list(train(job, lambda _: tiny)))
    assert tiny.untouched()
