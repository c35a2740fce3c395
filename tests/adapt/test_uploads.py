"""Adapters from outside compute what PEFT computes, or are refused by name."""

from __future__ import annotations

import copy
import dataclasses
import json
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from peft import AdaLoraConfig, IA3Config, LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file

from playground import settings
from playground.adapt import fields
from playground.adapt.adapters import CONFIG, WEIGHTS, Adapter, pack
from playground.adapt.uploads import called, unpack
from playground.errors import PlaygroundError
from playground.lowrank import findings, softprompt
from playground.lowrank.edits import Edit
from playground.lowrank.updates import updates
from playground.model.bases import Base
from tests.adapt.test_adapters import zipped
from tests.conftest import model_of
from tests.families import logits, one_thread, tiny_base  # noqa: F401

CLASSES = {"LORA": LoraConfig, "IA3": IA3Config, "PROMPT_TUNING": PromptTuningConfig}
UNDONE = 1e-4  # between logits: the same sum as PEFT's, in another order
PLAIN: dict[str, dict[str, Any]] = {
    "LORA": {"r": 4, "lora_alpha": 6, "target_modules": ["q_proj", "v_proj", "down_proj"]},
    "IA3": {"target_modules": ["k_proj", "down_proj"], "feedforward_modules": ["down_proj"]},
    "PROMPT_TUNING": {"num_virtual_tokens": 5},
}


@pytest.fixture(scope="module")
def shared() -> Base:
    return tiny_base("qwen2")


def saved(base: Base, folder: Path, kind: str, **settings: Any) -> Path:
    """The folder that PEFT itself writes of an adapter whose every number was moved."""
    config = CLASSES[kind](task_type="CAUSAL_LM", **{**PLAIN[kind], **settings})
    torch.manual_seed(3)
    model = get_peft_model(copy.deepcopy(base.model), config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape))
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()
    return folder


def rewritten(folder: Path, **changed: Any) -> Path:
    """The same folder with other settings in its config."""
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, **changed}))
    return folder


def of_peft(base: Base, folder: Path) -> torch.Tensor:
    return logits(PeftModel.from_pretrained(copy.deepcopy(base.model), folder).eval())


def uploaded(base: Base, folder: Path) -> Adapter:
    zip_file = zipped(folder.with_suffix(".zip"), {file.name: file.read_bytes() for file in folder.iterdir()})
    return unpack(zip_file, base, "new")


def assert_as_peft(base: Base, folder: Path, tolerance: float = 0.0) -> Adapter:
    adapter = uploaded(base, folder)
    found, expected = logits(model_of(base, adapter)), of_peft(base, folder)
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)
    moved = expected[-7:] - logits(base.model)  # a soft prompt has more positions
    assert moved.abs().max() > 100 * max(tolerance, 1e-6)  # it is not the base's answer
    return adapter


