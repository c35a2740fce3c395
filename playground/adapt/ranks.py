"""
A rank of their own for some of the modules that LoRA adapts: the text that says so, and the patterns that PEFT takes.

`0-9: 2; 10-29: 12` or `q_proj 3,5-8: 4/16`: layers, names of modules, or both; a colon; a rank; after a slash an alpha. The
first rule that reaches a module counts, as in PEFT; what none reaches has the uniform rank. Without an alpha of its own a
module is scaled as the uniform ones are, so that another rank is not another learning rate, too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.bounds import Bound, shown
from playground.errors import PlaygroundError
from playground.model.architecture import Linear
from playground.model.modules import kind_of, layer_of

RANK = Bound("rank", 8, 1, 64)
ALPHA = Bound("alpha", 16, 1, 256, advanced=True)
RANKS = Bound("ranks", "", maximum=8000, advanced=True)
RULE = re.compile(r"\s*([^:;]+):\s*(\d{1,9})\s*(?:/\s*(\d{1,9})\s*)?(?:[,;]|$)")
PART = re.compile(
    r"\s*[^:;]+:\s*(?:\d{1,9}\s*/\s*)?(\d{1,9}(?:\.\d{1,9}(?=\s*,)|[.,]\d{1,9}(?=\s*(?:[/;]|$))))"
)  # a rule with a part of a number
SPAN = re.compile(r"(\d{1,9})(?:[-–](\d{1,9}))?")
LAYERED = re.compile(r"(.*?\.)(\d+)(\..*)")  # a path around the number of its layer

Values = Mapping[str, Any]
Module = tuple[str, int | None]  # its name, and its layer; None: outside of the layers


@dataclass(frozen=True)
class Rule:
    """What one part of the text says: which modules, of which layers (first, last), empty for all; and what they get."""

    where: str
    names: frozenset[str]
    spans: tuple[tuple[int, int], ...]
    rank: int
    alpha: int | None = None

    def reaches(self, module: Module) -> bool:
        name, layer = module
        here = not self.spans or (layer is not None and any(first <= layer <= last for first, last in self.spans))
        return here and (not self.names or name in self.names)

    def scaled(self, values: Values) -> float:
        """Its alpha, or the one that scales as the uniform alpha and rank do."""
        return alike(values, self.rank) if self.alpha is None else self.alpha


def alike(values: Values, rank: int) -> float:
    """The alpha with which a rank is scaled as `values` say: alpha / rank stays, alpha / √rank for rsLoRA."""
    share = rank / values["rank"]
    found = values["alpha"] * (share**0.5 if values["rslora"] else share)
    return int(found) if found == int(found) else float(found)


def rules(text: str) -> tuple[Rule, ...]:
    """Raises PlaygroundError for what is no rule, and for a rank or an alpha out of range."""
    text, at, found = text.strip(), 0, []
    while at < len(text):
        if part := PART.match(text, at):
            raise PlaygroundError("ranks_whole", part=shown(part[1]))
        rule = RULE.match(text, at)
        if rule is None or not _words(rule[1]):
            raise PlaygroundError("ranks_unreadable", part=shown(text[at:].strip()))
        found.append(_rule(*rule.groups()))
        at = rule.end()
    return tuple(found)


def _words(where: str) -> list[str]:
    return [word for word in re.split(r"[\s,]+", where) if word]


def _rule(where: str, rank: str, alpha: str | None) -> Rule:
    spans = {word: SPAN.fullmatch(word) for word in _words(where)}
    layers = tuple((int(one[1]), int(one[2] or one[1])) for one in spans.values() if one)
    names = frozenset(word for word, one in spans.items() if not one)
    return Rule(where.strip(), names, layers, RANK.check(int(rank)), None if alpha is None else ALPHA.check(int(alpha)))


def own(layers: Sequence[Linear], values: Values) -> dict[Module, Rule]:
    """
    Which of the adapted modules have a rule, and which. Raises PlaygroundError, as `rules`, and for a rule with a name or a
    layer that is none of theirs, or to which the rules before it leave nothing.
    """
    modules = {(one.name, layer) for one in layers for layer in one.places}
    found: dict[Module, Rule] = {}
    for rule in rules(values.get(RANKS.name, "")):
        _check(rule, modules)
        reached = [one for one in modules if rule.reaches(one) and one not in found]
        if not reached:
            raise PlaygroundError("ranks_taken", part=shown(rule.where))
        found |= dict.fromkeys(reached, rule)
    return found


def _check(rule: Rule, modules: Collection[Module]) -> None:
    """Raises PlaygroundError for a rule with a name or a layer that no module has, or without any module."""
    names, numbers = {name for name, _ in modules}, [layer for _, layer in modules if layer is not None]
    first, last = min(numbers, default=0), max(numbers, default=0)
    inside = all(first <= start <= end <= last for start, end in rule.spans)
    if not inside or rule.names - names or not any(map(rule.reaches, modules)):
        raise PlaygroundError(
            "ranks_nowhere", part=shown(rule.where), first=first, last=last, names=", ".join(sorted(names))
        )


def patterns(paths: Iterable[str], found: Mapping[Module, Rule], values: Values) -> dict[str, Any]:
    """PEFT's `rank_pattern` and `alpha_pattern` for modules by their paths: one for those that differ in layers only."""
    groups: dict[tuple[str, str, int, float], list[str]] = {}
    for path in sorted(paths, key=lambda path: (layer_of(path) or 0, path)):
        rule = found.get((kind_of(path), layer_of(path)))
        if rule:
            layered = LAYERED.fullmatch(path)
            head, number, tail = layered.groups() if layered else (path, "", "")
            groups.setdefault((head, tail, rule.rank, rule.scaled(values)), []).append(number)
    named = {
        head + (numbers[0] if len(numbers) == 1 else f"({'|'.join(numbers)})") + tail: (rank, alpha)
        for (head, tail, rank, alpha), numbers in groups.items()
    }
    return {
        "rank_pattern": {pattern: rank for pattern, (rank, _) in named.items()},
        "alpha_pattern": {pattern: alpha for pattern, (_, alpha) in named.items()},
    }


def written(ranks: Mapping[Module, int]) -> str:
    """The text that gives every module its rank, the lowest first."""
    names = dict.fromkeys(name for name, _ in ranks)
    layers: dict[tuple[bool, int, str], list[int]] = {}
    for (name, layer), rank in ranks.items():
        layers.setdefault((layer is None, rank, name), []).extend([] if layer is None else [layer])
    shared: dict[tuple[bool, int, str], list[str]] = {}
    for (outside, rank, name), numbers in sorted(layers.items(), key=lambda one: one[0][:2]):
        shared.setdefault((outside, rank, _spans(numbers)), []).append(name)
    parts = []
    for (_, rank, spans), those in shared.items():
        named = [] if spans and len(those) == len(names) else [",".join(those)]
        parts.append(f"{' '.join([*named, spans]).strip()}: {rank}")
    return "; ".join(parts)


def _spans(numbers: Iterable[int]) -> str:
    """`0-3,7`."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def span(values: Values) -> tuple[int, int]:
    """The lowest and the highest rank that settings name; a text that is no rule names none."""
    named = [int(rule[2]) for rule in RULE.finditer(values.get(RANKS.name, ""))]
    return min([*named, values["rank"]]), max([*named, values["rank"]])
