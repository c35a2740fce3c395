"""Activations: what PyTorch's own hooks see, and no trace left in the base that was read with."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from playground import settings
from playground.adapt import tasks
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.model.memory import STORE
from playground.quantize.activations import Cell, activations, check, modules, network, outliers, peak, systematic
from tests.conftest import load_tiny

PROMPTS = ("What is the sea?", "Say one.", "Why do ships float on it?")
MODULES = ("model.layers.0.self_attn.v_proj", "model.layers.1.mlp.down_proj", "model.layers.1.self_attn.o_proj")


def hooked(base: Base, module: Any, prompt: Any) -> Any:
    """(what a module of a freshly loaded copy reads, what it gives), by a plain forward hook and the whole model."""
    model = LlamaForCausalLM.from_pretrained(base.folder).eval()
    seen = []
    model.get_submodule(module).register_forward_hook(lambda layer, x, y: seen.append((x[0][0].clone(), y[0].clone())))
    with torch.no_grad():
        model(torch.tensor([tasks.prompt_ids(base.tokenizer, prompt)]))
    return seen[0]


@pytest.mark.parametrize("module", MODULES)
def test_activations_are_what_a_forward_hook_on_a_fresh_copy_sees(tiny: Base, module: str) -> None:
    for found, prompt in zip(activations(tiny, module, PROMPTS), PROMPTS, strict=True):
        read, given = hooked(tiny, module, prompt)
        assert found.dtype == torch.float32
        assert torch.allclose(found, read, atol=1e-6)
        assert torch.allclose(tiny.model.get_submodule(module)(found), given, atol=1e-5)


def test_what_is_remembered_is_what_is_read_anew(tiny: Base) -> None:
    once = activations(tiny, MODULES[0], PROMPTS)
    assert all(one is other for one, other in zip(activations(tiny, MODULES[0], PROMPTS), once, strict=True))
    STORE.forget(tiny)
    again = activations(tiny, MODULES[0], PROMPTS)
    assert again[0] is not once[0]
    assert all(torch.equal(one, other) for one, other in zip(again, once, strict=True))


def test_the_base_keeps_neither_a_hook_nor_a_changed_weight(tiny: Base) -> None:
    activations(tiny, MODULES[1], ["Something new to read."])
    assert tiny.untouched()
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in tiny.model.modules())


@pytest.mark.parametrize("form", ["nf4", "int8"])
def test_a_quantized_base_can_be_read_with_too(tiny: Base, form: str) -> None:
    base = load_tiny(tiny, f"tiny:{form}")
    assert modules(base) == modules(tiny)
    found = activations(base, MODULES[0], PROMPTS[:1])[0]
    assert found.shape == activations(tiny, MODULES[0], PROMPTS[:1])[0].shape
    assert base.untouched()


def test_the_map_has_the_largest_of_every_module(tiny: Base) -> None:
    cells = network(tiny, PROMPTS)
    assert tuple(cell.module for cell in cells) == modules(tiny)
    assert len(cells) == 14
    for cell in cells:
        seen = torch.cat(activations(tiny, cell.module, PROMPTS))
        assert cell.largest == seen.abs().max()
        found = outliers(seen)
        assert cell.reaching == len(found)
        assert set(cell.common) == {one.feature for one in found if one.share >= 0.06}


def test_the_peak_is_a_token_of_the_prompt(tiny: Base) -> None:
    found = peak(tiny, MODULES[1], PROMPTS)
    every = activations(tiny, MODULES[1], PROMPTS)
    prompt = max(range(3), key=lambda one: float(every[one].abs().max()))
    assert found.value == every[prompt].abs().max() == every[prompt][found.position, found.feature].abs()
    ids = tasks.prompt_ids(tiny.tokenizer, PROMPTS[prompt])
    assert found.token == tiny.tokenizer.decode([ids[found.position]])


def test_a_peak_is_always_there_if_every_prompt_begins_with_its_token_and_has_it_there(tiny: Base) -> None:
    begins = {prompt: tasks.prompt_ids(tiny.tokenizer, prompt)[0] for prompt in PROMPTS}
    assert len(set(begins.values())) == 1  # the chat template's
    for module in modules(tiny):
        found = peak(tiny, module, PROMPTS)
        places = [int(one[:, found.feature].abs().argmax()) for one in activations(tiny, module, PROMPTS)]
        assert found.always == (places == [0] * len(PROMPTS))


def test_a_base_without_linear_layers_is_a_sentence(tiny: Base) -> None:
    model: Any = torch.nn.Module()
    model.get_output_embeddings, model.get_decoder = (lambda: None), (lambda: model)
    bare = replace(tiny, model=model)
    for call in (lambda: modules(bare), lambda: network(bare, PROMPTS), lambda: activations(bare, "h.0", PROMPTS)):
        with pytest.raises(PlaygroundError) as error:
            call()
        assert error.value.key == "no_linear_layers"
        assert "Tiny" in error.value.message("es")


def test_prompts_may_have_to_leave_room_for_more() -> None:
    check(["a"] * (settings.MAX_CALIBRATION_PROMPTS - 1), more=1)
    with pytest.raises(PlaygroundError) as error:
        check(["a"] * settings.MAX_CALIBRATION_PROMPTS, more=1)
    assert error.value.values["maximum"] == settings.MAX_CALIBRATION_PROMPTS - 1


def test_outliers_reach_the_threshold_and_know_in_how_many_tokens() -> None:
    x = torch.zeros(10, 5)
    x[3, 1], x[:5, 4], x[0, 2] = -60.0, 6.0, 5.9
    found = [(one.feature, one.largest, one.share) for one in outliers(x)]
    assert found == [(1, 60.0, 0.1), (4, 6.0, 0.5)]
    assert [one.feature for one in outliers(x, 5.0)] == [1, 4, 2]
    assert outliers(x, 61.0) == ()


def test_a_systematic_outlier_is_common_in_a_quarter_of_the_layers() -> None:
    cells = [Cell(f"m.{layer}.q", "q", layer, 9.0, 1, (7,) if layer < 3 else (1,)) for layer in range(12)]
    cells += [Cell(f"m.{layer}.k", "k", layer, 9.0, 1, (7,) if layer < 2 else ()) for layer in range(12)]
    assert systematic(cells) == {("q", 1): 9, ("q", 7): 3}


@pytest.mark.parametrize(
    ("module", "prompts", "key"),
    [
        ("model.layers.2.mlp.down_proj", PROMPTS, "not_a_module"),
        ("lm_head", PROMPTS, "not_a_module"),
        ("", PROMPTS, "not_a_module"),
        (MODULES[0], [], "calibration_prompts"),
        (MODULES[0], ["a"] * (settings.MAX_CALIBRATION_PROMPTS + 1), "calibration_prompts"),
        (MODULES[0], ["a", "  "], "empty_prompt"),
        (MODULES[0], ["a" * (settings.MAX_CALIBRATION_CHARACTERS + 1)], "prompt_too_long"),
    ],
)
def test_what_cannot_be_read_is_refused(tiny: Base, module: Any, prompts: Any, key: str) -> None:
    with pytest.raises(PlaygroundError) as error:
        activations(tiny, module, prompts)
    assert error.value.key == key
    assert error.value.message("es")
