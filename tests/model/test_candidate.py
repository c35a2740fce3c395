"""A base before it is loaded, of a hub on the loopback address and of a folder: what is known, every refusal in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.errors import PlaygroundError
from playground.model import hub as client
from playground.model.candidate import candidate, id_of
from playground.model.catalogue import FOLDER, TYPED
from tests.families import one_thread  # noqa: F401
from tests.hub import SHA, Hub, at, hub_served
from tests.kinds import folder_of_kind

CARD = "---\nlicense: mit\n---\n# A tiny one\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama with its card."""
    found = folder_of_kind("llama", tmp_path_factory.mktemp("one") / "tiny-llama")
    (found / "README.md").write_text(CARD)
    return found


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Hub]:
    """Two repositories with the same model, one of them gated; the client's cache is empty."""
    with hub_served() as served:
        at(served, tmp_path / "cache", monkeypatch)
        served.folders |= {"tiny/llama": folder, "tiny/gated": folder}
        served.gated.add("tiny/gated")
        yield served


def refusal(text: str) -> PlaygroundError:
    with pytest.raises(PlaygroundError) as refused:
        candidate(text)
    assert str(refused.value)  # there is a sentence, and it has its values
    return refused.value


def test_what_the_hub_tells_is_known_and_no_weights_were_fetched(hub: Hub, folder: Path) -> None:
    found = candidate("tiny/llama")
    assert (found.spec.id, found.spec.name, found.spec.source, found.licence) == ("tiny/llama", "llama", "hub", "mit")
    assert (found.chat, found.gated, found.here) == (True, False, False)
    assert found.bytes == (folder / "model.safetensors").stat().st_size
    assert dict(found.numbers) == {"F32": found.spec.parameters}
    assert {one.device.type for one in found.skeleton.parameters()} == {"meta"}
    cached = [one.name for one in client.fetched("tiny/llama", "config.json").parent.iterdir()]
    assert cached == ["config.json"]


def test_the_address_of_its_page_is_as_good_as_its_id(hub: Hub) -> None:
    assert candidate(" https://huggingface.co/tiny/llama/tree/main ").spec.id == "tiny/llama"


def test_a_folder_is_known_by_its_files_and_its_id_does_not_tell_its_path(folder: Path) -> None:
    found = candidate(str(folder))
    assert (found.spec.name, found.spec.source, found.licence, found.here) == ("tiny-llama", "local", "mit", True)
    assert found.spec.id.startswith(FOLDER)
    assert "tiny" not in found.spec.id
    assert found.spec.id == id_of(f"{folder}/../{folder.name}")


def test_the_catalogue_s_own_repositories_keep_its_ids() -> None:
    assert id_of("qwen/qwen3-0.6b") == id_of("https://huggingface.co/Qwen/Qwen3-0.6B") == id_of("qwen3-0.6b") == "qwen3-0.6b"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("tiny/gated", "base_gated"),
        ("tiny/none", "base_not_on_hub"),
        ("one-word", "not_a_repository"),
        ("", "not_a_repository"),
        ("tiny/llama:nf4", "not_a_repository"),
        ("../../etc/passwd", "not_a_repository"),
        ("/no/such/folder", "base_no_folder"),
        ("/", "base_no_files"),
        ("tiny/\udc80", "half_character"),
        ("~nobody-of-this-name/model", "not_a_repository"),
        ("/models/\0", "not_a_repository"),
        ("tiny/\0", "not_a_repository"),
    ],
)
def test_what_cannot_be_had_is_refused_in_words(hub: Hub, text: str, key: str) -> None:
    assert refusal(text).key == key


