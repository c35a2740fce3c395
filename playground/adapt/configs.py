"""
What PEFT is asked for: its config of each method, for a base as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from playground.adapt import initialization, ranks, tasks
from playground.adapt.targets import IA3_FEEDFORWARD, IA3_TARGETS, targeted, used_as
from playground.errors import PlaygroundError
from playground.model.architecture import Linear, described
from playground.model.modules import is_transposed, layer_of, norms

if TYPE_CHECKING:
    from peft import PeftConfig

    from playground.model.bases import Base

Values = Mapping[str, Any]
HEADS = ("num_attention_heads", "n_heads", "n_head", "num_heads")  # a config's name for how many heads attention has


def lora_config(base: Base, values: Values) -> PeftConfig:
    from peft import LoraConfig

    layers = targeted(base.architecture, values["targets"])
    initialization.check(base, values, layers)
    names, own = names_of(base, layers), ranks.own(layers, values)
    return LoraConfig(
        task_type="CAUSAL_LM",
        **initialization.shape(values),
        **(ranks.patterns(_paths_of(base, layers), own, values) if own else {}),
        target_modules=names,
        fan_in_fan_out=_transposed(base, names),
        lora_dropout=values["dropout"],
        use_rslora=values["rslora"],
        use_dora=values.get("dora", False),
        bias=values.get("bias", "none"),
    )


def prompt_tuning_config(base: Base, values: Values) -> PeftConfig:
    from peft import PromptTuningConfig

    text = values["initialization"] == "text"
    if text and not values["initialization_text"].strip():
        raise PlaygroundError("no_initialization_text")
    return PromptTuningConfig(
        **_virtual(base, values),
        token_dim=base.architecture.hidden_size,
        prompt_tuning_init={"random": "RANDOM", "vocabulary": "SAMPLE_VOCAB", "text": "TEXT"}[values["initialization"]],
        prompt_tuning_init_text=values["initialization_text"] if text else None,
        tokenizer_name_or_path=str(base.folder) if text else None,
        tokenizer_kwargs={"local_files_only": True, "trust_remote_code": False} if text else None,
    )


def p_tuning_config(base: Base, values: Values) -> PeftConfig:
    from peft import PromptEncoderConfig

    return PromptEncoderConfig(
        **_virtual(base, values), token_dim=base.architecture.hidden_size, encoder_hidden_size=values["encoder_width"]
    )


def prefix_tuning_config(base: Base, values: Values) -> PeftConfig:
    """PEFT reads from the model's config how wide keys and values are."""
    from peft import PrefixTuningConfig

    return PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=values["virtual_tokens"])


def adaption_prompt_config(base: Base, values: Values) -> PeftConfig:
    from peft import AdaptionPromptConfig

    layers = min(values["last_layers"], base.architecture.layers)
    return AdaptionPromptConfig(task_type="CAUSAL_LM", adapter_len=values["adapter_length"], adapter_layers=layers)


def ln_tuning_config(base: Base, values: Values) -> PeftConfig:
    from peft import LNTuningConfig

    return LNTuningConfig(task_type="CAUSAL_LM", target_modules=list(norms(base.model)))


def trainable_tokens_config(base: Base, values: Values) -> PeftConfig:
    """The tokens that every prompt has: those of the chat template, then the first of the vocabulary."""
    from peft import TrainableTokensConfig

    one, other = tasks.any_two(base.tokenizer)
    everywhere = [token for token in one if token in other]
    found = list(dict.fromkeys([*everywhere, *range(values["trained_tokens"])]))[: values["trained_tokens"]]
    embeddings = base.model.get_input_embeddings()
    path = next(path for path, module in base.model.named_modules() if module is embeddings)
    return TrainableTokensConfig(task_type="CAUSAL_LM", target_modules=[path], token_indices=sorted(found))


def layered_config(
    kind: str, settings: Mapping[str, str], constants: Mapping[str, Any]
) -> Callable[[Base, Values], PeftConfig]:
    """The config of a PEFT type for the linear layers that `targets` means; `settings`: PEFT's names to the registry's."""

    def config(base: Base, values: Values) -> PeftConfig:
        from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PeftType

        names = names_of(base, targeted(base.architecture, values["targets"]))
        made: Any = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(kind)]
        turned = {"fan_in_fan_out": _transposed(base, names)} if "fan_in_fan_out" in made.__dataclass_fields__ else {}
        given = {field: values[name] for field, name in settings.items()}
        found: PeftConfig = made(task_type="CAUSAL_LM", target_modules=names, **turned, **given, **constants)
        return found

    return config


def ia3_config(base: Base, values: Values) -> PeftConfig:
    from peft import IA3Config

    layers = used_as(base.architecture, IA3_TARGETS, "ia3")
    inner = [layer for layer in layers if layer.role in IA3_FEEDFORWARD]
    names, within = names_of(base, layers), names_of(base, inner)
    return IA3Config(
        task_type="CAUSAL_LM",
        target_modules=names,
        feedforward_modules=within if set(within) <= set(names) else sorted(_paths_of(base, inner)),
        fan_in_fan_out=_transposed(base, names),
    )


def _virtual(base: Base, values: Values) -> dict[str, Any]:
    layers, heads = _layers_and_heads(base)
    tokens = values["virtual_tokens"]
    return {"task_type": "CAUSAL_LM", "num_virtual_tokens": tokens, "num_layers": layers, "num_attention_heads": heads}


def _layers_and_heads(base: Base) -> tuple[int, int]:
    """What PEFT wants to know of the model, but only under some of the names that configs have for it."""
    config: Any = base.model.config.get_text_config()
    layers = {number for path in described(base.model) if (number := layer_of(path)) is not None}
    return len(layers), next((getattr(config, name) for name in HEADS if getattr(config, name, None)), 1)


def names_of(base: Base, layers: Sequence[Linear]) -> list[str]:
    """
    What PEFT finds these layers by: the end of a path, which is their name; where other modules end so too, whole paths.
    """
    wanted = _paths_of(base, layers)
    names = list(dict.fromkeys(layer.name for layer in layers))
    ends = tuple(f".{name}" for name in names)
    found = {path for path, _ in base.model.named_modules() if f".{path}".endswith(ends)}
    return sorted(wanted) if wanted and found != wanted else names


def _paths_of(base: Base, layers: Sequence[Linear]) -> set[str]:
    alike = {(layer.name, layer.role, layer.inputs, layer.outputs) for layer in layers}
    return {path for path, one in described(base.model).items() if (one.name, one.role, one.inputs, one.outputs) in alike}


def _transposed(base: Base, names: Sequence[str]) -> bool:
    """Whether the layers of these names hold their weight as (inputs, outputs), as GPT-2's do."""
    ends = tuple(f".{name}" for name in names)
    return any(is_transposed(module) for path, module in base.model.named_modules() if f".{path}".endswith(ends))
