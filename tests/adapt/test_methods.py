"""Methods: published parameter counts, PEFT's own counts, and the range of every hyperparameter."""

import math
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, BloomConfig, Gemma3TextConfig, LlamaConfig, Qwen3Config, SmolLM3Config

from playground.adapt.methods import FRONT, METHODS, method, training_memory
from playground.errors import PlaygroundError
from playground.locales import LANGUAGES, text
from playground.model.architecture import Architecture, Linear, architecture_of, llama
from playground.model.bases import Base
from playground.model.catalogue import CATALOGUE
from playground.model.modules import layer_of
from tests.adapt.conftest import FAMILIES
from tests.conftest import tiny_tokenizer
from tests.families import one_thread, peft_model  # noqa: F401
from tests.kinds import model_of_kind

BLOOMZ_560M, LLAMA_1B = CATALOGUE["bloomz-560m"].architecture, CATALOGUE["llama-3.2-1b"].architecture
LLAMA_3B = llama(3072, 8192, 28, 24, 8, 128256, head_size=128)
NAN, INFINITY = float("nan"), float("inf")
LAW = settings(deadline=None, derandomize=True, database=None)
NONE_OF_OURS = Architecture(8, (Linear("c_attn", 8, 24, 2),), 1000)  # the names of another family


def transformer(hidden: Any, layers: Any) -> Any:
    """The queries and values of a classic transformer, which is all that LoRA's own tables adapt."""
    return Architecture(hidden, tuple(Linear(name, hidden, hidden, layers) for name in ("q_proj", "v_proj")), 0)


def t5(inner: Any, feedforward: Any, layers: Any = 24) -> Any:
    """What IA3 scales in T5 v1.1, on which T0 rests: keys and values of three attentions, two feed-forward blocks."""
    keys_values = (Linear(name, inner, inner, 3 * layers) for name in ("k_proj", "v_proj"))
    return Architecture(inner, (*keys_values, Linear("down_proj", feedforward, inner, 2 * layers)), 0)


@pytest.mark.parametrize(
    ("hidden", "layers", "rank", "published"),
    [
        (12288, 96, 1, 4_718_592),  # GPT-3 175B, Hu et al. 2021, tables 4 and 5
        (12288, 96, 4, 18_874_368),
        (12288, 96, 8, 37_748_736),
        (768, 12, 8, 294_912),  # RoBERTa-base, table 2
        (1024, 24, 8, 786_432),  # RoBERTa-large
        (1536, 48, 16, 4_718_592),  # DeBERTa-XXL
    ],
)
def test_lora_counts_are_those_of_its_paper(hidden: int, layers: int, rank: int, published: int) -> None:
    assert method("lora").trainable(transformer(hidden, layers), {"rank": rank}) == published


LORA_4 = {"rank": 4, "targets": "query_value"}


@pytest.mark.parametrize(
    ("architecture", "method_id", "values", "published"),
    [
        (BLOOMZ_560M, "prompt_tuning", {"virtual_tokens": 4}, 4_096),  # peremartra's course, notebook outputs
        (BLOOMZ_560M, "prompt_tuning", {"virtual_tokens": 8}, 8_192),
        (BLOOMZ_560M, "prompt_tuning", {"virtual_tokens": 20}, 20_480),
        (BLOOMZ_560M, "lora", LORA_4, 393_216),
        (BLOOMZ_560M, "lora", {**LORA_4, "bias": "lora_only"}, 466_944),
        (LLAMA_1B, "lora", {"rank": 8, "targets": "all_linear"}, 5_636_096),
        (LLAMA_3B, "lora", {"rank": 32}, 9_175_040),  # peft, method_comparison
        (LLAMA_3B, "lora", {"rank": 32, "dora": True}, 9_289_728),
        (LLAMA_3B, "ia3", {}, 286_720),
    ],
)
def test_counts_are_those_of_published_runs(architecture: Any, method_id: str, values: Any, published: int) -> None:
    assert method(method_id).trainable(architecture, values) == published


@pytest.mark.parametrize(
    ("architecture", "published"), [(BLOOMZ_560M, 559_214_592), (LLAMA_3B, 3_212_749_824), (LLAMA_1B, 1_235_814_400)]
)
def test_totals_are_those_of_published_models(architecture: Any, published: int) -> None:
    assert architecture.parameters == published


