"""
What a base's linear layers read: their activations on a few prompts, and which of them are far larger than the rest.

A base is read with through a private view, so nothing of it is touched. Of the latest prompts, what was seen is
remembered. Knows nothing about rounding, adapters or the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from playground import settings
from playground.adapt import tasks
from playground.errors import PlaygroundError
from playground.formats.calibration import OUTLIER
from playground.model.bases import Base
from playground.model.memory import STORE
from playground.model.modules import kind_of, layer_of, linear_layers

COMMON = 0.06  # Dettmers et al. 2022: an outlier reaches OUTLIER in at least this share of the tokens
SYSTEMATIC = 0.25  # and in at least this share of the layers


@dataclass
class _Reading:
    """What was seen while one prompt was read, by the module's path."""

    tokens: tuple[int, ...]
    inputs: dict[str, torch.Tensor] = field(default_factory=dict)  # (tokens, features)
    largest: dict[str, torch.Tensor] = field(default_factory=dict)  # (features,): max |x|
    reached: dict[str, torch.Tensor] = field(default_factory=dict)  # (features,): tokens with |x| ≥ OUTLIER

    @property
    def bytes(self) -> int:
        return sum({one.data_ptr(): one.nbytes for one in self.inputs.values()}.values())  # q, k and v share theirs


def modules(base: Base) -> tuple[str, ...]:
    """
    The paths of the linear layers inside the decoder, in the order in which they stand; not the output head.

    Raises PlaygroundError for a base that has none, such as GPT-2, which is made of Conv1D.
    """
    found = tuple(linear_layers(base.model))
    if not found:
        raise PlaygroundError("no_linear_layers", base=base.spec.name)
    return found


def check(prompts: Sequence[str], more: int = 0) -> None:
    """
    Raises PlaygroundError: none of them, too many if `more` are to be looked at with them, an empty one, one that is too
    long.
    """
    most = settings.MAX_CALIBRATION_PROMPTS - more
    if not 1 <= len(prompts) <= most:
        raise PlaygroundError("calibration_prompts", found=len(prompts), maximum=most)
    for prompt in prompts:
        if not prompt.strip():
            raise PlaygroundError("empty_prompt")
        if len(prompt) > settings.MAX_CALIBRATION_CHARACTERS:
            raise PlaygroundError("prompt_too_long", found=len(prompt), maximum=settings.MAX_CALIBRATION_CHARACTERS)


def activations(base: Base, module: str, prompts: Sequence[str]) -> list[torch.Tensor]:
    """
    What a linear layer reads of each prompt, (tokens, features), float32 on the CPU: every token, the chat template's own
    included. They are remembered, so nobody may write to them.

    Raises PlaygroundError: no such module, and as `check`.
    """
    check(prompts)
    if module not in modules(base):
        known = ", ".join(dict.fromkeys(map(kind_of, modules(base))))
        raise PlaygroundError("not_a_module", module=module[:80], known=known)
    return [reading.inputs[module] for reading in _read(base, prompts)]


def _read(base: Base, prompts: Sequence[str]) -> list[_Reading]:
    """The reading of each prompt; those that are not kept are read (again)."""
    known: dict[str, Any] = {prompt: STORE.find((base, prompt)) for prompt in dict.fromkeys(prompts)}
    missing = [prompt for prompt, reading in known.items() if reading is None]
    for prompt, reading in zip(missing, _readings(base, missing) if missing else (), strict=True):
        known[prompt] = reading
        STORE.keep((base, prompt), reading, reading.bytes, of=(base,))
    return [known[prompt] for prompt in prompts]


