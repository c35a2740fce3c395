"""An adapter with less of it: whole it is the adapter, with nothing left the base, and in between what PEFT makes of it."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.lora import LoraLayer
from torch import nn

from playground.adapt import adapters
from playground.adapt.adapters import Adapter, Checkpoint, Record
from playground.adapt.attach import wrapped
from playground.adapt.library import examples
from playground.adapt.variant import Variant
from playground.compare.comparison import compare
from playground.compare.job import CompareJob, Decoding
from playground.errors import PlaygroundError
from playground.lowrank import updates
from playground.lowrank.edits import Edit
from playground.lowrank.updates import kinds_of, layers_of, rank_of
from playground.model.bases import Base
from playground.model.modules import layer_of
from playground.model.weights import weight_of
from tests.conftest import model_of
from tests.families import logits, one_thread, tiny_base, trained  # noqa: F401

FACTORS = {
    "lora": {},
    "lora everywhere": {"targets": "all_linear", "rank": 3, "alpha": 5},
    "rslora": {"rslora": True, "alpha": 12},
    "more ranks than columns": {"targets": "attention", "rank": 64, "alpha": 16},
    "biases": {"bias": "lora_only"},
    "dora": {"dora": True, "targets": "attention"},
}
METHODS = {
    **{name: ("lora", values) for name, values in FACTORS.items()},
    "ia3": ("ia3", {}),
    "full": ("full_fine_tuning", {}),
}
# Each method on the families where something is special: fused attention (bloom), biases (qwen2, bloom).
PLAIN = [("llama", "lora everywhere"), ("qwen2", "rslora"), ("bloom", "lora"), ("bloom", "more ranks than columns")]
CASES = [
    *PLAIN, ("qwen2", "biases"), ("bloom", "biases"), ("llama", "dora"), ("bloom", "dora"),
    ("qwen2", "ia3"), ("bloom", "ia3"), ("llama", "full"), ("bloom", "full"),
]  # fmt: skip
every_product = pytest.mark.parametrize(("family", "name"), PLAIN)  # the whole update is the product of factors
every_case = pytest.mark.parametrize(("family", "name"), CASES)


@pytest.fixture(scope="module")
def made() -> Any:
    """(base, adapter) of a family and a method, each made once."""
    base_of = cache(tiny_base)

    @cache
    def make(family: Any, name: Any) -> Any:
        base, (method_id, values) = base_of(family), METHODS[name]
        if method_id != "full_fine_tuning":
            return base, trained(base, method_id, values)[0]
        tensors = {}
        for path, parameter in base.model.named_parameters():
            generator = torch.Generator().manual_seed(parameter.numel())
            tensors[path] = parameter.detach() + 0.05 * torch.randn(parameter.shape, generator=generator)
        total = base.architecture.parameters
        record = Record(base.id, method_id, "pirate", {}, 0, 7, total, total, 4 * total)
        return base, Adapter("tiny-full", record, loaded=tensors)

    return make


def edited(base: Base, adapter: Any, edit: Any) -> Any:
    return edit.applied(base, adapter)


def answer(base: Base, adapter: Any, edit: Any = None) -> Any:
    return logits(model_of(base, adapter, edit))


def tokens(base: Base, model: Any) -> Any:
    ids = torch.tensor([[72, 101, 108, 108, 111]])
    options = {"do_sample": False, "max_new_tokens": 6, "pad_token_id": base.tokenizer.pad_token_id}
    return model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options).tolist()


def best(matrix: Any, rank: Any) -> Any:
    """The best approximation of a rank by a dense float64 SVD, and all singular values."""
    u, s, vh = torch.linalg.svd(matrix.detach().double(), full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ vh[:rank], s


def with_deltas(base: Base, adapter: Any, change: Any) -> Any:
    """PEFT's model of an adapter on a copy of everything, `change` called with each of its LoRA layers."""
    model = copy.deepcopy(model_of(base, adapter))
    for layer in model.modules():
        if isinstance(layer, LoraLayer):
            change(layer)
    return model


# The whole adapter, and nothing of it


