"""Zips as people make them: what stands beside an adapter is passed over unopened, and only one adapter is taken."""

from __future__ import annotations

import contextlib
import json
import random
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from playground import settings
from playground.adapt import archive
from playground.adapt.adapters import CONFIG, RECORD, WEIGHTS
from playground.adapt.uploads import unpack
from playground.errors import PlaygroundError
from playground.model.bases import Base
from tests.adapt.test_adapters import files_of, refusal, zipped
from tests.families import one_thread, tiny_base, trained  # noqa: F401


@pytest.fixture(scope="module")
def shared() -> Base:
    return tiny_base("qwen2")


@pytest.fixture(scope="module")
def files(shared: Base) -> dict[str, Any]:
    found: dict[str, Any] = files_of(trained(shared, "lora")[0])
    return found


BESIDE = """
    __MACOSX/._adapter_config.json __MACOSX/my-lora/._adapter_model.safetensors my-lora/.DS_Store .gitattributes
    my-lora/.git/config my-lora/.cache/huggingface/x my-lora/README.md my-lora/LICENSE LICENSE.txt USE_POLICY.md Thumbs.db
    tokenizer.json tokenizer_config.json tokenizer.model special_tokens_map.json added_tokens.json vocab.json merges.txt
    chat_template.jinja chat_template.json additional_chat_templates/tool.jinja config.json generation_config.json
    training_args.bin my-lora/training_args.bin optimizer.pt optimizer.bin scheduler.pt scaler.pt rng_state.pth
    rng_state_0.pth trainer_state.json trainer_log.jsonl train_results.json all_results.json training_loss.png
    axolotl_config.yaml runs/Nov26/events.out.tfevents.1 wandb/run-1/logs.txt global_step12/mp_rank_00_model_states.pt latest
    zero_to_fp32.py my-lora/checkpoint-12/optimizer.pt my-lora/checkpoint-12/trainer_state.json
""".split()  # fmt: skip


class Opened(zipfile.ZipFile):
    """Remembers what was read."""

    names: list[str] = []  # noqa: RUF012

    def open(self, name: Any, *args: Any, **kwargs: Any) -> Any:
        self.names.append(name if isinstance(name, str) else name.filename)
        return super().open(name, *args, **kwargs)


@pytest.mark.parametrize("folder", ["", "my-lora/", "runs/run 1/my-lora/"], ids=["flat", "a folder", "deep"])
def test_what_stands_beside_an_adapter_is_never_opened(
    shared: Base, files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    wanted = {f"{folder}{name}": content for name, content in {**files, RECORD: "{}"}.items()}
    path = zipped(tmp_path / "my.zip", {**dict.fromkeys(BESIDE, b"\x80\x04 anything"), **wanted})
    monkeypatch.setattr(zipfile, "ZipFile", Opened)
    Opened.names.clear()
    assert unpack(path, shared, "new").name == "my"
    assert sorted(Opened.names) == sorted(wanted)


@pytest.mark.parametrize("name", BESIDE)
def test_each_of_them_alone_is_passed_over(name: str) -> None:
    assert archive.passed_over(name)


@pytest.mark.parametrize(
    "name", [CONFIG, WEIGHTS, RECORD, "my.lora/adapter_config.json", "adapter_model.bin", "./record.json"]
)
def test_what_is_an_adapters_own_is_not_passed_over(name: str) -> None:
    assert not archive.passed_over(name)


def test_a_folder_zipped_by_a_right_click_works(shared: Base, files: Any, tmp_path: Path) -> None:
    """With entries for the folders themselves, as every desktop writes them."""
    path = tmp_path / "my-lora.zip"
    with zipfile.ZipFile(path, "w") as made:
        for folder in ("my-lora/", "my-lora/empty/", "__MACOSX/", "__MACOSX/my-lora/"):
            made.writestr(folder, "")
        for name, content in files.items():
            made.writestr(f"my-lora/{name}", content)
            made.writestr(f"__MACOSX/my-lora/._{name}", b"\0\5\x16\7")
    assert unpack(path, shared, "new").name == "my-lora"


@pytest.mark.parametrize("folders", [("a", "b"), ("run", "run/checkpoint-5"), ("", "inner")], ids=str)
def test_two_adapters_are_refused_as_two(shared: Base, files: Any, tmp_path: Path, folders: Any) -> None:
    both = {f"{folder}/{name}".lstrip("/"): content for folder in folders for name, content in files.items()}
    with pytest.raises(PlaygroundError) as refused:
        unpack(zipped(tmp_path / "my.zip", both), shared, "new")
    assert (refused.value.key, refused.value.values["count"]) == ("upload_two", 2)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_two_files_of_one_name_are_refused(shared: Base, files: Any, tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "my.zip", files)
    with zipfile.ZipFile(path, "a") as made:
        made.writestr(name, files[name])
    assert refusal(path, shared) in ("upload_two", "upload_forbidden")


@pytest.mark.parametrize("beside", [True, False], ids=["beside safetensors", "alone"])
def test_a_pickle_is_refused_and_safetensors_asked_for(shared: Base, files: Any, tmp_path: Path, beside: bool) -> None:
    held = {**(files if beside else {CONFIG: files[CONFIG]}), "adapter_model.bin": b"\x80\x04."}
    with pytest.raises(PlaygroundError) as refused:
        unpack(zipped(tmp_path / "my.zip", held), shared, "new")
    assert refused.value.key == "upload_pickle"
    assert "adapter_model.safetensors" in refused.value.message("en")
    assert "adapter_model.safetensors" in refused.value.message("es")


DAMAGED = {  # of the first entry in the directory: the place, and what stands there instead
    "a version to come": (6, b"\xce\x00"),
    "strong encryption": (8, b"\x40\x00"),
    "a place before the file": (42, b"\xf0\xff\xff\xff"),
}


@pytest.mark.parametrize(("place", "value"), DAMAGED.values(), ids=DAMAGED)
def test_a_directory_that_zipfile_cannot_follow_is_refused(
    shared: Base, files: Any, tmp_path: Path, place: int, value: bytes
) -> None:
    path = zipped(tmp_path / "my.zip", files)
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + place : entry + place + len(value)] = value
    path.write_bytes(data)
    assert refusal(path, shared) == "upload_unreadable"


