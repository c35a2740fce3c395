"""
What shall be mixed: two to four adapters, the weight of each, the rule; and whether it can be.

Imports no torch. Knows nothing about how a mix is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from playground.adapt.adapters import Adapter, peft_config
from playground.adapt.variant import Variant
from playground.bounds import SEED, Bound
from playground.errors import PlaygroundError

MIXABLE = ("lora", "qlora")
COUNT = 2, 4  # adapters in a mix
WEIGHT = Bound("weight", 1.0, -1.0, 2.0)
RANK = Bound("rank", 8, 1, 128)
DENSITY = Bound("density", 0.5, 0.05, 1.0)
MAJORITY_SIGN = Bound("majority_sign", "total", choices=("total", "frequency"))
ORTHOGONAL = "orthogonal"


@dataclass(frozen=True)
class Rule:
    """
    How updates are put together: `id` is PEFT's `combination_type`, but for ORTHOGONAL; `takes` names the fields of a Mix
    that it needs. It works `on` "updates" (ΔW), or on "factors" (A and B each for itself), for which ranks must be equal;
    `family` is what it is called on either.
    """

    id: str
    takes: tuple[str, ...] = ()
    on: str = "updates"

    @property
    def family(self) -> str:
        return self.id.removesuffix("_svd")


RULES = {
    one.id: one
    for one in (
        Rule("cat"),
        Rule("linear", on="factors"),
        Rule("svd", ("rank",)),
        Rule(ORTHOGONAL),
        Rule("ties_svd", ("rank", "density", "majority_sign")),
        Rule("dare_linear_svd", ("rank", "density", "seed")),
        Rule("dare_ties_svd", ("rank", "density", "majority_sign", "seed")),
        Rule("magnitude_prune_svd", ("rank", "density")),
        Rule("ties", ("density", "majority_sign"), on="factors"),
        Rule("dare_linear", ("density", "seed"), on="factors"),
        Rule("dare_ties", ("density", "majority_sign", "seed"), on="factors"),
        Rule("magnitude_prune", ("density",), on="factors"),
    )
}
RULE = Bound("rule", "cat", choices=tuple(RULES))


@dataclass(frozen=True)
class Mix:
    """
    What shall be mixed: adapters, the weight of each (−1 to 2), the rule, and what some rules take: the `rank` that an SVD
    keeps, the `density` (share of the numbers that pruning leaves), how TIES elects a sign, and the `seed` of DARE.
    """

    adapters: tuple[Adapter, ...]
    weights: tuple[float, ...]
    rule: str = RULE.default
    rank: int = RANK.default
    density: float = DENSITY.default
    majority_sign: str = MAJORITY_SIGN.default
    seed: int = SEED.default

    def checked(self) -> Mix:
        """
        The same with checked values. Raises PlaygroundError: `mix_count`, `mix_weights`, `mix_twice`, `mix_method`,
        `mix_dora`, `mix_biases`, `mix_bases`, `mix_modules`, `mix_ranks`, or what `Bound.check` raises.
        """
        if not COUNT[0] <= len(self.adapters) <= COUNT[1]:
            raise PlaygroundError("mix_count", found=len(self.adapters), minimum=COUNT[0], maximum=COUNT[1])
        if len(self.weights) != len(self.adapters):
            raise PlaygroundError("mix_weights", found=len(self.weights), expected=len(self.adapters))
        rule = RULES[RULE.check(self.rule)]
        if len({one.id for one in self.adapters}) < len(self.adapters):
            raise PlaygroundError("mix_twice")
        for one in self.adapters:
            _check_alone(one)
        _check_together(self.adapters, rule)
        return replace(
            self, weights=tuple(WEIGHT.check(one) for one in self.weights), rank=RANK.check(self.rank),
            density=DENSITY.check(self.density), majority_sign=MAJORITY_SIGN.check(self.majority_sign),
            seed=SEED.check(self.seed),
        )  # fmt: skip

    def told(self) -> dict[str, Any]:
        """As the record tells it: what the rule takes, and of the adapters what finds them again."""
        parts = [
            {"id": one.id, "name": one.name, "task": one.record.task, "weight": weight}
            for one, weight in zip(self.adapters, self.weights, strict=True)
        ]
        return {"adapters": parts, "rule": self.rule, **{name: getattr(self, name) for name in RULES[self.rule].takes}}


def _check_alone(adapter: Adapter) -> None:
    """Raises PlaygroundError for what is no sum of products B A."""
    config = adapter.config or {}
    if adapter.record.method not in MIXABLE:
        raise PlaygroundError("mix_method", method=adapter.record.method)
    if config.get("use_dora"):
        raise PlaygroundError("mix_dora")
    if config.get("bias", "none") != "none":
        raise PlaygroundError("mix_biases")


def _check_together(adapters: Sequence[Adapter], rule: Rule) -> None:
    """Raises PlaygroundError for adapters of several bases, of several sets of modules, or of ranks that do not match."""
    first = adapters[0]
    for one in adapters[1:]:
        found, expected = _trained_on(one), _trained_on(first)
        if found != expected:
            raise PlaygroundError("mix_bases", found=found, expected=expected)
        if set(one.tensors) != set(first.tensors):
            raise PlaygroundError("mix_modules")
        if rule.on == "factors" and [len(one.tensors[name]) for name in _a(one)] != [
            len(first.tensors[name]) for name in _a(one)
        ]:
            raise PlaygroundError("mix_ranks", ranks=", ".join(str(_rank(each)) for each in adapters))


def _trained_on(adapter: Adapter) -> str:
    """The base whose weights an adapter changes: QLoRA's is rounded, and a change that fits it fits no other."""
    return Variant.of(adapter.record.base, adapter).base


def mixable(summary: Mapping[str, Any]) -> bool:
    """Whether an adapter, as `Adapter.summary` tells it, can be mixed with others like it."""
    values = summary["hyperparameters"]
    plain = not values.get("dora") and values.get("bias", "none") == "none"
    return summary["method"] in MIXABLE and plain


def _a(adapter: Adapter) -> list[str]:
    return [name for name in adapter.tensors if name.endswith(".lora_A.weight")]


def _rank(adapter: Adapter) -> int:
    """The rank that its config allows for, as PEFT reckons it."""
    config: Any = peft_config(adapter.config or {})
    ranks: list[int] = [config.r, *(config.rank_pattern or {}).values()]
    return max(ranks)
