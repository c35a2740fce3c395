"""
One tensor in every format: where it comes from, outliers put into it, and what each format makes of it.

A weight of a base, a test tensor or a visitor's numbers become `Numbers`; `report` rounds them and gives plain numbers
to draw. Imports no torch before it has work to do. Knows nothing about the page.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.errors import PlaygroundError
from playground.formats import distributions
from playground.formats.format import GRANULARITIES, Format, Layout, Quantized, finite, refuse
from playground.formats.registry import FORMATS, format_of
from playground.formats.statistics import Histogram, Statistics, crest, errors, histogram, six_db_line, statistics

if TYPE_CHECKING:
    import torch

    from playground.model.bases import Base


THRESHOLD = 6.0  # from which LLM.int8() keeps a feature in 16 bits (Dettmers et al. 2022, section 3.2)
PROBE, PROBE_BLOCK = "int8", 64  # what the damage of outliers is measured with
STOPS = ("tensor", "channel", 4096, 1024, 256, 128, 64, 32)  # ever fewer numbers that share a scale
BINS, ERROR_BINS, OWN_BINS = 151, 151, 75
GRID = 300  # numbers of a grid that are listed
REACH = 3.0  # largest root mean square errors that the common histograms reach to either side
OWN_REACH = 4.0  # the same of a format's own
LATEST = 32  # reports that are remembered
# Where the numbers come from


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
    return tuple(base.model.get_submodule(module).weight.shape)  # type: ignore[union-attr, arg-type]


def default_module(base: Base) -> str:
    """In the middle layer the linear layer with the most inputs, the way back out of the MLP: 15 of 30, `down_proj`."""
    from playground.model.modules import layer_of

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
    from playground.model.weights import weight_of

    known = modules(base)
    module = module or default_module(base)
    if module not in known:
        kinds = ", ".join(dict.fromkeys(path.rpartition(".")[2] for path in known))
        raise PlaygroundError("unknown_weight", module=str(module)[:80], base=base.spec.name, known=kinds)
    return taken(weight_of(base.model, module))


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


def own_numbers(text: str = "", file: str | Path | None = None) -> Numbers:
    """A visitor's: those of the file, if there is one. Raises PlaygroundError as `distributions.parse` does."""
    import torch

    if file and not Path(file).is_file():  # uploaded so long ago that it was cleaned away
        raise PlaygroundError("no_numbers")
    values = distributions.read_file(file) if file else distributions.parse(text)
    return taken(torch.from_numpy(values))


def with_outliers(numbers: Numbers, share: float, size: float, columns: bool = False, seed: int = 0) -> Numbers:
    """
    A share of the numbers, or of the columns, at least one unless it is 0, becomes ± `size` root mean squares (standard
    deviations where the mean is 0) with random signs in random places. The others stay.

    Raises PlaygroundError for a share that is not within 0 to 0.5, a size beyond 0 to 1000, a seed below 0.
    """
    import numpy as np
    import torch

    for name, value, most in (("outliers", share, 0.5), ("size", size, 1000), ("seed", seed, 2**31 - 1)):
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= most:
            raise PlaygroundError("out_of_range", name=name, value=str(value)[:60], minimum=0, maximum=most)
    if not share:
        return numbers
    weights = numbers.weights.clone()
    generator = np.random.default_rng((1, int(seed)))  # not the numbers that a test tensor of this seed is made of
    flat, width = weights.view(-1), weights.shape[-1] if weights.dim() else 1
    choices = width if columns else flat.numel()
    chosen = torch.from_numpy(generator.choice(choices, max(1, round(share * choices)), replace=False)).long()
    if columns:
        chosen = (torch.arange(0, flat.numel(), width)[:, None] + chosen).reshape(-1)
    unit = float(weights.abs().max()) / crest(weights) or 1.0
    signs = torch.from_numpy(generator.choice(np.array([-1, 1], dtype=np.float32), len(chosen)))
    flat[chosen] = (size * unit * signs).clamp(-1e38, 1e38)
    return Numbers(weights, numbers.shape, numbers.weights, chosen)


# What the formats make of them


@dataclass(frozen=True)
class Outcome:
    """
    One format. `errors` (rounded − exact) counts in the common range of a report, `own` in one of its own. `levels` is how
    many numbers it has in the range of the weights, and `grid` which, if they are not too many: a float format as it is,
    the others with the scale of the tensor or of a row or block of middling scale.
    """

    layout: Layout
    statistics: Statistics
    errors: Histogram
    own: Histogram
    grid: tuple[float, ...]
    levels: int