def test_a_zip_with_some_bytes_changed_is_taken_or_refused(shared: Base, files: Any, tmp_path: Path) -> None:
    draw, whole = random.Random(0), zipped(tmp_path / "whole.zip", files).read_bytes()
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            data[draw.choice([draw.randrange(600), draw.randrange(len(data) - 300, len(data))])] = draw.randrange(256)
        (tmp_path / "my.zip").write_bytes(data)
        with contextlib.suppress(PlaygroundError):
            assert unpack(tmp_path / "my.zip", shared, "new").id == "new"


def test_a_download_that_broke_off_is_called_damaged(shared: Base, files: Any, tmp_path: Path) -> None:
    path = zipped(tmp_path / "my.zip", files)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(PlaygroundError) as refused:
        unpack(path, shared, "new")
    assert (refused.value.key, refused.value.values["reason"]) == ("upload_unreadable", "damaged")


@pytest.mark.parametrize(
    ("name", "shown"), [("a\0b\n\u202ec", "abc"), ("\u202e\n", "adapter"), ("🏴\u200d☠️", "🏴\u200d☠️")], ids=ascii
)
def test_a_name_holds_nothing_that_nobody_sees(shared: Base, files: Any, tmp_path: Path, name: str, shown: str) -> None:
    path = zipped(tmp_path / "adapter.zip", {**files, RECORD: json.dumps({"name": name})})
    assert unpack(path, shared, "new").name == shown


@pytest.mark.parametrize("odd", [CONFIG, RECORD])
def test_half_a_character_is_refused(shared: Base, files: Any, tmp_path: Path, odd: str) -> None:
    """It would stand in the list of adapters, which no program could then read."""
    held = {CONFIG: json.loads(files[CONFIG]), RECORD: {}}
    held[odd] |= {"base_model_name_or_path": "\ud800", "name": "\ud800"}
    written = {name: json.dumps(content) for name, content in held.items()}
    assert refusal(zipped(tmp_path / "my.zip", {**files, **written}), shared) == "upload_unreadable"


# Sizes


def test_a_long_config_is_refused_before_it_is_read(shared: Base, files: Any, tmp_path: Path) -> None:
    """Five million names deflate to little and took hundreds of megabytes once parsed."""
    targets = ["q_proj", "v_proj"] * 2_500_000
    long = json.dumps({**json.loads(files[CONFIG]), "target_modules": targets})
    path = zipped(tmp_path / "my.zip", {**files, CONFIG: long}, zipfile.ZIP_DEFLATED)
    assert len(long) > 50_000_000 > 100 * path.stat().st_size
    del long, targets
    tracemalloc.start()
    key = refusal(path, shared)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert key == "upload_file_too_large"
    assert peak < 1_000_000


