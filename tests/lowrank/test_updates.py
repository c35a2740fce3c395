"""What an adapter changed: held against PEFT's own deltas and merged weights, and against dense float64 computations."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from peft.tuners.lora import LoraLayer
from torch import nn

from playground import settings
from playground.adapt.adapters import Adapter, Checkpoint, Record
from playground.adapt.attach import _with_parameters
from playground.adapt.targets import IA3_TARGETS, TARGETS
from playground.adapt.tasks import Task
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.locales import text
from playground.lowrank import findings, updates
from playground.lowrank.factors import overlap
from playground.model.bases import Base, load
from playground.model.catalogue import CATALOGUE, BaseSpec
from playground.model.modules import kind_of, layer_of
from playground.model.weights import weight_of
from playground.train.job import TrainingJob
from playground.train.training import train
from tests.conftest import model_of
from tests.families import logits, one_thread, tiny_base, trained  # noqa: F401

FAMILIES = ["llama", "qwen2", "bloom"]
LORAS: dict[str, dict[str, Any]] = {
    "lora": {},
    "lora everywhere": {"targets": "all_linear", "rank": 3, "alpha": 5},
    "rslora": {"rslora": True, "alpha": 12},
    "more ranks than columns": {"targets": "mlp", "rank": 64, "alpha": 8},
    "biases": {"bias": "lora_only"},
}
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: ("lora", values) for name, values in LORAS.items()},
    "dora": ("lora", {"dora": True, "targets": "attention"}),
    "ia3": ("ia3", {}),
    "full": ("full_fine_tuning", {}),
}
every_family = pytest.mark.parametrize("family", FAMILIES)
every_method = pytest.mark.parametrize("name", METHODS)


def record_of(base: Base, method_id: Any, **changed: Any) -> Any:
    total = base.architecture.parameters
    return Record(**{**vars(Record(base.id, method_id, "pirate", {}, 0, 7, total, total, 4 * total)), **changed})


def fully_tuned(base: Base) -> Any:
    """Every parameter of the base moved, and the model of it."""
    model = base.view()
    tensors = {}
    for name, parameter in base.model.named_parameters():
        generator = torch.Generator().manual_seed(parameter.numel())
        tensors[name] = parameter.detach() + 0.05 * torch.randn(parameter.shape, generator=generator)
    adapter = Adapter("tiny-full", record_of(base, "full_fine_tuning"), loaded=tensors)
    return adapter, _with_parameters(model, tensors)


@pytest.fixture(scope="module")
def made() -> Any:
    """(base, adapter, the base's weights with the adapter merged into them by PEFT), each made once."""

    @cache
    def base_of(family: Any) -> Any:
        return tiny_base(family)

    @cache
    def make(family: Any, name: Any) -> Any:
        base, (method_id, values) = base_of(family), METHODS[name]
        if method_id == "full_fine_tuning":
            adapter, model = fully_tuned(base)
            return base, adapter, dict(model.named_parameters())
        adapter, model = trained(base, method_id, values)
        return base, adapter, dict(model.merge_and_unload().named_parameters())

    return make


def weights(base: Base) -> Any:
    """The weights of the linear layers inside the decoder, by path."""
    head = base.model.get_output_embeddings()
    layers = {path: module for path, module in base.model.named_modules() if isinstance(module, nn.Linear)}
    return {path: module.weight for path, module in layers.items() if module is not head}


def targets(base: Base, name: Any) -> Any:
    """The paths that a method adapts, by the registry's own names."""
    method_id, values = METHODS[name]
    names = IA3_TARGETS if method_id == "ia3" else TARGETS.get(values.get("targets", "query_value"))
    everywhere = method_id == "full_fine_tuning" or values.get("targets") == "all_linear"
    return [path for path in weights(base) if everywhere or path.split(".")[-1] in names]


def array(tensor: Any) -> Any:
    return tensor.detach().double().numpy()


# ΔW


@every_family
@pytest.mark.parametrize("values", LORAS.values(), ids=LORAS)
def test_the_update_is_peft_s_own_delta(family: str, values: Any) -> None:
    base = tiny_base(family)
    adapter, model = trained(base, "lora", values)
    found = updates.updates(base, adapter)
    layers: dict[str, Any] = {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}
    theirs = {name.removeprefix("base_model.model."): module.get_delta_weight("default") for name, module in layers.items()}
    assert list(found) == list(theirs)
    for module, delta in theirs.items():
        torch.testing.assert_close(found[module].delta(weight_of(base.model, module)), delta, rtol=1e-6, atol=1e-6)
    assert base.untouched()


@every_family
@every_method
def test_the_update_is_the_merged_weight_less_the_base_s(made: Any, family: str, name: Any) -> None:
    base, adapter, merged = made(family, name)
    found = updates.updates(base, adapter)
    assert list(found) == targets(base, name)
    for module, weight in weights(base).items():
        change = merged[f"{module}.weight"] - weight
        if module in found:
            torch.testing.assert_close(found[module].delta(weight_of(base.model, module)), change, rtol=1e-4, atol=1e-4)
            assert change.any()
        else:
            assert not change.any()
    assert base.untouched()


@every_family
@every_method
def test_norms_are_those_of_the_dense_update(made: Any, family: str, name: Any) -> None:
    base, adapter, merged = made(family, name)
    for module, update in updates.updates(base, adapter).items():
        change = np.linalg.norm(array(merged[f"{module}.weight"]) - array(weights(base)[module]))
        assert update.norm(weight_of(base.model, module)) == pytest.approx(change, rel=1e-4)
        assert findings.weight_norm(base, module) == pytest.approx(np.linalg.norm(array(weights(base)[module])), rel=1e-6)


def test_a_really_trained_adapter_is_read_as_peft_merges_it(
    tiny: Base, get_tiny: Callable[[str], Base], small_task: Task
) -> None:
    for values in ({"dora": True, "learning_rate": 0.05}, {"learning_rate": 0.05}):
        *_, ended = train(TrainingJob("tiny", "lora", small_task, values, 4), get_tiny)
        found = updates.updates(tiny, ended.adapter)
        merged = copy.deepcopy(model_of(tiny, ended.adapter)).merge_and_unload()  # merging writes into the weights
        for module, update in found.items():
            weight = weight_of(tiny.model, module)
            change = merged.get_submodule(module).weight - weight
            assert float(change.norm()) > 0
            torch.testing.assert_close(update.delta(weight), change, rtol=1e-4, atol=1e-5)
    assert tiny.untouched()


def test_dora_is_of_low_rank_only_without_its_lengths(made: Any) -> None:
    base, adapter, _ = made("llama", "dora")
    for module, update in updates.updates(base, adapter).items():
        weight = weight_of(base.model, module)
        assert not update.low_rank
        assert np.linalg.matrix_rank(array(update.delta(weight)), tol=1e-3) > update.factors.rank
        new = array(weight + update.delta(weight))
        # the magnitude is the length; its sign, where noise turned it around, is in the direction
        np.testing.assert_allclose(np.linalg.norm(new, axis=1), np.abs(array(update.magnitude)), rtol=1e-4)


# The whole network


@every_family
@every_method
def test_the_map_has_every_adapted_module_once(made: Any, family: str, name: Any) -> None:
    base, adapter, merged = made(family, name)
    cells = findings.network(base, adapter)
    assert [cell.module for cell in cells] == targets(base, name)
    for cell in cells:
        parts = cell.module.split(".")
        assert cell.kind == parts[-1]
        assert [cell.layer] == [int(part) for part in parts if part.isdigit()]
        weight = array(weights(base)[cell.module])
        change = array(merged[f"{cell.module}.weight"]) - weight
        assert cell.relative == pytest.approx(np.linalg.norm(change) / np.linalg.norm(weight), rel=1e-4)


@every_method
def test_effective_ranks_are_of_the_factors_and_only_where_there_are_any(made: Any, name: Any) -> None:
    base, adapter, _ = made("llama", name)
    for cell in findings.network(base, adapter):
        factors = updates.updates(base, adapter)[cell.module].factors
        assert (cell.effective_rank is None) == (factors is None) == (name in ("ia3", "full"))
        if factors is not None:
            values = np.linalg.svd(factors.scaling * array(factors.b) @ array(factors.a), compute_uv=False)
            shares = values[values > 1e-9 * values[0]] / values.sum()
            assert cell.effective_rank == pytest.approx(np.exp(-np.sum(shares * np.log(shares))), rel=1e-6)


def test_a_module_outside_of_the_layers_has_no_layer() -> None:
    assert layer_of("lm_head") is None
    assert layer_of("model.layers.11.mlp.down_proj") == 11
    assert kind_of("lm_head") == "lm_head"


@every_family
@pytest.mark.parametrize("name", ["lora everywhere", "ia3"])
def test_the_most_changed_module_is_found(made: Any, family: str, name: str) -> None:
    base, adapter, _ = made(family, name)
    for chosen in [name for name in adapter.tensors if name.endswith(("lora_B.weight", "ia3_l"))][1::3]:
        loud = replace(adapter, loaded={**adapter.tensors, chosen: 100 * adapter.tensors[chosen]})
        module = chosen.removeprefix("base_model.model.").removesuffix(".lora_B.weight").removesuffix(".ia3_l")
        assert findings.most_changed(base, loud) == module


def test_full_fine_tuning_shows_the_linear_layers_without_the_head() -> None:
    base = tiny_base("llama")
    head = nn.Linear(64, base.model.config.vocab_size, bias=False).requires_grad_(False)  # not tied to the embeddings
    base.model.lm_head, base.model.config.tie_word_embeddings = head, False
    adapter, _ = fully_tuned(base)
    assert "lm_head.weight" in adapter.tensors
    found = updates.updates(base, adapter)
    assert list(found) == list(weights(base))
    assert {update.kind for update in found.values()} == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }  # fmt: skip


