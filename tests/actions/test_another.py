"""A base that somebody typed: loaded with progress and a stop, in one visitor's list, and adapters of the hub beside it."""

from __future__ import annotations

import dataclasses
import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playground import settings
from playground.actions import another, catalogue
from playground.actions.compare import pane
from playground.adapt.adapters import Adapter, save
from playground.errors import PlaygroundError
from playground.model.bases import BASES
from playground.model.catalogue import TYPED
from playground.model.memory import STORE
from playground.work.sessions import SESSIONS
from tests.families import one_thread, tiny_base, trained  # noqa: F401
from tests.hub import Hub, at, hub_served
from tests.kinds import folder_of_kind

ID = "tiny/llama"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_kind("llama", tmp_path_factory.mktemp("one") / "tiny-llama")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Hub]:
    with hub_served() as served:
        at(served, tmp_path / "cache", monkeypatch)
        monkeypatch.setattr(settings, "ANY_BASE", True)
        monkeypatch.setattr(settings, "DEVICE", "cpu")
        served.folders[ID] = folder
        yield served
    if BASES.is_loaded(ID):
        STORE.forget(BASES.get(ID))
    BASES._status.pop(ID, None)


@pytest.fixture
def key(request: pytest.FixtureRequest) -> Iterator[str]:
    """A session of this test's own."""
    name = f"another-{request.node.name}"
    yield name
    SESSIONS._drop(name) if name in SESSIONS._sessions else None


def ids(key: str) -> list[str]:
    return [one["id"] for one in catalogue.list_bases(key)]


def brought(key: str, text: str = ID) -> str:
    *_, last = another.bring(key, text)
    assert last["state"] == "ready"
    return str(last["id"])


def test_what_will_work_is_known_before_it_is_loaded(hub: Hub) -> None:
    found = another.examine(ID)
    assert not BASES.is_loaded(ID)
    assert found["memory"] == 4 * found["parameters"] > found["memory_nf4"] > 0
    assert {one: error.key for one, error in found["without"]["methods"].items()} == {"bitfit": "no_biases"}
    assert {one: error.key for one, error in found["without"]["labs"].items()} == {"blocks": "not_stored"}


def test_a_model_without_gates_lacks_the_sections_that_prune_them(hub: Hub, tmp_path: Path) -> None:
    hub.folders["tiny/gpt2"] = folder_of_kind("gpt2", tmp_path / "gpt2")
    found = another.examine("tiny/gpt2")["without"]
    assert found["labs"]["healing"].key == "no_gated_mlp"
    assert "bitfit" not in found["methods"]


