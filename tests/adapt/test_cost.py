"""Arithmetic: the papers' own figures, PEFT's counts of a loaded base, and what cannot be asked."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import DebertaV2Config, DebertaV2Model, RobertaConfig, RobertaModel, T5Config, T5ForConditionalGeneration

from playground.adapt.cost import (
    CALCULATED,
    cost,
    measured,
    prepared,
    whole_update,
)
from playground.adapt.library import examples
from playground.adapt.methods import METHODS, frozen_bytes, training_memory
from playground.adapt.published import PUBLISHED, published
from playground.errors import PlaygroundError
from playground.model.architecture import Architecture, Linear, architecture_of, entries
from playground.model.bases import Base
from playground.model.catalogue import CATALOGUE
from playground.model.weights import held_bytes
from tests.adapt.conftest import FAMILIES
from tests.families import one_thread  # noqa: F401

LORA, QLORA = "Hu et al. 2021", "Dettmers et al. 2023"
LESTER, LIU = "Lester et al. 2021, table 4", "Liu et al. 2022, section 3.3"
COURSE, MATRIX = "peremartra's course, notebook outputs", "peft, method_comparison"
QV = {"targets": "query_value"}


def shape(model_id: Any) -> Any:
    return published(model_id).architecture


# What the papers print (reference-figures 1.1 to 1.4)

TRAINABLE = [
    (f"{LORA}, table 4", "gpt-3", "lora", {"rank": 1, **QV}, 4_718_592),  # printed 4.7 M
    (f"{LORA}, section 4.2", "gpt-3", "lora", {"rank": 4, **QV}, 18_874_368),  # "18M"
    (f"{LORA}, table 4", "gpt-3", "lora", {"rank": 8, **QV}, 37_748_736),  # printed 37.7 M
    *((f"{LORA}, table 5", "gpt-3", "lora", {"rank": 8, "targets": [f"{one}_proj"]}, 18_874_368) for one in "qkvo"),
    (f"{LORA}, table 5", "gpt-3", "lora", {"rank": 8, "targets": "query"}, 18_874_368),
    (f"{LORA}, table 5", "gpt-3", "lora", {"rank": 4, "targets": "query_key"}, 18_874_368),
    (f"{LORA}, table 5", "gpt-3", "lora", {"rank": 2, "targets": "attention"}, 18_874_368),
    (f"{LORA}, table 2", "roberta-base", "lora", {"rank": 8, **QV}, 294_912),  # printed 0.3 M
    (f"{LORA}, table 2", "roberta-large", "lora", {"rank": 8, **QV}, 786_432),  # printed 0.8 M
    (f"{LORA}, table 2", "deberta-xxl", "lora", {"rank": 16, **QV}, 4_718_592),  # printed 4.7 M
    *((COURSE, "bloomz-560m", "prompt_tuning", {"virtual_tokens": n}, n * 1024) for n in (4, 8, 20)),
    (COURSE, "bloomz-560m", "lora", {"rank": 4, **QV}, 393_216),
    (COURSE, "bloomz-560m", "lora", {"rank": 4, "targets": ("query_key_value",)}, 393_216),
    (COURSE, "bloomz-560m", "lora", {"rank": 4, **QV, "bias": "lora_only"}, 466_944),
    (COURSE, "llama-3.2-1b", "lora", {"rank": 8, "targets": "all_linear"}, 5_636_096),
    (MATRIX, "llama-3.2-3b", "lora", {"rank": 32, **QV}, 9_175_040),
    (MATRIX, "llama-3.2-3b", "lora", {"rank": 32, **QV, "dora": True}, 9_289_728),
    (MATRIX, "llama-3.2-3b", "ia3", {}, 286_720),
    (MATRIX, "llama-3.2-3b", "prompt_tuning", {"virtual_tokens": 200}, 614_400),
    (LIU, "t0-3b", "ia3", {}, 540_672),  # printed 540K
    (LIU, "t0-11b", "ia3", {}, 1_081_344),
    ("by hand: 72 attentions, two matrices each", "t0-3b", "lora", {"rank": 256, **QV}, 2 * 72 * 256 * 4096),
]  # fmt: skip


@pytest.mark.parametrize(("source", "model", "method_id", "values", "printed"), TRAINABLE)
def test_trainable_parameters_are_those_that_are_published(
    source: Any, model: Any, method_id: Any, values: Any, printed: Any
) -> None:
    assert cost(shape(model), method_id, values).trainable == printed, source


def test_ia3_on_every_layer_is_what_peft_published() -> None:
    """
    peft, method_comparison: 630,784 on Llama-3.2-3B, outputs of attention and inputs of the feed-forward block scaled. The
    method here scales the paper's three only, so each layer stands under the name of one that it scales the same way.
    """
    inside = {"q_proj": "k_proj", "o_proj": "v_proj", "gate_proj": "down_proj", "up_proj": "down_proj"}
    layers = tuple(replace(one, name=inside.get(one.name, one.name)) for one in shape("llama-3.2-3b").linears)
    assert cost(replace(shape("llama-3.2-3b"), linears=layers), "ia3", {}).trainable == 630_784


# Lester et al. 2021, table 4. Three printed cells disagree with the table's own formula, length x width, so the formula
# is asserted: small x 20 is printed as 10,420, large x 100 as 0.01907 %, and XXL x 50 with a total of 11,137,380,352.
PROMPTS = {
    "t5-small": {1: 512, 5: 2_560, 20: 10_240, 50: 25_600, 100: 51_200, 150: 76_800},
    "t5-base": {1: 768, 5: 3_840, 20: 15_360, 50: 38_400, 100: 76_800, 150: 115_200},
    "t5-large": {1: 1_024, 5: 5_120, 20: 20_480, 50: 51_200, 100: 102_400, 150: 153_600},
    "t5-xl": {1: 2_048, 5: 10_240, 20: 40_960, 50: 102_400, 100: 204_800, 150: 307_200},
    "t5-xxl": {1: 4_096, 5: 20_480, 20: 81_920, 50: 204_800, 100: 409_600, 150: 614_400},
}


@pytest.mark.parametrize(
    ("model", "length", "printed"), [(m, n, count) for m, row in PROMPTS.items() for n, count in row.items()]
)
def test_prompts_of_every_length_are_those_of_their_paper(model: Any, length: Any, printed: Any) -> None:
    assert cost(shape(model), "prompt_tuning", {"virtual_tokens": length}).trainable == printed


@pytest.mark.parametrize(
    ("source", "model", "method_id", "values", "total", "percent"),
    [
        (f"{LORA}, table 4", "gpt-3", "lora", {"rank": 1}, None, 0.00269),
        (f"{LORA}, section 4.2", "gpt-3", "lora", {"rank": 4}, None, 0.0108),
        (f"{LORA}, table 4", "gpt-3", "lora", {"rank": 8}, None, 0.0215),
        (COURSE, "bloomz-560m", "prompt_tuning", {"virtual_tokens": 4}, 559_218_688, 0.000732),
        (COURSE, "bloomz-560m", "prompt_tuning", {"virtual_tokens": 8}, 559_222_784, 0.001465),
        (COURSE, "bloomz-560m", "prompt_tuning", {"virtual_tokens": 20}, 559_235_072, 0.00366),
        (COURSE, "bloomz-560m", "lora", {"rank": 4}, 559_607_808, 0.0703),
        (COURSE, "bloomz-560m", "lora", {"rank": 4, "bias": "lora_only"}, None, 0.0834),
        (COURSE, "llama-3.2-1b", "lora", {"rank": 8, "targets": "all_linear"}, 1_241_450_496, 0.454),
        (MATRIX, "llama-3.2-3b", "lora", {"rank": 32}, 3_221_924_864, 0.285),
        (LESTER, "t5-xxl", "prompt_tuning", {"virtual_tokens": 100}, 11_135_741_952, 0.00368),
        (LESTER, "t5-large", "prompt_tuning", {"virtual_tokens": 100}, 783_252_480, 0.01307),  # printed 0.01907
        (LESTER, "t5-xxl", "prompt_tuning", {"virtual_tokens": 50}, 11_135_537_152, 0.00184),  # printed total wrong
    ],
)
def test_totals_and_percentages_are_those_that_are_published(
    source: Any, model: str, method_id: str, values: dict[str, Any], total: int | None, percent: float
) -> None:
    found = cost(shape(model), method_id, values)
    assert total in (None, found.total), source
    assert found.percent == pytest.approx(percent, rel=3e-3), source


@pytest.mark.parametrize(
    ("source", "model", "parameters"),
    [
        (f"{LORA}, table 4", "gpt-3", 175_255_800_000),
        (COURSE, "bloomz-560m", 559_214_592),
        (MATRIX, "llama-3.2-3b", 3_212_749_824),
        ("meta-llama/Llama-2-7b-hf", "llama-2-7b", 6_738_415_616),
        (LESTER, "t5-small", 76_961_152),
        (LESTER, "t5-base", 247_577_856),
        (LESTER, "t5-large", 783_150_080),
        (LESTER, "t5-xl", 2_849_757_184),
        (LESTER, "t5-xxl", 11_135_332_352),
    ],
)
def test_models_have_the_published_number_of_parameters(source: Any, model: str, parameters: int) -> None:
    assert shape(model).parameters == parameters, source


@pytest.mark.parametrize(
    ("model", "printed"), [("roberta-base", 125e6), ("roberta-large", 355e6), ("llama-65b", 65.2e9), ("gpt-3", 175e9)]
)
def test_models_have_about_the_number_that_their_papers_round_to(model: str, printed: float) -> None:
    assert shape(model).parameters == pytest.approx(printed, rel=4e-3)


def test_the_blocks_of_gpt_3_hold_nearly_all_of_its_published_total() -> None:
    """12 d^2 a layer; the rest is embeddings."""
    assert entries(shape("gpt-3").linears) == 12 * 12288**2 * 96
    assert 0.99 < entries(shape("gpt-3").linears) / shape("gpt-3").parameters < 1


# The models that transformers builds

OURS = {
    "query": "q_proj", "key": "k_proj", "value": "v_proj",
    "query_proj": "q_proj", "key_proj": "k_proj", "value_proj": "v_proj",
    "q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "o_proj", "wi_0": "gate_proj", "wi_1": "up_proj", "wo": "down_proj",
}  # fmt: skip


def named_as_ours(path: str) -> str | None:
    *_, before, last = ["", *path.split(".")]
    if last != "dense":
        return OURS.get(last)  # None: a pooler or the output head
    if before == "output":
        return "o_proj" if "attention" in path else "down_proj"
    return "up_proj" if before == "intermediate" else None


def on_paper(model_class: Any, config: Any) -> Any:
    with torch.device("meta"):
        return model_class(config)


def roberta(hidden: Any, layers: Any, heads: Any) -> Any:
    return RobertaModel, RobertaConfig(
        hidden_size=hidden, intermediate_size=4 * hidden, num_hidden_layers=layers, num_attention_heads=heads,
        vocab_size=50265, max_position_embeddings=514, type_vocab_size=1,
    )  # fmt: skip


DEBERTA: dict[str, Any] = {
    "hidden_size": 1536, "intermediate_size": 6144, "num_hidden_layers": 48, "num_attention_heads": 24,
    "vocab_size": 128100, "type_vocab_size": 0, "conv_kernel_size": 3, "relative_attention": True,
    "position_buckets": 256, "share_att_key": True, "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
}  # fmt: skip


def t5_config(hidden: Any, inner: Any, layers: Any, heads: Any) -> Any:
    return T5ForConditionalGeneration, T5Config(
        d_model=hidden, d_ff=inner, num_layers=layers, num_heads=heads, feed_forward_proj="gated-gelu", vocab_size=32128
    )


@pytest.mark.parametrize(
    ("model", "built"),
    [
        ("roberta-base", roberta(768, 12, 12)),
        ("roberta-large", roberta(1024, 24, 16)),
        ("deberta-xxl", (DebertaV2Model, DebertaV2Config(**DEBERTA))),
        ("t5-small", t5_config(512, 1024, 8, 6)),
        ("t5-base", t5_config(768, 2048, 12, 12)),
        ("t5-large", t5_config(1024, 2816, 24, 16)),
        ("t5-xl", t5_config(2048, 5120, 24, 32)),
        ("t5-xxl", t5_config(4096, 10240, 24, 64)),
    ],
)
def test_shapes_are_those_of_the_models_that_transformers_builds(model: str, built: Any) -> None:
    whole = on_paper(*built)
    linears: dict[tuple[Any, ...], int] = {}
    for path, module in whole.named_modules():
        if isinstance(module, torch.nn.Linear) and (name := named_as_ours(path)):
            kind = (name, module.in_features, module.out_features, module.bias is not None)
            linears[kind] = linears.get(kind, 0) + 1
    assert {(one.name, one.inputs, one.outputs, one.bias): one.count for one in shape(model).linears} == linears
    head = getattr(whole, "lm_head", None)
    tied = head is not None and head.weight is whole.get_input_embeddings().weight  # v1.1 is untied, configs differ
    parameters = sum(one.numel() for one in whole.parameters()) + (head.weight.numel() if tied else 0)
    assert shape(model).parameters == parameters


def test_models_of_the_catalogue_are_counted_as_there() -> None:
    ours = {spec.id for spec in CATALOGUE.values() if spec.architecture} - {"smollm2-135m-hub"}
    assert {model: PUBLISHED[model].architecture for model in ours} == {one: CATALOGUE[one].architecture for one in ours}


# Bytes (reference-figures 1.1, 1.2, 1.4, 1.5)


def test_lora_on_gpt_3_has_the_checkpoints_of_its_paper() -> None:
    """Hu et al. 2021, section 4.2: 350 GB to roughly 35 MB, and for 100 tasks about 354 GB against 35 TB."""
    found = cost(shape("gpt-3"), "lora", {"rank": 4}, tasks=100, width=2)
    assert (found.adapter_bytes, found.adapter_bytes / 2**20) == (37_748_736, 36)
    assert found.model_bytes == pytest.approx(350e9, rel=2e-3)
    assert found.stored_adapters == pytest.approx(354e9, rel=1e-3)
    assert found.stored_models == pytest.approx(35e12, rel=2e-3)
    assert 9_000 < found.model_bytes / found.adapter_bytes < 10_000  # "roughly 10,000x"


def test_lora_on_gpt_3_trains_over_the_350_gb_of_its_paper() -> None:
    _, lora, _ = cost(shape("gpt-3"), "lora", {"rank": 4}).memory
    assert lora.weights == pytest.approx(350e9, rel=2e-3)
    assert lora.total == pytest.approx(350e9, rel=3e-3)


def test_65_billion_parameters_take_what_the_qlora_paper_says() -> None:
    """Dettmers et al. 2023, section 1: more than 780 GB in 16 bits, less than 48 GB with QLoRA on all layers."""
    full, lora, qlora = cost(shape("llama-65b"), "qlora", {"rank": 64, "targets": "all_linear"}).memory
    assert full.total == 12 * shape("llama-65b").parameters
    assert 780e9 < full.total < 790e9
    assert qlora.total < 48e9 < lora.total
    assert [one.way for one in (full, lora, qlora)] == ["full_fine_tuning", "lora", "qlora"]


@pytest.mark.parametrize(("form", "bits"), [("nf4", 4.5), ("nf4_double", 4.126953125)])
def test_four_bit_weights_take_the_bits_of_the_qlora_paper(form: str, bits: float) -> None:
    """Dettmers et al. 2023, section 3: a constant for 64 weights, in 32 bits or in 8 and a 32-bit one for 256 of them."""
    only_linear = Architecture(1000, (Linear("q_proj", 1000, 1000, 8),), 8_000_000)
    assert frozen_bytes(only_linear, form, 2) * 8 / 8_000_000 == pytest.approx(bits)
    exact = {"nf4": 4 + 32 / 64, "nf4_double": 4 + 8 / 64 + 32 / (64 * 256)}[form]
    assert bits == pytest.approx(exact, abs=1e-4)


def test_published_files_have_the_predicted_size() -> None:
    assert cost(shape("llama-3.2-3b"), "lora", {"rank": 32}, width=4).adapter_bytes == 36_700_160  # peft: 36.72 MB
    ia3 = cost(shape("t0-11b"), "ia3", {}, width=4).adapter_bytes  # Liu et al. 2022, table 1: 4.2 MB
    assert ia3 == 4_325_376
    assert ia3 / 2**20 == pytest.approx(4.13, abs=0.01)


@pytest.mark.parametrize("method_id", CALCULATED)
@pytest.mark.parametrize("model", ["llama-3.2-1b", "bloomz-560m", "smollm2-135m"])
def test_in_32_bits_memory_is_what_training_here_holds(model: str, method_id: Any) -> None:
    architecture = shape(model)
    found = cost(architecture, method_id, {}, width=4)
    forms = [(architecture.parameters, None), (found.trainable, None), (found.trainable, "nf4_double")]
    assert [one.total for one in found.memory] == [training_memory(architecture, *form) for form in forms]


def test_biases_that_lora_trains_are_held_once() -> None:
    found = cost(shape("bloomz-560m"), "lora", {"rank": 4, "bias": "lora_only"})
    _, lora, _ = found.memory
    assert lora.weights + lora.adapter == 2 * found.total
    assert lora.weights == 2 * (559_214_592 - 24 * 3 * 1024)


@pytest.mark.parametrize("model", PUBLISHED)
@pytest.mark.parametrize("method_id", CALCULATED)
def test_the_parts_of_every_model_are_in_order(model: Any, method_id: Any) -> None:
    found = cost(shape(model), method_id, {}, tasks=3)
    full, adapter, four_bit = found.memory
    assert 0 < found.trainable < found.total == shape(model).parameters + found.trainable
    assert full.total > adapter.total > four_bit.total > 0
    assert min(full.weights, adapter.weights, four_bit.weights) > 0
    assert found.stored_adapters == found.model_bytes + 3 * found.adapter_bytes
    assert found.stored_models == 3 * found.model_bytes


# "A 7B model's ΔW has 7B entries too"


def test_the_update_of_a_7b_model_is_worked_through() -> None:
    found = whole_update(shape("llama-2-7b"), 8)
    assert found.entries == 32 * (4 * 4096**2 + 3 * 4096 * 11008) == 6_476_005_376
    assert found.factors == 32 * 8 * (4 * (4096 + 4096) + 3 * (4096 + 11008)) == 19_988_480
    assert found.others == 2 * 32000 * 4096 + 65 * 4096  # embeddings, output head, norms
    assert found.entries + found.others == 6_738_415_616
    assert found.ratio == pytest.approx(324, abs=0.1)


@pytest.mark.parametrize("rank", [1, 8, 256])
def test_its_factors_are_what_lora_on_all_layers_trains(rank: int) -> None:
    architecture = shape("llama-3.2-1b")
    whole = cost(architecture, "lora", {"rank": rank, "targets": "all_linear"}).trainable
    assert whole_update(architecture, rank).factors == whole


# PEFT's count of a loaded base

GRID = [
    ("lora", {"rank": 4, "targets": "query_value"}),
    ("lora", {"rank": 16, "targets": "all_linear"}),
    ("lora", {"rank": 2, "targets": "mlp", "dora": True}),
    ("lora", {"rank": 2, "targets": "attention", "bias": "lora_only"}),
    ("qlora", {"rank": 8, "targets": "attention"}),
    ("prompt_tuning", {"virtual_tokens": 100}),
    ("ia3", {}),
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("method_id", "values"), GRID, ids=str)
def test_peft_counts_what_was_predicted(bases: Any, family: str, method_id: str, values: dict[str, Any]) -> None:
    base = bases[family]
    predicted, found = cost(base.architecture, method_id, values, width=4), measured(base, method_id, values)
    assert (found.trainable, found.total) == (predicted.trainable, predicted.total)
    assert found.frozen_bytes == found.predicted_frozen_bytes == 4 * base.architecture.parameters
    assert found.example is None
    assert base.untouched()


@pytest.mark.parametrize("targets", [["q_proj"], ["q_proj", "k_proj"], ("down_proj",), "query", "query_key"])
def test_peft_counts_chosen_layers_as_predicted(tiny: Base, targets: list[Any] | str | tuple[Any, ...]) -> None:
    values = {"rank": 4, "targets": targets}
    assert measured(tiny, "lora", values).trainable == cost(tiny.architecture, "lora", values).trainable


@pytest.mark.parametrize("form", ["nf4", "nf4_double", "int8_vectorwise"])
def test_quantized_weights_take_about_what_was_predicted(tiny_forms: Callable[[str], Base], form: str) -> None:
    """Predicted for whole blocks of 64 and large matrices; these are tiny, and scales weigh more."""
    base = tiny_forms(f"tiny:{form}")
    found = measured(base, "qlora", {"rank": 4})
    assert found.trainable == cost(base.architecture, "qlora", {"rank": 4}).trainable
    assert found.frozen_bytes == held_bytes(base.model) < 4 * base.architecture.parameters
    states = [getattr(one, "quant_state", None) for one in base.model.parameters()]
    tables = sum(part.code.nbytes for one in states if one for part in (one, one.state2) if part)  # each layer has its own
    assert found.frozen_bytes - tables == pytest.approx(found.predicted_frozen_bytes, rel=0.12)


def test_the_ready_made_adapters_have_files_of_the_predicted_size(tiny: Base) -> None:
    """PEFT's own file: the numbers in float32, and a header of names. The base needs only its id and its shape for this."""
    spec = CATALOGUE["smollm2-135m"]
    stand_in = replace(tiny, spec=replace(spec, architecture=tiny.architecture))
    for method_id in ("prompt_tuning", "lora", "ia3"):
        example = measured(stand_in, method_id, {}).example
        assert example is not None
        record = examples()[example.id].record
        numbers = METHODS[method_id].counts(spec.architecture, record.hyperparameters)["bytes"]
        assert numbers == 4 * record.trainable_parameters
        assert numbers < example.file_bytes < numbers + 30_000