# One module in numbers


@every_family
@pytest.mark.parametrize("name", [*LORAS, "dora"])
def test_a_report_is_what_a_dense_computation_gives(made: Any, family: str, name: Any) -> None:
    base, adapter, _ = made(family, name)
    for module in targets(base, name)[::3]:
        report = findings.report(base, adapter, module)
        prefix, values = f"base_model.model.{module}.lora_", adapter.record.hyperparameters
        a, b = (array(adapter.tensors[f"{prefix}{part}.weight"]) for part in "AB")
        scaling = values["alpha"] / values["rank"] ** (0.5 if values["rslora"] else 1)
        weight, product = array(weights(base)[module]), scaling * b @ a
        u, s, vh = np.linalg.svd(product, full_matrices=False)
        count = min(values["rank"], *weight.shape)
        u, s, vh = u[:, :count], s[:count], vh[:count]
        inside, norm = np.linalg.norm(u.T @ weight @ vh.T), np.linalg.norm(weight)
        shares = s / s.sum()
        assert (report.adapter, report.module) == (adapter.id, module)
        assert report.shape == weight.shape
        assert (report.rank, report.scaling) == (values["rank"], pytest.approx(scaling))
        assert report.singular_values == pytest.approx(s.tolist(), rel=1e-5, abs=1e-5 * s[0])
        assert report.energy == pytest.approx((np.cumsum(s**2) / np.sum(s**2)).tolist(), abs=1e-6)
        assert report.effective_rank == pytest.approx(np.exp(-np.sum(shares * np.log(shares))), rel=1e-5)
        assert report.frobenius_weight == pytest.approx(norm, rel=1e-6)
        change = array(updates.updates(base, adapter)[module].delta(weights(base)[module]))  # DoRA's holds lengths too
        assert report.frobenius_update == pytest.approx(np.linalg.norm(change), rel=1e-5)
        assert report.relative == pytest.approx(np.linalg.norm(change) / norm, rel=1e-5)
        assert report.within == pytest.approx(inside, rel=1e-5)
        own = np.linalg.svd(weight, compute_uv=False)[:count]
        assert report.within_own == pytest.approx(np.linalg.norm(own), rel=1e-6)
        assert report.within_random == pytest.approx(norm * count / np.sqrt(weight.size), rel=1e-6)
        assert report.amplification == pytest.approx(np.linalg.norm(product) / inside, rel=1e-5)


