"""
What the config of an adapter from outside may set: every field of PEFT's is honoured, without effect, or refused by name.

An allow list over PEFT's own dataclasses: a field that is in neither table, also one of a later PEFT, passes only with the
value that changes nothing. Knows nothing about bases or tensors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from peft import PeftConfig, PeftType, __version__
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

from playground import settings
from playground.adapt.methods import METHODS, MORE, Method
from playground.bounds import Bound, shown
from playground.errors import PlaygroundError

Check = Callable[[Any], Any]
ALPHA = Bound("lora_alpha", 8.0, -1e30, 1e30)  # PEFT has no bounds; float32 has
METHOD_OF_TYPE = {one.peft: one.id for one in reversed(METHODS.values()) if one.peft}  # "LORA" is plain LoRA
SUBTRACTED = ("pissa", "olora")  # initializations that PEFT computes again from the base when it loads the adapter
OVERWRITTEN = (True, False, None, "gaussian", "eva", "orthogonal", "mica")  # the loaded tensors replace what they gave
LARGEST = settings.MAX_UNPACKED_BYTES  # no file holds a tensor with a longer side


def _optional(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _listed(name: str, kind: type) -> Check:
    """None, one, or a list of them."""

    def check(value: Any) -> Any:
        found = value if isinstance(value, list) else [value]
        if value is not None and not all(type(one) is kind for one in found):
            raise PlaygroundError("wrong_kind", name=name, value=shown(value), kind=f"list[{kind.__name__}]")
        return value

    return check


def _pattern_of(name: str) -> Check:
    """The path of modules that layers are counted in, such as `layers`; PEFT takes a regular expression."""

    def check(value: Any) -> Any:
        found = _listed(name, str)(value)
        for one in found if isinstance(found, list) else [found or ""]:
            if one and not one.replace(".", "_").isidentifier():
                raise PlaygroundError("upload_setting", name=name, value=shown(value))
        return found

    return check


def _rules(name: str, of_value: Check) -> Check:
    """A value for each pattern of module names."""

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value or {}, dict):
            raise PlaygroundError("wrong_kind", name=name, value=shown(value), kind="dict")
        return {pattern: of_value(one) for pattern, one in (value or {}).items()}

    return check


def _factor(value: Any) -> int | float:
    """LoRA's alpha, as it is written: 16 stays 16."""
    ALPHA.check(value)
    found: int | float = value
    return found


def _kept_ranks(value: Any) -> list[bool]:
    """Which of a layer's initial ranks AdaLoRA has left."""
    if not isinstance(value, list) or not all(isinstance(one, bool) for one in value):
        raise PlaygroundError("wrong_kind", name="rank_pattern", value=shown(value), kind="list[bool]")
    return value


def _switch(name: str) -> Check:
    return lambda value: False if value is None else Bound(name, False).check(value)


def _initialization(value: Any) -> str | None:
    """Those that PEFT computes again; None for those that the loaded tensors replace. Raises PlaygroundError for others."""
    if isinstance(value, str) and value in SUBTRACTED:
        return value
    if any(value is one or (isinstance(value, str) and value == one) for one in OVERWRITTEN):
        return None
    raise PlaygroundError("upload_initialization", name=shown(value))


