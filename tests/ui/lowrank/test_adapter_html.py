"""What the map of an adapter says beside its cells."""

from __future__ import annotations

import pytest
import torch

from playground.adapt.adapters import Adapter
from playground.lowrank.findings import Cell
from playground.ui.lowrank.adapter_html import beside, in_words
from tests.adapt.test_adapters import record_of
from tests.ui.drawn import Page, both_languages

BIASES = {"base_model.model.model.layers.0.self_attn.q_proj.base_layer.bias": torch.zeros(1200)}


@both_languages
def test_biases_are_counted_as_the_map_cannot_show_them(language: str) -> None:
    said = Page(beside(Adapter("x", record_of(), loaded=BIASES), language)).text
    assert {"en": "1,200 biases", "es": "1200 sesgos"}[language] in said


@both_languages
@pytest.mark.parametrize("name", ["PiSSA", "OLoRA"])
def test_an_initialization_that_was_undone_is_named(language: str, name: str) -> None:
    assert name in Page(beside(Adapter("x", record_of(undone=name)), language)).text


@both_languages
def test_of_a_plain_adapter_nothing_is_said(language: str) -> None:
    weights = {"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": torch.zeros(4, 8)}
    assert beside(Adapter("x", record_of(), loaded=weights), language) == ""


def test_modules_that_changed_alike_are_all_named_up_to_a_few() -> None:
    def said(*shares: float) -> str:
        return str(
            Page(in_words([Cell(f"m{layer}", "q_proj", layer, one, None) for layer, one in enumerate(shares)], "en")).text
        )

    assert "Most changed: layer 1 · q_proj, " in said(0.01, 0.02).replace("layer 1, q_proj", "layer 1 · q_proj")
    alike = said(0.02, 0.0200001, 0.01)
    assert alike.count("q_proj") == 2
    assert said(*[0.02] * 9).count("q_proj") == 3
    assert "…" in said(*[0.02] * 9)


@both_languages
def test_what_adalora_has_left_is_counted_by_kind_of_module_once_it_has_learned(language: str) -> None:
    def said(*values: list[float]) -> str:
        names = [f"base_model.model.layers.{at // 2}.self_attn.{'qv'[at % 2]}_proj.lora_E" for at in range(len(values))]
        tensors = {name: torch.tensor(one)[:, None] for name, one in zip(names, values, strict=True)}
        return str(Page(beside(Adapter("x", record_of("adalora"), loaded=tensors), language)).text)

    found = said([0.5, 0.0, -0.1], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0])
    assert {"en": "AdaLoRA keeps 6 of the 12 ranks", "es": "AdaLoRA conserva 6 de los 12 rangos"}[language] in found
    assert {"en": "3 of 6 in q_proj, 3 of 6 in v_proj", "es": "3 de 6 en q_proj, 3 de 6 en v_proj"}[language] in found
    assert {"en": "from 0 to 3", "es": "de 0 a 3"}[language] in found
    assert said([0.0, 0.0, 0.0]) == ""  # before the first step
