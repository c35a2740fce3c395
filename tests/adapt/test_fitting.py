"""What a base cannot have is known from its layers and its size, and is what training refuses."""

import dataclasses
from typing import Any

import pytest

from playground import settings
from playground.adapt.fitting import misfits
from playground.adapt.methods import FRONT, METHODS
from playground.adapt.targets import IA3_TARGETS
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.train.job import TrainingJob
from playground.train.training import train


def with_layers(base: Base, *names: str) -> Any:
    kept = tuple(one for one in base.architecture.linears if one.name in names)
    return dataclasses.replace(base.architecture, linears=kept)


def test_a_whole_small_base_can_have_every_method(tiny: Base) -> None:
    assert {one: error.key for one, error in misfits(tiny.id, tiny.architecture).items()} == {"bitfit": "no_biases"}


def test_what_has_no_layers_to_change_cannot_be_had(tiny: Base) -> None:
    found = misfits(tiny.id, with_layers(tiny, "o_proj"))
    assert {one: error.key for one, error in found.items() if one in FRONT} == {"ia3": "method_no_layers"}
    assert "o_proj" not in IA3_TARGETS
    bare = misfits(tiny.id, with_layers(tiny))
    assert {one for one in METHODS if one not in bare} == {
        "prompt_tuning", "few_shot", "full_fine_tuning", "p_tuning", "ln_tuning", "trainable_tokens",
    }  # fmt: skip


@pytest.mark.parametrize(("base_id", "limit", "key"), [("tiny:nf4", 10**9, "full_quantized"), ("tiny", 1, "full_too_large")])
def test_what_is_too_large_or_has_fewer_bits_cannot_be_trained_whole(
    tiny: Base, tiny_forms: Any, small_task: Any, monkeypatch: pytest.MonkeyPatch, base_id: str, limit: int, key: str
) -> None:
    monkeypatch.setattr(settings, "MAX_FULL_FINE_TUNING_PARAMETERS", limit)
    found = misfits(base_id, tiny.architecture)
    assert {one: error.key for one, error in found.items() if one in FRONT} == {"full_fine_tuning": key}
    for method_id in FRONT:
        job = TrainingJob(base_id, method_id, small_task, steps=1 if FRONT[method_id].steps else None)
        if method_id in found:
            with pytest.raises(PlaygroundError) as refused:
                next(train(job, tiny_forms))
            assert refused.value.key == found[method_id].key
        else:
            assert next(train(job, tiny_forms)).event == "started"