def test_table_7_of_the_lora_paper() -> None:
    """
    A weight and an update of rank 4 with the printed norms (Hu et al. 2021, table 7): ‖W‖ = 61.95, ‖ΔW‖ = 6.91, 0.32 of W
    in the update's directions and 21.67 in its own. The report gives them back, and amplification 21.5.
    """
    base = tiny_base("llama")
    module = "model.layers.1.self_attn.q_proj"
    u, v = (torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(seed))).Q for seed in (0, 1))
    rest = (61.95**2 - 21.67**2 - 0.32**2) / 56
    values = torch.tensor([0.32 / 2] * 4 + [21.67 / 2] * 4 + [rest**0.5] * 56)
    base.model.get_submodule(module).weight = nn.Parameter(u * values @ v.T, requires_grad=False)
    adapter, _ = trained(base, "lora", {"rank": 4, "alpha": 8})
    prefix = f"base_model.model.{module}.lora_"
    factors = {f"{prefix}A.weight": v[:, :4].T.contiguous(), f"{prefix}B.weight": 6.91 / 2 / 2 * u[:, :4]}
    report = findings.report(base, replace(adapter, loaded={**adapter.tensors, **factors}), module)
    assert report.frobenius_weight == pytest.approx(61.95, rel=1e-5)
    assert report.frobenius_update == pytest.approx(6.91, rel=1e-5)
    assert report.within == pytest.approx(0.32, rel=1e-4)
    assert report.within_own == pytest.approx(21.67, rel=1e-5)
    assert report.within_random == pytest.approx(61.95 * 4 / 64, rel=1e-5)
    assert report.amplification == pytest.approx(6.91 / 0.32, rel=1e-4)
    assert report.amplification == pytest.approx(21.5, abs=0.1)
    assert report.effective_rank == pytest.approx(4.0, rel=1e-5)


