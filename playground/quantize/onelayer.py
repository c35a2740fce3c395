"""
The ladder on one linear layer of a base: every rung on what the layer reads of the calibration text, measured on that and on
the neutral text, which no rung sees.

    texts ──▶ the base, up to the layer ──▶ what it reads (tokens, in) ──▶ ten rungs ──▶ one Step each

What a layer reads is remembered with its base. Knows nothing about the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from playground import settings
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.model.beside import beside
from playground.model.memory import STORE
from playground.model.modules import kind_of, linear_layers, sides
from playground.model.neutral import text_windows
from playground.model.weights import weight_of
from playground.quantize.ladder import RUNGS, Step, climb
from playground.quantize.rounding import Grid
from playground.quantize.sequential import calibration
from playground.quantize.sources import default_module

PLAIN_GRID = Grid()


@dataclass(frozen=True)
class LayerJob:
    """Every rung on one module of a base (a plain id); "" is `sources.default_module`."""

    base: str
    module: str = ""
    grid: Grid = PLAIN_GRID


@dataclass(frozen=True)
class LayerLadder:
    """
    One layer under the rungs, as far as it has come: `shape` (out, in), the tokens that the rungs saw and those that they
    did not, and in the end every one of RUNGS in `steps`.
    """

    base: str
    module: str
    shape: tuple[int, ...]
    grid: Grid
    seen: int = 0
    unseen: int = 0
    steps: tuple[Step, ...] = ()

    @property
    def done(self) -> bool:
        return len(self.steps) == len(RUNGS)


def modules(base: Base) -> dict[str, tuple[int, int]]:
    """The linear layers by their paths, (out, in) each; raises PlaygroundError for a base without one."""
    found = {path: sides(layer)[::-1] for path, layer in linear_layers(base.model).items()}
    if not found:
        raise PlaygroundError("no_linear_layers", base=base.spec.name)
    return found


def checked(base: Base, module: str, grid: Grid) -> tuple[str, tuple[int, int]]:
    """The module's path and sides. Raises PlaygroundError: no such layer, a grid that does not fit it, too many inputs."""
    known = modules(base)
    usual = default_module(base)
    module = module or (usual if usual in known else next(iter(known)))
    if module not in known:
        raise PlaygroundError("not_a_module", module=str(module)[:80], known=", ".join(dict.fromkeys(map(kind_of, known))))
    inputs = known[module][1]
    grid.checked(inputs)
    if inputs > settings.MAX_LADDER_INPUTS:
        raise PlaygroundError("ladder_too_wide", found=inputs, maximum=settings.MAX_LADDER_INPUTS)
    return module, known[module]


def layer_ladder(job: LayerJob, get_base: Callable[[str], Base]) -> Iterator[LayerLadder]:
    """
    A ladder that grows by a step, and the same again while one is worked at. Raises PlaygroundError before the first for a
    job that makes no sense.
    """
    base = get_base(job.base)
    module, shape = checked(base, job.module, job.grid)
    done = LayerLadder(job.base, module, shape, job.grid)
    yield done
    seen, unseen = yield from beside(partial(read_by, base, module), lambda: done)
    done = replace(done, seen=len(seen), unseen=len(unseen))
    steps = climb(weight_of(base.model, module), seen, unseen, job.grid)
    for _ in RUNGS:
        step = yield from beside(partial(next, steps), partial(replace, done))
        done = replace(done, steps=(*done.steps, step))
        yield done


class _Read(Exception):  # noqa: N818  # nothing is wrong: the layers above need not compute
    pass


def read_by(base: Base, module: str) -> tuple[torch.Tensor, torch.Tensor]:
    """What a layer reads of the calibration text and of the neutral one, (tokens, in) float32 on the CPU each."""
    key = (base, "ladder", module)
    if (known := STORE.find(key)) is None:
        text = calibration(base)
        base.check_room(text.shape[1])
        known = _read(base, module, list(text)), _read(base, module, text_windows(base))
        STORE.keep(key, known, sum(one.nbytes for one in known), of=(base,))
    found: tuple[torch.Tensor, torch.Tensor] = known
    return found


@torch.no_grad()
def _read(base: Base, module: str, texts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Of ids (tokens,) each; one of its own view, so nothing of the base is touched."""
    found: list[torch.Tensor] = []

    def see(layer: Any, given: tuple[torch.Tensor, ...]) -> None:
        found.append(given[0].detach().float().cpu().flatten(0, -2))
        raise _Read

    view = base.view().eval()
    view.get_submodule(module).register_forward_pre_hook(see)
    for ids in texts:
        before = len(found)
        try:
            view.base_model(ids[None].to(base.device), use_cache=False)
        except _Read:
            continue
        if len(found) == before:  # an expert that no token of this piece was sent to
            found.append(torch.zeros(1, sides(view.get_submodule(module))[0]))
    return torch.cat(found)
