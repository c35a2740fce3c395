"""
A loaded base in fewer bits: its linear layers in a form, over everything else that it holds already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from playground.errors import PlaygroundError
from playground.formats.registry import format_of
from playground.model import kernels
from playground.model.catalogue import BITSANDBYTES, is_simulated
from playground.model.checksum import checksum
from playground.model.loading import quantize
from playground.model.modules import linear_layers, sides, upright

if TYPE_CHECKING:
    from playground.model.bases import Base

Report = Callable[[str, float | None], None]
BLOCK = 64  # weights: bitsandbytes' four-bit layers read the inputs of a row in whole blocks on a CPU


def in_form(base: Base, form: str, report: Report = lambda stage, fraction: None) -> Base:
    """
    A base of floats in one of FORMS, as `bases.load` makes it from files: simulated, or in bitsandbytes' modules.
    Raises PlaygroundError for a width that these would read wrong (0.50.2 on a CPU).
    """
    if is_simulated(form):
        return simulated(base, form, f"{base.id}:{form}", report)
    narrow = [sides(layer)[0] for layer in linear_layers(base.model).values() if sides(layer)[0] % BLOCK]
    if narrow and base.device.type == "cpu" and BITSANDBYTES[form].get("load_in_4bit"):
        raise PlaygroundError("not_in_blocks", width=narrow[0], block=BLOCK)
    report("rounding", None)
    model = base.view()
    quantize(model, form, base.model.dtype)
    model.train(base.model.training)  # int8 multiplies in another way while it is trained, and new layers are
    return replace(
        base, id=f"{base.id}:{form}", model=model, loaded_checksum=checksum(model), products=kernels.measured(model)
    )


def simulated(plain: Base, form: str, base_id: str, report: Report) -> Base:
    """Every linear layer gets the weight that its round trip leaves of it; the rest stays the plain base's own."""
    import torch

    rounding, model = format_of(form), plain.view()
    layers = linear_layers(model)
    for done, layer in enumerate(layers.values()):
        report("rounding", done / len(layers))
        rounded = rounding.round_trip(upright(layer, layer.weight).contiguous()).values.to(layer.weight)
        layer.weight = torch.nn.Parameter(upright(layer, rounded).contiguous(), requires_grad=False)
    return replace(plain, id=base_id, model=model, loaded_checksum=checksum(model))
