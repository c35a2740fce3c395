"""
Which modules a PEFT config from outside means, written out: no regular expression of a stranger runs in this process.

PEFT matches module names with `re`, which no thread can stop: a pattern that tries forever would hold up everybody. Here
another process matches, within a time limit; what is left are names, which mean the same to PEFT.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from playground import settings
from playground.errors import PlaygroundError

ALL_LINEAR = "all-linear"  # PEFT's word for every linear layer but the output head
NAMES = ("target_modules", "exclude_modules", "feedforward_modules")  # a list of names, or one regular expression
RULES = ("rank_pattern", "alpha_pattern")  # from a regular expression to a value; the first that matches counts
# As peft.utils.other.match_target_against_key and get_pattern_key do
MATCHING = """
import json, re, sys
asked = json.load(sys.stdin)
def first(rules, name):
    return next((place for place, rule in enumerate(rules) if re.match(rf"(.*\\.)?({rule})$", name)), None)
whole = [[name for name in asked["names"] if re.fullmatch(pattern, name)] for pattern in asked["whole"]]
json.dump([whole, [[first(rules, name) for name in asked["layers"]] for rules in asked["ends"]]], sys.stdout)
"""


def written_out(config: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """
    A checked config that means the same for a base with modules of these `names`, and only what has a meaning there.
    Raises PlaygroundError if a regular expression is none, or takes too long.
    """
    suffixes = set(_suffixes(names))
    inner = {name.rpartition(".")[0] for name in names}
    layers = [name for name in names if name not in inner]
    whole = [field for field in NAMES if isinstance(config.get(field), str) and config[field].lower() != ALL_LINEAR]
    plain = {field: all(key in suffixes or key.isidentifier() for key in config.get(field) or {}) for field in RULES}
    ends = [field for field in RULES if not plain[field]]
    matched, firsts = _matched([config[field] for field in whole], [list(config[field]) for field in ends], names, layers)
    found = {**config, **dict(zip(whole, matched, strict=True))}
    for field, places in zip(ends, firsts, strict=True):
        found[field] = _by_value(list(config[field].values()), places, layers)
    for field in (one for one in RULES if plain[one] and config.get(one)):
        found[field] = {key: value for key, value in config[field].items() if key in suffixes}
    if any(field in whole for field in NAMES) and isinstance(found.get("feedforward_modules"), list):
        found |= _full(found, names)
    return found | _meant(found, suffixes, names)


def _full(config: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """IA3's targets by their whole names, and which of them are inner ones: PEFT wants these among those."""
    targets, inner = config.get("target_modules"), config["feedforward_modules"]
    if not isinstance(targets, list):
        return {}
    full = [name for name in names if any(one in targets for one in _suffixes([name]))]
    return {"target_modules": full, "feedforward_modules": [name for name in full if name.endswith(tuple(inner))]}


def _meant(config: Mapping[str, Any], suffixes: set[str], names: Sequence[str]) -> dict[str, Any]:
    """The lists of names without those that no module bears: PEFT tries every one on every module."""
    lists = {field: dict.fromkeys(config[field]) for field in NAMES if isinstance(config.get(field), list)}
    inner = [one for one in lists.get("feedforward_modules", ()) if any(name.endswith(one) for name in names)]
    kept = {field: [one for one in listed if one in suffixes or one in inner] for field, listed in lists.items()}
    return kept | ({"feedforward_modules": inner} if "feedforward_modules" in lists else {})


def _suffixes(names: Iterable[str]) -> Iterable[str]:
    """`a.b.c`, `b.c` and `c` of every `a.b.c`: what a name in a list matches."""
    for name in names:
        parts = name.split(".")
        yield from (".".join(parts[start:]) for start in range(len(parts)))


def _matched(
    whole: list[str], ends: list[list[str]], names: Sequence[str], layers: Sequence[str]
) -> tuple[list[list[str]], list[list[int | None]]]:
    """For every pattern the names that it matches, and of every list of rules the first that matches each layer."""
    if not whole and not ends:
        return [], []
    asked = json.dumps({"whole": whole, "ends": ends, "names": list(names), "layers": list(layers)})
    shown = ", ".join((*whole, *(rule for rules in ends for rule in rules)))[:80]
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", MATCHING], input=asked, capture_output=True, text=True,
            timeout=settings.MAX_PATTERN_SECONDS, check=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise PlaygroundError("upload_slow_pattern", patterns=shown, seconds=settings.MAX_PATTERN_SECONDS) from error
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().rpartition("\n")[2][:120]
        raise PlaygroundError("upload_pattern", patterns=shown, reason=reason) from error
    matched, firsts = json.loads(done.stdout)
    return matched, firsts


def _by_value(values: Sequence[Any], places: Sequence[int | None], layers: Sequence[str]) -> dict[str, Any]:
    """One pattern of escaped names for every value, so that PEFT has few to try."""
    groups: dict[Any, list[str]] = {}
    for place, layer in zip(places, layers, strict=True):
        if place is not None:
            groups.setdefault(values[place], []).append(re.escape(layer))
    return {"|".join(group): value for value, group in groups.items()}
