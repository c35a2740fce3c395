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
    One variant of a model. `base` is the id of the base with its form, such as "smollm2-135m:nf4". Raises PlaygroundError
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
        fine-tuning on the plain base, of which every weight is its own.
        Raises PlaygroundError if the adapter belongs to another base.
        """
        if adapter is None:
            return cls(requested)
        made_for = adapter.record.base
        if made_for.partition(":")[0] != requested.partition(":")[0]:
            raise PlaygroundError("other_base", found=made_for, expected=requested)
        requested = made_for.partition(":")[0] if adapter.record.method == FULL else requested
        used = method(adapter.record.method).base_id(requested, adapter.record.hyperparameters)
        return cls(used, adapter, edit, merged)

    @property
    def method(self) -> str:
        """The method's id; "base" without an adapter."""
        return self.adapter.record.method if self.adapter else BASE

    @property
    def form(self) -> str | None:
        """The base's form in fewer bits."""
        return self.base.partition(":")[2] or None

    @property
    def id(self) -> str:
        """What page and programs call it: the adapter's id, "base", or "base:nf4"."""
        if self.adapter:
            return self.adapter.id
        return f"{BASE}:{self.form}" if self.form else BASE

    def summary(self, parameters: int, record: Record | None = None) -> dict[str, Any]:
        """
        What a pane says of it. `parameters` are the base's; `record` is that of what is left of the adapter, where there
        is an edit.
        """
        if self.adapter is None:
            numbers = {"trainable_parameters": 0, "total_parameters": parameters, "percent": 0.0, "bytes": 0}
            named = {"id": self.id, "name": "", "base": self.base, "method": BASE, "task": None}
            return {**named, "hyperparameters": {}, "steps": 0, **numbers, "edit": None, "merged": False}
        edit = asdict(self.edit) if self.edit else None  # type: ignore[call-overload]  # every edit is a dataclass
        of_whole = {"trained_parameters": self.adapter.record.trainable_parameters} if edit else {}
        return {**self.adapter.summary(record), **of_whole, "edit": edit, "merged": self.merged}
