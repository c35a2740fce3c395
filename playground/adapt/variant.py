"""
What a pane or a row runs, as one value: the base in some form, an adapter or none, what is left of it, merged or not.

Compared by value, so that whatever was made of a variant is found again, whatever its pane is called. Knows nothing about
how it is attached, nor about the page.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from playground.adapt.methods import METHODS, method
from playground.errors import PlaygroundError
from playground.model.catalogue import held_in, parts_of
from playground.model.names import Named

if TYPE_CHECKING:
    from playground.adapt.adapters import Adapter, Record
    from playground.model.bases import Base

BASE = "base"  # the id of the plain base's pane; "base:nf4" is that of its form in NF4
FULL = "full_fine_tuning"
MERGEABLE = tuple(one.id for one in METHODS.values() if one.merges)  # what PEFT writes into weights


class Edit(Protocol):
    """What shall be left of an adapter: a frozen dataclass that makes an adapter of an adapter."""

    def applied(self, base: Base, adapter: Adapter) -> Adapter: ...


@dataclass(frozen=True)
class Variant:
    """
    One variant of a model. `base` is the id of the base with its steps, such as "smollm2-135m:nf4". Raises PlaygroundError
    if a method that changes no weight, or all of them, is to be merged.
    """

    base: str
    adapter: Adapter | None = None
    edit: Edit | None = None
    merged: bool = False

    def __post_init__(self) -> None:
        if self.merged and self.method not in MERGEABLE:
            raise PlaygroundError("not_mergeable", method=self.method)

    @classmethod
    def of(cls, requested: str, adapter: Adapter | None, edit: Edit | None = None, merged: bool = False) -> Variant:
        """
        The variant that shows an adapter to whoever has chosen the base `requested`: QLoRA's runs on its 4-bit form, full
        fine-tuning on no form, as every weight is its own, and one that was trained on what pruning left, on that.
        Raises PlaygroundError if the adapter belongs to another base, or to another part of it than is `requested`.
        """
        if adapter is None:
            return cls(requested)
        made_for = adapter.record.base
        (name, pruned, _), (wanted, less, form) = parts_of(made_for), parts_of(requested)
        if name != wanted or less not in (None, pruned):
            raise PlaygroundError("other_base", found=Named(made_for), expected=Named(requested))
        requested = held_in(made_for, None if adapter.record.method == FULL else form)
        used = method(adapter.record.method).base_id(requested, adapter.record.hyperparameters)
        return cls(used, adapter, edit, merged)

    @property
    def method(self) -> str:
        """The method's id; "base" without an adapter."""
        return self.adapter.record.method if self.adapter else BASE

    @property
    def form(self) -> str | None:
        """What was done to the base, the rest of its id: pruned, held in fewer bits, or both."""
        return self.base.partition(":")[2] or None

    @property
    def pruned(self) -> bool:
        """Whether there is less of the base."""
        return parts_of(self.base)[1] is not None

    @property
    def id(self) -> str:
        """What page and programs call it: the adapter's id, "base", or "base:nf4"."""
        if self.adapter:
            return self.adapter.id
        return f"{BASE}:{self.form}" if self.form else BASE

    def summary(self, parameters: int, record: Record | None = None) -> dict[str, Any]:
        """
        What a pane says of it. `parameters` are those of what it runs on, 0 while nobody knows; `record` is that of what is
        left of the adapter, where there is an edit.
        """
        if self.adapter is None:
            numbers = {"trainable_parameters": 0, "total_parameters": parameters, "percent": 0.0, "bytes": 0}
            named = {"id": self.id, "name": "", "base": self.base, "method": BASE, "task": None}
            return {**named, "hyperparameters": {}, "steps": 0, **numbers, "edit": None, "merged": False}
        edit = asdict(self.edit) if self.edit else None  # type: ignore[call-overload]  # every edit is a dataclass
        of_whole = {"trained_parameters": self.adapter.record.trainable_parameters} if edit else {}
        return {**self.adapter.summary(record), **of_whole, "edit": edit, "merged": self.merged}