def test_without_a_module_the_report_is_of_the_most_changed_one(made: Any) -> None:
    base, adapter, _ = made("llama", "lora everywhere")
    assert findings.report(base, adapter) == findings.report(base, adapter, findings.most_changed(base, adapter))


def test_before_the_first_step_nothing_has_changed(made: Any) -> None:
    base, adapter, _ = made("llama", "lora")
    zeros = {name: torch.zeros_like(tensor) if "lora_B" in name else tensor for name, tensor in adapter.tensors.items()}
    start = replace(adapter, loaded=zeros)
    assert {(cell.relative, cell.effective_rank) for cell in findings.network(base, start)} == {(0.0, 0.0)}
    report = findings.report(base, start)
    assert (report.frobenius_update, report.relative, report.amplification) == (0.0, 0.0, None)
    assert set(report.singular_values) == set(report.energy) == {0.0}


@every_family
def test_the_spectrum_of_a_weight_is_its_singular_values(made: Any, family: str) -> None:
    base, _, _ = made(family, "lora")
    for module, weight in weights(base).items():
        found, expected = findings.weight_spectrum(base, module), torch.linalg.svdvals(weight.double())
        assert found.dtype == torch.float64
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6 * float(expected[0]))


@pytest.mark.parametrize(("side", "part"), [("input", "v"), ("output", "u")])
def test_directions_are_what_the_update_reads_and_writes(made: Any, side: str, part: str) -> None:
    base, adapter, _ = made("llama", "lora")
    module = "model.layers.0.self_attn.v_proj"  # 32 × 64
    found = findings.directions(base, adapter, module, side)
    dense = updates.update_of(base, adapter, module).delta(weight_of(base.model, module)).double()
    u, _, vh = torch.linalg.svd(dense, full_matrices=False)
    theirs = (vh.T if part == "v" else u)[:, :8]
    assert found.shape == ((64, 8) if side == "input" else (32, 8))
    np.testing.assert_allclose(overlap(found, theirs).diagonal().numpy(), np.ones(8), atol=1e-5)


# Lengths and directions of rows


@every_family
@every_method
def test_turns_are_those_of_the_merged_rows(made: Any, family: str, name: Any) -> None:
    base, adapter, merged = made(family, name)
    for turn in findings.turns(base, adapter):
        new, old = array(merged[f"{turn.module}.weight"]), array(weights(base)[turn.module])
        lengths = np.linalg.norm(new, axis=1) / np.linalg.norm(old, axis=1)
        cosines = (new * old).sum(1) / np.linalg.norm(new, axis=1) / np.linalg.norm(old, axis=1)
        assert turn.length == pytest.approx(np.abs(lengths - 1).mean(), abs=1e-4)
        assert turn.direction == pytest.approx((1 - cosines).mean(), abs=1e-4)