@every_case
def test_with_everything_left_it_is_the_adapter_bit_for_bit(made: Any, family: Any, name: Any) -> None:
    base, adapter = made(family, name)
    whole = answer(base, adapter)
    assert not torch.equal(whole, logits(base.model))
    rank = rank_of(adapter) if name in FACTORS else None
    edits = [Edit(), Edit(rank, 1.0, (0, layers_of(adapter) - 1), kinds_of(adapter))]
    for edit in edits:
        assert torch.equal(answer(base, adapter, edit), whole)
    model = model_of(base, adapter, edits[-1])
    assert tokens(base, model) == tokens(base, model_of(base, adapter))


@every_case
@pytest.mark.parametrize("edit", [Edit(strength=0.0), Edit(kinds=())], ids=["no strength", "no kinds"])
def test_with_nothing_left_it_is_the_base_bit_for_bit(made: Any, family: Any, name: Any, edit: Any) -> None:
    base, adapter = made(family, name)
    model = model_of(base, adapter, edit)
    assert torch.equal(logits(model), logits(base.model))
    assert tokens(base, model) == tokens(base, base.view())
    assert base.untouched()


@every_product
def test_cut_to_rank_zero_it_is_the_base(made: Any, family: str, name: str) -> None:
    base, adapter = made(family, name)
    model = model_of(base, adapter, Edit(rank=0))
    assert torch.equal(logits(model), logits(base.model))
    assert tokens(base, model) == tokens(base, base.view())


# The rank


@pytest.mark.parametrize(("family", "name"), [*PLAIN, ("qwen2", "biases")])
def test_a_cut_answers_as_peft_with_a_densely_truncated_delta(made: Any, family: Any, name: Any) -> None:
    base, adapter = made(family, name)
    top = min(rank_of(adapter), 32)
    for rank in (1, top // 2, top - 1):

        def cut(layer: Any, rank: Any = rank) -> Any:
            low, weight = best(layer.get_delta_weight("default"), rank)[0].float(), layer.get_base_layer().weight
            layer.get_base_layer().weight = nn.Parameter(weight + low, requires_grad=False)
            layer.lora_B["default"].weight.data.zero_()

        found, expected = answer(base, adapter, Edit(rank=rank)), logits(with_deltas(base, adapter, cut))
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
        assert not torch.allclose(found, answer(base, adapter), atol=1e-2)


@pytest.mark.parametrize(("family", "name"), [*PLAIN, ("bloom", "biases"), ("llama", "dora")])
def test_every_update_is_cut_to_its_best_approximation(made: Any, family: Any, name: Any) -> None:
    base, adapter = made(family, name)
    whole = updates.updates(base, adapter)
    for rank in (1, 2):
        for module, update in updates.updates(base, edited(base, adapter, Edit(rank=rank))).items():
            found = update.factors.product().double()
            expected, values = best(whole[module].factors.product(), rank)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(values[0]))
            assert torch.linalg.matrix_rank(found, atol=1e-4 * float(values[0])) == rank


@pytest.mark.parametrize("family", ["llama", "bloom"])
def test_dora_cut_to_rank_zero_keeps_the_lengths_of_its_rows(made: Any, family: str) -> None:
    base, adapter = made(family, "dora")
    model = copy.deepcopy(base.model)
    for module, update in updates.updates(base, adapter).items():
        weight = model.get_submodule(module).weight
        new = update.magnitude[:, None] * weight / weight.norm(dim=1, keepdim=True)
        model.get_submodule(module).weight = nn.Parameter(new, requires_grad=False)
    found = answer(base, adapter, Edit(rank=0))
    torch.testing.assert_close(found, logits(model), rtol=1e-3, atol=1e-3)
    assert not torch.allclose(found, logits(base.model), atol=1e-2)


@pytest.mark.parametrize("family", ["qwen2", "bloom"])
def test_trained_biases_outlast_a_cut_to_rank_zero(made: Any, family: str) -> None:
    base, adapter = made(family, "biases")
    model = copy.deepcopy(base.model)
    changed = 0
    for module in updates.updates(base, adapter):
        bias = adapter.tensors.get(f"base_model.model.{module}.base_layer.bias")
        if bias is not None:
            model.get_submodule(module).bias = nn.Parameter(bias, requires_grad=False)
            changed += 1
    assert changed
    torch.testing.assert_close(answer(base, adapter, Edit(rank=0)), logits(model))


