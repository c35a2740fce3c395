"""
How LoRA's factors begin, besides PEFT's own noise and zeros.

PiSSA and OLoRA begin with a part of W, which PEFT takes out of the base: W - s B₀A₀ + s BA. The base is everybody's, so
here it stays as it is, and what is taken out lies in the adapter from the start, frozen: W + s [B, -B₀][A; A₀], a plain
LoRA of twice the rank whose second half never learns. That computes and trains what PEFT's does, it is what PEFT's own
conversion saves (`save_pretrained(…, path_initial_model_for_weight_conversion)`), runs step together over one base as ever,
and no weight is held twice. Dropout is the exception: PEFT's would drop a part of W, so it is refused.

Orthogonal is drawn by PEFT when it wraps the base. EVA turns A to the inputs of the run's own examples, B stays zero.
LoftQ lets QLoRA begin with what rounding W to 4 bits took from it, as PEFT's `replace_lora_weights_loftq` does; that one
leaves out the scaling and needs a GPU, here s BA is the residual's best approximation for every alpha.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.errors import PlaygroundError
from playground.model.randomness import drawn_apart
from playground.model.weights import is_quantized, weight_of

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig

    from playground.model.bases import Base

Values = Mapping[str, Any]
RANDOM = "random"
NAMES = {"orthogonal": "orthogonal", "pissa": "PiSSA", "olora": "OLoRA", "eva": "EVA", "loftq": "LoftQ"}
SUBTRACTED = ("pissa", "olora")
READING = ("eva",)  # begin with what the base makes of the run's examples
LORA: tuple[str, ...] = (RANDOM, "orthogonal", *SUBTRACTED, "eva")
QLORA: tuple[str, ...] = (RANDOM, "loftq")


def chosen(values: Values) -> str:
    """The initialization among a method's hyperparameters; prompt tuning's is another thing under the same name."""
    found = values.get("initialization", RANDOM)
    return found if found in NAMES else RANDOM


def copies(values: Values) -> int:
    """How often an adapter holds the parameters that it trains: with what was taken out of the base, twice."""
    return 2 if chosen(values) in SUBTRACTED else 1


def undone(values: Values) -> str:
    """What it is called, where the adapter holds what it begins with of the base; else ""."""
    return NAMES[chosen(values)] if chosen(values) in SUBTRACTED else ""


def shape(values: Values) -> dict[str, Any]:
    """Rank and alpha of PEFT's config, and what PEFT draws; the scaling is that of the rank which was asked for."""
    rank, alpha, times = values["rank"], values["alpha"], copies(values)
    return {
        "r": rank * times,
        "lora_alpha": alpha if times == 1 else alpha * (times**0.5 if values["rslora"] else times),
        "init_lora_weights": "orthogonal" if chosen(values) == "orthogonal" else True,
    }


def check_together(values: Values) -> None:
    """Raises PlaygroundError for settings that no base can have together."""
    kind, rank = chosen(values), values["rank"]
    name = NAMES.get(kind, kind)
    if kind != RANDOM and values.get("ranks", "").strip():
        raise PlaygroundError("initialization_ranks", name=name)
    if kind in SUBTRACTED and values.get("dropout"):
        raise PlaygroundError("initialization_dropout", name=name)
    if kind in SUBTRACTED and values.get("dora"):  # PEFT's conversion leaves DoRA's magnitudes out
        raise PlaygroundError("initialization_dora", name=name)
    if kind == "orthogonal" and rank % 2:
        raise PlaygroundError("initialization_odd", rank=rank)


def check(base: Base, values: Values, layers: Sequence[Any]) -> None:
    """Raises PlaygroundError if `layers`, those that are adapted, cannot begin as is asked for."""
    check_together(values)
    kind, rank = chosen(values), values["rank"]
    name = NAMES.get(kind, kind)
    if kind in (*SUBTRACTED, "orthogonal") and any(map(is_quantized, base.model.parameters())):
        raise PlaygroundError("initialization_quantized", name=name, base=base.spec.name)
    most = min((min(one.inputs, one.outputs) for one in layers), default=rank)
    if kind not in (RANDOM, "orthogonal") and rank > most:
        raise PlaygroundError("initialization_rank", name=name, rank=rank, maximum=most)


@dataclass(frozen=True)
class Beginning:
    """
    What is filled in: PEFT's `model` around a view of the `base`, with rank and alpha as `shape` says. `inputs` are batches
    of the run's examples as a model takes them, padded on the right; `unrounded` is LoftQ's base before it was rounded.
    """

    base: Base
    model: Any
    values: Values
    inputs: Sequence[Mapping[str, torch.Tensor]] = ()
    unrounded: Base | None = None

    @property
    def layers(self) -> dict[str, Any]:
        """PEFT's LoRA layers by their paths in the base."""
        from peft.tuners.lora import LoraLayer

        return {path: one for path, one in self.model.get_base_model().named_modules() if isinstance(one, LoraLayer)}

    def config(self, **more: Any) -> LoraConfig:
        """PEFT's, of the rank that was asked for."""
        from peft import LoraConfig

        known = self.model.peft_config["default"]
        names = ("target_modules", "fan_in_fan_out", "use_rslora")
        kept = {name: getattr(known, name) for name in names}
        return LoraConfig(r=self.values["rank"], lora_alpha=self.values["alpha"], **kept, **more)


def begins(values: Values) -> bool:
    """Whether there is anything to fill in."""
    return chosen(values) in FILLED