def test_factors_of_rows_change_lengths_and_no_direction(made: Any) -> None:
    base, adapter, _ = made("llama", "ia3")
    rows = [turn for turn in findings.turns(base, adapter) if turn.kind != "down_proj"]  # there it is the columns
    for turn in rows:
        vector = adapter.tensors[f"base_model.model.{turn.module}.ia3_l"]
        assert turn.length == pytest.approx(float((vector.abs() - 1).abs().mean()), rel=1e-4)
        assert turn.direction == pytest.approx(2 * float((vector < 0).float().mean()), abs=1e-5)


# What is known is found again


def test_what_has_been_computed_is_found_again(made: Any) -> None:
    base, adapter, _ = made("llama", "lora")
    module = findings.most_changed(base, adapter)
    assert updates.updates(base, adapter) is updates.updates(base, adapter)
    assert findings.network(base, adapter) is findings.network(base, adapter)
    assert findings.weight_spectrum(base, module) is findings.weight_spectrum(base, module)


def test_each_checkpoint_has_an_update_of_its_own_and_keeps_it(made: Any) -> None:
    base, adapter, _ = made("llama", "lora")
    steps = tuple(
        Checkpoint(step, {name: (step / 4 if "lora_B" in name else 1) * tensor for name, tensor in adapter.tensors.items()})
        for step in (0, 2, 4)
    )
    run = replace(adapter, checkpoints=steps)
    assert run.at(2) is run.at(2)
    norms = [[cell.relative for cell in findings.network(base, run.at(step))] for step in (0, 2, 4)]
    assert set(norms[0]) == {0.0}
    assert norms[1] == pytest.approx([half / 2 for half in norms[2]], rel=1e-5)
    assert norms[2] == [cell.relative for cell in findings.network(base, adapter)]
    assert findings.network(base, run.at(2)) is findings.network(base, run.at(2))
    with pytest.raises(PlaygroundError) as refused:
        run.at(3)
    assert refused.value.key == "no_checkpoint"


# What cannot be shown


@pytest.mark.parametrize("ask", [updates.updates, findings.network, findings.report, findings.turns, findings.most_changed])
def test_methods_that_change_no_weight_have_no_update(made: Any, ask: Any) -> None:
    base, _, _ = made("llama", "lora")
    prompt, _ = trained(base, "prompt_tuning", {"virtual_tokens": 4})
    for adapter in (prompt, Adapter("shots", record_of(base, "few_shot", shots=[("a", "b")]))):
        with pytest.raises(PlaygroundError) as refused:
            ask(base, adapter)
        assert refused.value.key == "no_update"
        assert text("en", f"methods.{adapter.record.method}.name") in str(refused.value)


@pytest.mark.parametrize("ask", [updates.update_of, findings.report, findings.directions])
@pytest.mark.parametrize(
    "module", ["model.layers.0.self_attn.k_proj", "model.layers.7.self_attn.q_proj", "x" * 500, "q_proj"]
)
def test_a_module_that_was_not_adapted_is_refused_with_what_there_is(made: Any, ask: Any, module: Any) -> None:
    base, adapter, _ = made("llama", "lora")
    with pytest.raises(PlaygroundError) as refused:
        ask(base, adapter, module)
    assert refused.value.key == "unknown_module"
    assert "q_proj, v_proj" in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("name", ["ia3", "full"])
def test_what_has_no_factors_has_no_spectrum_of_them(made: Any, name: str) -> None:
    base, adapter, _ = made("llama", name)

    def directions_of_most_changed(base: Base, adapter: Adapter) -> torch.Tensor:
        return findings.directions(base, adapter, findings.most_changed(base, adapter))

    ways: list[Callable[[Base, Adapter], Any]] = [findings.report, directions_of_most_changed]
    for ask in ways:
        with pytest.raises(PlaygroundError) as refused:
            ask(base, adapter)
        assert refused.value.key == "no_factors"