# The strength


@every_product
@pytest.mark.parametrize("strength", [2.0, 0.5, -1.0])
def test_strength_is_peft_s_scaling(made: Any, family: str, name: str, strength: float) -> None:
    base, adapter = made(family, name)

    def scale(layer: Any) -> Any:
        layer.scaling["default"] *= strength

    found, expected = answer(base, adapter, Edit(strength=strength)), logits(with_deltas(base, adapter, scale))
    assert torch.equal(found, expected)  # powers of two lose nothing
    assert not torch.equal(found, answer(base, adapter))


@every_product
@pytest.mark.parametrize("strength", [-1.0, 0.3, 1.7])
def test_the_update_is_its_strength_times_the_whole(made: Any, family: str, name: str, strength: float) -> None:
    base, adapter = made(family, name)
    whole, left = (updates.updates(base, one) for one in (adapter, edited(base, adapter, Edit(strength=strength))))
    for module, update in left.items():
        torch.testing.assert_close(
            update.factors.product(), strength * whole[module].factors.product(), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize(("family", "name"), CASES[len(PLAIN) :])
@pytest.mark.parametrize("strength", [-1.0, 0.3, 2.0])
def test_every_tensor_goes_from_the_base_s_to_the_adapter_s(made: Any, family: Any, name: Any, strength: float) -> None:
    """What PEFT starts a tensor with is what it has at strength 0; in between lies a straight line."""
    base, adapter = made(family, name)
    start, left = (edited(base, adapter, Edit(strength=value)).tensors for value in (0.0, strength))
    if adapter.config is not None:
        fresh = wrapped(base, adapters.peft_config(adapter.config))
        begin = {path.replace(".default", ""): tensor for path, tensor in fresh.state_dict().items()}
    else:
        begin = dict(base.model.named_parameters())
    for path, tensor in adapter.tensors.items():
        if "lora_A" in path:
            assert left[path] is tensor
            continue
        first = begin[path if path in begin else f"{path}.weight"]
        torch.testing.assert_close(start[path], first.detach(), rtol=0, atol=0)
        torch.testing.assert_close(left[path], first + strength * (tensor - first), rtol=1e-5, atol=1e-6)


def test_rank_and_strength_go_together(made: Any) -> None:
    base, adapter = made("llama", "rslora")
    twice = answer(base, edited(base, adapter, Edit(rank=2)), Edit(strength=0.5))
    assert torch.equal(answer(base, adapter, Edit(rank=2, strength=0.5)), twice)


# Where


def unchanged(base: Base, adapter: Any, left: Any) -> Any:
    """The modules that are as the adapter has them, those that are as the base has them, and the others."""
    whole, found = updates.updates(base, adapter), updates.updates(base, left)
    kept, off, other = set(), set(), set()
    for module, update in found.items():
        weight = weight_of(base.model, module)
        if torch.equal(update.delta(weight), whole[module].delta(weight)):
            kept.add(module)
        elif float(update.delta(weight).abs().max()) < 1e-6:
            off.add(module)
        else:
            other.add(module)
    return kept, off, other


@every_case
@pytest.mark.parametrize("layers", [(0, 0), (1, 1)])
def test_switching_layers_off_changes_those_layers_alone(made: Any, family: Any, name: Any, layers: tuple[Any, ...]) -> None:
    base, adapter = made(family, name)
    kept, off, other = unchanged(base, adapter, edited(base, adapter, Edit(layers=layers)))
    inside = {module for module in updates.updates(base, adapter) if layers[0] <= layer_of(module) <= layers[1]}
    assert (kept, other) == (inside, set())
    assert off == set(updates.updates(base, adapter)) - inside


@every_case
def test_switching_a_kind_off_changes_that_kind_alone(made: Any, family: Any, name: Any) -> None:
    base, adapter = made(family, name)
    everything, known = updates.updates(base, adapter), kinds_of(adapter)
    assert {update.kind for update in everything.values()} <= set(known)
    for kind in {update.kind for update in everything.values()}:
        rest = tuple(other for other in known if other != kind)
        kept, off, other = unchanged(base, adapter, edited(base, adapter, Edit(kinds=rest)))
        assert off == {module for module, update in everything.items() if update.kind == kind}
        assert (kept, other) == (set(everything) - off, set())


def test_one_module_alone_answers_as_peft_with_the_others_at_zero(made: Any) -> None:
    base, adapter = made("llama", "lora")
    only = "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight"
    zeros = {
        name: torch.zeros_like(tensor) if "lora_B" in name and name != only else tensor
        for name, tensor in adapter.tensors.items()
    }
    found = answer(base, adapter, Edit(layers=(1, 1), kinds=("v_proj",)))
    assert torch.equal(found, logits(model_of(base, replace(adapter, loaded=zeros))))


@pytest.mark.parametrize("family", ["qwen2", "bloom"])
def test_biases_of_a_layer_that_is_off_are_the_base_s(made: Any, family: str) -> None:
    base, adapter = made(family, "biases")
    left = edited(base, adapter, Edit(layers=(1, 1)))
    for path, tensor in left.tensors.items():
        if path.endswith(".bias"):
            own = path.removeprefix("base_model.model.").replace(".base_layer", "")
            expected = base.model.get_parameter(own) if ".0." in path else adapter.tensors[path]
            assert torch.equal(tensor, expected)


# What comes out


@every_case
@pytest.mark.parametrize("edit", [Edit(strength=0.5), Edit(layers=(0, 0))])
def test_editing_leaves_the_adapter_and_the_base_as_they_were(made: Any, family: Any, name: Any, edit: Any) -> None:
    base, adapter = made(family, name)
    before = {path: tensor.clone() for path, tensor in adapter.tensors.items()}
    left = edited(base, adapter, replace(edit, rank=1) if name in FACTORS else edit)
    assert before.keys() == adapter.tensors.keys() == left.tensors.keys()
    assert all(torch.equal(tensor, before[path]) for path, tensor in adapter.tensors.items())
    assert {path: tensor.shape for path, tensor in left.tensors.items()} == {path: t.shape for path, t in before.items()}
    owned = {parameter.data_ptr() for parameter in base.model.parameters()}
    assert not owned & {tensor.data_ptr() for tensor in left.tensors.values()}
    assert base.untouched()


def test_an_edited_adapter_is_told_from_the_whole_one_and_is_its_own_run_s(made: Any) -> None:
    base, adapter = made("llama", "lora")
    run = replace(adapter, checkpoints=(Checkpoint(2, adapter.tensors),))
    left = edited(base, run, Edit(rank=1))
    assert (left.config, left.checkpoints, left.folder) == (run.config, (), None)
    assert replace(left.record, trainable_parameters=0, bytes=0) == replace(run.record, trainable_parameters=0, bytes=0)


def test_what_is_left_is_counted(made: Any) -> None:
    base, adapter = made("llama", "lora")
    full, rank = adapter.record.trainable_parameters, rank_of(adapter)
    assert edited(base, adapter, Edit()).record.trainable_parameters == full
    assert edited(base, adapter, Edit(rank=1)).record.trainable_parameters == full // rank
    assert edited(base, adapter, Edit(rank=1)).record.bytes == 4 * full // rank
    assert edited(base, adapter, Edit(rank=0)).record.trainable_parameters == 0
    assert edited(base, adapter, Edit(strength=0.0)).record.trainable_parameters == 0
    assert edited(base, adapter, Edit(layers=(0, 0))).record.trainable_parameters == full // 2


def test_an_adapter_from_a_folder_can_be_edited(made: Any, tmp_path: Path) -> None:
    base, adapter = made("llama", "dora")
    adapters.save(adapter, tmp_path / "saved")
    stored = adapters.read(tmp_path / "saved")
    for edit in (Edit(), Edit(rank=2, strength=0.5, layers=(1, 1))):
        assert torch.equal(answer(base, stored, edit), answer(base, adapter, edit))


def test_the_controls_know_what_an_adapter_has(made: Any) -> None:
    _, adapter = made("llama", "lora everywhere")
    assert rank_of(adapter) == 3
    assert layers_of(adapter) == 2
    assert kinds_of(adapter) == ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    assert kinds_of(made("bloom", "ia3")[1]) == ("query_key_value", "dense_4h_to_h")


# What cannot be served


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        (Edit(rank=9), "out_of_range"),
        (Edit(rank=-1), "out_of_range"),
        (Edit(rank=1.5), "wrong_kind"),
        (Edit(rank="3"), "wrong_kind"),
        (Edit(rank=True), "wrong_kind"),
        (Edit(strength=3.0), "out_of_range"),
        (Edit(strength=-1.1), "out_of_range"),
        (Edit(strength=float("nan")), "out_of_range"),
        (Edit(strength=None), "wrong_kind"),
        (Edit(layers=(1, 0)), "layers_turned"),
        (Edit(layers=(5, 2)), "unknown_layers"),
        (Edit(layers=(0, 2)), "unknown_layers"),
        (Edit(layers=(-1, 1)), "unknown_layers"),
        (Edit(kinds=("up_proj",)), "not_a_choice"),
        (Edit(kinds=("q_proj", "")), "not_a_choice"),
    ],
    ids=str,
)
def test_an_edit_that_makes_no_sense_is_refused(made: Any, edit: Any, key: str) -> None:
    base, adapter = made("llama", "lora")
    ways: list[Callable[[], Any]] = [lambda: edit.checked(adapter), lambda: edited(base, adapter, edit)]
    for refuse in ways:
        with pytest.raises(PlaygroundError) as refused:
            refuse()
        assert refused.value.key == key
        assert str(refused.value)


