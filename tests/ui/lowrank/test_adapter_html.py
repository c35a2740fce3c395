"""What the map of an adapter says beside its cells."""

from __future__ import annotations

import pytest
import torch

from playground.adapt.adapters import Adapter
from playground.ui.lowrank.adapter_html import beside
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