@pytest.mark.parametrize(
    ("architecture", "method_id", "values", "total", "percent"),
    [
        (LLAMA_1B, "lora", {"rank": 8, "targets": "all_linear"}, 1_241_450_496, 0.454),
        (LLAMA_3B, "lora", {"rank": 32}, 3_221_924_864, 0.2848),
        (BLOOMZ_560M, "prompt_tuning", {"virtual_tokens": 4}, 559_218_688, 0.000732),
        (BLOOMZ_560M, "prompt_tuning", {"virtual_tokens": 20}, 559_235_072, 0.00366),
        (BLOOMZ_560M, "lora", LORA_4, 559_607_808, 0.0703),
    ],
)
def test_totals_with_an_adapter_are_those_of_published_runs(
    architecture: Any, method_id: str, values: Any, total: int, percent: float
) -> None:
    count = method(method_id).counts(architecture, values)
    assert count["total_parameters"] == total
    assert 100 * count["trainable_parameters"] / total == pytest.approx(percent, rel=2e-3)


def test_lora_on_llama_3b_fills_the_published_file() -> None:
    """36.70 MB of float32 (peft, method_comparison: 36.72 MB with the header)."""
    assert method("lora").counts(LLAMA_3B, {"rank": 32})["bytes"] == 36_700_160


@pytest.mark.parametrize(
    ("width", "trainable"),
    [
        (512, {1: 512, 5: 2_560, 20: 10_240, 50: 25_600, 100: 51_200}),  # T5-small; the paper's 10,420 is a misprint
        (768, {1: 768, 5: 3_840, 20: 15_360, 50: 38_400, 100: 76_800}),
        (1024, {1: 1_024, 100: 102_400}),
        (2048, {1: 2_048, 100: 204_800}),
        (4096, {1: 4_096, 5: 20_480, 20: 81_920, 50: 204_800, 100: 409_600}),  # T5-XXL
    ],
)
def test_prompt_tuning_counts_are_those_of_its_paper(width: int, trainable: dict[str, Any]) -> None:
    """Lester et al. 2021, table 4."""
    found = {n: method("prompt_tuning").trainable(Architecture(width, (), 0), {"virtual_tokens": n}) for n in trainable}
    assert found == trainable


@pytest.mark.parametrize(("inner", "feedforward", "published"), [(2048, 5120, 540_672), (4096, 10240, 1_081_344)])
def test_ia3_counts_are_those_of_its_paper(inner: int, feedforward: int, published: int) -> None:
    """T0-3B and T0-11B, Liu et al. 2022, section 3.3: L (dk + dv + dff) in the encoder, L (2 dk + 2 dv + dff) after it."""
    assert method("ia3").trainable(t5(inner, feedforward), {}) == published


# Config and total of each base, as the hub has them
GATED = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size")
SMOLLM = (LlamaConfig, GATED, (576, 1536, 30, 9, 3, 49152), 134_515_008)
CONFIGS = {
    "smollm2-135m": SMOLLM,
    "smollm2-135m-hub": SMOLLM,
    "smollm2-360m": (LlamaConfig, GATED, (960, 2560, 32, 15, 5, 49152), 361_821_120),
    "smollm2-1.7b": (LlamaConfig, GATED, (2048, 8192, 24, 32, 32, 49152), 1_711_376_384),
    "smollm3-3b": (SmolLM3Config, GATED, (2048, 11008, 36, 16, 4, 128256), 3_075_098_624),
    "qwen3-0.6b": (partial(Qwen3Config, head_dim=128), GATED, (1024, 3072, 28, 16, 8, 151936), 596_049_920),
    "qwen3-1.7b": (partial(Qwen3Config, head_dim=128), GATED, (2048, 6144, 28, 16, 8, 151936), 1_720_574_976),
    "gemma-3-270m": (partial(Gemma3TextConfig, head_dim=256), GATED, (640, 2048, 18, 4, 1, 262144), 268_098_176),
    "gemma-3-1b": (partial(Gemma3TextConfig, head_dim=256), GATED, (1152, 6912, 26, 4, 1, 262144), 999_885_952),
    "llama-3.2-1b": (LlamaConfig, GATED, (2048, 8192, 16, 32, 8, 128256), 1_235_814_400),
    "bloomz-560m": (BloomConfig, ("hidden_size", "n_layer", "n_head", "vocab_size"), (1024, 24, 16, 250880), 559_214_592),
}