def assert_the_lab_agrees(base: Base, adapter: Adapter, folder: Path) -> None:
    """Every change of a weight is that of PEFT's own merge; with nothing left of the adapter, it is the base."""
    merged = PeftModel.from_pretrained(copy.deepcopy(base.model), folder).merge_and_unload()
    before, after = (dict(model.named_parameters()) for model in (base.model, merged))
    changed = {name.removesuffix(".weight") for name, one in before.items() if not torch.equal(one, after[name])}
    found = updates(base, adapter)
    assert {name for name in changed if not name.endswith(".bias")} <= set(found)
    for module, update in found.items():
        weight = before[f"{module}.weight"]
        torch.testing.assert_close(update.delta(weight), after[f"{module}.weight"] - weight, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(logits(model_of(base, adapter, Edit(strength=0.0))), logits(base.model), rtol=0, atol=1e-4)
    torch.testing.assert_close(logits(model_of(base, adapter, merged=True)), logits(merged), rtol=0, atol=20 * UNDONE)
    assert base.untouched()
    if any("lora_A" in name for name in adapter.tensors):
        assert logits(model_of(base, adapter, Edit(rank=1))).isfinite().all()


# Every field of every config

EVERY = ".*"
OTHER: dict[str, dict[str, list[Any]]] = {  # of honoured fields: values other than PEFT's defaults
    "LORA": {
        "r": [1, 100],
        "lora_alpha": [1, 0.5, 1000, -3],
        "lora_dropout": [0.3, 1.0],
        "use_rslora": [True],
        "use_dora": [True],
        "bias": ["all", "lora_only"],
        "target_modules": [
            ["k_proj"], "all-linear", r".*\.layers\.1\..*(q|v)_proj", ["model.layers.0.self_attn.q_proj"],
            ["self_attn.q_proj", "up_proj"], None, ["q_proj", "nowhere"],
        ],
        "exclude_modules": [["v_proj"], r".*layers\.0.*", ["model.layers.0.mlp.down_proj", "nobody"]],
        "layers_to_transform": [[1], 0, []],
        "layers_pattern": [None, "layers", ["h", "layers"]],
        "rank_pattern": [
            {"q_proj": 2}, {r"layers\.1\..*_proj": 7, "q_proj": 2}, {"model.layers.0.mlp.down_proj": 9}, {"nowhere": 3},
        ],
        "alpha_pattern": [
            {"q_proj": 2.5}, {r"^model\.layers\.1.*": 32, "v_proj": 1}, {"model.layers.0.mlp.down_proj": 99},
        ],
        "init_lora_weights": [False, "gaussian", "eva", "orthogonal", "mica", "pissa", "olora"],
    },
    "IA3": {
        "target_modules": [["up_proj", "down_proj"], r".*(q|down)_proj", ["o_proj", "gate_proj", "down_proj"], None],
        "exclude_modules": [["model.layers.1.mlp.down_proj"], r".*layers\.0.*"],
        "feedforward_modules": [[], r".*\.0\..*down_proj", ["down_proj", "k_proj"], ["down_proj"]],
    },
    "PROMPT_TUNING": {"num_virtual_tokens": [1, 150], "token_dim": [64]},
}  # fmt: skip
UNREAD: dict[str, list[Any]] = {  # of fields without effect: written into the config afterwards
    "revision": ["main", "v1.0"],
    "peft_version": ["0.4.0", "9.9.9"],
    "auto_mapping": [{"base_model_class": "Qwen2ForCausalLM", "parent_library": "transformers", "unsloth_fixed": True}],
    "inference_mode": [True, False],
    "runtime_config": [{"ephemeral_gpu_offload": False}],
    "fan_in_fan_out": [True, False],
    "megatron_core": [None, "megatron.core"],
    "qalora_group_size": [16, 32],
    "loftq_config": [None, {}],
    "eva_config": [None],
    "corda_config": [None],
    "lora_ga_config": [None],
    "init_ia3_weights": [True, False],
    "num_attention_heads": [None, 1, 4],
    "num_layers": [None, 1, 2],
    "prompt_tuning_init": ["RANDOM", "SAMPLE_VOCAB"],
    "prompt_tuning_init_text": ["Talk like a pirate.", None],
    "tokenizer_name_or_path": [None, "nowhere/at-all"],
    "tokenizer_kwargs": [None],
    "base_model_name_or_path": [None, "unsloth/tiny", "/home/me/models/tiny"],
    "task_type": ["CAUSAL_LM"],
    "peft_type": [],
}
REFUSED: dict[str, list[Any]] = {
    "modules_to_save": [["lm_head"], ["embed_tokens", "norm"]],
    "megatron_config": [{"hidden_size": 64}],
    "trainable_token_indices": [[1, 2], {"embed_tokens": [1]}],
    "velora_config": [{"num_groups": 4}],
    "alora_invocation_tokens": [[7, 8]],
    "use_qalora": [True],
    "monteclora_config": [{}, {"num_samples": 2}],
    "layer_replication": [[[0, 2], [1, 2]]],
    "lora_bias": [True],
    "target_parameters": [["embed_tokens.weight"]],
    "use_bdlora": [{"nblocks": 2}],
    "arrow_config": [{"top_k": 1}],
    "kasa_config": [{"beta": 0.1}],
    "ensure_weight_tying": [True],
    "num_transformer_submodules": [2],
}


@pytest.mark.parametrize("kind", CLASSES)
def test_every_field_that_peft_knows_is_honoured_or_without_effect_or_refused(kind: str) -> None:
    known = {field.name for field in dataclasses.fields(CLASSES[kind])}
    honoured, idle = set(fields.HONOURED[kind]), set(fields.WITHOUT_EFFECT[kind])
    assert honoured | idle <= known
    assert honoured == set(OTHER[kind])
    assert idle <= set(UNREAD)
    assert known - honoured - idle <= set(REFUSED)


HONOURED = [(kind, name, value) for kind, others in OTHER.items() for name, values in others.items() for value in values]


@pytest.mark.parametrize(("kind", "name", "value"), HONOURED, ids=lambda one: str(one)[:40])
def test_an_honoured_field_gives_pefts_own_logits(shared: Base, tmp_path: Path, kind: str, name: str, value: Any) -> None:
    needed: dict[str, Any] = {"layers_pattern": {"layers_to_transform": [1]}}.get(name, {})
    folder = saved(shared, tmp_path / "made", kind, **{name: value}, **needed)
    tolerance = UNDONE if value in fields.SUBTRACTED else 0.0
    adapter = assert_as_peft(shared, folder, tolerance)
    if kind != "PROMPT_TUNING":
        assert_the_lab_agrees(shared, adapter, folder)


@pytest.mark.parametrize("turn", range(3))
@pytest.mark.parametrize("kind", CLASSES)
def test_fields_without_effect_change_no_logit(shared: Base, tmp_path: Path, kind: str, turn: int) -> None:
    """Each of them with its first value, with its second, with its third where there are so many."""
    values = {name: UNREAD[name] for name in fields.WITHOUT_EFFECT[kind] if UNREAD[name]}
    written = {name: some[min(turn, len(some) - 1)] for name, some in values.items()}
    assert_as_peft(shared, rewritten(saved(shared, tmp_path / "made", kind), **written))


NAMED = [
    (kind, field.name, value)
    for kind, one in CLASSES.items()
    for field in dataclasses.fields(one)
    for value in REFUSED.get(field.name, [])
]


@pytest.fixture(scope="module")
def made(shared: Base, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One plain adapter of each kind, to be copied."""
    return {kind: saved(shared, tmp_path_factory.mktemp(kind) / "made", kind) for kind in CLASSES}


def copied(folder: Path, place: Path) -> Path:
    return Path(shutil.copytree(folder, place / folder.name))


@pytest.mark.parametrize(("kind", "name", "value"), NAMED, ids=lambda one: str(one)[:40])
def test_another_field_is_refused_by_name(
    shared: Base, made: dict[str, Path], tmp_path: Path, kind: str, name: str, value: Any
) -> None:
    with pytest.raises(PlaygroundError) as refused:
        uploaded(shared, rewritten(copied(made[kind], tmp_path), **{name: value}))
    assert (refused.value.key, refused.value.values["name"]) == ("upload_setting", name)


@pytest.mark.parametrize("plain", [{}, fields.PLAIN], ids=["null", "as good as null"])
@pytest.mark.parametrize("kind", CLASSES)
def test_another_field_passes_where_it_changes_nothing(
    shared: Base, made: dict[str, Path], tmp_path: Path, kind: str, plain: dict[str, Any]
) -> None:
    written = {name: plain.get(name) for one, name, _ in NAMED if one == kind}
    assert_as_peft(shared, rewritten(copied(made[kind], tmp_path), **written))


def test_all_linear_layers_can_be_ia3_s(shared: Base, tmp_path: Path) -> None:
    """As a list PEFT writes what the word means; it reads the word too."""
    kinds = [layer.name for layer in shared.architecture.linears]
    folder = saved(shared, tmp_path / "made", "IA3", target_modules=kinds)
    assert_as_peft(shared, rewritten(folder, target_modules="all-linear"))


FOREIGN: dict[str, dict[str, Any]] = {
    "a field of a later PEFT": {"from_the_future": 1},
    "a field of another method": {"layers_pattern": "layers", "peft_type": "IA3"},
    "a field removed long ago": {"enable_lora": [True, False, True]},
}


@pytest.mark.parametrize("changed", FOREIGN.values(), ids=FOREIGN)
def test_a_field_that_peft_does_not_know_is_refused_by_name_unless_it_is_empty(
    shared: Base, made: dict[str, Path], tmp_path: Path, changed: dict[str, Any]
) -> None:
    kind, name = changed.get("peft_type", "LORA"), next(iter(changed))
    folder = copied(made[kind], tmp_path)
    with pytest.raises(PlaygroundError) as refused:
        uploaded(shared, rewritten(folder, **changed))
    assert (refused.value.key, refused.value.values["name"]) == ("upload_unknown_setting", name)
    nothing: tuple[Any, ...] = (None, False, [], {}, "")
    for empty in nothing:
        assert uploaded(shared, rewritten(folder, **{name: empty})).id == "new"


@pytest.mark.parametrize("name", ["pissa_niter_4", "corda", "loftq", "lora_ga", "PISSA", "later", 1.5, ["pissa"]], ids=str)
def test_an_initialization_that_cannot_be_followed_is_refused(
    shared: Base, made: dict[str, Path], tmp_path: Path, name: Any
) -> None:
    folder = rewritten(copied(made["LORA"], tmp_path), init_lora_weights=name)
    with pytest.raises(PlaygroundError) as refused:
        uploaded(shared, folder)
    assert refused.value.key == "upload_initialization"
    assert "path_initial_model_for_weight_conversion" in str(refused.value)


@pytest.mark.parametrize(
    "task", ["SEQ_CLS", "SEQ_2_SEQ_LM", "TOKEN_CLS", "FEATURE_EXTRACTION", "causal_lm", 5, ["CAUSAL_LM"]]
)
@pytest.mark.parametrize("kind", CLASSES)
def test_an_adapter_for_another_task_is_refused(
    shared: Base, made: dict[str, Path], tmp_path: Path, kind: str, task: Any
) -> None:
    with pytest.raises(PlaygroundError) as refused:
        uploaded(shared, rewritten(copied(made[kind], tmp_path), task_type=task))
    assert refused.value.key == "upload_task"


@pytest.mark.parametrize("kind", ["LORA", "IA3"])
def test_an_adapter_without_a_task_computes_what_peft_computes(shared: Base, tmp_path: Path, kind: str) -> None:
    assert_as_peft(shared, rewritten(saved(shared, tmp_path / "made", kind), task_type=None))


def test_a_soft_prompt_without_a_task_is_refused_as_peft_would_leave_it_out(shared: Base, tmp_path: Path) -> None:
    folder = rewritten(saved(shared, tmp_path / "made", "PROMPT_TUNING"), task_type=None)
    assert torch.equal(of_peft(shared, folder), logits(shared.model))
    with pytest.raises(PlaygroundError) as refused:
        uploaded(shared, folder)
    assert refused.value.key == "upload_task"


# Nothing that a stranger wrote may hold up the others


SLOW = r"(.*)*(.*)*(.*)*(.*)*x"
SLOWNESS: dict[str, dict[str, Any]] = {
    "targets": {"target_modules": SLOW},
    "exclusions": {"exclude_modules": SLOW},
    "ranks": {"rank_pattern": {SLOW: 3}},
    "alphas": {"alpha_pattern": {"q_proj": 2, SLOW: 3}},
}


@pytest.mark.parametrize("changed", SLOWNESS.values(), ids=SLOWNESS)
def test_a_pattern_that_matches_for_ever_is_refused(
    shared: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    monkeypatch.setattr(settings, "MAX_PATTERN_SECONDS", 1.0)
    folder = rewritten(saved(shared, tmp_path / "made", "LORA"), **changed)
    with pytest.raises(PlaygroundError) as refused:
        uploaded(shared, folder)
    assert refused.value.key == "upload_slow_pattern"


@pytest.mark.parametrize("pattern", ["(", "*", "[a", "(?P<x>", "a{99999999999}"])
@pytest.mark.parametrize("field", ["target_modules", "exclude_modules", "rank_pattern"])
def test_a_broken_pattern_is_refused(shared: Base, made: dict[str, Path], tmp_path: Path, field: str, pattern: str) -> None:
    value = {pattern: 3} if field == "rank_pattern" else pattern
    with pytest.raises(PlaygroundError) as refused:
        uploaded(shared, rewritten(copied(made["LORA"], tmp_path), **{field: value}))
    assert refused.value.key == "upload_pattern"


def test_of_thousands_of_names_only_those_that_mean_something_are_kept(shared: Base, tmp_path: Path) -> None:
    """PEFT tries each of them on each module, every time that the adapter is attached."""
    many = [f"n{number}" for number in range(4000)]
    folder = saved(shared, tmp_path / "made", "LORA", rank_pattern={"q_proj": 3})
    ranks = {**dict.fromkeys(many[:2000], 5), "q_proj": 3}
    targets = [*many[2000:], "q_proj", "v_proj", "down_proj"]
    found = uploaded(shared, rewritten(folder, target_modules=targets, rank_pattern=ranks)).config
    assert (found["target_modules"], found["rank_pattern"]) == (targets[-3:], {"q_proj": 3})


@pytest.mark.parametrize("kind", CLASSES)
def test_an_upload_draws_nothing_from_the_global_generators(shared: Base, tmp_path: Path, kind: str) -> None:
    changed: dict[str, Any] = {"LORA": {"init_lora_weights": "olora", "use_dora": True}}.get(kind, {})
    folder = saved(shared, tmp_path / "made", kind, **changed)
    before = torch.get_rng_state(), numpy.random.get_state(), random.getstate()
    model_of(shared, uploaded(shared, folder))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert all(numpy.array_equal(now, then) for now, then in zip(numpy.random.get_state(), before[1], strict=True))
    assert random.getstate() == before[2]


# As others write them


ELSEWHERE: dict[str, tuple[str, dict[str, Any]]] = {
    "PEFT 0.4": ("LORA", {"auto_mapping": None, "layers_pattern": None, "layers_to_transform": None, "revision": None}),
    "PEFT 0.2": ("LORA", {"merge_weights": False, "enable_lora": None, "bias": "none"}),
    "PEFT 0.7": ("LORA", {"loftq_config": {}, "megatron_config": None, "megatron_core": "megatron.core"}),
    "PEFT 0.14": ("LORA", {"eva_config": None, "exclude_modules": None, "layer_replication": None, "lora_bias": False}),
    "unsloth": ("LORA", {
        "auto_mapping": {"base_model_class": "Qwen2ForCausalLM", "parent_library": "transformers", "unsloth_fixed": True},
        "base_model_name_or_path": "unsloth/tiny-bnb-4bit", "task_type": None, "corda_config": None, "loftq_config": {},
        "trainable_token_indices": None, "use_qalora": False, "qalora_group_size": 16, "target_parameters": None,
        "target_modules": r"(?:.*?(?:language|text).*?(?:self_attn|mlp).*?)|(?:\bmodel\.layers\.[\d]{1,}\."
        r"(?:self_attn|mlp)\.(?:(?:q_proj|v_proj|down_proj)))",
    }),
    "axolotl": ("LORA", {"fan_in_fan_out": None, "use_dora": None, "use_rslora": None, "modules_to_save": None,
                         "rank_pattern": None, "alpha_pattern": None, "base_model_name_or_path": "./x"}),
    "IA3 of PEFT 0.4": ("IA3", {"auto_mapping": None, "revision": None, "modules_to_save": None, "init_ia3_weights": True}),
    "a soft prompt of PEFT 0.4": ("PROMPT_TUNING", {
        "token_dim": 64, "num_layers": 2, "num_attention_heads": 4, "num_transformer_submodules": 1,
        "prompt_tuning_init": "TEXT", "prompt_tuning_init_text": "Talk like a pirate.",
        "tokenizer_name_or_path": "bigscience/bloomz-560m", "tokenizer_kwargs": None,
    }),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "written"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_configs_as_other_tools_write_them_are_taken(
    shared: Base, tmp_path: Path, kind: str, written: dict[str, Any]
) -> None:
    folder = saved(shared, tmp_path / "made", kind)
    expected = of_peft(shared, folder)
    adapter = uploaded(shared, rewritten(folder, **written))
    assert torch.equal(logits(model_of(shared, adapter)), expected)


def test_a_config_with_only_what_is_needed_is_taken(shared: Base, tmp_path: Path) -> None:
    folder = saved(shared, tmp_path / "made", "LORA", r=8, lora_alpha=8)
    expected = of_peft(shared, folder)
    (folder / CONFIG).write_text(json.dumps({"peft_type": "LORA", "target_modules": PLAIN["LORA"]["target_modules"]}))
    assert torch.equal(logits(model_of(shared, uploaded(shared, folder))), expected)


CONTRADICTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "layers and an expression": ("LORA", {"target_modules": ".*q_proj", "layers_to_transform": [1]}),
    "a pattern of layers alone": ("LORA", {"layers_pattern": "layers"}),
    "inner modules that are no targets": ("IA3", {"feedforward_modules": ["up_proj"]}),
}


@pytest.mark.parametrize(("kind", "changed"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_settings_that_peft_does_not_take_together_are_refused_with_its_reason(
    shared: Base, made: dict[str, Path], tmp_path: Path, kind: str, changed: dict[str, Any]
) -> None:
    with pytest.raises(PlaygroundError) as refused:
        uploaded(shared, rewritten(copied(made[kind], tmp_path), **changed))
    assert refused.value.key == "upload_contradiction"
    assert "must" in str(refused.value) or "cannot" in str(refused.value) or "should" in str(refused.value)


# Several settings together


TOGETHER: dict[str, tuple[str, dict[str, Any]]] = {
    "PiSSA and ranks": ("LORA", {"init_lora_weights": "pissa", "rank_pattern": {"q_proj": 2}}),
    "PiSSA and alphas": ("LORA", {"init_lora_weights": "pissa", "alpha_pattern": {"v_proj": 3}}),
    "PiSSA and rsLoRA": ("LORA", {"init_lora_weights": "pissa", "use_rslora": True, "rank_pattern": {"q_proj": 2}}),
    "PiSSA and DoRA": ("LORA", {"init_lora_weights": "pissa", "use_dora": True, "target_modules": ["q_proj", "down_proj"]}),
    "OLoRA and rsLoRA": ("LORA", {"init_lora_weights": "olora", "use_rslora": True, "bias": "lora_only"}),
    "OLoRA and DoRA": ("LORA", {"init_lora_weights": "olora", "use_dora": True}),
    "patterns and rsLoRA": ("LORA", {"use_rslora": True, "rank_pattern": {r".*0\..*": 2}, "alpha_pattern": {"q_proj": 9}}),
    "DoRA everywhere": ("LORA", {"use_dora": True, "target_modules": "all-linear", "layers_to_transform": None}),
    "layers and exclusions": ("LORA", {"layers_to_transform": [0, 1], "exclude_modules": ["v_proj"], "bias": "all"}),
    "two expressions": ("IA3", {"target_modules": r".*(k|up|down)_proj", "feedforward_modules": r".*down_proj"}),
    "an expression and a list": ("IA3", {"target_modules": r".*(k|down)_proj", "feedforward_modules": ["down_proj"]}),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "made"), TOGETHER.values(), ids=TOGETHER)
def test_settings_together_give_pefts_own_logits(shared: Base, tmp_path: Path, kind: str, made: dict[str, Any]) -> None:
    tolerance = UNDONE if "init_lora_weights" in made else 0.0
    folder = saved(shared, tmp_path / "made", kind, **made)
    assert_the_lab_agrees(shared, assert_as_peft(shared, folder, tolerance), folder)


@pytest.mark.parametrize("family", ["llama", "bloom"])
@pytest.mark.parametrize("made", [{"bias": "all"}, {"init_lora_weights": "pissa"}, {"layers_to_transform": [1]}], ids=str)
def test_other_families_too(tmp_path: Path, family: str, made: dict[str, Any]) -> None:
    base = tiny_base(family)
    folder = saved(base, tmp_path / "made", "LORA", target_modules="all-linear" if "bias" in made else None, **made)
    assert_as_peft(base, folder, UNDONE if "init_lora_weights" in made else 0.0)
    assert base.untouched()


HALVES = {
    "LoRA": ("LORA", {}), "DoRA": ("LORA", {"use_dora": True}), "PiSSA": ("LORA", {"init_lora_weights": "pissa"}),
    "IA3": ("IA3", {}), "a soft prompt": ("PROMPT_TUNING", {}),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("kind", "made"), HALVES.values(), ids=HALVES)
def test_halves_give_pefts_own_logits(shared: Base, tmp_path: Path, kind: str, made: dict[str, Any], dtype: Any) -> None:
    folder = saved(shared, tmp_path / "made", kind, **made)
    save_file({name: one.to(dtype) for name, one in load_file(folder / WEIGHTS).items()}, folder / WEIGHTS)
    adapter = assert_as_peft(shared, folder, UNDONE if "init_lora_weights" in made else 0.0)
    if kind == "PROMPT_TUNING":
        assert len(softprompt.report(shared, adapter, 3).tokens) == 5
    else:
        assert_the_lab_agrees(shared, adapter, folder)


def test_inputs_in_one_layer_and_outputs_in_another_are_drawn_apart(shared: Base, tmp_path: Path) -> None:
    made = {"target_modules": ["down_proj"], "feedforward_modules": ["layers.0.mlp.down_proj"]}
    folder = saved(shared, tmp_path / "made", "IA3", **{**made, "target_modules": r".*down_proj"})
    adapter = assert_as_peft(shared, folder)
    found = findings.vectors(shared, adapter)
    assert {name: tuple(rows.shape) for name, rows in found.items()} == {
        "down_proj (1 × 128)": (1, 128), "down_proj (64 × 1)": (1, 64),
    }  # fmt: skip


def test_two_magnitudes_for_one_layer_are_refused(shared: Base, tmp_path: Path) -> None:
    """PEFT calls them so since 0.9, and otherwise before: which of the two counts would be chance."""
    folder = saved(shared, tmp_path / "made", "LORA", use_dora=True)
    tensors = load_file(folder / WEIGHTS)
    again = {f"{name}.weight": 2 * one for name, one in tensors.items() if name.endswith("lora_magnitude_vector")}
    assert again
    save_file({**tensors, **again}, folder / WEIGHTS)
    with pytest.raises(PlaygroundError) as refused:
        uploaded(shared, folder)
    assert refused.value.key == "upload_unreadable"


def test_a_soft_prompt_of_another_width_is_refused_in_one_sentence(shared: Base, tmp_path: Path) -> None:
    folder = saved(shared, tmp_path / "made", "PROMPT_TUNING")
    save_file({"prompt_embeddings": torch.zeros(5, 32)}, folder / WEIGHTS)
    with pytest.raises(PlaygroundError) as refused:
        uploaded(shared, folder)
    assert refused.value.key == "does_not_fit"
    assert str(refused.value).count(shared.spec.name) == 1


FOREIGN_PLACES = [["lm_head"], ["embed_tokens"], ["q_proj", "lm_head"]]


@pytest.mark.parametrize("targets", FOREIGN_PLACES, ids=str)
def test_an_adapter_outside_the_decoders_linear_layers_is_refused(shared: Base, tmp_path: Path, targets: list[str]) -> None:
    with pytest.raises(PlaygroundError) as refused:
        uploaded(shared, saved(shared, tmp_path / "made", "LORA", target_modules=targets))
    assert refused.value.key == "upload_targets"
    assert shared.untouched()


# Downloads


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("LORA", {"init_lora_weights": "pissa", "use_rslora": True}),
        ("LORA", {"target_modules": r".*\.layers\.1\..*(q|v)_proj", "alpha_pattern": {r".*v_proj": 3, "q_proj": 2}}),
        ("IA3", {"target_modules": r".*(k|down)_proj", "feedforward_modules": ["down_proj"]}),
        ("PROMPT_TUNING", {"num_virtual_tokens": 150}),
    ],
    ids=str,
)
def test_what_was_uploaded_can_be_downloaded_and_is_the_same_to_peft(
    shared: Base, tmp_path: Path, kind: str, made: dict[str, Any]
) -> None:
    adapter = uploaded(shared, saved(shared, tmp_path / "made", kind, **made))
    with zipfile.ZipFile(pack(adapter, tmp_path)) as packed:
        packed.extractall(tmp_path / "again")
    assert torch.equal(of_peft(shared, tmp_path / "again"), logits(model_of(shared, adapter)))
    again = unpack(pack(adapter, tmp_path), shared, "again")
    assert torch.equal(logits(model_of(shared, again)), logits(model_of(shared, adapter)))


@pytest.mark.parametrize(("told", "task"), [("pirate", "pirate"), ("own", "own"), ("mine", ""), (["own"], ""), (None, "")])
def test_what_an_upload_was_made_with_is_told_by_its_record_or_by_nobody(
    shared: Base, made: dict[str, Path], tmp_path: Path, told: Any, task: str
) -> None:
    folder = copied(made["LORA"], tmp_path)
    if told is not None:
        (folder / "record.json").write_text(json.dumps({"task": told}), encoding="utf-8")
    assert uploaded(shared, folder).record.task == task


def test_a_record_tells_the_largest_rank_and_the_patterns(shared: Base, tmp_path: Path) -> None:
    made = {"rank_pattern": {"q_proj": 40}, "alpha_pattern": {"v_proj": 3}, "layers_to_transform": [1]}
    found = uploaded(shared, saved(shared, tmp_path / "made", "LORA", **made)).record.hyperparameters
    assert found == {"rank": 40, "alpha": 6, "dropout": 0.0, "rslora": False, "dora": False, "bias": "none", **made}


@pytest.mark.parametrize(
    ("told", "stem", "name"),
    [
        ("LoRA r = 8 · own data 2", "lora-r-8-own-data-2", "LoRA r = 8 · own data 2"),
        ("LoRA r = 8 · own data 2", "lora-r-8-own-data-2 (1)", "LoRA r = 8 · own data 2"),  # a browser's second one
        ("LoRA r = 8 · own data 2", "my beeper", "my beeper"),  # somebody has given it a name
        ("LoRA r = 8 · own data 2", "adapter", "LoRA r = 8 · own data 2"),  # nobody has
        ("蜂鸣", "f3a", "蜂鸣"),  # its file has the name of its id
        ("", "my beeper", "my beeper"),
        (None, "my beeper", "my beeper"),
    ],
)
def test_an_upload_is_called_as_its_zip_says_or_as_its_file_was_renamed(told: Any, stem: str, name: str) -> None:
    assert called(told, stem) == name


def test_adalora_that_leaves_out_what_peft_takes_anyway_is_read_as_peft_does() -> None:
    kept = fields.honoured(
        {"peft_type": "ADALORA", "task_type": "CAUSAL_LM", "target_modules": ["q_proj"], "total_step": None}
    )
    assert (kept["init_r"], kept["lora_alpha"]) == (
        AdaLoraConfig(total_step=1).init_r,
        AdaLoraConfig(total_step=1).lora_alpha,
    )
    with pytest.raises(PlaygroundError) as refused:
        fields.honoured({**kept, "rank_pattern": {"a.lora_E": [1, 0]}})
    assert refused.value.values["name"] == "rank_pattern"
