"""
The store: what can be had again is kept within one budget, and nothing of what was let go is alive.
"""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from playground import settings
from playground.model import memory
from playground.model.memory import Store


class Thing:
    """Something that can be had again and that weak references can watch."""

    def __init__(self) -> None:
        self.tensor = torch.zeros(25)  # 100 bytes


def test_what_was_not_used_for_longest_gives_way() -> None:
    store = Store(lambda _: 300)
    for key in "abc":
        store.keep(key, Thing(), 100)
    assert store.find("a") is not None  # used: now b is the oldest
    store.keep("d", Thing(), 100)
    assert [store.holds(key) for key in "abcd"] == [True, False, True, True]
    assert store.held() == 300


def test_the_newest_stays_even_if_it_is_alone_too_large() -> None:
    store = Store(lambda _: 300)
    store.keep("small", Thing(), 100)
    store.keep("large", Thing(), 1000)
    assert (store.holds("small"), store.holds("large"), store.held()) == (False, True, 1000)


def test_what_is_kept_again_counts_once() -> None:
    store = Store(lambda _: 300)
    for _ in range(5):
        store.keep("a", Thing(), 100)
    assert store.held() == 100


def test_with_a_thing_goes_all_that_is_of_it() -> None:
    store = Store(lambda _: 1000)
    base, form, visitor = Thing(), Thing(), Thing()
    store.keep("base", base, 100)
    store.keep("form", form, 100, of=(base,))
    store.keep("attached", Thing(), 100, of=(form, visitor))
    store.keep("other", Thing(), 100)
    assert (store.held_of(form), store.held_of(visitor)) == (100, 100)
    store.forget(base)
    assert [store.holds(key) for key in ("base", "form", "attached", "other")] == [False, False, False, True]


def test_using_something_uses_what_it_is_of() -> None:
    store = Store(lambda _: 300)
    base = Thing()
    store.keep("base", base, 100)
    store.keep("other", Thing(), 100)
    store.keep("form", Thing(), 100, of=(base,))
    store.find("form")
    store.keep("new", Thing(), 100)
    assert [store.holds(key) for key in ("base", "other", "form", "new")] == [True, False, True, True]


def test_what_was_let_go_is_not_alive() -> None:
    store = Store(lambda _: 200)
    base, owner = Thing(), Thing()
    store.keep("base", base, 100)
    store.keep("attached", Thing(), 100, of=(base, owner))
    watched = [weakref.ref(store.find(key).tensor) for key in ("base", "attached")]
    del base
    store.forget(owner)
    gc.collect()
    assert [one() is None for one in watched] == [False, True]
    store.make_room(150)
    gc.collect()
    assert watched[0]() is None


def test_what_lives_beside_leaves_less_for_what_is_kept() -> None:
    store = Store(lambda beside: max(100, 400 - beside))
    for key in "abcd":
        store.keep(key, Thing(), 100)
    adapter = Thing()
    store.live_beside(adapter, 200)
    assert ([store.holds(key) for key in "abcd"], store.budget()) == ([False, False, True, True], 200)
    store.live_beside(another := Thing(), 1000)
    assert ([store.holds(key) for key in "abcd"], store.budget()) == ([False, False, False, True], 100)
    del adapter, another
    gc.collect()
    assert store.budget() == 400


def test_the_budget_is_a_share_of_what_this_process_may_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "KEPT_BYTES", 0)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=64 * 10**9, available=50 * 10**9))
    monkeypatch.setattr(memory, "CGROUPS", ())
    assert (memory.total(), memory.available()) == (64 * 10**9, 50 * 10**9)
    assert memory.budget() == 64 * 10**9 * settings.KEPT_SHARE
    assert memory.budget(beside=10**9) == memory.budget() - 10**9
    assert memory.budget(beside=10**11) == settings.LEAST_KEPT_BYTES
    for name, content in (("limit", "32000000000\n"), ("used", "30000000000\n")):
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(memory, "CGROUPS", ((str(tmp_path / "limit"), str(tmp_path / "used")), ("/nowhere", "/nowhere")))
    assert (memory.total(), memory.available()) == (32 * 10**9, 2 * 10**9)
    (tmp_path / "limit").write_text("max\n")
    assert memory.total() == 64 * 10**9
    monkeypatch.setattr(settings, "KEPT_BYTES", 5 * 10**9)
    assert memory.budget() == 5 * 10**9
