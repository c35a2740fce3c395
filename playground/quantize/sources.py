"""
Where the numbers under the microscope come from: a weight of a base, a test tensor, a visitor's own, outliers put into them.

All of them become `Numbers`. Imports no torch before it has work to do. Knows nothing about formats or the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.bounds import SEED
from playground.errors import PlaygroundError
from playground.formats import distributions
from playground.formats.format import finite
from playground.formats.statistics import crest
from playground.model.modules import kind_of, layer_of, upright
from playground.model.weights import weight_of

if TYPE_CHECKING:
    import torch

    from playground.model.bases import Base


@dataclass(frozen=True, eq=False)
class Numbers:
    """
    `weights`, float32 on the CPU, taken from a tensor of `shape`: all of them, or whole rows. Where outliers were put in,
    `clean` is what it was without, and `places` (n,) says where they are in reading order.
    """

    weights: torch.Tensor
    shape: tuple[int, ...]
    clean: torch.Tensor | None = None
    places: torch.Tensor | None = None

    @property
    def rows(self) -> int:
        """How many rows of the tensor these are."""
        return self.weights.shape[0] if self.weights.dim() > 1 else 1


def modules(base: Base) -> tuple[str, ...]:
    """Paths of all modules with a weight of one or two dimensions, each tensor once: embeddings, norms, linear layers."""
    seen: set[int] = set()
    found = []
    for path, module in base.model.named_modules():
        weight = getattr(module, "weight", None)
        if weight is not None and 1 <= weight.dim() <= 2 and id(weight) not in seen:
            seen.add(id(weight))  # an output head that shares the embedding's
            found.append(path)
    return tuple(found)


def shape_of(base: Base, module: str) -> tuple[int, ...]:
    layer: Any = base.model.get_submodule(module)
    return tuple(upright(layer, layer.weight).shape)


def default_module(base: Base) -> str:
    """In the middle layer the linear layer with the most inputs, the way back out of the MLP: 15 of 30, `down_proj`."""
    matrices = [path for path in modules(base) if layer_of(path) is not None and len(shape_of(base, path)) == 2]
    if not matrices:  # a model without layers; its first weight then
        return modules(base)[0]
    middle = (1 + max(layer_of(path) or 0 for path in matrices)) // 2
    return max((path for path in matrices if layer_of(path) == middle), key=lambda path: shape_of(base, path)[1])


def stored_in(base: Base, module: str) -> str:
    """
    How the embedded base kept this weight before it was expanded: "q4_1" (linear layers), "q8_0" (embeddings) or
    "float" (norms); "" for any other base, which is computed with as it was published.
    """
    if base.spec.source != "embedded":
        return ""
    if len(shape_of(base, module)) == 1:
        return "float"
    return "q8_0" if base.model.get_submodule(module) is base.model.get_input_embeddings() else "q4_1"


def module_weight(base: Base, module: str = "") -> Numbers:
    """
    A module's weight; "" is `default_module`. Of more than settings.MAX_TENSOR_NUMBERS numbers, rows evenly apart, among
    them the one with the largest number, so that a scale of the whole tensor stays what it is.

    Raises PlaygroundError if the base has no such weight, or if it is not finite.
    """
    return taken(weight_of(base.model, known(base, module)))


def known(base: Base, module: str = "") -> str:
    """A module's path; "" is `default_module`. Raises PlaygroundError if the base has no such weight."""
    paths = modules(base)
    module = module or default_module(base)
    if module not in paths:
        kinds = ", ".join(dict.fromkeys(map(kind_of, paths)))
        raise PlaygroundError("unknown_weight", module=str(module)[:80], base=base.spec.name, known=kinds)
    return module


def taken(weights: torch.Tensor) -> Numbers:
    """As many rows as may be looked at. Raises PlaygroundError: no numbers, infinity or NaN."""
    import torch

    shape, limit = tuple(weights.shape), settings.MAX_TENSOR_NUMBERS
    if weights.dim() < 2 or weights.numel() <= limit:
        return Numbers(finite(weights), shape)
    weights = weights.detach().reshape(-1, shape[-1])
    count = max(1, limit // shape[-1])
    rows = torch.linspace(0, len(weights) - 1, count, dtype=torch.float64).round().long()
    largest = int(weights.abs().amax(1).argmax())
    rows[(rows - largest).abs().argmin()] = largest
    return Numbers(finite(weights[rows]), shape)


def drawn(kind: str, seed: int = 0) -> Numbers:
    """`distributions.sample` of 1024 × 1024, on which the published errors were measured. Raises PlaygroundError."""
    import torch

    return Numbers(torch.from_numpy(distributions.sample(kind, seed=seed)), (1024, 1024))


def own_numbers(text: str = "", file: str | Path | None = None, decimal_comma: bool = False) -> Numbers:
    """
    A visitor's: those of the file, if there is one; else the text as `distributions.parse` reads it. Raises PlaygroundError
    as that does.
    """
    import torch

    if file and not Path(file).is_file():  # uploaded so long ago that it was cleaned away
        raise PlaygroundError("no_numbers")
    values = distributions.read_file(file) if file else distributions.parse(text, decimal_comma)
    return taken(torch.from_numpy(values))


def with_outliers(numbers: Numbers, share: float, size: float, columns: bool = False, seed: int = 0) -> Numbers:
    """
    A share of the numbers, or of the columns, at least one unless it is 0, becomes ± `size` root mean squares (standard
    deviations where the mean is 0) with random signs in random places. The others stay.

    Raises PlaygroundError for a share that is not within 0 to 0.5, a size beyond 0 to 1000, a seed below 0.
    """
    import numpy as np
    import torch

    share, size, seed = distributions.OUTLIERS.check(share), distributions.SIZE.check(size), SEED.check(seed)
    if not share:
        return numbers
    weights = numbers.weights.clone()
    generator = np.random.default_rng((1, seed))  # not the numbers that a test tensor of this seed is made of
    flat, width = weights.view(-1), weights.shape[-1] if weights.dim() else 1
    choices = width if columns else flat.numel()
    chosen = torch.from_numpy(generator.choice(choices, max(1, round(share * choices)), replace=False)).long()
    if columns:
        chosen = (torch.arange(0, flat.numel(), width)[:, None] + chosen).reshape(-1)
    unit = float(weights.abs().max()) / crest(weights) or 1.0
    signs = torch.from_numpy(generator.choice(np.array([-1, 1], dtype=np.float32), len(chosen)))
    flat[chosen] = (size * unit * signs).clamp(-1e38, 1e38)
    return Numbers(weights, numbers.shape, numbers.weights, chosen)