def test_a_model_that_is_too_large_is_not_fetched(hub: Hub, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.model.memory.available", lambda: 1)
    monkeypatch.setattr(STORE, "held", lambda: 0)  # nothing that could give way
    assert another.examine(ID)["too_large"].key == "too_little_memory"
    with pytest.raises(PlaygroundError) as refused:
        brought(key)
    assert refused.value.key == "too_little_memory"
    assert not [path for path in hub.asked if path.endswith("tokenizer.json")]
    assert ID not in ids(key)


def test_it_stands_in_the_list_of_whoever_typed_it_and_its_memory_is_everybody_s(hub: Hub, key: str) -> None:
    assert brought(key) == ID
    assert ID in ids(key)
    assert ID not in ids("somebody-else")
    assert ID not in ids("")
    before = len(hub.asked)
    other = f"{key}-other"
    assert BASES.get(brought(other)) is BASES.get(ID)
    assert [path for path in hub.asked[before:] if "resolve" in path] == []
    SESSIONS._drop(other)


def test_it_is_forgotten_with_the_last_session_that_has_it_and_its_memory(hub: Hub, key: str) -> None:
    brought(key)
    SESSIONS._drop(key)
    assert ID in TYPED  # it is loaded still
    STORE.forget(BASES.get(ID))
    gc.collect()  # modules refer to each other
    assert ID not in TYPED
    with pytest.raises(PlaygroundError) as refused:
        BASES.get(ID)
    assert refused.value.key == "unknown_base"


def test_one_that_gave_way_is_loaded_again_from_this_machine(hub: Hub, key: str) -> None:
    brought(key)
    STORE.forget(BASES.get(ID))
    hub.status = 503
    assert brought(key) == ID


def test_stop_stops_the_download_and_leaves_the_list_as_it_was(hub: Hub, key: str) -> None:
    hub.held = threading.Event()
    going = another.bring(key, ID)
    assert next(going)["id"] == ID  # the weights are on their way, and do not come
    assert hub.begun.wait(60)
    going.close()
    assert ID not in ids(key)
    hub.held.set()
    with BASES._locks[ID]:  # whoever was loading has ended
        assert not BASES.is_loaded(ID)
    assert BASES.status(ID).state == "waiting"
    assert brought(key) == ID


def test_one_who_stops_does_not_stop_it_for_another(hub: Hub, key: str) -> None:
    hub.held = threading.Event()
    mine, theirs = another.bring(key, ID), another.bring(f"{key}-other", ID)
    next(mine), next(theirs)
    mine.close()
    hub.held.set()
    *_, last = theirs
    assert last["state"] == "ready"
    SESSIONS._drop(f"{key}-other")


def test_progress_is_a_share_of_all_bytes(hub: Hub) -> None:
    from playground.model import hub as client

    told: list[Any] = []
    client.download(ID, lambda stage, fraction: told.append(fraction))
    shares = [one for one in told if one is not None]
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    assert 0 < shares[0] < 1


def test_where_settings_say_so_nothing_but_the_catalogue_is_loaded(
    hub: Hub, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "ANY_BASE", False)
    for ask in (lambda: another.examine(ID), lambda: brought(key), lambda: another.fetch_adapter(key, ID, ID)):
        with pytest.raises(PlaygroundError) as refused:
            ask()
        assert refused.value.key == "any_base_off"
    assert hub.asked == []


def test_a_session_may_not_have_endless_ones(hub: Hub, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_TYPED_BASES", 1)
    brought(key)
    assert another.add(key, ID) == ID  # it is there already
    with pytest.raises(PlaygroundError) as refused:
        another.add(key, "tiny/another")
    assert refused.value.key == "too_many_bases"


# Adapters of the hub


@pytest.fixture
def adapter(hub: Hub, key: str, tmp_path: Path) -> Adapter:
    """A LoRA for it, as PEFT saves one."""
    brought(key)
    made, _ = trained(BASES.get(ID), "lora")
    save(made, tmp_path / "lora")
    (tmp_path / "lora" / "README.md").write_text("---\nlicense: mit\n---\n")
    hub.folders["tiny/lora"] = tmp_path / "lora"
    return made


def test_an_adapter_of_the_hub_is_a_pane_like_any_other(adapter: Adapter, key: str) -> None:
    summary = another.fetch_adapter(key, "tiny/lora", ID)
    assert (summary["base"], summary["method"], summary["own"]) == (ID, "lora", True)
    assert summary["trainable_parameters"] == adapter.record.trainable_parameters
    assert pane(key, ID, summary["id"]).adapter is not None


def test_only_safetensors_of_an_adapter_are_read(adapter: Adapter, hub: Hub, key: str) -> None:
    folder = hub.folders["tiny/lora"]
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(PlaygroundError) as refused:
        another.fetch_adapter(key, "tiny/lora", ID)
    assert refused.value.key == "upload_pickle"


def test_what_is_no_adapter_or_too_large_or_of_another_base_is_refused(
    adapter: Adapter, hub: Hub, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    foreign, _ = trained(tiny_base("bloom"), "lora")
    save(dataclasses.replace(foreign, id="foreign"), other)
    hub.folders["tiny/other"] = other
    expected = {ID: "hub_no_adapter", "tiny/none": "base_not_on_hub", "tiny/other": "upload_targets"}
    for text, reason in expected.items():
        with pytest.raises(PlaygroundError) as refused:
            another.fetch_adapter(key, text, ID)
        assert refused.value.key == reason, text
    monkeypatch.setattr(settings, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(PlaygroundError) as refused:
        another.fetch_adapter(key, "tiny/lora", ID)
    assert refused.value.key == "upload_file_too_large"
