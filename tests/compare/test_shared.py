"""One product with a shared weight gives every row what its own layer gives."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import bitsandbytes as bnb
import pytest
import torch
from peft import AdaLoraConfig, IA3Config, LoraConfig, get_peft_model
from torch import nn
from transformers.pytorch_utils import Conv1D

from playground.compare.layout import Layout
from playground.compare.routing import RowRouter, mixed
from playground.compare.shared import ApartError, SharedProduct, share

IN, OUT = 64, 48


class Net(nn.Module):
    """One layer, so that PEFT has something to wrap."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer


def four_bit(bias: bool) -> nn.Module:
    made: Any = bnb.nn.Linear4bit(IN, OUT, bias, torch.float32, quant_type="nf4")  # type: ignore[attr-defined, no-untyped-call]
    made.load_state_dict(linear(bias).state_dict())
    made.support_avx512bf16_for_cpu = False  # as a loaded base has it
    return made.to("cpu")  # type: ignore[no-any-return]


def linear(bias: bool) -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(IN, OUT, bias)


def conv1d(bias: bool) -> nn.Module:
    torch.manual_seed(0)
    layer = Conv1D(OUT, IN)
    layer.bias.data.normal_()
    return layer


LAYERS: dict[str, Callable[[bool], nn.Module]] = {"Linear": linear, "Conv1D": conv1d, "Linear4bit": four_bit}
METHODS: dict[str, Any] = {
    "LoRA": LoraConfig(r=4, target_modules=["layer"]),
    "LoRA of rank 7": LoraConfig(r=7, lora_alpha=3, target_modules=["layer"]),
    "rsLoRA": LoraConfig(r=2, use_rslora=True, target_modules=["layer"]),
    "DoRA": LoraConfig(r=3, use_dora=True, target_modules=["layer"]),
    "IA3": IA3Config(target_modules=["layer"], feedforward_modules=[]),
    "IA3 in front": IA3Config(target_modules=["layer"], feedforward_modules=["layer"]),
}


def adapted(layer: nn.Module, config: Any, seed: int = 1) -> Any:
    """PEFT's layer around a layer with the same tensors, far from its start."""
    torch.manual_seed(seed)
    tree = copy.deepcopy(Net(layer), {id(tensor): tensor for tensor in (*layer.parameters(), *layer.buffers())})
    made: Any = get_peft_model(tree, copy.deepcopy(config)).eval()
    for parameter in made.parameters():
        if parameter.requires_grad:
            parameter.data += 0.5 * torch.randn(parameter.shape)
    return made.requires_grad_(False).get_base_model().layer


def alone(layers: list[nn.Module], x: torch.Tensor) -> torch.Tensor:
    return torch.cat([layer(row[None]) for layer, row in zip(layers, x, strict=True)])