def on_paper(config_class: Any, names: Any, sizes: Any, **others: Any) -> Any:
    """A model of full size that holds no numbers."""
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config_class(**dict(zip(names, sizes, strict=True)), **others))


@pytest.mark.parametrize("base_id", [spec.id for spec in CATALOGUE.values() if spec.architecture])
def test_the_catalogue_describes_the_models_that_transformers_builds(base_id: Any) -> None:
    config_class, names, sizes, published = CONFIGS[base_id]
    built = architecture_of(on_paper(config_class, names, sizes, tie_word_embeddings=True))
    stated = CATALOGUE[base_id].architecture
    assert stated.norms == built.norms
    assert (stated.hidden_size, stated.parameters) == (built.hidden_size, built.parameters) == (sizes[0], published)
    assert set(stated.linears) == set(built.linears)


def test_an_untied_head_counts_as_parameters_and_not_as_a_target() -> None:
    model = on_paper(LlamaConfig, GATED, (64, 96, 2, 4, 2, 300), tie_word_embeddings=False)
    assert architecture_of(model) == llama(64, 96, 2, 4, 2, 300, tied=False)


# What PEFT counts after wrapping

TARGETS = ("query_value", "attention", "mlp", "all_linear")
GRID = [
    *(("lora", {"rank": rank, "targets": targets}) for rank in (1, 8, 64) for targets in TARGETS),
    *(("lora", {"dora": True, "targets": targets}) for targets in TARGETS),
    *(("lora", {"bias": "lora_only", "targets": targets}) for targets in TARGETS),
    ("lora", {"rslora": True, "alpha": 1, "dropout": 0.5}),
    ("lora", {"dora": True, "rslora": True, "bias": "lora_only", "rank": 3}),
    *(("lora", {"ranks": "1: 3/5", "targets": targets}) for targets in TARGETS),
    ("lora", {"ranks": "0-1: 2", "dora": True, "bias": "lora_only"}),
    ("qlora", {"ranks": "0: 1; 1: 64", "targets": "attention"}),
    *(("qlora", {"rank": rank, "targets": targets}) for rank in (1, 64) for targets in TARGETS),
    *(("prompt_tuning", {"virtual_tokens": n, "initialization": "random"}) for n in (1, 20, 100)),
    *(("prompt_tuning", {"virtual_tokens": n, "initialization": "vocabulary"}) for n in (1, 20, 100)),
    ("ia3", {}),
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("method_id", "values"), GRID, ids=str)
def test_counts_are_what_peft_counts_after_wrapping(bases: Any, family: str, method_id: Any, values: Any) -> None:
    base = bases[family]
    model, _ = peft_model(base, method_id, values)
    ours = method(method_id).counts(base.architecture, values)
    assert (ours["trainable_parameters"], ours["total_parameters"]) == model.get_nb_trainable_parameters()


@pytest.mark.parametrize("text", ["x", "Answer like a pirate, whatever the question is, and be brief!" * 4])
def test_a_text_to_start_from_does_not_change_the_count(tiny: Base, text: Any) -> None:
    values = {"virtual_tokens": 12, "initialization": "text", "initialization_text": text}
    model, _ = peft_model(tiny, "prompt_tuning", values)
    trainable, _ = model.get_nb_trainable_parameters()
    assert method("prompt_tuning").trainable(tiny.architecture, values) == trainable == 12 * 32


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_start_from_a_text_needs_the_text(tiny: Base, text: str) -> None:
    tuning = method("prompt_tuning")
    values = tuning.complete({"initialization": "text", "initialization_text": text})
    assert tuning.config is not None
    with pytest.raises(PlaygroundError) as refused:
        tuning.config(tiny, values)
    assert refused.value.key == "no_initialization_text"


def test_the_references_train_nothing_or_everything() -> None:
    assert method("few_shot").trainable(LLAMA_1B, {}) == 0
    assert method("full_fine_tuning").trainable(LLAMA_1B, {}) == LLAMA_1B.parameters
    assert method("full_fine_tuning").counts(LLAMA_1B, {})["total_parameters"] == LLAMA_1B.parameters