@dataclass(frozen=True)
class Damage:
    """
    What outliers do to int8: SQNR in dB of all numbers that are none, None where there is no error or no signal. `before`
    without them, `tensor`, `channel` and `block` (of 64) with one scale for each of these; `mixed` as LLM.int8() does:
    the `columns` that hold a number of at least 6.0 stay in float, the other numbers are rounded row by row.
    """

    outliers: int
    before: float | None
    tensor: float | None
    channel: float | None
    block: float | None
    columns: int
    all_columns: int
    mixed: float | None


@dataclass(frozen=True)
class Report:
    """All that is drawn of one tensor. `rms` is the root mean square, `largest` the largest |w|, `rows` how many."""

    shape: tuple[int, ...]
    rows: int
    numbers: int
    rms: float
    largest: float
    crest: float
    weights: Histogram
    outcomes: tuple[Outcome, ...]
    damage: Damage

    def outcome(self, format_id: str) -> Outcome:
        return next(one for one in self.outcomes if one.statistics.format == format_id)

    def worth(self, format_ids: Sequence[str]) -> tuple[Statistics, ...]:
        """Those of these formats that none of the others beats with as few bits and as small an error, by their bits."""
        found = [self.outcome(one).statistics for one in format_ids]
        best = [one for one in found if not any(_beats(other, one) for other in found)]
        return tuple(sorted(best, key=lambda one: one.bits_per_parameter))

    @property
    def line(self) -> float:
        """The SQNR at 0 bits of the 6.02 dB line: what this tensor's crest leaves of it."""
        return six_db_line(0, self.crest)


def _beats(other: Statistics, one: Statistics) -> bool:
    rival, own = (other.bits_per_parameter, other.rmse), (one.bits_per_parameter, one.rmse)
    return rival != own and rival[0] <= own[0] and rival[1] <= own[1]


def layout_at(stop: int, zero_point: bool = False) -> Layout:
    """The layout at a place of STOPS. Raises PlaygroundError if there is none."""
    if not isinstance(stop, int) or not 0 <= stop < len(STOPS):
        raise PlaygroundError("out_of_range", name="granularity", value=str(stop)[:60], minimum=0, maximum=len(STOPS) - 1)
    shared = STOPS[stop]
    if isinstance(shared, int):
        return Layout("block", shared, zero_point)
    return Layout(shared, zero_point=zero_point)


def chosen(format_ids: Sequence[str] = ()) -> tuple[Format, ...]:
    """These formats in the registry's order; none are all. Raises PlaygroundError for one that does not exist."""
    wanted = {format_of(one).id for one in format_ids} or set(FORMATS)
    return tuple(format for format in FORMATS.values() if format.id in wanted)


_REPORTS: OrderedDict[tuple, Report] = OrderedDict()
_REMEMBERING = threading.Lock()


def report(numbers: Numbers, format_ids: Sequence[str] = (), layout: Layout | None = None) -> Report:
    """
    Every format on the same numbers, in the layout nearest to `layout` that it has (None: its own). The latest few
    reports are remembered by the numbers themselves.

    Raises PlaygroundError: a format or granularity that does not exist, a block size out of range, too large numbers.
    """
    formats = chosen(format_ids)
    if layout is not None and layout.granularity not in GRANULARITIES:
        refuse("granularity", layout.granularity, GRANULARITIES)
    digest = hashlib.blake2b(numbers.weights.numpy().data)
    if numbers.clean is not None:
        digest.update(numbers.clean.numpy().data)
    key = (digest.digest(), tuple(numbers.weights.shape), numbers.shape, tuple(one.id for one in formats), layout)
    with _REMEMBERING:
        found = _REPORTS.pop(key, None)
    found = found or _report(numbers, formats, layout)
    with _REMEMBERING:
        _REPORTS[key] = found  # the latest is the last
        while len(_REPORTS) > LATEST:
            _REPORTS.popitem(last=False)
    return found


def _report(numbers: Numbers, formats: Sequence[Format], layout: Layout | None) -> Report:
    weights = numbers.weights
    off, rounded = [], []
    for format in formats:
        quantized = format.round_trip(weights, format.fitting(layout) if layout else None)
        off.append(quantized.values - weights)
        rounded.append((quantized.layout, _statistics(numbers, quantized), *_grid(quantized, weights)))
    common = REACH * max(found.rmse for _, found, _, _ in rounded)
    outcomes = []
    for error, (own_layout, found, grid, levels) in zip(off, rounded, strict=True):
        reach = min(found.max_error, OWN_REACH * found.rmse)
        shared, own = histogram(error, ERROR_BINS, -common, common), histogram(error, OWN_BINS, -reach, reach)
        outcomes.append(Outcome(own_layout, found, shared, own, grid, levels))
    largest, peak = float(weights.abs().max()), crest(weights)
    return Report(
        numbers.shape, numbers.rows, weights.numel(), largest / peak, largest, peak,
        histogram(weights, BINS), tuple(outcomes), damage(numbers),
    )  # fmt: skip