# What cannot be asked


def refusal(model: Any, method_id: Any, values: Any, **others: Any) -> Any:
    with pytest.raises(PlaygroundError) as refused:
        cost(shape(model), method_id, values, **others)
    assert refused.value.message("en") != refused.value.message("es")
    return refused.value


@pytest.mark.parametrize(
    ("model", "method_id", "values", "key"),
    [
        ("gpt-3", "lily", {}, "unknown_method"),
        ("gpt-3", "few_shot", {}, "unknown_method"),
        ("gpt-3", "full_fine_tuning", {}, "unknown_method"),
        ("gpt-3", "lora", {"rank": 0}, "out_of_range"),
        ("gpt-3", "lora", {"rank": 257}, "out_of_range"),
        ("gpt-3", "lora", {"rank": 4.5}, "wrong_kind"),
        ("gpt-3", "lora", {"rank": None}, "wrong_kind"),
        ("gpt-3", "lora", {"virtual_tokens": 5}, "unknown_hyperparameter"),
        ("gpt-3", "ia3", {"targets": ["q_proj"]}, "unknown_hyperparameter"),
        ("gpt-3", "prompt_tuning", {"virtual_tokens": 257}, "out_of_range"),
        ("gpt-3", "lora", {"targets": "everything"}, "not_a_choice"),
        ("gpt-3", "lora", {"targets": []}, "no_such_targets"),
        ("gpt-3", "lora", {"targets": ["gate_proj"]}, "no_such_targets"),
        ("gpt-3", "lora", {"targets": ["q_proj", 5]}, "no_such_targets"),
        ("bloomz-560m", "lora", {"targets": "query"}, "no_such_targets"),
        ("smollm2-135m", "lora", {"rank": 193}, "rank_above_layer"),
        ("smollm2-135m", "qlora", {"rank": 193, "targets": ["v_proj"]}, "rank_above_layer"),
    ],
)
def test_a_question_without_an_answer_is_refused(model: str, method_id: str, values: dict[str, Any], key: str) -> None:
    assert refusal(model, method_id, values).key == key