@pytest.mark.parametrize("shape", [(IN,), (1, IN), (3, IN)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", LAYERS)
def test_each_row_gets_what_its_own_layer_gives(kind: str, bias: bool, shape: tuple[int, ...]) -> None:
    base = LAYERS[kind](bias)
    layers = [base, *(adapted(base, config) for config in METHODS.values()), adapted(base, METHODS["LoRA"], 2), base]
    tree, x = mixed(layers), torch.randn(len(layers), *shape)
    assert isinstance(tree, SharedProduct)
    expected = alone(layers, x)
    torch.testing.assert_close(tree(x), expected, rtol=1e-5, atol=1e-5)
    assert (
        len({tuple(row.flatten().tolist()) for row in alone(layers, x[:1].expand(len(layers), *shape))}) == len(layers) - 1
    )


@pytest.mark.parametrize("count", [9, 20])
def test_rows_that_share_a_variant_get_what_each_gets_alone(count: int) -> None:
    """From some rows on, those of one variant go through its low ranks together; places are in no order."""
    base = linear(True)
    layers = [base, adapted(base, METHODS["LoRA"]), adapted(base, METHODS["DoRA"]), adapted(base, METHODS["IA3"])]
    layout = Layout([place % 5 % 4 for place in range(count)])
    tree, x = mixed(layers, layout), torch.randn(count, 3, IN)
    for index in (layout.index, layout.index[::-1], (0,) * count, (1,) * (count - 1)):
        layout.set(index)
        own = alone([layers[place] for place in index], x[: len(index)])
        torch.testing.assert_close(tree(x[: len(index)]), own, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("value", [1e38, torch.inf, torch.nan])
@pytest.mark.parametrize("part", ["lora_A", "lora_B"])
@pytest.mark.parametrize("copies", [1, 6])
def test_a_variant_that_overflows_is_nothing_to_the_other_rows(copies: int, part: str, value: float) -> None:
    """0 · ∞ is NaN: what one row's adapter makes of another row must not be hidden by zeros."""
    base = linear(True)
    layers = [base, *(adapted(base, METHODS[method]) for method in ("LoRA", "LoRA of rank 7", "IA3"))]
    getattr(layers[1], part)["default"].weight.fill_(value)
    layout = Layout([0, 1, 2, 3] * copies)
    x = 100 * torch.randn(len(layout.index), 1, IN)
    found = mixed(layers, layout)(x)
    sick = torch.tensor(layout.index) == 1
    assert not found[sick].isfinite().all(-1).any()
    healthy = alone([layers[place] for place in layout.index], x)[~sick]
    torch.testing.assert_close(found[~sick], healthy, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_the_weight_is_multiplied_once_for_all(method: str) -> None:
    base, calls = linear(True), []
    layers = [base, adapted(base, METHODS[method]), adapted(base, METHODS[method], 2), adapted(base, METHODS["LoRA"])]
    tree = mixed(layers)
    tree.base.register_forward_hook(lambda _, inputs, __: calls.append(inputs[0].shape[0]))
    tree(torch.randn(len(layers), 1, IN))
    assert calls == [len(layers)]


def merged(base: nn.Module) -> Any:
    layer = adapted(base, METHODS["LoRA"])
    layer.base_layer.weight = nn.Parameter(layer.base_layer.weight.clone())  # a view's own, as `attach` merges
    layer.merge()
    return layer


def disabled(base: nn.Module) -> Any:
    layer = adapted(base, METHODS["LoRA"])
    layer.enable_adapters(False)
    return layer


def two_at_once(base: nn.Module) -> Any:
    layer = adapted(base, METHODS["LoRA"])
    layer.update_layer(
        "other", 2, lora_alpha=2, lora_dropout=0.0, init_lora_weights=False, use_rslora=False, config=LoraConfig()
    )
    layer.set_adapter(["default", "other"])
    return layer


OTHERS: dict[str, Callable[[nn.Module], Any]] = {
    "another weight": lambda base: copy.deepcopy(base),
    "LoRA on another weight": lambda base: adapted(copy.deepcopy(base), METHODS["LoRA"]),
    "a bias of its own": lambda base: adapted(base, LoraConfig(r=4, target_modules=["layer"], lora_bias=True)),
    # which is a LoraLayer of PEFT's, too
    "AdaLoRA": lambda base: adapted(base, AdaLoraConfig(init_r=4, total_step=9, target_modules=["layer"])),
    "two at once": two_at_once,
    "merged": merged,
    "disabled": disabled,
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_the_formula_does_not_say_goes_through_its_own_layer(other: str) -> None:
    base = linear(True)
    layers = [base, OTHERS[other](base), adapted(base, METHODS["DoRA"])]
    tree, x = mixed(layers), torch.randn(3, 1, IN)
    assert not share(layers[0], layers[1])
    assert isinstance(tree, RowRouter)
    torch.testing.assert_close(tree(x), alone(layers, x), rtol=1e-5, atol=1e-5)


def test_int8_rows_keep_to_themselves() -> None:
    base: Any = bnb.nn.Linear8bitLt(IN, OUT, has_fp16_weights=False)  # type: ignore[attr-defined]
    assert not share(base, base)


def test_rows_that_are_missing_are_not_guessed() -> None:
    base = linear(True)
    with pytest.raises(ApartError):
        mixed([base, adapted(base, METHODS["LoRA"])])(torch.randn(1, 1, IN))
