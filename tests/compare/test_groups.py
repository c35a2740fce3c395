"""
A comparison of more forms than fit into memory: they take turns in groups, and every pane writes what it writes alone.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest

from playground import settings
from playground.adapt import attach
from playground.adapt.variant import Variant
from playground.compare import comparison, reading
from playground.compare.comparison import compare, groups
from playground.compare.job import CompareJob, Decoding
from playground.model.architecture import entries
from playground.model.bases import Base, Bases
from playground.model.catalogue import CATALOGUE, BaseSpec
from playground.model.memory import Store

FORMS = ("int4", "int8", "ternary", "float8_e4m3", "bfloat16")
JOB = CompareJob("tiny", "say one", (Variant("tiny"), *(Variant(f"tiny:{form}") for form in FORMS)), Decoding(6))


@pytest.fixture
def bases(tiny: Base, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Bases]:
    """The tiny base and its forms from the disk, with room for so many forms beside the plain one."""
    monkeypatch.setitem(CATALOGUE, "tiny", BaseSpec("tiny", "Tiny", "local", str(tiny.folder), tiny.architecture))
    monkeypatch.setattr(settings, "DEVICE", "cpu")

    def room_for(forms: int) -> Bases:
        plain, form = 4 * tiny.architecture.parameters, 4 * entries(tiny.architecture.linears)
        budget = plain + forms * form + form // 2  # for small things: attached models, what prompts begin with
        store = Store(lambda _: budget)
        monkeypatch.setattr(attach, "STORE", store)
        monkeypatch.setattr(comparison, "STORE", store)
        monkeypatch.setattr(reading, "STORE", store)
        return Bases(store)

    return room_for


def answers(kept: Bases) -> list[tuple[str, str, float | None]]:
    *_, last = compare(JOB, kept.get)
    return [(pane.adapter, pane.text, pane.kl_from_base) for pane in last.panes]


def test_forms_that_do_not_fit_together_take_turns_and_answer_the_same(bases: Callable[[int], Bases]) -> None:
    together = answers(bases(len(FORMS)))
    assert len(groups(JOB, bases(len(FORMS)).get("tiny"))) == 1
    kept = bases(2)
    assert [len(group) for group in groups(JOB, kept.get("tiny"))] == [3, 2, 1]
    assert answers(kept) == together
    assert [kept.is_loaded(f"tiny:{form}") for form in FORMS] == [False, False, False, True, True]


def test_a_group_that_has_ended_leaves_memory_to_the_next(bases: Callable[[int], Bases]) -> None:
    kept, alive, made = bases(1), [], list[weakref.ref[object]]()

    def get_base(base_id: str) -> Base:
        base = kept.get(base_id)
        gc.collect()
        alive.append(sum(one() is not None for one in made if base_id != "tiny"))
        made.append(weakref.ref(base.model)) if base_id != "tiny" else None
        return base

    list(compare(JOB, get_base))
    assert max(alive) == 0  # when a form is there, no former one is


def test_adapters_of_the_plain_base_come_with_it_in_the_order_of_the_panes(bases: Callable[[int], Bases]) -> None:
    panes = (Variant("tiny:int4"), Variant("tiny"), Variant("tiny:int8"))
    found = groups(CompareJob("tiny", "say one", panes), bases(1).get("tiny"))
    assert found == [[0, 1], [2]]
