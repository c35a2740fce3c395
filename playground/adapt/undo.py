"""
PiSSA and OLoRA as plain LoRA.

Both begin by taking a low-rank part out of the base's weights, and PEFT takes it out again whenever it loads such an
adapter. Here the base stays: what was taken out goes into the adapter, which gets twice the rank, as PEFT's own
conversion does (`path_initial_model_for_weight_conversion`): W - s B₀A₀ + s BA = W + s [B, -B₀][A; A₀].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from playground import settings
from playground.adapt.adapters import PREFIX, peft_config, scaling
from playground.errors import PlaygroundError
from playground.model.weights import weight_of

if TYPE_CHECKING:
    from playground.model.bases import Base

NAMES = {"pissa": "PiSSA", "olora": "OLoRA"}
Factors = tuple["torch.Tensor", "torch.Tensor"]


def plain_lora(
    base: Base, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """
    The same adapter as plain LoRA of twice the rank. `base` is the one that it was made for, not a form of it in fewer
    bits. Raises PlaygroundError if a rank does not fit, or if this would take too long.
    """
    peft, taken_out = peft_config(config), TAKEN_OUT[config["init_lora_weights"]]
    shares = math.sqrt(0.5) if peft.use_rslora else 1.0  # twice alpha over the root of twice the rank is √2 as much
    modules = [name.removesuffix(".lora_A.weight") for name in tensors if name.endswith(".lora_A.weight")]
    weights = {module: weight_of(base.model, module.removeprefix(PREFIX)) for module in modules}
    if sum(weight.numel() * min(weight.shape) for weight in weights.values()) > settings.MAX_UNDOING_MULTIPLICATIONS:
        raise PlaygroundError("upload_initialization", name=config["init_lora_weights"])
    found = dict(tensors)
    for module, weight in weights.items():
        a, b = (tensors[f"{module}.{part}.weight"].float() for part in ("lora_A", "lora_B"))
        scale = scaling(peft, module.removeprefix(PREFIX), len(a))
        if len(a) > min(weight.shape) or scale <= 0:
            raise PlaygroundError("does_not_fit", base=base.spec.name, reason=f"{module}: r = {len(a)}")
        first_a, first_b = taken_out(weight, len(a), scale)
        found[f"{module}.lora_A.weight"] = torch.cat([a, first_a])
        found[f"{module}.lora_B.weight"] = shares * torch.cat([b, -first_b], dim=1)
    return _doubled(config), found


def principal(weight: torch.Tensor, rank: int, scale: float) -> Factors:
    """The largest singular values, half in each factor (Meng et al. 2024, section 3), rounded as PEFT rounds them."""
    u, values, vh = torch.linalg.svd(weight, full_matrices=False)
    roots = torch.sqrt(values[:rank] / scale)
    return roots[:, None] * vh[:rank], u[:, :rank] * roots


def _olora(weight: torch.Tensor, rank: int, scale: float) -> Factors:
    """The first columns of Q and rows of R (Büyükakyüz 2024, algorithm 1); PEFT scales their product with the rest."""
    q, r = torch.linalg.qr(weight)
    return r[:rank], q[:, :rank]


TAKEN_OUT: Mapping[str, Callable[[torch.Tensor, int, float], Factors]] = {"pissa": principal, "olora": _olora}


def _doubled(config: Mapping[str, Any]) -> dict[str, Any]:
    """Twice every rank and alpha, begun as LoRA is."""
    found = {name: value for name, value in config.items() if name != "init_lora_weights"}
    peft = peft_config(config)
    found |= {"r": 2 * peft.r, "lora_alpha": 2 * peft.lora_alpha}
    for name in ("rank_pattern", "alpha_pattern"):
        found[name] = {pattern: 2 * value for pattern, value in (config.get(name) or {}).items()}
    return found
