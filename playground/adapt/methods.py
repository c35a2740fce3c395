"""
The registry of methods: what each one trains, its hyperparameters, its count, and who makes its PEFT config.

The page, the API, the README and the tests walk `METHODS`; a new method is one more record, in the module of its family.
PEFT does the adapting; what lies here is which of PEFT's settings a visitor may move, how far, and how many parameters that
will train. `FRONT` are the few that everything is measured with, `MORE` all others. Knows nothing about data, training
loops or the page.
"""

from __future__ import annotations

from playground.adapt.additive import ADDITIVE
from playground.adapt.drawn import DRAWN
from playground.adapt.lora import LORAS
from playground.adapt.method import Method as Method
from playground.adapt.method import Values as Values
from playground.adapt.method import batch_size, learning_rate, names
from playground.adapt.reparameterization import REPARAMETERIZATION
from playground.adapt.rotations import ROTATIONS
from playground.adapt.selective import SELECTIVE
from playground.bounds import Bound, shown
from playground.errors import PlaygroundError
from playground.formats.registry import format_of
from playground.model.architecture import Architecture, entries
from playground.model.catalogue import BITSANDBYTES


def bits(form: str | None) -> float:
    """Held per weight of a linear layer, scales included; a simulated form is held in float32 as the plain one."""
    return format_of(form).bits_per_parameter() if form in BITSANDBYTES else 32


def frozen_bytes(architecture: Architecture, form: str | None, width: int) -> int:
    """
    What a frozen base takes: its linear layers in `form` (Dettmers et al. 2023, section 3; None: as the rest), everything
    else in `width` bytes a number.
    """
    linear = entries(architecture.linears) if form else 0
    return round(linear * bits(form) / 8) + (architecture.parameters - linear) * width


def training_memory(architecture: Architecture, trainable: int, form: str | None = None) -> int:
    """
    Bytes that training on a CPU holds at least: the frozen weights, and for everything trained a value, a gradient and
    AdamW's two moments, all in float32 but for linear layers in `form`. Activations come on top.
    """
    frozen = frozen_bytes(architecture, form, 4) if trainable < architecture.parameters else 0
    return frozen + trainable * 4 * 4


REFERENCE = (
    Method(
        id="few_shot",
        family="reference",
        paper="Brown et al. 2020, arXiv 2005.14165",
        steps=0,
        hyperparameters=(Bound("examples", 4, 1, 12),),
        count=lambda architecture, values: 0,
        front=True,
        merges=False,
        changes_weights=False,
        quantized=True,
        formula="[example₁ … exampleₖ ; x]",
    ),
    Method(
        id="full_fine_tuning",
        family="reference",
        paper="Howard & Ruder 2018, arXiv 1801.06146",
        steps=12,
        hyperparameters=(learning_rate(1e-4, 1e-2), batch_size(4)),
        count=lambda architecture, values: architecture.parameters,
        own=lambda architecture, values: architecture.parameters,
        front=True,
        merges=False,
        formula="W + ΔW",
        how="whole",
        parts=lambda architecture, values: names(architecture.linears),
    ),
)
FRONT_ORDER = ("prompt_tuning", "lora", "ia3", "qlora", "few_shot", "full_fine_tuning")
_ALL = {one.id: one for one in (*ADDITIVE, *SELECTIVE, *LORAS, *REPARAMETERIZATION, *DRAWN, *ROTATIONS, *REFERENCE)}
METHODS: dict[str, Method] = {name: _ALL[name] for name in FRONT_ORDER} | _ALL
FRONT: dict[str, Method] = {name: one for name, one in METHODS.items() if one.front}
DOWNLOADABLE = tuple(one.id for one in METHODS.values() if one.config)  # what PEFT has a format for
MORE: dict[str, Method] = {name: one for name, one in METHODS.items() if not one.front}
# PEFT's types for a causal LM that are no method here, each with the reason in the locales: `methods.left_out.<type>`
LEFT_OUT = (
    "ADAMSS", "CARTRIDGE", "CPT", "LILY", "MULTITASK_PROMPT_TUNING", "POLY", "SHADOW", "XLORA",
)  # fmt: skip


def method(method_id: str) -> Method:
    """Raises PlaygroundError for an id that does not exist."""
    if method_id not in METHODS:
        raise PlaygroundError("unknown_method", method=shown(method_id), known=", ".join(METHODS))
    return METHODS[method_id]
