"""
Arithmetic of adapters: two to four LoRA updates into one, which is again an Adapter.

    ΔW = Σ wᵢ ΔWᵢ   (cat), or what another rule makes of the same updates   ──▶ A (rank × in), B (out × rank), scaling 1

PEFT's `add_weighted_adapter` computes all rules but one, on empty layers of the shapes that the adapters have, so no base
is touched and nothing is drawn from the global generators. Knows nothing about the page.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from playground.adapt.adapters import PREFIX, Adapter, Record, peft_config
from playground.lowrank.factors import Factors
from playground.lowrank.mix import ORTHOGONAL, RULES, Mix
from playground.lowrank.svd import Svd
from playground.lowrank.updates import updates
from playground.model.bases import Base
from playground.model.modules import layer_of

MIXED = "mixed"  # PEFT's name for the result while it is computed


def mixed(base: Base, mix: Mix) -> Adapter:
    """
    The mix as an ordinary LoRA adapter without an id: scaling 1, on the modules that its adapters have. Its ΔW is exactly
    Σ wᵢ ΔWᵢ for `cat`, the best approximation of that of some rank for `svd`; see `_by_peft` and `_orthogonal`.

    Raises PlaygroundError as `Mix.checked`, and if an adapter does not fit the base.
    """
    *_, last = mixing(base, mix)
    assert last is not None
    return last


def mixing(base: Base, mix: Mix) -> Iterator[Adapter | None]:
    """`mixed`, with a pause (None) after every layer, so that other work has its turn."""
    mix = mix.checked()
    parts = [updates(base, one) for one in mix.adapters]
    made: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    generator = torch.Generator().manual_seed(mix.seed)
    for _, layer in groupby(parts[0], key=layer_of):
        modules = list(layer)
        factors = {module: [part[module].factors for part in parts] for module in modules}
        if mix.rule == ORTHOGONAL:
            made |= {module: _orthogonal(several, mix.weights) for module, several in factors.items()}  # type: ignore[arg-type]
        else:
            made |= _by_peft(mix, modules, generator)
        yield None
    yield _adapter(mix, made)


def _adapter(mix: Mix, made: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> Adapter:
    """All modules with the same rank: what is missing are zeros."""
    rank = max(len(a) for a, _ in made.values())
    tensors: dict[str, torch.Tensor] = {}
    for module, (a, b) in made.items():
        rows = rank - len(a)
        tensors[f"{PREFIX}{module}.lora_A.weight"] = nn.functional.pad(a, (0, 0, 0, rows)).float().contiguous()
        tensors[f"{PREFIX}{module}.lora_B.weight"] = nn.functional.pad(b, (0, rows)).float().contiguous()
    count = sum(tensor.numel() for tensor in tensors.values())
    first = mix.adapters[0]
    record, tasks = first.record, {one.record.task for one in mix.adapters}
    hyperparameters = {"rank": rank, "alpha": rank}
    if "double_quantization" in record.hyperparameters:  # names the form that QLoRA's base has
        hyperparameters["double_quantization"] = record.hyperparameters["double_quantization"]
    made_of = Record(
        base=record.base, method=record.method, task=tasks.pop() if len(tasks) == 1 else "",
        hyperparameters=hyperparameters, seed=mix.seed if "seed" in RULES[mix.rule].takes else 0, steps=0,
        trainable_parameters=count, total_parameters=record.total_parameters - record.trainable_parameters + count,
        bytes=4 * count, questions=list(record.questions), mix=mix.told(),
    )  # fmt: skip
    return Adapter("", made_of, _config(first, rank, list(made)), tensors)


def _config(first: Adapter, rank: int, modules: Sequence[str]) -> dict[str, Any]:
    """
    PEFT's config of the mix. `add_weighted_adapter` takes that of the first adapter: patterns, layers and rsLoRA's scaling
    (which would be √rank where its tensors want 1) are reset here.
    """
    reset: dict[str, Any] = {
        "r": rank, "lora_alpha": rank, "use_rslora": False, "rank_pattern": {}, "alpha_pattern": {}, "lora_dropout": 0.0,
        "layers_to_transform": None, "layers_pattern": None, "exclude_modules": None, "target_modules": sorted(modules),
        "init_lora_weights": True,
    }  # fmt: skip
    config = dict(first.config or {})
    named = config.get("target_modules")
    if isinstance(named, list) and not config.get("layers_to_transform") and not config.get("exclude_modules"):
        reset["target_modules"] = named  # short names, where they say the same
    return config | reset


# PEFT's rules


def _by_peft(mix: Mix, modules: Sequence[str], generator: torch.Generator) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """
    A and B of some modules, as `LoraModel.add_weighted_adapter` of PEFT makes them. Its sign of a negative weight lies on A
    alone; rules on factors share √|wᵢ sᵢ| between A and B, so that (Σ aᵢAᵢ, Σ bᵢBᵢ) has the products of different adapters
    too; TIES elects signs before it weighs.
    """
    from peft import LoraModel

    names = [f"adapter_{place}" for place in range(len(mix.adapters))]
    configs = [_empty(one, modules) for one in mix.adapters]
    with _Drawn(generator), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The density .* no pruning will be performed")
        model: Any = LoraModel(_layers(mix.adapters[0], modules), {names[0]: configs[0]}, names[0])
        for name, config in zip(names[1:], configs[1:], strict=True):
            model.peft_config[name] = config
            model.inject_adapter(model.model, name)
        layers: dict[str, Any] = {module: model.model.get_submodule(module) for module in modules}
        for name, adapter in zip(names, mix.adapters, strict=True):
            for module, layer in layers.items():
                layer.lora_A[name].weight.data = adapter.tensors[f"{PREFIX}{module}.lora_A.weight"].float()
                layer.lora_B[name].weight.data = adapter.tensors[f"{PREFIX}{module}.lora_B.weight"].float()
        model.add_weighted_adapter(
            names, list(mix.weights), MIXED, mix.rule, svd_rank=mix.rank, svd_full_matrices=False,
            density=mix.density, majority_sign_method=mix.majority_sign,
        )  # fmt: skip
    return {one: (layer.lora_A[MIXED].weight.data, layer.lora_B[MIXED].weight.data) for one, layer in layers.items()}


def _empty(adapter: Adapter, modules: Sequence[str]) -> Any:
    """PEFT's config of an adapter on these modules alone."""
    from peft import LoraConfig

    config: Any = peft_config(adapter.config or {})
    return LoraConfig(
        r=config.r, lora_alpha=config.lora_alpha, use_rslora=config.use_rslora, rank_pattern=config.rank_pattern or {},
        alpha_pattern=config.alpha_pattern or {}, target_modules=list(modules),
    )  # fmt: skip