RANK = Bound("r", 8, 1, LARGEST).check
TARGETS: dict[str, Check] = {name: _listed(name, str) for name in ("target_modules", "exclude_modules")}
HONOURED: dict[str, dict[str, Check]] = {
    "LORA": TARGETS | {
        "r": RANK, "lora_alpha": _factor, "lora_dropout": Bound("lora_dropout", 0.0, 0.0, 1.0).check,
        "use_rslora": _switch("use_rslora"), "use_dora": _switch("use_dora"),
        "bias": Bound("bias", "none", choices=("none", "all", "lora_only")).check,
        "layers_to_transform": _listed("layers_to_transform", int), "layers_pattern": _pattern_of("layers_pattern"),
        "rank_pattern": _rules("rank_pattern", RANK), "alpha_pattern": _rules("alpha_pattern", _factor),
        "init_lora_weights": _initialization,
    },
    "IA3": TARGETS | {"feedforward_modules": _listed("feedforward_modules", str)},
    "PROMPT_TUNING": {
        "num_virtual_tokens": Bound("num_virtual_tokens", 20, 1, settings.MAX_VIRTUAL_TOKENS).check,
        "token_dim": _optional(Bound("token_dim", 1, 1, LARGEST).check),
    },
}  # fmt: skip
# Where it comes from, and what PEFT reads only to begin a training, to push or to find a file
ORIGIN = frozenset((
    "peft_type", "task_type", "base_model_name_or_path", "revision", "peft_version", "auto_mapping", "inference_mode",
))  # fmt: skip
WITHOUT_EFFECT: dict[str, frozenset[str]] = {
    "LORA": ORIGIN | {
        "runtime_config",  # PEFT leaves it out when it reads a config
        "fan_in_fan_out",  # PEFT sets it by the kind of the layer
        "megatron_core", "qalora_group_size",  # read beside `megatron_config` and `use_qalora` alone
        "loftq_config", "eva_config", "corda_config", "lora_ga_config",  # of initializations
    },
    "IA3": ORIGIN | {"fan_in_fan_out", "init_ia3_weights"},
    "PROMPT_TUNING": ORIGIN | {
        "num_attention_heads", "num_layers",  # of prefixes; a soft prompt has none
        "prompt_tuning_init", "prompt_tuning_init_text", "tokenizer_name_or_path", "tokenizer_kwargs",
    },
}  # fmt: skip


def _defaults(config_class: Any) -> dict[str, Any]:
    """PEFT's own, by field, those of the parents too."""
    return {
        field.name: field.default if field.default is not dataclasses.MISSING else None
        for field in dataclasses.fields(config_class)
    }


# What the other types read to begin a training with, or only while one goes on; the loaded tensors take its place
BEGINS = frozenset((
    "fan_in_fan_out", "init_d", "d_initial", "init_v_bound", "init_vector_bank_bound", "init_logits_std",
    "init_theta_d_bound", "init_scale", "generator_seed", "progressbar", "num_attention_heads", "num_layers",
    "encoder_hidden_size", "encoder_num_layers", "encoder_dropout", "encoder_reparameterization_type", "rank_dropout",
    "module_dropout", "rank_dropout_scale", "runtime_offload_base_weight", "tinit", "tfinal", "deltaT", "beta1", "beta2",
    "orth_reg_weight", "megatron_core", "qalora_group_size", "loftq_config", "eva_config", "corda_config", "lora_ga_config",
))  # fmt: skip
SEEDS = ("projection_prng_key", "random_loc_seed", "random_seed", "proj_seed", "projection_seed")  # of what is not trained
PROJECTION_SEED = Bound("projection_seed", 0, 0, 2**32 - 1)  # a torch generator takes it


def _only(name: str, value: Any) -> Check:
    """A setting that has one meaning here."""

    def check(found: Any) -> Any:
        if found not in (None, value):
            raise PlaygroundError("upload_setting", name=name, value=shown(found))
        return value

    return check


def _of_record(one: Method) -> tuple[dict[str, Check], frozenset[str]]:
    """What a type of the registry honours, within the bounds of its method, and what has no effect."""
    known = _defaults(PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(one.peft)])
    bounds = {bound.name: bound for bound in one.hyperparameters}
    own = {field: dataclasses.replace(bounds[name], name=field).check for field, name in one.settings.items()}
    where = {name: check for name, check in WHERE.items() if name in known}
    seeds = {name: _optional(dataclasses.replace(PROJECTION_SEED, name=name).check) for name in SEEDS if name in known}
    always = {name: _only(name, value) for name, value in one.constants.items() if name not in seeds}
    switches = {name: _switch(name) for name in ("save_projection", "init_weights") if type(known.get(name)) is bool}
    dropouts = {name for name in known if name.endswith("_dropout")}
    begins = {name for name in (*BEGINS, "init_weights") if name in known}
    honours = {**where, **seeds, **switches, **always, **own, **BY_HAND.get(one.peft, {})}
    return honours, frozenset(ORIGIN | begins | dropouts) - honours.keys()