@pytest.mark.parametrize("name", ["lora", "ia3"])
def test_an_adapter_of_another_base_is_refused(made: Any, name: str) -> None:
    base, _, _ = made("bloom", "lora")
    _, adapter, _ = made("llama", name)
    with pytest.raises(PlaygroundError) as refused:
        Variant.of(base.id, adapter)
    assert refused.value.key == "other_base"
    assert "tiny-llama" in str(refused.value)
    with pytest.raises(PlaygroundError) as refused:
        findings.network(base, adapter)
    assert refused.value.key == "does_not_fit"


# Quantized bases


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The Llama of 64 columns in a quantized form, loaded the way that the real bases are."""
    folder = tmp_path_factory.mktemp("wide")
    plain = tiny_base("llama", folder)

    @cache
    def form(quantization: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(CATALOGUE, "wide", BaseSpec("wide", "Wide", "local", str(folder), plain.architecture))
            patch.setattr(settings, "DEVICE", "cpu")
            return load(f"wide:{quantization}")

    return plain, form


@pytest.mark.parametrize("form", ["nf4", "nf4_double"])
def test_a_quantized_weight_is_read_back_from_its_codes(quantized: Any, form: str) -> None:
    plain, load_form = quantized
    base = load_form(form)
    for module, original in weights(plain).items():
        stored, found = base.model.get_submodule(module).weight, weight_of(base.model, module)
        assert (found.dtype, found.shape) == (torch.float32, original.shape)
        assert torch.equal(found, dequantize_4bit(stored.data, stored.quant_state).float())
        assert float((found - original).norm() / original.norm()) < 0.12  # NF4's own error on Gaussian weights: 0.09


def test_an_int8_weight_is_read_back_from_its_codes(quantized: Any) -> None:
    plain, load_form = quantized
    base = load_form("int8_vectorwise")
    for module, original in weights(plain).items():
        found = weight_of(base.model, module)
        assert float((found - original).norm() / original.norm()) < 0.02


@pytest.mark.parametrize("form", ["nf4", "nf4_double", "int8_vectorwise"])
def test_reading_a_quantized_weight_leaves_the_base_as_it_was(quantized: Any, form: str) -> None:
    _, load_form = quantized
    base = load_form(form)
    before = [base.model.get_submodule(module).weight for module in weights(base)]
    answer = logits(base.view())
    for module in weights(base):
        weight_of(base.model, module)
    assert base.untouched()
    assert all(base.model.get_submodule(module).weight is old for module, old in zip(weights(base), before, strict=True))
    assert torch.equal(logits(base.view()), answer)


def test_a_qlora_adapter_is_shown_on_its_quantized_base(quantized: Any) -> None:
    plain, load_form = quantized
    base = load_form("nf4_double")
    adapter, _ = trained(plain, "lora", {"rank": 4})
    adapter = replace(adapter, record=record_of(base, "qlora", hyperparameters={"rank": 4}))
    for cell in findings.network(base, adapter):
        factors = updates.updates(base, adapter)[cell.module].factors
        stored = base.model.get_submodule(cell.module).weight
        weight = array(dequantize_4bit(stored.data, stored.quant_state))
        change = np.linalg.norm(factors.scaling * array(factors.b) @ array(factors.a))
        assert cell.relative == pytest.approx(change / np.linalg.norm(weight), rel=1e-5)
    assert findings.report(base, adapter).rank == 4
    assert base.untouched()


def test_a_trained_qlora_adapter_is_shown(tiny: Base, tiny_forms: Callable[[str], Base], small_task: Task) -> None:
    *_, ended = train(TrainingJob("tiny", "qlora", small_task, {"learning_rate": 0.05}, 3), tiny_forms)
    base = tiny_forms(Variant.of("tiny", ended.adapter).base)
    assert base.id == "tiny:nf4_double"
    assert all(cell.relative > 0 for cell in findings.network(base, ended.adapter))
    assert base.untouched()


# The base


def test_nothing_of_all_this_touches_the_base(made: Any) -> None:
    for family in FAMILIES:
        for name in METHODS:
            base, adapter, _ = made(family, name)
            before = [(id(parameter), parameter.data_ptr()) for parameter in base.model.parameters()]
            findings.network(base, adapter), findings.turns(base, adapter)
            assert [(id(parameter), parameter.data_ptr()) for parameter in base.model.parameters()] == before
        assert base.untouched()