def _layers(adapter: Adapter, modules: Sequence[str]) -> nn.Module:
    """A tree with an empty linear layer at each path."""
    tree = nn.Module()
    for module in modules:
        *above, leaf = module.split(".")
        holder = tree
        for name in above:
            if name not in holder._modules:
                holder.add_module(name, nn.Module())
            holder = holder.get_submodule(name)
        inputs = adapter.tensors[f"{PREFIX}{module}.lora_A.weight"].shape[1]
        outputs = adapter.tensors[f"{PREFIX}{module}.lora_B.weight"].shape[0]
        holder.add_module(leaf, nn.Linear(inputs, outputs, bias=False).requires_grad_(False))
    return tree


class _Drawn(TorchFunctionMode):
    """Of this thread alone: new parameters are zeros instead of noise, and what DARE drops is drawn from `generator`."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function in (torch.nn.init.normal_, torch.nn.init.uniform_, torch.nn.init.kaiming_uniform_):
            with torch.no_grad():
                return (args[0] if args else kwargs["tensor"]).zero_()
        if function is torch.bernoulli:
            kwargs = {**kwargs, "generator": self.generator}
        return function(*args, **kwargs)


# What PEFT has not


def _orthogonal(several: Sequence[Factors], weights: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
    """
    A and B of U⊥ Σ V⊥ᵀ: the singular vectors of all updates beside each other, U = [U₁ … Uₖ] (out, n) and V (in, n), with
    the nearest matrices that have orthonormal columns in their place (U = P D Qᵀ gives U⊥ = P Qᵀ, orthogonal Procrustes),
    and Σ = diag(wᵢ σᵢ). What the updates have in common is told apart, none before the others; updates whose spaces are
    orthogonal give their plain sum. This is TSV-Merge with every singular value kept (Gargiulo et al. 2025, arXiv
    2412.00081, section 4.2). Directions that lie in the others' span have no nearest matrix of their own: P and Q are cut
    to the rank of U.
    """
    parts = [one.svd.strong for one in several]
    u, v = (_nearest(torch.cat([getattr(one, side) for one in parts], dim=1)) for side in ("u", "v"))
    values = torch.cat([weight * one.s for weight, one in zip(weights, parts, strict=True)])
    b, a = Svd(u, values.abs(), v).split()
    return a * values.sign()[:, None], b


def _nearest(columns: torch.Tensor) -> torch.Tensor:
    """The nearest matrix with orthonormal columns, (d, n) as it is given; a partial isometry where these are dependent."""
    p, d, q = torch.linalg.svd(columns, full_matrices=False)
    kept = Svd(p, d, q.T).strong
    nearest: torch.Tensor = kept.u @ kept.v.T
    return nearest


def distance(base: Base, mix: Mix, made: Adapter) -> float:
    """
    ‖ΔW − Σ wᵢ ΔWᵢ‖ / ‖Σ wᵢ ΔWᵢ‖ over all modules, from the factors: 0 where a rule adds up exactly, infinite where the sum
    is nothing and the mix is something.
    """
    parts, found = [updates(base, one) for one in mix.adapters], updates(base, made)
    apart = total = 0.0
    for module, update in found.items():
        summed = _stacked([part[module].factors for part in parts], mix.weights)  # type: ignore[misc]
        total += float(summed.svd.s.square().sum())
        apart += float(_stacked([update.factors, summed], (1.0, -1.0)).svd.s.square().sum())  # type: ignore[list-item]
    if total:
        return math.sqrt(apart / total)
    return math.inf if apart else 0.0


def _stacked(several: Sequence[Factors], weights: Sequence[float]) -> Factors:
    """The factors of a weighted sum: A below each other, B beside each other, scalings and weights on B."""
    scaled = [weight * one.scaling * one.b.double() for weight, one in zip(weights, several, strict=True)]
    return Factors(torch.cat([one.a.double() for one in several]), torch.cat(scaled, dim=1))
