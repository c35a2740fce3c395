"""
One tensor in every format: what each format makes of it, and what outliers among its numbers cost.

`report` rounds `Numbers` (see `sources`) and gives plain numbers to draw. Imports no torch before it has work to do.
Knows nothing about the page.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from playground.bounds import Bound
from playground.formats.bits import levels
from playground.formats.calibration import OUTLIER
from playground.formats.format import GRANULARITY, LARGEST, Format, Layout, Quantized
from playground.formats.registry import FORMATS, format_of
from playground.formats.statistics import Histogram, Statistics, crest, errors, histogram, six_db_line, statistics
from playground.quantize.sources import Numbers, default_module, module_weight

if TYPE_CHECKING:
    import torch

    from playground.model.bases import Base


PROBE, PROBE_BLOCK = "int8", 64  # what the damage of outliers is measured with
STOPS = ("tensor", "channel", 4096, 1024, 256, 128, 64, 32)  # ever fewer numbers that share a scale
STOP = Bound("granularity", STOPS.index(64), 0, len(STOPS) - 1)
BINS, ERROR_BINS, OWN_BINS = 151, 151, 75
GRID = 300  # numbers of a grid that are listed
REACH = 3.0  # largest root mean square errors that the common histograms reach to either side
OWN_REACH = 4.0  # the same of a format's own
LATEST = 32  # reports that are remembered


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
    shared = STOPS[STOP.check(stop)]
    if isinstance(shared, int):
        return Layout("block", shared, zero_point)
    return Layout(shared, zero_point=zero_point)


def chosen(format_ids: Sequence[str] = ()) -> tuple[Format, ...]:
    """These formats in the registry's order; none are all. Raises PlaygroundError for one that does not exist."""
    wanted = {format_of(one).id for one in format_ids} or set(FORMATS)
    return tuple(format for format in FORMATS.values() if format.id in wanted)


_REPORTS: OrderedDict[tuple[object, ...], Report] = OrderedDict()
_REMEMBERING = threading.Lock()


def report(numbers: Numbers, format_ids: Sequence[str] = (), layout: Layout | None = None) -> Report:
    """
    Every format on the same numbers, in the layout nearest to `layout` that it has (None: its own). The latest few
    reports are remembered by the numbers themselves.

    Raises PlaygroundError: a format or granularity that does not exist, a block size out of range, too large numbers.
    """
    formats = chosen(format_ids)
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
    for quantized in _rounded(numbers, formats, layout):
        off.append(quantized.values - weights)
        rounded.append((quantized.layout, statistics(numbers.weights, quantized, numbers.shape), *_grid(quantized, weights)))
    common = min(LARGEST, REACH * max(found.rmse for _, found, _, _ in rounded))  # an error is a float32 itself
    outcomes = []
    for error, (own_layout, found, grid, count) in zip(off, rounded, strict=True):
        reach = min(found.max_error, OWN_REACH * found.rmse)
        shared, own = histogram(error, ERROR_BINS, -common, common), histogram(error, OWN_BINS, -reach, reach)
        outcomes.append(Outcome(own_layout, found, shared, own, grid, count))
    largest, peak = float(weights.abs().max()), crest(weights)
    return Report(
        numbers.shape, numbers.rows, weights.numel(), largest / peak, largest, peak,
        histogram(weights, BINS), tuple(outcomes), damage(numbers),
    )  # fmt: skip


def _rounded(numbers: Numbers, formats: Sequence[Format], layout: Layout | None) -> Iterator[Quantized]:
    """The numbers in each format, in the layout nearest to `layout`. Raises PlaygroundError for a granularity of none."""
    if layout is not None:
        GRANULARITY.check(layout.granularity)
    for format in formats:
        yield format.round_trip(numbers.weights, format.fitting(layout) if layout else None)


def rows(base: Base, module: str = "", format_ids: Sequence[str] = (), layout: Layout | None = None) -> list[dict[str, Any]]:
    """
    The statistics of each format on a module ("": see `default_module`) as plain values, with the module's path.

    Raises PlaygroundError: a module or a format that does not exist.
    """
    formats = chosen(format_ids)
    module = module or default_module(base)
    numbers = module_weight(base, module)
    found = []
    for quantized in _rounded(numbers, formats, layout):
        scales = {"granularity": quantized.layout.granularity, "block": quantized.layout.block}
        found.append(
            {
                "module": module,
                **asdict(statistics(numbers.weights, quantized, numbers.shape)),
                **scales,
                "rows": numbers.rows,
            }
        )
    return found


def _grid(quantized: Quantized, weights: torch.Tensor) -> tuple[tuple[float, ...], int]:
    """What the format can be within the range of the weights, rising; without the list where it is too long."""
    if quantized.scales is None:
        return levels(quantized.format, float(weights.min()), float(weights.max()), most=GRID)
    middling = int(quantized.scales.argsort()[len(quantized.scales) // 2])
    zero_point = None if quantized.zero_points is None else int(quantized.zero_points[middling])
    format, scale, offset = quantized.format, float(quantized.scales[middling]), 0.0
    if quantized.minima is not None:
        offset = float(quantized.minima[middling]) - format.levels[0] * scale
    return levels(format, scale=scale, zero_point=zero_point, most=GRID, offset=offset)


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
    aside = matrix.abs().amax(0) >= OUTLIER
    columns = int(aside.sum())
    mixed = None
    if 0 < columns < len(aside):
        rounded = FORMATS["int8_vectorwise"].round_trip(matrix.masked_fill(aside, 0.0)).values
        mixed = kept(weights, torch.where(aside, matrix, rounded).view(weights.shape))
    return Damage(
        0 if numbers.places is None else len(numbers.places),
        before, tensor, channel, block, columns, len(aside), mixed,
    )  # fmt: skip
