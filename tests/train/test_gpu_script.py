"""A recipe carried to another base: what its script asks PEFT for there, and that what it prints is read back."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

import pytest

from playground.adapt.methods import DOWNLOADABLE, METHODS
from playground.errors import PlaygroundError
from playground.locales import LANGUAGES
from playground.model.catalogue import CATALOGUE
from playground.train.gpu_script import STAYS, Outline, carried, losses, script, travels
from tests.families import one_thread, tiny_base, trained  # noqa: F401


@pytest.fixture(scope="module")
def tiny() -> Any:
    return tiny_base("llama")


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Outline:
    """Another family, with other names for its layers."""
    base = tiny_base("bloom")
    spec = replace(base.spec, source="hub", repository="tiny/bloom")
    monkeypatch.setitem(CATALOGUE, spec.id, spec)
    return Outline(spec, base.model, base.architecture, "nowhere")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("method_id", ["lora", "qlora", "ia3", "prompt_tuning"])
def test_the_script_is_of_the_other_base(tiny: Any, other: Outline, method_id: str, language: str) -> None:
    made = carried(trained(tiny, method_id)[0], other)
    written = script(made, "ana/mine", language)
    ast.parse(written)
    assert "BASE = 'tiny/bloom'" in written
    assert "REPOSITORY = 'ana/mine'" in written
    assert 'open(hf_hub_download(REPOSITORY, "pirate.jsonl")' in written
    assert "dtype=torch.bfloat16" in written
    assert '#   "huggingface_hub==' in written
    assert ("load_in_4bit=True" in written) == (method_id == "qlora")
    if method_id != "prompt_tuning":
        assert "query_key_value" in written
        assert "q_proj" not in written
    assert made.record.total_parameters == other.architecture.parameters + made.record.trainable_parameters
    assert (made.record.steps, made.record.losses, dict(made.tensors)) == (7, [], {})


def test_a_run_that_was_stopped_is_planned_whole(tiny: Any, other: Outline) -> None:
    one = trained(tiny, "lora")[0]
    made = carried(replace(one, record=replace(one.record, steps=3, planned_steps=20)), other)
    assert "SEED, STEPS, DONE, BATCH, RATE = 1, 20, 20," in script(made, "ana/mine", "en")


def test_a_form_of_bitsandbytes_goes_along(tiny: Any, other: Outline) -> None:
    one = trained(tiny, "lora")[0]
    for form, expected in (("nf4", "tiny-bloom:nf4"), ("int4", "tiny-bloom")):
        assert carried(replace(one, record=replace(one.record, base=f"tiny-llama:{form}")), other).record.base == expected


def test_what_means_something_else_on_another_base_stays(tiny: Any, other: Outline) -> None:
    assert {one for one in METHODS if travels(one)} == {*DOWNLOADABLE} - {*STAYS}
    one = trained(tiny, "lora")[0]
    for changed, key in (
        ({"method": "few_shot"}, "gpu_method"),
        ({"method": "trainable_tokens"}, "gpu_method"),
        ({"task": ""}, "gpu_no_recipe"),
        ({"task": "own"}, "gpu_no_recipe"),
        ({"steps": 0}, "gpu_no_recipe"),
        ({"mix": {"rule": "linear"}}, "gpu_no_recipe"),
    ):
        with pytest.raises(PlaygroundError) as error:
            carried(replace(one, record=replace(one.record, **changed)), other)
        assert error.value.key == key


def test_losses_are_found_among_whatever_else_a_log_has() -> None:
    log = ["Installed 31 packages in 4s", "step 1 of 3: loss 2.500000", "2026 step 2 of 3: loss 0.25", "a step of 3: loss 1"]
    assert losses(log) == [(1, 2.5), (2, 0.25)]
    assert losses(["step 3 of 3: loss nan"])[0][1] != losses(["step 3 of 3: loss nan"])[0][1]
    assert losses(["step 1 of 2: loss oops"])[0][0] == 1
