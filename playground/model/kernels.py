"""
With what a linear layer multiplies in float32 on this CPU: torch's own product (MKL, mostly), or oneDNN's, from as many
rows on as it was measured to be the faster one. Which is faster differs widely with the machine and with the rows.

Both read the weight as it lies there; whoever changes it changes the product. Where there is memory for it, a copy in
oneDNN's own layout lies beside it (`pack`): then a few rows take hardly longer than one. Who can do with bfloat16's
products gets those where they were measured to be much faster (`halved`). Knows nothing about models.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import platform
import sys
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear

from playground import settings
from playground.disk import whole
from playground.errors import PlaygroundError

ROWS = (1, 2, 4, 16, 64)  # of a product that is measured: tokens
REPEATS, WEIGHTS = 3, 8
NEVER = sys.maxsize
MUCH = 0.75  # of the float32 seconds for the most of `ROWS`: what bfloat16 may take to be worth its rounding
FEW = 16  # rows: those of writing; what is read with a gradient, or measured, is read with the weight itself
log = logging.getLogger(__name__)

_onednn: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


@dataclass(frozen=True)
class Choice:
    """
    For a weight of a shape (out, in): from how many rows on oneDNN multiplies, and the seconds of both at `ROWS`; those of
    oneDNN's product in bfloat16.
    """

    from_rows: int
    default: tuple[float, ...] = ()
    onednn: tuple[float, ...] = ()
    bfloat16: tuple[float, ...] = ()

    @property
    def halves(self) -> bool:
        """Whether bfloat16 is much faster for many rows."""
        return bool(self.bfloat16) and self.bfloat16[-1] < MUCH * min(self.default[-1], self.onednn[-1])


DEFAULT = Choice(NEVER)


class Linear(nn.Linear):
    """torch's layer with the product that was chosen for it."""

    choice: Choice = DEFAULT

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.numel() // x.shape[-1]
        floats = x.dtype == self.weight.dtype == torch.float32 and x.device.type == self.weight.device.type == "cpu"
        if not floats or torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        if rows <= FEW and not torch.is_grad_enabled() and (packed := packed_of(self.weight)) is not None:
            return multiply(x, packed, self.bias)
        if rows > FEW and (half := _HALVED.weights.get(self.weight)) is not None:
            shorter: torch.Tensor = _Shorter.apply(x, half, self.bias)  # type: ignore[no-untyped-call]
            return shorter
        if rows < self.choice.from_rows:
            return super().forward(x)
        # Flat, as oneDNN hands out a view of anything else, which some of PEFT's layers (C3A) could not add to in place
        flat = x.reshape(rows, x.shape[-1])
        product: torch.Tensor = _Product.apply(flat, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return product.reshape(*x.shape[:-1], self.weight.shape[0])


class _Product(torch.autograd.Function):
    """oneDNN's x Wᵀ + b, forwards and backwards."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> Any:
        ctx.save_for_backward(x if weight.requires_grad else None, weight)
        return multiply(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        x, weight = ctx.saved_tensors
        flat = gradient.reshape(-1, gradient.shape[-1])
        wanted = ctx.needs_input_grad
        to_x = multiply(gradient, weight.t()) if wanted[0] else None
        to_weight = multiply(flat.t(), x.reshape(-1, x.shape[-1]).t()) if wanted[1] else None
        return to_x, to_weight, flat.sum(0) if wanted[2] else None


class _Shorter(torch.autograd.Function):
    """x Wᵀ + b in float32 of bfloat16's factors; the weight is not trained."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> Any:
        ctx.save_for_backward(weight)
        product = _short(x, weight)
        return product if bias is None else product + bias

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (weight,) = ctx.saved_tensors
        to_bias = gradient.reshape(-1, gradient.shape[-1]).sum(0) if ctx.needs_input_grad[2] else None
        return _short(gradient, weight.t()), None, to_bias


class _Halved(threading.local):
    """The copies in bfloat16 that this thread multiplies with now, by the weights that they are of."""

    weights: Mapping[torch.Tensor, torch.Tensor] = {}  # never written to


_HALVED = _Halved()


@contextmanager
def halved(weights: Mapping[torch.Tensor, torch.Tensor]) -> Iterator[None]:
    """While it lasts, this thread's products of more than `FEW` rows are bfloat16's, with copies that `halves` made."""
    before, _HALVED.weights = _HALVED.weights, weights
    try:
        yield
    finally:
        _HALVED.weights = before


def halves(model: nn.Module) -> dict[torch.Tensor, torch.Tensor]:
    """Copies in bfloat16 of the weights that are multiplied much faster so, by the weights; none where float32 is set."""
    return {layer.weight: layer.weight.detach().bfloat16() for layer in _halvable(model)}


def halved_bytes(model: nn.Module) -> int:
    """What `halves` would take."""
    return sum(2 * layer.weight.numel() for layer in _halvable(model))


def _halvable(model: nn.Module) -> list[Linear]:
    chosen = [layer for layer in model.modules() if isinstance(layer, Linear) and layer.choice.halves]
    return chosen if settings.PRECISION != "float32" else []


def multiply(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """oneDNN's x Wᵀ + b: (…, in), (out, in), (out,) to (…, out); what torch's inductor takes for a frozen linear layer."""
    product: torch.Tensor = _onednn(x, weight, bias, "none", [], "")
    return product


def measured(model: nn.Module, rows: int = 4) -> tuple[float, float] | None:
    """Seconds that its linear layers take for so many rows: with torch's product, with oneDNN's. None where not measured."""
    choices = [layer.choice for layer in model.modules() if isinstance(layer, Linear)]
    if not choices or not all(choice.default for choice in choices):
        return None
    place = ROWS.index(rows)
    return sum(choice.default[place] for choice in choices), sum(choice.onednn[place] for choice in choices)


def packed_bytes(model: nn.Module) -> int:
    """What `pack` would take."""
    return sum(4 * layer.weight.numel() for layer in _packable(model))


def _packable(model: nn.Module) -> list[Linear]:
    return [one for one in model.modules() if isinstance(one, Linear) and one.choice.from_rows < NEVER]


def pack(model: nn.Module) -> list[torch.Tensor]:
    """
    Copies of its weights as oneDNN has them for few rows. The weights know them for as long as somebody holds the list.
    """
    packed = []
    for layer in _packable(model):
        weight: Any = layer.weight
        packed.append(torch.ops.mkldnn._reorder_linear_weight(weight.detach(), FEW))
        weight.packed = weakref.ref(packed[-1]), weight._version
    return packed


def packed_of(weight: Any) -> torch.Tensor | None:
    """The copy of a weight, if it is there and the weight has not been written to since."""
    found, version = getattr(weight, "packed", (None, 0))
    return found() if found and version == weight._version else None


def install(layers: Iterable[nn.Module], cache: Path) -> None:
    """
    Give each of torch's own linear layers among these the product that is the faster one here. What was measured once
    on such a machine is read from `cache`, a JSON file, and kept there.
    """
    alike: defaultdict[str, list[Any]] = defaultdict(list)
    for layer in layers:
        if type(layer) is nn.Linear and layer.weight.dtype == torch.float32 and layer.weight.device.type == "cpu":
            alike["x".join(map(str, layer.weight.shape))].append(layer)
    choices = _choices(alike, cache)
    for shape, group in alike.items():
        for layer in group:
            layer.__class__ = Linear  # PEFT and transformers ask with isinstance
            layer.choice = choices[shape]


def plain(layers: Iterable[nn.Module]) -> None:
    """Torch's own linear layers again, for whoever asks for just that class."""
    for layer in layers:
        if type(layer) is Linear:
            layer.__class__ = nn.Linear  # type: ignore[assignment]


def _choices(alike: Mapping[str, Sequence[nn.Linear]], cache: Path) -> dict[str, Choice]:
    if _onednn is None or settings.KERNELS == "torch":
        return dict.fromkeys(alike, DEFAULT)
    if settings.KERNELS == "onednn":
        return dict.fromkeys(alike, Choice(0))
    kept, here = _read(cache), machine()
    known = {shape: Choice(rows, *map(tuple, seconds)) for shape, (rows, *seconds) in kept.get(here, {}).items()}
    if missing := alike.keys() - known.keys():
        known |= {shape: measure([layer.weight for layer in alike[shape]]) for shape in missing}
        _write(cache, kept | {here: {shape: astuple(one) for shape, one in known.items()}})
    return known


def measure(weights: Sequence[torch.Tensor]) -> Choice:
    """
    Time both products with weights of one shape at every count of `ROWS`: the fastest of `REPEATS` rounds over some of
    them, as a model reads them, from memory.
    """
    weights = weights[:WEIGHTS]
    ways: list[Any] = [(linear, weights), (multiply, weights)]
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():  # else its product raises
        ways.append((_short, [weight.bfloat16() for weight in weights]))
    seconds: list[list[float]] = [[] for _ in ways]
    with torch.inference_mode():
        for rows in ROWS:
            x = torch.ones(rows, weights[0].shape[1])
            for (kernel, read), spent in zip(ways, seconds, strict=True):
                spent.append(min(_seconds(kernel, x, read) for _ in range(REPEATS)))
    slower = [rows for rows, torchs, ours in zip(ROWS, *seconds[:2], strict=True) if ours > torchs]
    from_rows = next((rows for rows in ROWS if rows > max(slower, default=0)), NEVER)
    return Choice(from_rows, *(tuple(spent) for spent in seconds))


def _short(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return multiply(x.bfloat16(), weight).float()


def _seconds(kernel: Any, x: torch.Tensor, weights: Sequence[torch.Tensor]) -> float:
    """Of one product, on the average over the weights."""
    begin = time.perf_counter()
    for weight in weights:
        kernel(x, weight)
    return (time.perf_counter() - begin) / len(weights)


def machine() -> str:
    """What a measurement holds for: processor, threads, torch."""
    instructions = torch.backends.cpu.get_cpu_capability()
    return f"{processor()}, {instructions}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def processor() -> str:
    """Its name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _read(cache: Path) -> dict[str, dict[str, list[Any]]]:
    """What was kept; nothing where there is no such file or it is damaged, for it can be measured again."""
    try:
        kept = json.loads(cache.read_text(encoding="utf-8"))
        fields = len(dataclasses.fields(Choice))
        whole = all(len(one) == fields and isinstance(one[0], int) for shapes in kept.values() for one in shapes.values())
    except (OSError, ValueError, AttributeError, TypeError, LookupError):
        return {}
    return kept if whole else {}


def _write(cache: Path, kept: Mapping[str, Any]) -> None:
    """Keep it, whole or not at all. Where nothing can be written, it will be measured again."""
    try:
        with whole(cache) as written:
            written.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    except (OSError, PlaygroundError) as error:
        log.warning("what was measured of this machine's products cannot be kept: %s", error)