def begin(beginning: Beginning) -> Iterator[None]:
    """Fill the factors in, in float32; pauses after every module. Raises PlaygroundError where the examples are too few."""
    fill = FILLED.get(chosen(beginning.values))
    if fill:
        yield from fill(beginning)


def _subtracted(beginning: Beginning) -> Iterator[None]:
    """PEFT begins each module on a copy of its weight, which is let go; its factors are held twice, the second frozen."""
    import torch

    config = beginning.config(init_lora_weights=chosen(beginning.values))
    for layer in beginning.layers.values():
        a, b = _begun(layer.get_base_layer(), config)
        _fill(layer, torch.cat([a, a]), torch.cat([b, -b], dim=1))
        for parameter, side in ((layer.lora_A["default"].weight, 0), (layer.lora_B["default"].weight, 1)):
            parameter.register_hook(partial(_first_half, side=side))
        yield


def _begun(module: Any, config: LoraConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """A₀ (rank, in) and B₀ (out, rank) that PEFT begins a layer with, which it does on a copy of the module's weight."""
    import torch
    from peft.tuners.lora import Linear

    own = copy.copy(module)
    weight = torch.nn.Parameter(module.weight.detach().clone(), requires_grad=False)
    own._parameters = {**module._parameters, "weight": weight}
    with drawn_apart(weight.device):
        layer: Any = Linear(own, "default", config, r=config.r, lora_alpha=config.lora_alpha)
    return layer.lora_A["default"].weight.detach(), layer.lora_B["default"].weight.detach()


def _first_half(gradient: torch.Tensor, side: int) -> torch.Tensor:
    """Nothing reaches the second half, so that AdamW without weight decay leaves it as it is."""
    found = gradient.clone()
    half = found.shape[side] // 2
    found.narrow(side, half, half).zero_()
    return found


def _fill(layer: Any, a: torch.Tensor, b: torch.Tensor | None = None) -> None:
    layer.lora_A["default"].weight.data.copy_(a)
    if b is not None:
        layer.lora_B["default"].weight.data.copy_(b)


def _eva(beginning: Beginning) -> Iterator[None]:
    """
    A's rows are the first principal directions of each module's inputs (Paischer et al. 2024, section 3), all modules with
    the rank that was asked for (ρ = 1). The examples are read over and over until the directions stay, as PEFT's
    `get_eva_state_dict` does, with its hooks; but that reads all in one call, and here it pauses after every batch.
    """
    from peft.tuners.lora.config import EvaConfig
    from peft.tuners.lora.eva import SVDHook, prepare_layer_inputs_fn_language_modeling

    model, layers, rank = beginning.model, beginning.layers, beginning.values["rank"]
    inputs = [one for one in beginning.inputs if int(one["attention_mask"].sum()) >= rank]
    if not inputs:
        raise PlaygroundError("initialization_eva", rank=rank)
    model.eval()
    with model.disable_adapter():
        first = _first_readers(model, inputs[0], layers)
        yield
        known: dict[str, Any] = {
            "sim_thresh": EvaConfig().tau,
            "prepare_layer_inputs_fn": prepare_layer_inputs_fn_language_modeling,
        }
        hooks = {path: SVDHook(rank, name=path, **known) for path in first.values()}
        for batch in itertools.islice(itertools.cycle(inputs), settings.MAX_EVA_READS - 1):
            moving = {path: hook for path, hook in hooks.items() if not hook.converged.all()}
            for hook in moving.values():
                hook.model_input = batch["attention_mask"].nonzero()  # type: ignore[assignment]
            _watched(model, batch, layers, moving)
            yield
            if all(hook.converged.all() for hook in hooks.values()):
                break
        else:  # directions that nothing lies in never stay
            raise PlaygroundError("initialization_eva", rank=rank)
    for path, layer in layers.items():
        _fill(layer, hooks[first[path]].svd.components_)


def _first_readers(model: Any, batch: Mapping[str, torch.Tensor], layers: Mapping[str, Any]) -> dict[str, str]:
    """For every layer the first one that reads the very same tensor: their directions are the same."""
    read: dict[str, Any] = {}
    _watched(model, batch, layers, {path: partial(_note, read, path) for path in layers})
    return {path: next(other for other, one in read.items() if one is tensor) for path, tensor in read.items()}


def _note(read: dict[str, Any], path: str, module: Any, given: tuple[Any, ...], output: Any) -> None:
    read[path] = given[0]


def _watched(
    model: Any, batch: Mapping[str, torch.Tensor], layers: Mapping[str, Any], hooks: Mapping[str, Callable[..., None]]
) -> None:
    """Read a batch while hooks look at what some layers read."""
    import torch

    handles = [layers[path].register_forward_hook(hook) for path, hook in hooks.items()]
    try:
        with torch.no_grad():
            model(**batch, logits_to_keep=1)
    finally:
        for handle in handles:
            handle.remove()


def _loftq(beginning: Beginning) -> Iterator[None]:
    """s BA is the best approximation of W - Q(W) (Li et al. 2023, algorithm 1 with one step: Q(W) is the base in use)."""
    from playground.adapt.undo import principal  # brings torch

    assert beginning.unrounded is not None
    for path, layer in beginning.layers.items():
        lost = weight_of(beginning.unrounded.model, path) - weight_of(beginning.base.model, path)
        _fill(layer, *principal(lost, beginning.values["rank"], layer.scaling["default"]))
        yield


FILLED: Mapping[str, Callable[[Beginning], Iterator[None]]] = {
    **dict.fromkeys(SUBTRACTED, _subtracted),
    "eva": _eva,
    "loftq": _loftq,
}
