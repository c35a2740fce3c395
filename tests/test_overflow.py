"""Numbers that leave float32, wherever they are asked for: a sentence or a null, never NaN or Infinity in JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from playground.actions import lowrank as asked
from playground.actions.train import event_json
from playground.adapt import adapters
from playground.adapt.adapters import Adapter
from playground.adapt.tasks import Task
from playground.bounds import finite
from playground.errors import PlaygroundError
from playground.locales import LANGUAGES, text
from playground.lowrank import findings, softprompt
from playground.lowrank.edits import Edit
from playground.lowrank.sweep import SweepJob, sweep
from playground.lowrank.updates import updates
from playground.model.bases import Base
from playground.model.catalogue import CATALOGUE
from playground.plots.quantize import qlora as merging_plots
from playground.quantize.merging import Losses, MergeJob, Merging, merging
from playground.train.job import Ended, Evaluation, TrainingJob
from playground.train.training import train
from playground.ui.lowrank import edits
from playground.ui.quantize.merging import cost
from playground.work.sessions import SESSIONS
from tests.compare.test_overflow import times

NAN, INF = float("nan"), float("inf")


def strict(value: Any) -> Any:
    return json.loads(json.dumps(value, allow_nan=False))


@pytest.fixture
def made(tiny: Base, get_tiny: Callable[[str], Base], small_task: Task) -> Callable[..., Adapter]:
    def adapter(method: str, **values: Any) -> Adapter:
        found: Adapter = list(
            train(TrainingJob("tiny", method, small_task, {"learning_rate": 0.01, **values}, 2), get_tiny)
        )[-1].adapter
        return found

    return adapter


def test_finite_keeps_everything_but_what_overflowed() -> None:
    value = {"a": [1, 2.5, NAN, (INF, -INF, "x")], "b": {"c": None, "d": True}}
    assert finite(value) == {"a": [1, 2.5, None, (None, None, "x")], "b": {"c": None, "d": True}}


@pytest.mark.parametrize(("method", "factor"), [("lora", 1e38), ("full_fine_tuning", INF)])
def test_a_training_whose_last_step_overflows_has_diverged(
    get_tiny: Callable[[str], Base],
    small_task: Task,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    method: str,
    factor: float,
) -> None:
    def explode(optimizer: Any, *_: Any) -> None:
        for parameter in optimizer.param_groups[0]["params"]:
            parameter.data.add_(1).mul_(factor)

    monkeypatch.setattr(torch.optim.AdamW, "step", explode)
    events = list(train(TrainingJob("tiny", method, small_task, {}, 1), get_tiny))
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert (ended.event, ended.error.key, ended.adapter.record.steps) == ("failed", "diverged_at_once", 0)
    assert not all(one.held_out_loss == one.held_out_loss for one in events if isinstance(one, Evaluation))
    told = strict([event_json(event) for event in events])
    assert [one["held_out_loss"] for one in told if one["event"] == "evaluation"][-1] is None
    if ended.adapter.config:
        adapters.save(ended.adapter, tmp_path)
        record = json.loads((tmp_path / adapters.RECORD).read_text(), parse_constant=pytest.fail)
        assert record["held_out"][-1][1] is None
    assert all(bool(tensor.isfinite().all()) for tensor in ended.adapter.tensors.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sweep_over_an_adapter_that_overflows_says_so(
    made: Callable[..., Adapter], get_tiny: Callable[[str], Base], small_task: Task, language: str
) -> None:
    large = times(made("lora"), 3e38, "lora_B")
    *_, done = sweep(SweepJob("tiny", large, (Edit(), Edit(strength=0.0)), small_task), get_tiny)
    whole, none = done.effects
    assert finite((whole.held_out_loss, whole.kl_from_base)) == (None, None)
    assert (none.held_out_loss, none.kl_from_base) == (done.base_loss, 0.0)
    drawn = edits.table(language, done)
    assert drawn.count(text(language, "number.overflows")) == 2
    assert "nan" not in drawn


def test_effects_are_null_where_they_overflow(
    made: Callable[..., Adapter],
    loaded: Callable[[Base], Base],
    tiny: Base,
    small_task: Task,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    large = times(made("lora"), 3e38, "lora_B")
    loaded(tiny)
    monkeypatch.setattr(asked, "held_out_task", lambda adapter: small_task)
    SESSIONS.add("overflow", large)
    try:
        found = strict(asked.effects("overflow", large.id, {"strength": 0.0}, "here", lambda: False))
    finally:
        SESSIONS.get("overflow").library.clear()
    assert found["whole"] == {"held_out_loss": None, "kl_from_base": None}
    assert found["left"]["held_out_loss"] == found["base"]["held_out_loss"]


@pytest.mark.parametrize("factor", [1e20, 3e38])
@pytest.mark.parametrize(
    ("method", "values"), [("lora", {}), ("lora", {"dora": True}), ("ia3", {}), ("full_fine_tuning", {})]
)
def test_the_lab_measures_a_large_update_or_says_that_it_overflows(
    tiny: Base, made: Callable[..., Adapter], method: str, values: dict[str, Any], factor: float
) -> None:
    large = times(made(method, **values), factor)
    asked_of: list[Callable[[], Any]] = [lambda: findings.network(tiny, large), lambda: findings.turns(tiny, large)]
    asked_of += [partial(findings.spectrum, tiny, large, one) for one in list(updates(tiny, large))[:1]]
    if method == "lora":
        asked_of.append(lambda: dataclasses.asdict(findings.report(tiny, large)))
    refusals: list[str] = []
    for ask in asked_of:
        try:
            found = ask()
        except PlaygroundError as error:
            refusals.append(error.key)
            continue
        numbers = found.tolist() if isinstance(found, torch.Tensor) else found
        strict([dataclasses.asdict(one) for one in numbers] if isinstance(numbers, tuple) else numbers)
    assert set(refusals) <= {"update_overflows"}


@pytest.mark.parametrize("factor", [1e25, 3e38])
def test_a_soft_prompt_that_overflows_is_not_compared(tiny: Base, made: Callable[..., Adapter], factor: float) -> None:
    large = times(made("prompt_tuning", virtual_tokens=3), factor)
    with pytest.raises(PlaygroundError) as refusal:
        softprompt.report(tiny, large)
    assert refusal.value.key == "soft_prompt_not_finite"


@pytest.mark.parametrize("language", LANGUAGES)
def test_merging_what_overflows_says_so(language: str) -> None:
    found = Merging("tiny:nf4", (), Losses(2.0, NAN, NAN, INF, NAN, NAN, 7))
    drawn = cost(language, "qlora", dataclasses.replace(found, base="smollm2-135m:nf4"))
    assert text(language, "qlora.merge.overflow") in drawn
    assert merging_plots.merged(found.losses, language).count(text(language, "number.overflows")) == 3
    assert not {"nan", "inf"} & set(drawn.replace(":", " ").replace(";", " ").replace(">", " ").replace("<", " ").split())


def test_merging_a_large_adapter_measures_it_or_refuses_it(
    made: Callable[..., Adapter],
    tiny_forms: Callable[[str], Base],
    tiny: Base,
    small_task: Task,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CATALOGUE, "tiny", tiny.spec)
    *_, last = merging(MergeJob(times(made("lora"), 1e18), small_task), tiny_forms)
    assert text("en", "qlora.merge.overflow") in cost("en", "lora", dataclasses.replace(last, base="smollm2-135m:nf4"))
    with pytest.raises(PlaygroundError) as refusal:
        list(merging(MergeJob(times(made("lora"), 3e38), small_task), tiny_forms))
    assert refusal.value.key == "update_overflows"