WHERE: dict[str, Check] = TARGETS | {
    "layers_to_transform": _listed("layers_to_transform", int), "layers_pattern": _pattern_of("layers_pattern"),
}  # fmt: skip
TOKENS = HONOURED["PROMPT_TUNING"]
BY_HAND: dict[str, dict[str, Check]] = {
    "P_TUNING": dict(TOKENS),
    "PREFIX_TUNING": {"num_virtual_tokens": TOKENS["num_virtual_tokens"], "token_dim": lambda value: None},
    "ADAPTION_PROMPT": {
        "adapter_len": Bound("adapter_len", 10, 1, settings.MAX_VIRTUAL_TOKENS).check,
        "adapter_layers": Bound("adapter_layers", 1, 1, 1000).check,
        "target_modules": lambda value: _only("target_modules", "self_attn")(value) and None,
    },
    "ADALORA": {
        "init_r": lambda value: Bound("init_r", 12, 1, 256).check(12 if value is None else value),
        "target_r": Bound("target_r", 8, 1, LARGEST).check,
        "lora_alpha": lambda value: _factor(8 if value is None else value),  # what PEFT takes where nothing is said
        "rank_pattern": _rules("rank_pattern", _kept_ranks),
        "total_step": lambda value: 1,  # PEFT wants one, and reads it only to train
        **dict.fromkeys(("r", "use_rslora", "init_lora_weights"), lambda value: None),  # LoRA's, which AdaLoRA ignores
    },
    "TRAINABLE_TOKENS": {"token_indices": _listed("token_indices", int)},
    "C3A": {"init_weights": lambda value: True},
}  # fmt: skip
for _method in (one for one in MORE.values() if one.peft):
    HONOURED[_method.peft], WITHOUT_EFFECT[_method.peft] = _of_record(_method)
PROMPTS = ("PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING")
REQUIRED = {**dict.fromkeys(PROMPTS, ("num_virtual_tokens",)), "ADALORA": ("total_step", "init_r", "lora_alpha")}
# Beside None and PEFT's default, what changes nothing
PLAIN: Mapping[str, Any] = {
    "num_transformer_submodules": 1,
    "modules_to_save": [],
    "layer_replication": [],
    "target_parameters": [],
    "alora_invocation_tokens": [],
    "rank_pattern": {},
    "alpha_pattern": {},
    "lambda_pattern": {},
    "n_frequency_pattern": {},
    "block_size_pattern": {},
}


def honoured(config: Mapping[str, Any]) -> dict[str, Any]:
    """
    What a config sets of how to adapt, checked; the rest of it changes nothing. Raises PlaygroundError: another method,
    another task, a value out of range, a setting that would change the answers in a way that is not followed here.
    """
    kind = config.get("peft_type")
    if not isinstance(kind, str) or kind not in HONOURED:
        raise PlaygroundError("upload_method", found=shown(kind), known=", ".join(METHOD_OF_TYPE))
    task = config.get("task_type")
    if task != "CAUSAL_LM" and (task or kind in PROMPTS):  # without a task PEFT leaves the prompt out
        raise PlaygroundError("upload_task", found=shown(task))
    known = _defaults(PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(kind)])
    kept = {"peft_type": kind, "task_type": "CAUSAL_LM"}
    for name in dict.fromkeys((*REQUIRED.get(kind, ()), *config)):
        value = config.get(name)
        if name in HONOURED[kind]:
            kept[name] = HONOURED[kind][name](value)
        elif name not in WITHOUT_EFFECT[kind] and not _changes_nothing(name, value, known):
            key = "upload_setting" if name in known else "upload_unknown_setting"
            raise PlaygroundError(key, name=shown(name), value=shown(value), version=__version__)
    kept = {name: value for name, value in kept.items() if value is not None}
    try:
        PeftConfig.from_peft_type(**kept)
    except (TypeError, ValueError) as error:
        raise PlaygroundError("upload_contradiction", reason=str(error)[:200]) from error
    return kept


def _changes_nothing(name: str, value: Any, known: Mapping[str, Any]) -> bool:
    """PEFT's default or as good; of a field that PEFT does not know, anything empty."""
    if name not in known:
        return not value
    return value is None or any(value == one and type(value) is type(one) for one in (known[name], PLAIN.get(name)))