@pytest.mark.parametrize("method_id", ["lora", "qlora", "ia3"])
def test_a_base_without_the_named_layers_is_refused_before_training(method_id: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        method(method_id).trainable(NONE_OF_OURS, {})
    assert refused.value.key == "no_such_targets"


@pytest.mark.parametrize(
    ("method_id", "values", "asked", "used"),
    [
        ("lora", {}, "smollm2-135m", "smollm2-135m"),
        ("lora", {}, "smollm2-135m:int8_vectorwise", "smollm2-135m:int8_vectorwise"),
        ("qlora", {}, "smollm2-135m", "smollm2-135m:nf4_double"),
        ("qlora", {"double_quantization": False}, "smollm2-135m", "smollm2-135m:nf4"),
        ("qlora", {"double_quantization": True}, "smollm2-135m:int8_vectorwise", "smollm2-135m:nf4_double"),
    ],
)
def test_qlora_adapts_the_four_bit_form_of_the_base(method_id: str, values: dict[str, Any], asked: str, used: str) -> None:
    assert method(method_id).base_id(asked, values) == used


@pytest.mark.parametrize(
    ("trainable", "form", "memory"),
    [
        (0, None, 8_000_000 * 4),
        (1000, None, 8_000_000 * 4 + 16_000),
        (0, "int8_vectorwise", 6_000_000 + 2_000_000 * 4),
        (0, "nf4", 6_000_000 * 4.5 / 8 + 2_000_000 * 4),  # embeddings and norms stay in float32
        (0, "nf4_double", 11_095_215),  # Dettmers et al. 2023, section 3
        (0, "int4", 8_000_000 * 4),  # simulated: rounded, but held in float32
        (8_000_000, None, 8_000_000 * 16),  # full fine-tuning: value, gradient and two moments
    ],
)
def test_memory_counts_frozen_weights_as_they_are_held_and_trained_ones_four_times(
    trainable: int, form: str | None, memory: float
) -> None:
    architecture = Architecture(1000, (Linear("q_proj", 1000, 2000, 3),), 8_000_000)
    assert training_memory(architecture, trainable, form) == memory


# Ranges

HYPERPARAMETERS = [
    (owner, bound)
    for bound, owner in {bound: one.id for one in reversed(METHODS.values()) for bound in one.hyperparameters}.items()
]  # each once: many methods have the same
NUMBERS = [(owner, p) for owner, p in HYPERPARAMETERS if not p.choices and type(p.default) in (int, float)]
named = {"ids": lambda value: value if isinstance(value, str) else getattr(value, "name", "")}


def refusal(method_id: Any, name: Any, value: Any) -> Any:
    with pytest.raises(PlaygroundError) as refused:
        method(method_id).complete({name: value})
    return refused.value


@pytest.mark.parametrize(("method_id", "parameter"), HYPERPARAMETERS, **named)
def test_every_default_is_allowed(method_id: Any, parameter: Any) -> None:
    assert method(method_id).complete({})[parameter.name] == parameter.default
    assert method(method_id).complete({parameter.name: parameter.default})[parameter.name] == parameter.default


@pytest.mark.parametrize(("method_id", "parameter"), NUMBERS, **named)
def test_minimum_and_maximum_are_allowed(method_id: Any, parameter: Any) -> None:
    for value in (parameter.minimum, parameter.maximum):
        found = method(method_id).complete({parameter.name: value})[parameter.name]
        assert (found, type(found)) == (value, type(parameter.default))


def outside(parameter: Any) -> Any:
    if isinstance(parameter.default, int):
        return parameter.minimum - 1, parameter.maximum + 1
    return math.nextafter(parameter.minimum, -INFINITY), math.nextafter(parameter.maximum, INFINITY)


def names(parameter: str, error: PlaygroundError, language: str) -> bool:
    """Whether an error names a hyperparameter: by its label on the page, as it is called for programs."""
    label = text(language, f"hyperparameters.{parameter}")
    return label.lower() in error.message(language).lower() and parameter in error.told(language)


@pytest.mark.parametrize(("method_id", "parameter"), NUMBERS, **named)
def test_just_outside_is_refused_by_name_in_both_languages(method_id: Any, parameter: Any) -> None:
    for value in outside(parameter):
        error = refusal(method_id, parameter.name, value)
        assert error.key == "out_of_range"
        assert all(names(parameter.name, error, language) for language in LANGUAGES)


@pytest.mark.parametrize(("method_id", "parameter"), NUMBERS, **named)
def test_what_is_no_number_is_refused_by_name_in_both_languages(method_id: Any, parameter: Any) -> None:
    no_numbers: list[Any] = [None, "8", [8], {}, True, b"8", 2 + 1j, NAN, INFINITY, -INFINITY]
    for value in no_numbers:
        error = refusal(method_id, parameter.name, value)
        assert all(names(parameter.name, error, language) for language in LANGUAGES)


@pytest.mark.parametrize(
    ("method_id", "name", "value"),
    [
        ("lora", "rank", 8.5),
        ("lora", "dora", 1),
        ("lora", "dora", "true"),
        ("lora", "dora", None),
        ("lora", "targets", "everything"),
        ("lora", "targets", None),
        ("lora", "targets", ["query_value"]),
        ("lora", "bias", "all"),
        ("prompt_tuning", "initialization", 0),
        ("prompt_tuning", "initialization_text", None),
        ("prompt_tuning", "initialization_text", 5),
        ("prompt_tuning", "initialization_text", "x" * 301),
        ("qlora", "double_quantization", "no"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_name_in_both_languages(method_id: str, name: str, value: Any) -> None:
    error = refusal(method_id, name, value)
    assert all(names(name, error, language) for language in LANGUAGES)


@pytest.mark.parametrize(("given_", "taken"), [(8.0, 8), (64, 64)])
def test_a_whole_float_is_a_whole_number(given_: float, taken: int) -> None:
    found = method("lora").complete({"rank": given_})["rank"]
    assert (found, type(found)) == (taken, int)


def test_a_whole_number_is_a_float_where_one_is_wanted() -> None:
    found = method("lora").complete({"dropout": 0})["dropout"]
    assert (found, type(found)) == (0.0, float)


@pytest.mark.parametrize("method_id", FRONT)
def test_an_unknown_hyperparameter_is_refused_with_the_known_ones(method_id: Any) -> None:
    error = refusal(method_id, "warmth", 1)
    assert error.key == "unknown_hyperparameter"
    known = [parameter.name for parameter in METHODS[method_id].hyperparameters]
    for language in ("en", "es"):
        name = text(language, f"methods.{method_id}.name")
        assert all(word in error.message(language) for word in ("warmth", name, *known))


@pytest.mark.parametrize("method_id", ["", "LoRA", "lily", "base"])
def test_an_unknown_method_is_refused_with_the_known_ones(method_id: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        method(method_id)
    assert refused.value.key == "unknown_method"
    assert all(one in str(refused.value) for one in METHODS)


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.lists(st.integers(), max_size=2)
)


def answer(method_id: Any, name: Any, value: Any) -> Any:
    try:
        return method(method_id).complete({name: value})[name]
    except PlaygroundError as error:
        return error


@LAW
@given(chosen=st.sampled_from(HYPERPARAMETERS), value=ANYTHING)
def test_a_value_is_either_taken_as_it_is_or_refused_by_name(chosen: Any, value: Any) -> None:
    method_id, parameter = chosen
    found = answer(method_id, parameter.name, value)
    if isinstance(found, PlaygroundError):
        assert parameter.name in str(found)
    else:
        assert (found, type(found)) == (value, type(parameter.default))
        assert parameter.minimum is None or isinstance(found, str) or parameter.minimum <= found <= parameter.maximum


def test_the_last_blocks_are_found_by_their_numbers_where_only_some_of_them_attend() -> None:
    model = model_of_kind("jamba-hybrid", tiny_tokenizer())
    base: Any = SimpleNamespace(model=model, architecture=architecture_of(model))
    for last, blocks in ((1, {3}), (2, {2, 3})):
        names = method("last_layers").chosen(base, {"last_layers": last})  # type: ignore[misc]
        assert {layer_of(name) for name in names} == blocks
        counted = method("last_layers").trainable(base.architecture, {"last_layers": last})
        assert counted == sum(model.get_parameter(name).numel() for name in names)
