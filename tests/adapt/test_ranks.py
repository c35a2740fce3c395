"""Ranks by layer: the text means what it says, PEFT's patterns mean the same, and a bad text is told what would be right."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import get_peft_model
from peft.tuners.lora import LoraLayer

from playground.adapt import ranks
from playground.adapt.methods import METHODS, method
from playground.adapt.targets import targeted
from playground.errors import PlaygroundError
from playground.locales import LANGUAGES
from playground.model.architecture import Architecture, Linear, architecture_of
from playground.model.bases import Base
from playground.model.catalogue import BaseSpec
from tests.conftest import tiny_tokenizer
from tests.families import one_thread, peft_model  # noqa: F401
from tests.kinds import model_of_kind

LAW = settings(deadline=None, derandomize=True, database=None)
TEN = Architecture(8, (Linear("q_proj", 8, 8, 10), Linear("v_proj", 8, 4, 10)), 1000)
MODULES = [(name, layer) for layer in range(10) for name in ("q_proj", "v_proj")]


def given_to(text: str, architecture: Architecture = TEN, **others: Any) -> dict[ranks.Module, Any]:
    """What a text gives, as (rank, alpha) by module."""
    values = method("lora").complete({"ranks": text, **others})
    found = ranks.own(targeted(architecture, values["targets"]), values)
    return {module: (rule.rank, rule.scaled(values)) for module, rule in found.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (" \n", {}),
        ("0-9: 2", dict.fromkeys(MODULES, (2, 4))),
        ("0-3: 2, 4–9: 12", {one: (2, 4) if one[1] < 4 else (12, 24) for one in MODULES}),
        ("3, 5-6 : 1;", {one: (1, 2) for one in MODULES if one[1] in (3, 5, 6)}),
        ("v_proj: 4/8", {("v_proj", layer): (4, 8) for layer in range(10)}),
        ("q_proj,v_proj 9: 3/1", {("q_proj", 9): (3, 1), ("v_proj", 9): (3, 1)}),
        ("0 q_proj: 5;q_proj:2", {("q_proj", layer): (2, 4) if layer else (5, 10) for layer in range(10)}),
    ],
)
def test_a_text_gives_ranks_to_the_modules_that_it_names_and_the_first_rule_counts(text: str, expected: Any) -> None:
    assert given_to(text) == expected


def test_without_an_alpha_a_module_is_scaled_as_the_uniform_ones_are() -> None:
    for values in ({"rank": 8, "alpha": 16}, {"rank": 3, "alpha": 7}, {"rslora": True, "rank": 4}):
        complete = method("lora").complete(values)
        root = 0.5 if complete["rslora"] else 1
        uniform = complete["alpha"] / complete["rank"] ** root
        for rank, alpha in given_to("0: 1; 1: 5; 2: 64", **values).values():
            assert alpha / rank**root == pytest.approx(uniform)


@pytest.mark.parametrize(
    ("text", "key", "named"),
    [
        ("2", "ranks_unreadable", "“2”"),
        ("0-9 2", "ranks_unreadable", "0-9 2"),
        (": 2", "ranks_unreadable", ": 2"),
        (",: 2", "ranks_unreadable", ",: 2"),
        ("0-9: two", "ranks_unreadable", "0-9: two"),
        ("0: 2; 1: 2 3", "ranks_unreadable", "“1: 2 3”"),
        ("0: 2/", "ranks_unreadable", "0: 2/"),
        ("0: -2", "ranks_unreadable", "0: -2"),
        ("0: 2.5", "ranks_whole", "“2.5”"),
        ("0: 12/0,5; 1: 2", "ranks_whole", "“0,5”"),
        ("0: 2,1: 2,5", "ranks_whole", "“2,5”"),
        ("0: 2.5, 1: 4", "ranks_whole", "“2.5”"),
        ("0: " + "9" * 40, "ranks_unreadable", "999"),
        ("0: 0", "out_of_range", "rank"),
        ("0: 65", "out_of_range", "65"),
        ("0: 2/0", "out_of_range", "alpha"),
        ("5-12: 2", "ranks_nowhere", "“5-12”"),
        ("9-5: 2", "ranks_nowhere", "0 to 9"),
        ("o_proj: 2", "ranks_nowhere", "q_proj, v_proj"),
        (".*: 2", "ranks_nowhere", "“.*”"),
        ("0-9: 2; q_proj 3: 4", "ranks_taken", "“q_proj 3”"),
    ],
)
def test_a_bad_text_is_named_with_what_would_be_right(text: str, key: str, named: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        method("lora").trainable(TEN, {"ranks": text})
    assert refused.value.key == key
    assert named in str(refused.value)
    assert len({refused.value.message(language) for language in LANGUAGES}) == len(LANGUAGES)


@LAW
@given(text=st.text(alphabet="0129-–:;,/ q_projv", max_size=30))
def test_any_text_is_taken_or_refused_with_a_sentence(text: str) -> None:
    found: Any = None
    with suppress(PlaygroundError):
        found = given_to(text)
    assert found is None or (bool(found) == bool(text.strip()) and set(found) <= set(MODULES))


@LAW
@given(drawn=st.lists(st.integers(1, 64), min_size=len(MODULES), max_size=len(MODULES)))
def test_ranks_that_are_written_come_back(drawn: list[int]) -> None:
    told = dict(zip(MODULES, drawn, strict=True))
    text = ranks.written(told)
    assert {module: rank for module, (rank, _) in given_to(text).items()} == told
    assert len(text) <= ranks.RANKS.maximum


def test_what_all_modules_of_some_layers_have_is_written_without_their_names() -> None:
    assert ranks.written({one: 2 if one[1] < 4 else 3 for one in MODULES}) == "0-3: 2; 4-9: 3"
    mixed = {one: 2 if one in (("q_proj", 1), ("q_proj", 5)) else 3 for one in MODULES}
    assert ranks.written(mixed) == "q_proj 1,5: 2; q_proj 0,2-4,6-9: 3; v_proj 0-9: 3"


def test_modules_outside_of_the_layers_are_written_too() -> None:
    told: dict[ranks.Module, int] = {("project_in", None): 4, ("q_proj", 0): 2}
    layers = [Linear("project_in", 8, 8, 1, layers=(None,)), Linear("q_proj", 8, 8, 1)]
    found = ranks.own(layers, method("lora").complete({"ranks": ranks.written(told)}))
    assert {module: rule.rank for module, rule in found.items()} == told


@pytest.mark.parametrize(
    ("values", "said"),
    [({"rank": 8}, (8, 8)), ({"rank": 3, "ranks": "0: 1; 1: 5/9"}, (1, 5)), ({"rank": 8, "ranks": "<"}, (8, 8))],
)
def test_the_lowest_and_the_highest_rank_are_told(values: Any, said: tuple[int, int]) -> None:
    assert ranks.span(values) == said


# What PEFT makes of it


def base_of(kind: str) -> Base:
    model = model_of_kind(kind, tiny_tokenizer())
    return Base(
        "any", BaseSpec("any", "Any", "local", "any", None), model, tiny_tokenizer(), architecture_of(model), None, "CPU", ""
    )


@pytest.mark.parametrize("kind", ["gpt2", "opt-350m", "deepseek-v3", "jamba", "gemma3-vision", "bert"])
def test_peft_gives_every_module_of_any_family_its_rank_and_counts_the_same(kind: str) -> None:
    base = base_of(kind)
    values = {"targets": "all_linear", "ranks": "1: 3"}
    model, _ = peft_model(base, "lora", values)
    for path, layer in model.get_base_model().named_modules():
        if isinstance(layer, LoraLayer):
            rank = 3 if re.search(r"^\D*\.1\.", path) else 8
            assert (layer.r["default"], layer.scaling["default"]) == (rank, 2), path
    assert method("lora").trainable(base.architecture, values) == model.get_nb_trainable_parameters()[0]


def test_layers_that_only_some_blocks_have_are_counted_where_they_are() -> None:
    """DeepSeek's first block is dense: it alone has these feed-forward layers."""
    base = base_of("deepseek-v3")
    places = {one.places for one in base.architecture.linears}
    assert {(0, 1), (0,), (1,)} <= places


