"""
The figures of the lessons on LoRA: the course's 50 × 50, the start, the rank, the run that exploded.

Computed on `playground.lowrank.toy`, recorded with the ready-made adapters, or published with their source beside them.
"""

from __future__ import annotations

import math

import numpy as np

from playground.learn.figures import Bar, Figure, Figures
from playground.learn.recorded import recorded_run
from playground.lowrank import toy

SIDE, RANK = 50, 2  # the course's example
STEPS, RATE = 100, 0.003  # of the plain gradient descent in `the_start`


def fifty() -> Figures:
    """How much of a random update's energy a product of rank 2 holds, and of others."""
    counts = toy.parameters(SIDE, SIDE, RANK)
    kept = {kind: 100 * toy.decomposed(kind, SIDE, SIDE)[1].best(RANK).energy for kind in ("random", "picture", "trained")}
    bars = tuple(Bar(kind, Figure(share, "%", 1)) for kind, share in kept.items())
    more = {"full": Figure(counts.full), "factors": Figure(counts.factors), "saved": Figure(counts.saved, "%")}
    return Figures(kept["random"], bars, more)


def the_start() -> Figures:
    """Three starts of B and A on a trained update of 50 × 50: what each one changes before the first step, and learns."""
    target = toy.decomposed("trained", SIDE, SIDE)[0].astype(np.float64)
    generator = np.random.default_rng(0)
    a = generator.standard_normal((RANK, SIDE)) / SIDE**0.5  # as in `toy.fit`
    noise, zero = generator.standard_normal((SIDE, RANK)), np.zeros((SIDE, RANK))
    starts = {"noise_and_zero": (zero, a), "both_zero": (zero, 0 * a), "both_noise": (noise, a)}
    left = {name: _descend(target, b, a) for name, (b, a) in starts.items()}
    bars = tuple(Bar(name, Figure(100 * error, "%", 1)) for name, error in left.items())
    changed = float(np.linalg.norm(noise @ a) / np.linalg.norm(target))
    stuck = math.isclose(left["both_zero"], 1.0)  # of the choices: as well, more slowly, never
    answer = 2 if stuck else 1 if left["both_zero"] > left["noise_and_zero"] else 0
    return Figures(answer, bars, {"steps": Figure(STEPS), "changed": Figure(100 * changed, "%")})


def _descend(target: np.ndarray, b: np.ndarray, a: np.ndarray) -> float:
    """The relative error of BA after STEPS of gradient descent on half the squared error."""
    for _ in range(STEPS):
        missing = target - b @ a
        b, a = b + RATE * missing @ a.T, a + RATE * b.T @ missing
    return float(np.linalg.norm(target - b @ a) / np.linalg.norm(target))


# Hu et al. 2021, table 6: accuracy on WikiSQL of GPT-3 with LoRA on q and v, by rank
WIKISQL = {1: 73.4, 2: 73.3, 4: 73.7, 8: 73.8, 64: 73.5}


def rank() -> Figures:
    """The published scores by rank, and held-out losses of this project's pirates, of recorded runs with one seed."""
    bars = tuple(Bar(f"rank_{rank}", Figure(score, "%", 1)) for rank, score in WIKISQL.items())
    one, eight = (recorded_run(run).looks for run in ("pirate-lora-1", "pirate-lora"))
    ends = {"before": eight[0], "one": one[-1], "eight": eight[-1]}
    more = {name: Figure(look.held_out, "", 2) for name, look in ends.items()}
    return Figures(max(WIKISQL.values()) - min(WIKISQL.values()), bars, more, origin="published")


# The course's stored outputs (peremartra/Large-Language-Model-Notebooks-Course): LoRA_Tuning_PEFT.ipynb with r = 4 and
# alpha = 1 on bloomz-560m, 5_2_LoRA_Tuning.ipynb with r = 8 and alpha = 16 on Llama-3.2-1B; both at a rate of 0.03
COURSE = {"bloomz": (4, 1, 2.728), "llama": (8, 16, 12.349)}
VOCABULARY = 128256  # of Llama-3.2 (playground.model.catalogue)


def explosion() -> Figures:
    """Two runs at one learning rate; how strongly each scales its update, and the loss of guessing blindly."""
    blind = math.log(VOCABULARY)
    losses = {name: loss for name, (_, _, loss) in COURSE.items()}
    scales = {name: alpha / rank for name, (rank, alpha, _) in COURSE.items()}
    bars = (
        *(Bar(name, Figure(loss, "", 2)) for name, loss in losses.items()),
        Bar("blind", Figure(blind, "", 2), "base"),
    )
    worst = max(losses, key=lambda name: losses[name])
    more = {f"scale_{name}": Figure(scale, "", 0 if scale == int(scale) else 2) for name, scale in scales.items()}
    more["times"] = Figure(scales["llama"] / scales["bloomz"])
    return Figures(list(COURSE).index(worst), bars, more, origin="published")
