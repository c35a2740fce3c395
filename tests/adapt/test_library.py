"""A session's own adapters: numbered, each with a name of its own, until they are let go of."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from playground import settings
from playground.adapt.adapters import Adapter, Checkpoint, Record, file_stem
from playground.adapt.library import Library
from playground.errors import PlaygroundError
from playground.model.memory import Store


def adapter(adapter_id: str, name: str = "", **changed: Any) -> Adapter:
    record = Record("tiny", "lora", "pirate", {"rank": 8}, 0, 24, 1, 2, 4, **changed)
    tensors = {"w": torch.zeros(100)}
    return Adapter(
        adapter_id, record, {"r": 8}, tensors, name=name, checkpoints=(Checkpoint(3, {}), Checkpoint(24, tensors))
    )


def refused(act: Any, *given: Any) -> str:
    with pytest.raises(PlaygroundError) as wrong:
        act(*given)
    return wrong.value.key


def test_numbers_count_on_whatever_goes() -> None:
    library = Library()
    for adapter_id in "abc":
        library.add(adapter(adapter_id))
    library.remove("b")
    library.add(adapter("d"))
    assert [(one.id, one.number) for one in library.own()] == [("d", 4), ("c", 3), ("a", 1)]
    assert all(one.summary()["own"] for one in library.own())
    assert library.get("d@3").number == 4


def test_two_of_one_name_are_told_apart_when_they_come_and_refused_when_they_are_called_so() -> None:
    library = Library()
    for adapter_id in "abc":
        library.add(adapter(adapter_id, "x" * settings.MAX_ADAPTER_NAME))
    names = {one.name for one in library.own()}
    assert len(names) == 3
    assert max(map(len, names)) <= settings.MAX_ADAPTER_NAME
    library.rename("a", "Anna")
    assert library.rename("a", " Anna ").name == "Anna"  # its own is not taken
    assert refused(library.rename, "b", "Anna") == "name_taken"


@pytest.mark.parametrize("name", ["", "  ", "\u202e\0", "\ud800", "x" * (settings.MAX_ADAPTER_NAME + 1)])
def test_a_name_has_some_letters_and_not_too_many(name: str) -> None:
    library = Library()
    library.add(adapter("a"))
    assert refused(library.rename, "a", name) == "name_length"


def test_a_renamed_adapter_is_the_same_one_in_its_place() -> None:
    library = Library()
    for adapter_id in "ab":
        library.add(adapter(adapter_id))
    before = library.get("a")
    after = library.rename("a", "Anna")
    assert [one.id for one in library.own()] == ["b", "a"]
    assert (after.number, after.tensors, after.record) == (before.number, before.tensors, before.record)
    assert library.get("a@3").name == "Anna"


def test_only_own_adapters_are_renamed_or_removed() -> None:
    library = Library()
    for act in (lambda one: library.rename(one, "Anna"), library.remove):
        assert refused(act, "pirate-lora") == "unknown_adapter"
        assert refused(act, "nobody") == "unknown_adapter"


def test_what_is_removed_or_renamed_leaves_nothing_behind_that_was_made_of_it() -> None:
    store = Store(lambda beside: 10**9)
    library = Library(store)
    for adapter_id in "ab":
        library.add(adapter(adapter_id))
    for adapter_id, leave in (("a", library.remove), ("b", lambda one: library.rename(one, "Anna"))):
        for one in (adapter_id, f"{adapter_id}@3"):
            store.keep(one, object(), 100, of=(library.get(one),))
        leave(adapter_id)
        assert not store.holds(adapter_id)
        assert not store.holds(f"{adapter_id}@3")


@pytest.mark.parametrize(("steps", "planned", "untrained"), [(0, 24, True), (3, 24, False), (24, 24, False), (0, 0, False)])
def test_untrained_is_what_had_steps_to_go_and_went_none(steps: int, planned: int, untrained: bool) -> None:
    record = Record("tiny", "few_shot", "pirate", {}, 0, steps, 0, 2, 0, planned_steps=planned)
    assert record.untrained is untrained


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("LoRA r = 8 · pirate 3, step 12", "lora-r-8-pirate-3-step-12"),
        ("Ajuste fino · inglés", "ajuste-fino-ingles"),
        ("../../etc/passwd", "etc-passwd"),
        ("日本", ""),
    ],
)
def test_a_file_is_called_as_every_file_system_takes_it(name: str, stem: str) -> None:
    assert file_stem(name) == stem