def _statistics(numbers: Numbers, quantized: Quantized) -> Statistics:
    """Of the numbers that are looked at; bits and bytes are those of the whole tensor."""
    found = statistics(numbers.weights, quantized)
    if numbers.shape == tuple(numbers.weights.shape):
        return found
    bits = quantized.format.bits_per_parameter(numbers.shape, quantized.layout)
    count = math.prod(numbers.shape)
    return replace(found, bits_per_parameter=bits, bytes=math.ceil(round(bits * count / 8, 3)))


def rows(base: Base, module: str = "", format_ids: Sequence[str] = (), layout: Layout | None = None) -> list[dict[str, Any]]:
    """
    The statistics of each format on a module ("": see `default_module`) as plain values, with the module's path.

    Raises PlaygroundError: a module or a format that does not exist.
    """
    formats = chosen(format_ids)
    if layout is not None and layout.granularity not in GRANULARITIES:
        refuse("granularity", layout.granularity, GRANULARITIES)
    module = module or default_module(base)
    numbers = module_weight(base, module)
    found = []
    for format in formats:
        quantized = format.round_trip(numbers.weights, format.fitting(layout) if layout else None)
        scales = {"granularity": quantized.layout.granularity, "block": quantized.layout.block}
        found.append({"module": module, **asdict(_statistics(numbers, quantized)), **scales, "rows": numbers.rows})
    return found


def _grid(quantized: Quantized, weights: torch.Tensor) -> tuple[tuple[float, ...], int]:
    """What the format can be within the range of the weights, rising; without the list where it is too long."""
    import torch

    format, low, high = quantized.format, float(weights.min()), float(weights.max())
    if format.code_bits > 16:  # float32: the patterns of either sign lie in the order of their numbers
        ends = torch.tensor([abs(low), abs(high)]).view(torch.int32).tolist()
        below, above = (-end if number < 0 else end for end, number in zip(ends, (low, high), strict=True))
        return (), above - below + 1
    if format.kind == "float":
        bits = torch.arange(2 ** int(format.code_bits), dtype=torch.int32)
        words = bits.to(torch.uint8) if format.code_bits == 8 else bits.to(torch.int16)
        values = words.view(getattr(torch, format.dtype)).float()
        values = values[(values >= low) & (values <= high)].unique()
    else:
        scales = quantized.scales
        assert scales is not None
        middling = int(scales.argsort()[len(scales) // 2])
        zero = 0 if quantized.zero_points is None else int(quantized.zero_points[middling])
        most = int(format.largest)
        codes = torch.arange(-most - (quantized.zero_points is not None), most + 1, dtype=torch.float32) - zero
        levels = torch.tensor(format.levels).unique() if format.kind == "table" else codes
        values = levels * scales[middling]
    return (tuple(values.tolist()) if len(values) <= GRID else ()), len(values)


def damage(numbers: Numbers) -> Damage:
    """What the outliers among these numbers do to the others in int8, and what helps."""
    import torch

    weights, probe = numbers.weights, FORMATS[PROBE]
    rest = torch.ones(weights.shape, dtype=torch.bool)
    if numbers.places is not None:
        rest.view(-1)[numbers.places] = False

    def kept(exact: torch.Tensor, values: torch.Tensor) -> float | None:
        if numbers.places is not None:
            exact, values = exact[rest], values[rest]
        return errors(exact, values).sqnr_db if exact.numel() else None

    tensor, channel, block = (
        kept(weights, probe.round_trip(weights, layout).values)
        for layout in (Layout("tensor"), Layout("channel"), Layout("block", PROBE_BLOCK))
    )
    clean = numbers.clean
    before = tensor if clean is None else kept(clean, probe.round_trip(clean, Layout("tensor")).values)
    matrix = weights.reshape(-1, weights.shape[-1] if weights.dim() else 1)
    aside = matrix.abs().amax(0) >= THRESHOLD
    columns = int(aside.sum())
    mixed = None
    if 0 < columns < len(aside):
        rounded = FORMATS["int8_vectorwise"].round_trip(matrix.masked_fill(aside, 0.0)).values
        mixed = kept(weights, torch.where(aside, matrix, rounded).view(weights.shape))
    return Damage(
        0 if numbers.places is None else len(numbers.places),
        before, tensor, channel, block, columns, len(aside), mixed,
    )  # fmt: skip