@pytest.mark.parametrize("initialization", ["orthogonal", "pissa", "olora", "eva"])
def test_ranks_by_layer_begin_as_noise(tiny: Base, initialization: str) -> None:
    chosen = METHODS["lora"]
    values = chosen.complete({"ranks": "0: 2", "initialization": initialization})
    with pytest.raises(PlaygroundError) as refused:
        chosen.config(tiny, values)  # type: ignore[misc]
    assert refused.value.key == "initialization_ranks"


def test_the_config_has_one_pattern_for_modules_that_differ_in_their_layers_alone(tiny: Base) -> None:
    chosen = METHODS["lora"]
    config: Any = chosen.config(tiny, chosen.complete({"ranks": "0-1: 2; "}))  # type: ignore[misc]
    paths = [f"model.layers.(0|1).self_attn.{name}" for name in ("q_proj", "v_proj")]
    assert (config.rank_pattern, config.alpha_pattern) == (dict.fromkeys(paths, 2), dict.fromkeys(paths, 4))
    plain: Any = chosen.config(tiny, chosen.complete({}))  # type: ignore[misc]
    assert (plain.rank_pattern, plain.alpha_pattern) == ({}, {})
    assert get_peft_model(tiny.view(), config).get_nb_trainable_parameters()[0] == chosen.trainable(
        tiny.architecture, {"ranks": "0-1: 2"}
    )