def test_the_refusal_names_what_would_be_right(made: Any) -> None:
    _, adapter = made("llama", "lora")
    for edit, right in ((Edit(rank=9), "8"), (Edit(layers=(0, 2)), "1"), (Edit(kinds=("up_proj",)), "q_proj, v_proj")):
        with pytest.raises(PlaygroundError) as refused:
            edit.checked(adapter)
        assert right in str(refused.value)


@pytest.mark.parametrize("method_id", ["prompt_tuning", "few_shot"])
@pytest.mark.parametrize("edit", [Edit(), Edit(rank=1), Edit(strength=0.5)])
def test_methods_that_change_no_weight_cannot_be_edited(made: Any, method_id: str, edit: Any) -> None:
    base, _ = made("llama", "lora")
    if method_id == "prompt_tuning":
        adapter, _ = trained(base, "prompt_tuning", {"virtual_tokens": 4})
    else:
        adapter = Adapter("shots", Record(base.id, method_id, "pirate", {}, 0, 0, 0, 1, 0, shots=[("a", "b")]))
    with pytest.raises(PlaygroundError) as refused:
        edited(base, adapter, edit)
    assert refused.value.key == "no_update"


@pytest.mark.parametrize("name", ["ia3", "full"])
def test_what_has_no_factors_has_no_rank_to_cut(made: Any, name: str) -> None:
    base, adapter = made("llama", name)
    with pytest.raises(PlaygroundError) as refused:
        edited(base, adapter, Edit(rank=1))
    assert refused.value.key == "no_factors"