@pytest.mark.parametrize("name", [CONFIG, RECORD])
def test_a_file_of_the_largest_size_is_read_and_no_larger(shared: Base, files: Any, tmp_path: Path, name: str) -> None:
    content = files.get(name, "{}")
    padding = " " * (archive.MAXIMA[name] - len(content))
    assert unpack(zipped(tmp_path / "my.zip", {**files, name: content + padding}), shared, "new").id == "new"
    assert refusal(zipped(tmp_path / "my.zip", {**files, name: content + padding + " "}), shared) == "upload_file_too_large"


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, RECORD])
def test_no_more_is_read_of_an_entry_than_it_claims(shared: Base, files: Any, tmp_path: Path, name: str) -> None:
    """A bomb says that it is small: what comes out beyond that is never held."""
    path = zipped(tmp_path / "my.zip", {**files, name: b"0" * 30_000_000}, zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    entry = data.rindex(name.encode()) - 46  # in the directory at the end
    for place in (entry + 24, data.index(name.encode()) - 30 + 22):
        data[place : place + 4] = struct.pack("<I", 100)
    path.write_bytes(data)
    tracemalloc.start()
    key = refusal(path, shared)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert key == "upload_unreadable"
    assert peak < 2_000_000


def test_large_files_that_are_passed_over_do_not_count(
    shared: Base, files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAX_UNPACKED_BYTES", sum(map(len, files.values())))
    path = zipped(tmp_path / "my.zip", {**files, "optimizer.pt": b"0" * 10_000_000}, zipfile.ZIP_DEFLATED)
    assert unpack(path, shared, "new").id == "new"


def test_a_zip_of_very_many_files_is_refused_before_they_are_listed(shared: Base, files: Any, tmp_path: Path) -> None:
    path = zipped(tmp_path / "my.zip", {**files, **{f"runs/{number}": b"" for number in range(25_000)}})
    tracemalloc.start()
    key = refusal(path, shared)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert key == "upload_too_large"
    assert peak < 1_000_000


# Numbers


def with_type(files: Any, kind: Any) -> dict[str, Any]:
    """The same weights in another type of number."""
    from safetensors.torch import load

    return {**files, WEIGHTS: save({name: tensor.to(kind) for name, tensor in load(files[WEIGHTS]).items()})}


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16], ids=str)
def test_halves_are_taken(shared: Base, files: Any, tmp_path: Path, kind: Any) -> None:
    adapter = unpack(zipped(tmp_path / "my.zip", with_type(files, kind)), shared, "new")
    assert {tensor.dtype for tensor in adapter.tensors.values()} == {kind}
    assert adapter.record.bytes == 2 * adapter.record.trainable_parameters


OTHER_TYPES = [
    torch.float64, torch.float8_e4m3fn, torch.float8_e5m2, torch.complex64, torch.bool, torch.int8, torch.uint8, torch.int32,
    torch.int64, torch.uint16,
]  # fmt: skip


@pytest.mark.parametrize("kind", OTHER_TYPES, ids=str)
def test_other_numbers_are_refused_in_words(shared: Base, files: Any, tmp_path: Path, kind: Any) -> None:
    with pytest.raises(PlaygroundError) as refused:
        unpack(zipped(tmp_path / "my.zip", with_type(files, kind)), shared, "new")
    assert (refused.value.key, refused.value.values["found"]) == ("upload_type", str(kind).removeprefix("torch."))
    assert "float32, float16 o bfloat16" in refused.value.message("es")


@pytest.mark.parametrize(("kind", "size"), [("F4", 2), ("F6_E2M3", 3), ("F8_E8M0", 4)])
def test_numbers_that_torch_does_not_read_are_refused_in_words(
    shared: Base, files: Any, tmp_path: Path, kind: str, size: int
) -> None:
    header = json.dumps({"a": {"dtype": kind, "shape": [2, 2], "data_offsets": [0, size]}}).encode()
    weights = struct.pack("<Q", len(header)) + header + bytes(size)
    assert refusal(zipped(tmp_path / "my.zip", {**files, WEIGHTS: weights}), shared) == "upload_type"
