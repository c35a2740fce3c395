"""
Where LoRA's factors begin: A against W's own directions before anything is trained, and the first steps from each of the
initializations, three seeds each.

A race is every initialization of LoRA, and QLoRA's two, at one rate; all of a seed see the same examples in the same order.
Recorded ones lie in `examples/initialization.json` (`make examples`). Knows nothing about the page.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.adapt import tasks
from playground.adapt.initialization import LORA, QLORA, RANDOM
from playground.model.randomness import drawn_apart
from playground.train.job import Ended, Evaluation, Step, TrainingJob
from playground.train.schedule import Pace

if TYPE_CHECKING:
    import torch

    from playground.model.bases import Base

FILE = settings.EXAMPLES / "initialization.json"
TASK, STEPS, SEEDS = "pirate", 20, (0, 1, 2)
RATES = (0.01, 0.002)  # LoRA's default, and one at which factors that are large from the start can be moved
PACE = Pace(least=4, most=4, answered=0)
T_95 = 4.303  # Student's t with 2 degrees of freedom (three seeds), two-sided 95 %
SHOWN = 24  # of W's strongest directions, beside those of A


@dataclass(frozen=True)
class Start:
    """A method and how its factors begin."""

    method: str
    initialization: str

    @property
    def plain(self) -> Start:
        """The one that it is held against: the same method from a random start."""
        return Start(self.method, RANDOM)


STARTS = (*(Start("lora", one) for one in LORA), *(Start("qlora", one) for one in QLORA))


@dataclass(frozen=True)
class Curve:
    """One run: the losses of its steps' batches and on the held-out examples, and the seconds that it took to begin."""

    method: str
    initialization: str
    seed: int
    losses: tuple[tuple[int, float], ...] = ()
    held_out: tuple[tuple[int, float], ...] = ()
    beginning: float = 0.0
    ended: str = ""  # "finished", or "failed" where it diverged

    @property
    def start(self) -> Start:
        return Start(self.method, self.initialization)


@dataclass(frozen=True)
class Race:
    """The runs so far at one learning rate, and with what they were computed."""

    base: str
    rate: float
    curves: tuple[Curve, ...]
    hardware: str = ""
    recorded: bool = False

    def of(self, start: Start) -> list[Curve]:
        """The runs of one start, in the order of the seeds, that are over."""
        return [one for one in self.curves if one.start == start and one.ended]

    @property
    def whole(self) -> bool:
        return sum(bool(one.ended) for one in self.curves) == len(STARTS) * len(SEEDS)


def race(
    base_id: str, rate: float, get_base: Callable[[str], Base], stop: Callable[[], bool], seeds: Sequence[int] = SEEDS
) -> Iterator[Race | None]:
    """The race as far as it is, after every look; None at the pauses between. A seed of all comes before the next."""
    from playground.train.record import hardware
    from playground.train.training import train

    done: list[Curve] = []
    machine = hardware(get_base(base_id))
    for seed in seeds:
        for start in STARTS:
            values = {"initialization": start.initialization, "learning_rate": rate}
            job = TrainingJob(base_id, start.method, tasks.task(TASK), values, STEPS, seed)
            seen = Curve(start.method, start.initialization, seed)
            for event in train(job, get_base, stop, pace=PACE):
                seen = after(seen, event)
                yield Race(base_id, rate, (*done, seen), machine) if isinstance(event, Evaluation | Ended) else None
            if seen.ended == "stopped":
                return
            done.append(seen)


def after(curve: Curve, event: Any) -> Curve:
    """A run's curve with what an event of it tells."""
    known = asdict(curve)
    if isinstance(event, Step):
        known["losses"] = (*curve.losses, (event.step, event.loss))
    elif isinstance(event, Evaluation):
        known["held_out"] = (*curve.held_out, (event.step, event.held_out_loss))
    elif isinstance(event, Ended):
        known |= {"ended": event.event, "beginning": event.adapter.record.beginning}
    return Curve(**known)


def recorded(rate: float) -> Race | None:
    """The race that was recorded at a rate; None if there is none."""
    found = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"races": []}
    for one in found["races"]:
        if one["rate"] == rate:
            curves = [_curve(**curve) for curve in one["curves"]]
            return Race(found["base"], rate, tuple(curves), found["hardware"], recorded=True)
    return None


