"""
What a comparison is asked and what it gives: a frozen description in, frozen frames out. Imports no torch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from playground import settings
from playground.adapt.variant import Variant
from playground.bounds import SEED, Bound, check_text
from playground.errors import PlaygroundError

MAX_NEW_TOKENS = Bound("max_new_tokens", 64, 1, settings.MAX_NEW_TOKENS)
TEMPERATURE = Bound("temperature", 0.0, 0.0, 2.0, least=0.01)
TOP_P = Bound("top_p", 1.0, 0.05, 1.0)
REPETITION_PENALTY = Bound("repetition_penalty", 1.0, 1.0, 2.0)
DECODING = (MAX_NEW_TOKENS, TEMPERATURE, TOP_P, REPETITION_PENALTY, SEED)
DEFAULTS = {bound.name: bound.default for bound in DECODING}


@dataclass(frozen=True)
class Decoding:
    """How tokens are chosen; temperature 0 is greedy. Raises PlaygroundError if out of range."""

    max_new_tokens: int = MAX_NEW_TOKENS.default
    temperature: float = TEMPERATURE.default
    top_p: float = TOP_P.default
    repetition_penalty: float = REPETITION_PENALTY.default
    seed: int = SEED.default

    def __post_init__(self) -> None:
        for bound in DECODING:
            object.__setattr__(self, bound.name, bound.check(getattr(self, bound.name)))


@dataclass(frozen=True)
class CompareJob:
    """
    One question for several variants, in the order of their panes, with their titles beside them ("": what the page calls
    such a one). Divergence is measured from `base`.
    """

    base: str
    prompt: str
    variants: tuple[Variant, ...]
    decoding: Decoding = Decoding()
    titles: tuple[str, ...] = ()

    @property
    def reference(self) -> Variant:
        """What divergence is measured from."""
        return Variant(self.base)

    def title(self, place: int) -> str:
        return self.titles[place] if place < len(self.titles) else ""

    def check(self) -> None:
        """Raises PlaygroundError if this cannot be served."""
        if not self.prompt.strip():
            raise PlaygroundError("empty_prompt")
        if len(self.prompt) > settings.MAX_PROMPT_CHARACTERS:
            raise PlaygroundError("prompt_too_long", found=len(self.prompt), maximum=settings.MAX_PROMPT_CHARACTERS)
        check_text("prompt", self.prompt)
        if not 1 <= len(self.variants) <= settings.MAX_PANES:
            raise PlaygroundError("pane_count", found=len(self.variants), maximum=settings.MAX_PANES)


@dataclass(frozen=True)
class Pane:
    """
    What one pane shows. `first_divergence` counts generated tokens from 0; `kl_from_base` is in nats, None where it is not
    measured or numbers overflow; `tokens_per_second` is that of writing, together with others, after the prompt is read.
    """

    adapter: str
    summary: dict[str, Any]
    text: str = ""
    tokens: int = 0
    finished: bool = False
    finish_reason: str | None = None  # "stop" (an end token), "length" or "overflow" (of float32)
    first_divergence: int | None = None
    divergence_span: tuple[int, int] | None = None
    tokens_per_second: float | None = None
    kl_from_base: float | None = None
    top_tokens: tuple[dict[str, Any], ...] = ()
    weights_untouched: bool | None = None


@dataclass(frozen=True)
class Frame:
    base: str
    base_parameters: int
    prompt: str
    decoding: Decoding
    panes: tuple[Pane, ...]
    finished: bool = False

    @property
    def left(self) -> float:
        """The share of the work that is left, if no answer ends by itself: of the pane that has the most to write."""
        unfinished = [pane.tokens for pane in self.panes if not pane.finished]
        return 1 - min(unfinished) / self.decoding.max_new_tokens if unfinished else 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain values; a pane's summary lies beside its other fields."""
        frame = asdict(self)
        frame["panes"] = [{**pane.pop("summary"), **pane} for pane in frame["panes"]]
        return frame