def test_whole_numbers_come_from_the_page_as_they_like(made: Any) -> None:
    _, adapter = made("llama", "lora")
    checked = Edit(rank=3.0, strength=1).checked(adapter)
    assert (checked.rank, type(checked.rank), type(checked.strength)) == (3, int, float)


# On the embedded base


def test_the_ready_made_pirate_cut_to_its_rank_and_to_nothing(base: Base) -> None:
    """Rank 8 writes what the adapter writes, rank 0 what the base writes, token by token."""
    pirate = examples()["pirate-lora"]
    uncut = Variant(base.id, pirate)
    panes = (Variant(base.id), uncut, *(replace(uncut, edit=Edit(rank=rank)) for rank in (8, 0)))
    job = CompareJob(base.id, "Tell me about the sea.", panes, Decoding(max_new_tokens=12))
    *_, last = compare(job, lambda base_id: base)
    plain, adapted, whole, nothing = last.panes
    assert plain.text != adapted.text
    assert (whole.text, whole.tokens, whole.kl_from_base) == (adapted.text, adapted.tokens, adapted.kl_from_base)
    assert (nothing.text, nothing.tokens, nothing.first_divergence) == (plain.text, plain.tokens, None)
    assert nothing.kl_from_base == 0
    assert plain.weights_untouched