def _readings(base: Base, prompts: Sequence[str]) -> list[_Reading]:
    """
    One forward pass each, through a view with a hook before every linear layer. The output head is left out. Raises
    PlaygroundError for a prompt of too many tokens.
    """
    view, found = base.view(), list[_Reading]()

    def see(path: str, layer: Any, given: tuple[torch.Tensor, ...]) -> None:
        read = given[0][0].detach().float().cpu()  # (tokens, features)
        sizes, reading = read.abs(), found[-1]
        reading.inputs[path], reading.largest[path] = read, sizes.amax(0)
        reading.reached[path] = (sizes >= OUTLIER).sum(0)

    for path in modules(base):
        view.get_submodule(path).register_forward_pre_hook(partial(see, path))
    for prompt in prompts:
        ids = tasks.prompt_ids(base.tokenizer, prompt)
        if len(ids) > settings.MAX_CALIBRATION_TOKENS:
            raise PlaygroundError("prompt_too_many_tokens", found=len(ids), maximum=settings.MAX_CALIBRATION_TOKENS)
        found.append(_Reading(tuple(ids)))
        with torch.no_grad():
            view.base_model(torch.tensor([found[-1].tokens], device=base.device), use_cache=False)
    return found


# Outliers


@dataclass(frozen=True)
class Feature:
    """One column of activations: its largest |x|, and the share of the tokens in which it reaches the threshold."""

    feature: int
    largest: float
    share: float


def outliers(activations: torch.Tensor, threshold: float = OUTLIER) -> tuple[Feature, ...]:
    """
    The features of (tokens, features) that reach the threshold, the largest first. Those with a share of at least COMMON
    are what Dettmers et al. 2022 call outlier features, if they are so in SYSTEMATIC of the layers too.
    """
    sizes = activations.abs()
    largest, shares = sizes.amax(0), (sizes >= threshold).double().mean(0)
    found = torch.nonzero(largest >= threshold).flatten().tolist()
    features = (Feature(one, float(largest[one]), float(shares[one])) for one in found)
    return tuple(sorted(features, key=lambda one: -one.largest))


@dataclass(frozen=True)
class Peak:
    """
    The largest activation of a module, and the token at which its feature is that large. `always`: every prompt begins
    with that token, and has the feature's largest there.
    """

    value: float
    feature: int
    position: int
    token: str
    always: bool


def peak(base: Base, module: str, prompts: Sequence[str]) -> Peak:
    """Where a module's largest activation is. Raises PlaygroundError as `activations`."""
    found = activations(base, module, prompts)
    prompt, sizes = max(zip(prompts, (one.abs() for one in found), strict=True), key=lambda pair: float(pair[1].max()))
    position, feature = divmod(int(sizes.argmax()), sizes.shape[1])
    token = tasks.prompt_ids(base.tokenizer, prompt)[position]
    starts = all(tasks.prompt_ids(base.tokenizer, one)[0] == token for one in prompts)
    always = starts and all(int(one[:, feature].abs().argmax()) == 0 for one in found)
    return Peak(float(sizes.max()), feature, position, str(base.tokenizer.decode([token])), always)


@dataclass(frozen=True)
class Cell:
    """
    One module: its largest |activation|, how many features reach OUTLIER anywhere, and which do so in COMMON of the
    tokens.
    """

    module: str
    kind: str
    layer: int | None
    largest: float
    reaching: int
    common: tuple[int, ...]


def network(base: Base, prompts: Sequence[str]) -> tuple[Cell, ...]:
    """Every module's largest activations over all prompts, from one pass each. Raises PlaygroundError as `check`."""
    check(prompts)
    readings = _read(base, prompts)
    tokens = sum(len(reading.tokens) for reading in readings)
    cells = []
    for module in modules(base):
        largest = torch.stack([reading.largest[module] for reading in readings]).amax(0)
        reached = torch.stack([reading.reached[module] for reading in readings]).sum(0)
        common = torch.nonzero(reached >= COMMON * tokens).flatten().tolist()
        reaching = int((largest >= OUTLIER).sum())
        cells.append(Cell(module, kind_of(module), layer_of(module), float(largest.max()), reaching, tuple(common)))
    return tuple(cells)


def systematic(cells: Sequence[Cell]) -> dict[tuple[str, int], int]:
    """Features that are common in at least SYSTEMATIC of the layers: (kind of module, feature) → in how many."""
    layers = len({cell.layer for cell in cells})
    counted = Counter((cell.kind, feature) for cell in cells for feature in cell.common)
    return {key: count for key, count in counted.most_common() if count >= SYSTEMATIC * layers}