def test_a_rank_may_be_as_high_as_the_smallest_targeted_layer_allows() -> None:
    """SmolLM2's keys and values are 192 x 576, its queries 576 x 576."""
    architecture = shape("smollm2-135m")
    assert cost(architecture, "lora", {"rank": 192, "targets": "all_linear"}).trainable > 0
    assert cost(architecture, "lora", {"rank": 256, "targets": ["q_proj", "o_proj"]}).trainable > 0
    error = refusal("smollm2-135m", "lora", {"rank": 193})
    for language in ("en", "es"):
        assert all(part in error.message(language) for part in ("193", "v_proj", "192 × 576"))


@pytest.mark.parametrize("tasks", [0, -1, 1001, 1.5, None, "many", float("inf")])
def test_the_number_of_tasks_has_bounds(tasks: Any) -> None:
    assert "tasks" in str(refusal("gpt-3", "lora", {}, tasks=tasks))


@pytest.mark.parametrize("width", [0, 1, 3, 8, None, "2"])
def test_numbers_are_stored_in_two_or_four_bytes(width: int | str | None) -> None:
    assert refusal("gpt-3", "lora", {}, width=width).key == "not_a_choice"


@pytest.mark.parametrize("model", ["", "gpt-4", "GPT-3", None, 3])
def test_an_unknown_model_is_refused_with_the_known_ones(model: int | str | None) -> None:
    with pytest.raises(PlaygroundError) as refused:
        published(model)
    assert refused.value.key == "unknown_model"
    assert all(one in str(refused.value) for one in PUBLISHED)


@pytest.mark.parametrize(("method_id", "values"), [("lora", {"rank": 65}), ("prompt_tuning", {"virtual_tokens": 101})])
def test_only_what_can_be_trained_here_is_measured(bases: Any, method_id: str, values: dict[str, Any]) -> None:
    base = bases["llama"]
    wide = replace(base, architecture=replace(base.architecture, linears=shape("llama-2-7b").linears))
    assert cost(wide.architecture, method_id, values).trainable > 0
    with pytest.raises(PlaygroundError) as refused:
        measured(wide, method_id, values)
    assert refused.value.key == "out_of_range"


def test_counting_further_leaves_the_registry_as_it_was() -> None:
    chosen, _, complete = prepared(shape("gpt-3"), "lora", {"rank": 256})
    assert chosen.count is METHODS["lora"].count
    assert complete["rank"] == 256
    with pytest.raises(PlaygroundError):
        METHODS["lora"].complete({"rank": 256})


def test_the_architecture_of_a_loaded_base_is_enough(tiny: Base) -> None:
    assert cost(architecture_of(tiny.model), "lora", {"rank": 4}) == cost(tiny.architecture, "lora", {"rank": 4})
