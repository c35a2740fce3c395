"""What is trained, and how fast: the two rates of LoRA+, a part of the base, forms that a method cannot have."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft.optimizers import create_loraplus_optimizer

from playground.adapt.fitting import check_fits
from playground.adapt.methods import METHODS
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.train.trainable import optimizer_of, wrap
from tests.families import one_thread, tiny_base  # noqa: F401


@pytest.fixture(scope="module")
def base() -> Base:
    return tiny_base("qwen2")


def rates(optimizer: torch.optim.Optimizer, model: Any) -> dict[str, float]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(one)]: group["lr"] for group in optimizer.param_groups for one in group["params"]}


def test_loraplus_has_the_rates_that_peft_gives(base: Base) -> None:
    values = METHODS["lora"].complete({"rate_ratio": 4.0, "bias": "lora_only", "dora": True})
    model, _ = wrap(base, METHODS["lora"], values)
    found = rates(optimizer_of(model, values), model)
    rate = values["learning_rate"]
    of_peft: Any = create_loraplus_optimizer(model=model, optimizer_cls=torch.optim.AdamW, lr=rate, loraplus_lr_ratio=4.0)
    assert found == rates(of_peft, model)
    assert {name: one for name, one in found.items() if "lora_A" in name or "lora_B" in name} == {
        name: rate * (4 if "lora_B" in name else 1) for name in found if "lora_A" in name or "lora_B" in name
    }


@pytest.mark.parametrize(("method_id", "ends"), [("bitfit", (".bias",)), ("last_layers", (".weight", ".bias"))])
def test_a_part_of_the_base_is_trained_and_the_base_is_not(base: Base, method_id: str, ends: tuple[str, ...]) -> None:
    one = METHODS[method_id]
    values = one.complete({"last_layers": 1} if method_id == "last_layers" else {})
    model, config = wrap(base, one, values)
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert config is None
    assert all(name.endswith(ends) for name in trained)
    assert method_id == "bitfit" or all(".layers.1." in name for name in trained)
    assert sum(parameter.numel() for parameter in trained.values()) == one.trainable(base.architecture, values)
    shared = {parameter.data_ptr() for parameter in base.model.parameters()}
    assert not shared & {parameter.data_ptr() for parameter in trained.values()}


@pytest.mark.parametrize(("method_id", "form", "key"), [
    ("oft", "nf4", "method_not_quantized"), ("last_layers", "nf4_double", "method_not_quantized"), ("oft", "int4", None),
    ("adalora", "nf4", None), ("ln_tuning", "nf4", None), ("lora", "nf4", None),
])  # fmt: skip
def test_a_method_that_reads_the_weights_is_refused_where_they_are_packed(
    base: Base, method_id: str, form: str, key: str | None
) -> None:
    found = None
    try:
        check_fits(METHODS[method_id], f"{base.id}:{form}", base.architecture)
    except PlaygroundError as error:
        found = error.key
    assert found == key


def test_bitfit_says_where_there_are_no_biases() -> None:
    with pytest.raises(PlaygroundError) as refused:
        check_fits(METHODS["bitfit"], "tiny", tiny_base("llama").architecture)
    assert refused.value.key == "no_biases"