@pytest.mark.parametrize("text", ["~nobody-of-this-name/model", "/models/\0", "tiny/\0"])
def test_a_path_that_is_none_has_no_id(text: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        id_of(text)
    assert refused.value.key == "not_a_repository"


@pytest.mark.parametrize(("status", "key"), [(429, "hub_rate_limited"), (500, "hub_fails"), (503, "hub_fails")])
def test_a_hub_that_answers_nothing_says_why(hub: Hub, status: int, key: str) -> None:
    hub.status = status
    assert refusal("tiny/llama").key == key


def test_offline_what_is_here_is_known_and_the_rest_is_refused(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    client.download("tiny/llama", lambda stage, fraction: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    found = candidate("tiny/llama")
    assert (found.spec.id, found.here, found.licence) == ("tiny/llama", True, "")  # the card was not fetched
    assert refusal("tiny/other").key == "hub_offline"


def test_without_a_network_that_is_said_by_who_looks_and_by_who_loads(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert refusal("tiny/llama").key == "no_network"
    with pytest.raises(PlaygroundError) as refused:
        client.download("tiny/llama", lambda stage, fraction: None)
    assert refused.value.key == "no_network"


def test_nothing_but_the_files_of_the_model_beside_its_config_is_fetched(hub: Hub, folder: Path, tmp_path: Path) -> None:
    full = Path(shutil.copytree(folder, tmp_path / "full"))
    for name in ("consolidated.safetensors", "other.json", "original/model.safetensors", "onnx/config.json"):
        (full / name).parent.mkdir(exist_ok=True)
        (full / name).write_bytes(bytes(100_000))
    hub.folders["tiny/full"] = full
    found = candidate("tiny/full")
    assert (found.bytes, found.spec.revision) == ((full / "model.safetensors").stat().st_size, SHA)
    fetched = client.download("tiny/full", lambda stage, fraction: None, found.spec.revision)
    assert {one.relative_to(fetched).as_posix() for one in fetched.rglob("*")} < {one.name for one in folder.iterdir()}
    files = [one.partition("/resolve/")[2] for one in hub.asked if "/resolve/" in one]
    assert {one.partition("/")[0] for one in files} == {SHA}
    assert not [one for one in files if "/" in one.partition("/")[2] or "other" in one or "consolidated" in one]
    assert client.here("tiny/full") == fetched


@pytest.mark.parametrize("shards", [["sub/a.safetensors"], ["../a.safetensors"], ["none.safetensors"], ["*.safetensors"]])
def test_an_index_that_names_other_files_is_refused_before_they_are_asked_for(
    hub: Hub, folder: Path, tmp_path: Path, shards: list[str]
) -> None:
    odd = sharded(folder, tmp_path / "odd", shards)
    (odd / "sub").mkdir()
    (odd / "sub" / "a.safetensors").write_bytes(bytes(100))
    hub.folders["tiny/odd"] = odd
    assert refusal("tiny/odd").key == "header_unreadable"
    assert not [one for one in hub.asked if one.endswith(".safetensors") and "model.safetensors" not in one]


def test_of_shards_there_are_not_too_many(hub: Hub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.folders["tiny/odd"] = sharded(folder, tmp_path / "odd", ["a.safetensors", "b.safetensors"])
    shutil.copy(folder / "model.safetensors", tmp_path / "odd" / "b.safetensors")
    assert candidate("tiny/odd").bytes == 2 * (folder / "model.safetensors").stat().st_size
    assert client.download("tiny/odd", lambda stage, fraction: None) == client.here("tiny/odd")
    monkeypatch.setattr(client, "MAX_SHARDS", 1)
    assert refusal("tiny/odd").key == "header_unreadable"


def sharded(folder: Path, into: Path, shards: list[str]) -> Path:
    """The folder once more, its weights in a.safetensors, with an index that names `shards`."""
    shutil.copytree(folder, into)
    (into / "model.safetensors").rename(into / "a.safetensors")
    index = {"weight_map": {f"layer.{place}": shard for place, shard in enumerate(shards * 20)}}
    (into / "model.safetensors.index.json").write_text(json.dumps(index))
    return into


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "model.safetensors.index.json"])
def test_a_file_beside_the_weights_that_is_too_large_is_not_fetched(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path, name: str
) -> None:
    hub.folders["tiny/odd"] = sharded(folder, tmp_path / "odd", ["a.safetensors"])
    monkeypatch.setitem(client.BESIDE, name, 1)
    found = refusal("tiny/odd")
    assert (found.key, found.values["file"]) == ("base_file_too_large", name)
    with pytest.raises(PlaygroundError):
        client.download("tiny/odd", lambda stage, fraction: None)
    assert not [one for one in hub.asked if "/resolve/" in one]


def changed(folder: Path, into: Path, **told: Any) -> Path:
    """The folder once more with another config."""
    shutil.copytree(folder, into)
    config = json.loads((into / "config.json").read_text())
    (into / "config.json").write_text(json.dumps(config | told))
    return into


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ({"model_type": "t5"}, "base_encoder_decoder"),
        ({"model_type": "bert"}, "base_not_causal"),
        ({"model_type": "mamba"}, "base_no_attention_cache"),
        ({"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}, "base_own_code"),
        ({"quantization_config": {"quant_method": "gptq"}}, "base_quantized"),
        ({"num_hidden_layers": 10**9}, "base_config_lies"),
        ({"num_hidden_layers": 900}, "base_config_lies"),
        ({"num_labels": 10_001}, "base_config_lies"),
        ({"text_config": {"num_labels": 10_001}}, "base_config_lies"),
        ({"parts": [{"num_local_experts": 10**4000}]}, "base_config_lies"),
        ({"n_routed_experts": 1001}, "base_config_lies"),
        ({"hidden_size": "wide"}, "base_unreadable"),
        ({"num_attention_heads": 0}, "base_unreadable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_kind_of_model_is_refused_before_its_weights_are_fetched(
    hub: Hub, folder: Path, tmp_path: Path, told: dict[str, Any], key: str
) -> None:
    hub.folders["tiny/odd"] = changed(folder, tmp_path / "odd", **told)
    assert refusal("tiny/odd").key == key


@pytest.mark.parametrize(
    ("files", "key"),
    [
        ({"config.json": "{}", "pytorch_model.bin": "x"}, "base_pickles"),
        ({"model.gguf": "x"}, "base_pickles"),
        ({"README.md": "x"}, "base_no_files"),
        ({"adapter_config.json": "{}", "adapter_model.safetensors": "x"}, "base_is_adapter"),
        ({"config.json": "[" * 100_000, "model.safetensors": "x" * 100}, "header_unreadable"),
        ({"config.json": " " * 1_000_001, "model.safetensors": "x"}, "base_file_too_large"),
    ],
)
@pytest.mark.parametrize("where", ["hub", "folder"])
def test_what_holds_no_model_that_is_read_is_refused(
    hub: Hub, tmp_path: Path, files: dict[str, str], key: str, where: str
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    hub.folders["tiny/odd"] = folder
    assert refusal("tiny/odd" if where == "hub" else str(folder)).key == key


def test_of_a_folder_the_whole_path_is_said_and_a_card_that_is_not_there(folder: Path, tmp_path: Path) -> None:
    assert str(tmp_path / "gone") in refusal(str(tmp_path / "gone")).message("es")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert str(empty) in refusal(str(empty)).message("en")
    bare = Path(shutil.copytree(folder, tmp_path / "bare", ignore=shutil.ignore_patterns("README.md")))
    assert candidate(str(bare)).licence is None
    (bare / "README.md").write_text("---\ntags: [tiny]\n---\n")
    assert candidate(str(bare)).licence == ""


def test_a_typed_base_is_found_as_long_as_somebody_keeps_it(folder: Path) -> None:
    from playground.model.catalogue import split_id, typed

    kept = typed(candidate(str(folder)).spec)
    assert split_id(f"{kept.id}:nf4") == (kept, "nf4")
    gone = kept.id
    del kept
    assert gone not in TYPED
    with pytest.raises(PlaygroundError):
        split_id(gone)