def _curve(losses: Sequence[Any], held_out: Sequence[Any], **rest: Any) -> Curve:
    return Curve(losses=tuple(map(tuple, losses)), held_out=tuple(map(tuple, held_out)), **rest)


@dataclass(frozen=True)
class Verdict:
    """
    A start's last held-out losses against those of the same method from a random start: its `mean`, the mean `difference`
    (below 0: better), and whether that is more than noise. `diverged` runs have no last loss, so nothing is compared.
    """

    start: Start
    mean: float
    low: float
    high: float
    first: float  # the loss before the first step, the mean
    beginning: float  # seconds, the median
    difference: float = 0.0
    differs: bool = False
    diverged: int = 0


def verdicts(race: Race) -> list[Verdict]:
    """Of every start that has all its seeds, in their order."""
    return [_verdict(race, start) for start in STARTS if len(race.of(start)) == len(SEEDS)]


def _verdict(race: Race, start: Start) -> Verdict:
    runs, plain = race.of(start), race.of(start.plain)
    diverged = sum(one.ended != "finished" for one in runs)
    last, against = _last(runs), _last(plain)
    apart = not diverged and len(plain) == len(SEEDS) and start != start.plain
    differences = [mine - theirs for mine, theirs in zip(last, against, strict=True)] if apart else []
    return Verdict(
        start,
        *(fmean(last), min(last), max(last)),
        first=fmean(one.held_out[0][1] for one in runs),
        beginning=sorted(one.beginning for one in runs)[len(runs) // 2],
        difference=fmean(differences) if differences else 0.0,
        differs=bool(differences) and not inside_noise(last, against),
        diverged=diverged,
    )


def _last(runs: Sequence[Curve]) -> list[float]:
    return [one.held_out[-1][1] for one in runs]


def inside_noise(one: Sequence[float], other: Sequence[float]) -> bool:
    """
    Whether a difference of losses, paired by seed, may be chance. It counts if every seed of the one lies on the same side
    of every seed of the other, and the 95 % interval of the mean difference (Student's t) leaves out zero.
    """
    if min(one) <= max(other) and min(other) <= max(one):
        return True
    differences = [mine - theirs for mine, theirs in zip(one, other, strict=True)]
    return abs(fmean(differences)) <= T_95 * stdev(differences) / math.sqrt(len(differences))


@dataclass(frozen=True)
class Map:
    """
    φ(j, i) of A's first j directions and W's first i right ones, (rank, shown) (Hu et al. 2021, equation 4); `chance` is
    what random directions would give at (rank, rank).
    """

    start: Start
    module: str
    values: torch.Tensor
    rank: int
    chance: float

    @property
    def own(self) -> float:
        """How much of A lies in as many of W's strongest directions as it has."""
        return float(self.values[-1, self.rank - 1])


def begun(base_id: str, start: Start, module: str, get_base: Callable[[str], Base]) -> Generator[None, None, Map]:
    """Let one module begin as a run of seed 0 would, with the method's defaults, pausing; and hold its A against W."""
    import torch

    from playground.adapt.adapters import PREFIX
    from playground.adapt.attach import wrapped
    from playground.adapt.configs import lora_config
    from playground.adapt.methods import method
    from playground.lowrank.factors import overlap
    from playground.model.weights import weight_of
    from playground.train.beginning import beginning

    chosen = method(start.method)
    values = chosen.complete({"initialization": start.initialization})
    base = get_base(chosen.base_id(base_id, values))
    config: Any = lora_config(base, values)
    config.target_modules = {module}
    job = TrainingJob(base_id, start.method, tasks.task(TASK), values, STEPS, SEEDS[0])
    with drawn_apart(base.device):
        torch.manual_seed(job.seed)
        model = wrapped(base, config)
    encoded = [tasks.encode(base.tokenizer, example) for example in job.task.train]
    yield from beginning(job, base, model, encoded, get_base)
    a = model.get_submodule(f"{PREFIX}{module}".removesuffix(".")).lora_A["default"].weight.detach()[: values["rank"]]
    weight = weight_of(get_base(base_id).model, module).double()
    own = torch.linalg.svd(a.double().cpu(), full_matrices=False).Vh.T
    strongest = torch.linalg.svd(weight, full_matrices=False).Vh[:SHOWN].T
    return Map(start, module, overlap(own, strongest), len(a), len(a) / weight.shape[1])
