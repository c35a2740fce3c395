"""Adapters: they answer the same after saving, PEFT reads them, and a zip from outside is checked before it is used."""

import gc
import json
import pickle
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file, save
from transformers import AutoModelForCausalLM

from playground import settings
from playground.adapt import adapters, attach
from playground.adapt.adapters import CONFIG, RECORD, WEIGHTS, Adapter, Checkpoint, Record, pack, read
from playground.adapt.attach import attached
from playground.adapt.library import Library, examples
from playground.adapt.uploads import unpack
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.lowrank.edits import Edit
from playground.model.bases import Base
from playground.model.memory import Store
from playground.work.jobs import Jobs
from playground.work.sessions import Sessions
from tests.conftest import model_of
from tests.families import logits, one_thread, tiny_base, trained  # noqa: F401

TEXT = {"initialization": "text", "initialization_text": "Talk like a pirate.", "virtual_tokens": 6}
METHODS = {
    "prompt tuning from noise": ("prompt_tuning", {"initialization": "random"}),
    "prompt tuning from words": ("prompt_tuning", {"initialization": "vocabulary"}),
    "prompt tuning from a text": ("prompt_tuning", TEXT),
    "lora": ("lora", {}),
    "lora everywhere": ("lora", {"targets": "all_linear", "rank": 3, "alpha": 5, "dropout": 0.3}),
    "lora with biases": ("lora", {"bias": "lora_only"}),
    "dora": ("lora", {"dora": True}),
    "rslora": ("lora", {"rslora": True}),
    "lora with ranks by layer": ("lora", {"ranks": "q_proj 0: 2/6; 1: 5"}),
    "rslora with ranks by layer": ("lora", {"rslora": True, "ranks": "v_proj: 3", "targets": "attention"}),
    "ia3": ("ia3", {}),
}
every_method = pytest.mark.parametrize(("method_id", "values"), METHODS.values(), ids=METHODS)


@pytest.fixture
def qwen(tmp_path: Path) -> Any:
    """A base with biases, on disk, of which this test may spoil what it likes."""
    return tiny_base("qwen2", tmp_path / "base")


# Saving and reading


@every_method
def test_an_adapter_answers_the_same_after_saving_and_reading(
    qwen: Any, tmp_path: Path, method_id: Any, values: Any
) -> None:
    adapter, model = trained(qwen, method_id, values)
    adapters.save(adapter, tmp_path / "saved")
    attached = model_of(qwen, read(tmp_path / "saved"))
    assert torch.equal(logits(attached), logits(model))
    assert not torch.equal(logits(attached), logits(qwen.model))


@every_method
def test_peft_itself_reads_the_saved_folder(qwen: Any, tmp_path: Path, method_id: Any, values: Any) -> None:
    adapter, model = trained(qwen, method_id, values)
    adapters.save(adapter, tmp_path / "saved")
    fresh = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    loaded = PeftModel.from_pretrained(fresh, tmp_path / "saved").eval()
    assert torch.equal(logits(loaded), logits(model))


@every_method
def test_attaching_leaves_the_base_as_it_was(qwen: Any, method_id: Any, values: Any) -> None:
    adapter, _ = trained(qwen, method_id, values)
    before = logits(qwen.model)
    model_of(qwen, adapter)
    assert qwen.untouched()
    assert torch.equal(logits(qwen.model), before)


@every_method
def test_what_was_attached_is_not_trainable(qwen: Any, method_id: Any, values: Any) -> None:
    attached = model_of(qwen, trained(qwen, method_id, values)[0])
    assert not attached.training
    assert [name for name, parameter in attached.named_parameters() if parameter.requires_grad] == []


@every_method
def test_the_saved_config_knows_the_model_and_no_path_of_this_machine(
    qwen: Any, tmp_path: Path, method_id: Any, values: Any
) -> None:
    adapter, _ = trained(qwen, method_id, values)
    adapters.save(adapter, tmp_path / "saved")
    written = (tmp_path / "saved" / CONFIG).read_text()
    assert json.loads(written)["base_model_name_or_path"] == "tests/tiny-qwen2"
    assert json.loads(written)["inference_mode"] is True
    assert [place for place in (str(tmp_path), str(Path.home()), "/tmp", "nowhere") if place in written] == []


def test_the_record_comes_back_as_it_was(qwen: Any, tmp_path: Path) -> None:
    adapter, _ = trained(qwen, "lora", {"rank": 3})
    told = replace(adapter.record, losses=[(1, 2.5)], samples=[{"step": 0, "answers": ["¡Sí!"]}], hardware="CPU")
    adapters.save(replace(adapter, record=told, name="mío 🏴‍☠️"), tmp_path / "saved")
    again = read(tmp_path / "saved")
    plain = json.loads(json.dumps(vars(told)))  # tuples are lists in JSON
    assert vars(again.record) == plain
    assert (again.name, again.id) == ("mío 🏴‍☠️", "saved")


@pytest.mark.parametrize("method_id", ["few_shot", "full_fine_tuning"])
def test_what_peft_has_no_format_for_cannot_be_saved(tmp_path: Path, method_id: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        adapters.save(Adapter("x", record_of(method_id)), tmp_path / "saved")
    assert refused.value.key == "nothing_to_download"
    assert not (tmp_path / "saved").exists()


def record_of(method_id: Any = "lora", **changed: Any) -> Any:
    plain = {"base": "tiny", "method": method_id, "task": "pirate", "hyperparameters": {}, "seed": 0, "steps": 12}
    return Record(**{**plain, "trainable_parameters": 10, "total_parameters": 1000, "bytes": 40, **changed})


# Attaching what PEFT does not know


@pytest.mark.parametrize("adapter", [None, Adapter("x", record_of("few_shot"))], ids=["base", "few-shot"])
def test_the_base_and_few_shot_answer_with_the_base_itself(tiny: Base, adapter: Any) -> None:
    view = model_of(tiny, adapter)
    assert torch.equal(logits(view), logits(tiny.model))
    assert [p.data_ptr() for p in view.parameters()] == [p.data_ptr() for p in tiny.model.parameters()]


@pytest.mark.parametrize("family", ["llama", "qwen2", "bloom"])
def test_full_fine_tuning_answers_with_the_trained_weights_and_leaves_the_base(family: str) -> None:
    base, other = tiny_base(family), tiny_base(family)
    with torch.no_grad():
        for parameter in other.model.parameters():
            parameter.mul_(1.1)
    weights = {name: parameter.detach() for name, parameter in other.model.named_parameters()}
    attached = model_of(base, Adapter("x", record_of("full_fine_tuning"), loaded=weights))
    assert torch.equal(logits(attached), logits(other.model))
    assert not torch.equal(logits(attached), logits(base.model))
    assert base.untouched()


@pytest.mark.parametrize("other", ["tiny-bloom", "wider"])
def test_an_adapter_of_another_architecture_is_refused(qwen: Any, other: str) -> None:
    adapter, _ = trained(tiny_base("bloom") if other == "tiny-bloom" else qwen, "lora")
    if other == "wider":
        adapter = replace(adapter, loaded={name: torch.zeros(9, 9) for name in adapter.tensors})
    with pytest.raises(PlaygroundError) as refused:
        model_of(qwen, adapter)
    assert refused.value.key == "does_not_fit"


@pytest.mark.parametrize("change", ["one missing", "one more", "none"])
def test_every_tensor_must_have_its_place_and_every_place_its_tensor(qwen: Any, change: str) -> None:
    adapter, _ = trained(qwen, "lora")
    tensors = dict(adapter.tensors)
    if change == "one missing":
        tensors.popitem()
    elif change == "one more":
        tensors["base_model.model.lm_head.weight"] = torch.zeros(258, 64)
    else:
        tensors.clear()
    with pytest.raises(PlaygroundError) as refused:
        model_of(qwen, replace(adapter, loaded=tensors))
    assert refused.value.key == "does_not_fit"


def test_an_attached_model_is_remembered_for_its_base_and_its_adapter(shared: Any, lora: Any) -> None:
    def found(base: Base, adapter: Any, **more: Any) -> Any:
        return attached(base, Variant(base.id, adapter, **more))

    first = found(shared, lora)
    assert found(shared, lora) is first
    assert found(shared, None) is not first
    assert found(tiny_base("qwen2"), lora) is not first
    assert found(shared, replace(lora)) is not first  # alike, but another adapter
    left = found(shared, lora, edit=Edit(strength=0.5))
    assert left is not first
    assert found(shared, lora, edit=Edit(strength=0.5)) is left  # edits are compared by value
    assert found(shared, lora, merged=True) is not first


def test_attached_models_are_kept_within_the_budget(shared: Any, lora: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(lambda _: 2 * 4 * lora.record.trainable_parameters)
    monkeypatch.setattr(attach, "STORE", store)
    one, two, three = (Variant(shared.id, replace(lora, id=name)) for name in "abc")
    first, second = attached(shared, one), attached(shared, two)
    assert store.held() == 2 * 4 * lora.record.trainable_parameters  # what the base holds is not counted again
    assert attached(shared, one) is first  # now the latest
    attached(shared, three)
    assert attached(shared, one) is first
    assert attached(shared, two) is not second


# Zips: there and back


def zipped(path: Any, files: Any, method: Any = zipfile.ZIP_STORED) -> Any:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def files_of(adapter: Any, **changed: Any) -> Any:
    """The files of an adapter's zip; `changed` replaces parts of the config."""
    return {CONFIG: json.dumps({**adapter.config, **changed}), WEIGHTS: save(dict(adapter.tensors))}


@pytest.fixture(scope="module")
def shared() -> Any:
    """A base for tests that only read it."""
    return tiny_base("qwen2")


@pytest.fixture(scope="module")
def lora(shared: Any) -> Any:
    return trained(shared, "lora")[0]


@every_method
def test_a_packed_adapter_answers_the_same_once_unpacked(qwen: Any, tmp_path: Path, method_id: Any, values: Any) -> None:
    adapter, model = trained(qwen, method_id, values)
    again = unpack(pack(replace(adapter, name="mine"), tmp_path), qwen, "new")
    assert torch.equal(logits(model_of(qwen, again)), logits(model))
    assert (again.id, again.name) == ("new", "mine")
    kept = ("method", "task", "seed", "steps", "trainable_parameters", "bytes")
    assert {key: getattr(again.record, key) for key in kept} == {key: getattr(adapter.record, key) for key in kept}


@every_method
def test_the_total_of_an_upload_is_what_peft_counts(qwen: Any, tmp_path: Path, method_id: Any, values: Any) -> None:
    """Also for a local base, of which the catalogue knows no total."""
    adapter, model = trained(qwen, method_id, values)
    record = unpack(pack(adapter, tmp_path), qwen, "new").record
    assert (record.trainable_parameters, record.total_parameters) == model.get_nb_trainable_parameters()


@pytest.mark.parametrize("double", [True, False])
def test_a_qlora_adapter_goes_back_to_the_weights_that_it_was_trained_on(shared: Any, tmp_path: Path, double: bool) -> None:
    adapter, _ = trained(shared, "qlora", {"double_quantization": double})
    again = unpack(pack(adapter, tmp_path), shared, "new")
    assert again.record.method == "qlora"
    assert Variant.of("tiny-qwen2", again).base == ("tiny-qwen2:nf4_double" if double else "tiny-qwen2:nf4")


def test_peft_reads_the_unpacked_zip(qwen: Any, tmp_path: Path) -> None:
    adapter, model = trained(qwen, "lora")
    with zipfile.ZipFile(pack(adapter, tmp_path)) as archive:
        assert set(archive.namelist()) == {CONFIG, WEIGHTS, RECORD}
        archive.extractall(tmp_path / "by hand")
    fresh = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    assert torch.equal(logits(PeftModel.from_pretrained(fresh, tmp_path / "by hand").eval()), logits(model))


def test_a_checkpoint_is_packed_as_it_was_then(qwen: Any, tmp_path: Path) -> None:
    adapter, _ = trained(qwen, "lora")
    early = {name: torch.zeros_like(tensor) for name, tensor in adapter.tensors.items()}
    adapter = replace(adapter, checkpoints=(Checkpoint(3, early), Checkpoint(7, adapter.tensors)))
    path = pack(adapter.at(3), tmp_path)
    assert "@" not in path.name
    again = unpack(path, qwen, "new")
    assert all(not tensor.any() for tensor in again.tensors.values())
    assert again.record.steps == 3


@pytest.mark.parametrize(
    "names",
    [
        (CONFIG, WEIGHTS),
        (f"my-adapter/{CONFIG}", f"my-adapter/{WEIGHTS}"),
        (f"a/b/{CONFIG}", f"a/b/{WEIGHTS}"),
        (CONFIG, WEIGHTS, "README.md"),
        (CONFIG, WEIGHTS, RECORD),
    ],
    ids=" ".join,
)
def test_what_peft_saves_is_accepted_flat_or_in_one_folder(shared: Any, lora: Any, tmp_path: Path, names: Any) -> None:
    contents = {**files_of(lora), "README.md": "---\nlibrary_name: peft\n---", RECORD: "{}"}
    path = zipped(tmp_path / "my.zip", {name: contents[Path(name).name] for name in names}, zipfile.ZIP_DEFLATED)
    adapter = unpack(path, shared, "new")
    assert torch.equal(logits(model_of(shared, adapter)), logits(model_of(shared, lora)))
    assert (adapter.name, adapter.record.task) == ("my", "")


def test_unpacking_writes_nothing(shared: Any, lora: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = zipped(tmp_path / "my.zip", files_of(lora))
    unpack(path, shared, "new")
    assert list(tmp_path.rglob("*")) == [path]


# Zips that are refused


def refusal(path: Any, base: Base) -> Any:
    with pytest.raises(PlaygroundError) as refused:
        unpack(path, base, "new")
    assert refused.value.message("en") != refused.value.message("es")
    return refused.value.key


@pytest.mark.parametrize(
    "name",
    [
        f"../{RECORD}",
        f"/{RECORD}",
        f"C:/{RECORD}",
        f"/etc/{RECORD}",
        f"a/../{RECORD}",
        f"..\\{RECORD}",
        f"C:\\{RECORD}",
        "pytorch_model.bin",
        "setup.py",
        "adapter_config.json.py",
        f"inner/{RECORD}",
        f"a/b/{RECORD}",
    ],
)
def test_a_file_beyond_the_known_ones_or_outside_their_folder_is_refused(
    shared: Any, lora: Any, tmp_path: Path, name: str
) -> None:
    assert refusal(zipped(tmp_path / "my.zip", {**files_of(lora), name: "{}"}), shared) == "upload_forbidden"


@pytest.mark.parametrize("folder", ["..", "/tmp", "a/..", "a\\b"])
def test_a_folder_that_leads_elsewhere_is_refused(shared: Any, lora: Any, tmp_path: Path, folder: str) -> None:
    files = {f"{folder}/{name}": content for name, content in files_of(lora).items()}
    assert refusal(zipped(tmp_path / "my.zip", files), shared) == "upload_forbidden"


def test_two_folders_are_refused(shared: Any, lora: Any, tmp_path: Path) -> None:
    files = {f"{place}/{name}": content for place, (name, content) in enumerate(files_of(lora).items())}
    assert refusal(zipped(tmp_path / "my.zip", files), shared) == "upload_forbidden"


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, RECORD])
def test_a_symbolic_link_is_refused(shared: Any, lora: Any, tmp_path: Path, name: Any) -> None:
    path = zipped(tmp_path / "my.zip", {one: content for one, content in files_of(lora).items() if one != name})
    link = zipfile.ZipInfo(name)
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert refusal(path, shared) == "upload_forbidden"


@pytest.mark.parametrize(
    ("kept", "missing"), [((CONFIG,), WEIGHTS), ((WEIGHTS,), CONFIG), ((), f"{CONFIG}, {WEIGHTS}")], ids=str
)
def test_a_zip_without_config_or_weights_is_refused_by_what_it_lacks(
    shared: Any, lora: Any, tmp_path: Path, kept: Any, missing: Any
) -> None:
    path = zipped(tmp_path / "my.zip", {name: files_of(lora)[name] for name in kept})
    with pytest.raises(PlaygroundError) as refused:
        unpack(path, shared, "new")
    assert (refused.value.key, refused.value.values["files"]) == ("upload_missing", missing)


def test_a_zip_that_is_too_large_is_refused(shared: Any, lora: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "my.zip", files_of(lora))
    monkeypatch.setattr(settings, "MAX_UPLOAD_BYTES", path.stat().st_size - 1)
    assert refusal(path, shared) == "upload_too_large"


def test_a_small_zip_that_grows_too_large_is_refused(shared: Any, lora: Any, tmp_path: Path) -> None:
    huge = {**files_of(lora), RECORD: b"0" * settings.MAX_UNPACKED_BYTES}
    path = zipped(tmp_path / "my.zip", huge, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < settings.MAX_UPLOAD_BYTES
    assert refusal(path, shared) == "upload_too_large"


def first_in_directory(data: Any) -> Any:
    return data.index(b"PK\x01\x02")


def half(data: Any) -> Any:
    return data[: len(data) // 2]


def scrambled(data: Any) -> Any:
    return data[:70] + bytes(255 - byte for byte in data[70:120]) + data[120:]


def encrypted(data: Any) -> Any:
    data[6] |= 1
    data[first_in_directory(data) + 8] |= 1
    return data


def unknown_compression(data: Any) -> Any:
    data[8] = data[first_in_directory(data) + 10] = 99
    return data


def nowhere(data: Any) -> Any:
    place = first_in_directory(data) + 42
    return data[:place] + (2**31).to_bytes(4, "little") + data[place + 4 :]


def lying_about_its_size(data: Any) -> Any:
    place = first_in_directory(data) + 24
    return data[:place] + (10).to_bytes(4, "little") + data[place + 4 :]


DAMAGES = (half, scrambled, encrypted, unknown_compression, nowhere, lying_about_its_size)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda one: one.__name__)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_zip_is_refused(shared: Any, lora: Any, tmp_path: Path, compression: Any, damage: Any) -> None:
    path = zipped(tmp_path / "my.zip", files_of(lora), compression)
    path.write_bytes(damage(bytearray(path.read_bytes())))
    assert refusal(path, shared) == "upload_unreadable"


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", b"\x80\x04." * 50])
def test_what_is_no_zip_is_refused(shared: Any, tmp_path: Path, content: Any) -> None:
    path = tmp_path / "my.zip"
    path.write_bytes(content)
    assert refusal(path, shared) == "upload_unreadable"


class Bomb:
    def __reduce__(self) -> Any:
        return Path.write_text, (Path("exploded"), "")


@pytest.mark.parametrize(
    "weights",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 64,
        pickle.dumps({"lora": Bomb()}),
        b"PK\x03\x04" + b"\0" * 100,
        b"\x10" + b"\0" * 7 + b"{" * 16,
    ],
    ids=["empty", "zeros", "ones", "pickle", "torch zip", "broken header"],
)
def test_weights_that_are_no_safetensors_are_refused_and_not_run(
    shared: Any, lora: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    path = zipped(tmp_path / "my.zip", {**files_of(lora), WEIGHTS: weights})
    assert refusal(path, shared) == "upload_unreadable"
    assert not Path("exploded").exists()


def test_cut_weights_are_refused(shared: Any, lora: Any, tmp_path: Path) -> None:
    files = files_of(lora)
    assert refusal(zipped(tmp_path / "my.zip", {**files, WEIGHTS: files[WEIGHTS][:-4]}), shared) == "upload_unreadable"


BROKEN_JSON = {
    "blank": " ",
    "cut": '{"peft_type": "LORA"',
    "no UTF-8": b"\xff\xfe\xfd",
    "deep": "[" * 100_000,
    "endless number": '{"seed": ' + "1" * 5_000 + "}",
}


@pytest.mark.parametrize("content", BROKEN_JSON.values(), ids=BROKEN_JSON)
@pytest.mark.parametrize("name", [CONFIG, RECORD])
def test_json_that_cannot_be_read_is_refused(shared: Any, lora: Any, tmp_path: Path, name: Any, content: Any) -> None:
    path = zipped(tmp_path / "my.zip", {**files_of(lora), name: content})
    assert refusal(path, shared) == "upload_unreadable"


# Configs that are refused


@pytest.mark.parametrize("kind", ["LILY", "lora", "", None, 5, [], {}, ["LORA"], "../LORA"], ids=repr)
def test_another_kind_of_adapter_is_refused(shared: Any, lora: Any, tmp_path: Path, kind: Any) -> None:
    assert refusal(zipped(tmp_path / "my.zip", files_of(lora, peft_type=kind)), shared) == "upload_method"


@pytest.mark.parametrize("config", ["[]", "null", "5", '"LORA"', "{}"])
def test_a_config_that_says_no_kind_is_refused(shared: Any, lora: Any, tmp_path: Path, config: str) -> None:
    assert refusal(zipped(tmp_path / "my.zip", {**files_of(lora), CONFIG: config}), shared) == "upload_method"


@pytest.mark.parametrize("made_for", [["x"], 5, {"a": 1}, True], ids=str)
def test_a_name_of_a_base_that_is_no_text_is_refused(shared: Any, lora: Any, tmp_path: Path, made_for: Any) -> None:
    path = zipped(tmp_path / "my.zip", files_of(lora, base_model_name_or_path=made_for))
    assert refusal(path, shared) == "other_base"


NAMES = ["unsloth/tiny-qwen2", "tests/Tiny-Qwen2", "/home/me/models/tiny", "./x", "C:\\models\\tiny", "Tests/tiny-qwen2/"]


@pytest.mark.parametrize("made_for", NAMES)
def test_a_base_of_another_name_is_said_where_the_tensors_fit(shared: Any, lora: Any, tmp_path: Path, made_for: str) -> None:
    adapter = unpack(zipped(tmp_path / "my.zip", files_of(lora, base_model_name_or_path=made_for)), shared, "new")
    assert torch.equal(logits(model_of(shared, adapter)), logits(model_of(shared, lora)))
    assert (adapter.record.base, adapter.summary()["made_for"]) == (shared.spec.id, made_for)


@pytest.mark.parametrize("made_for", NAMES)
def test_a_base_of_another_name_and_other_shapes_is_refused_with_both(
    shared: Any, lora: Any, tmp_path: Path, made_for: str
) -> None:
    files = files_of(of_rank(lora, 8, outside=999), base_model_name_or_path=made_for)
    with pytest.raises(PlaygroundError) as refused:
        unpack(zipped(tmp_path / "my.zip", files), shared, "new")
    assert refused.value.key == "upload_other_base"
    assert made_for in str(refused.value)
    assert "(999, 8) ≠ (64, 8)" in str(refused.value)


@pytest.mark.parametrize("unsaid", [None, ""])
def test_an_adapter_that_names_no_base_may_be_tried(shared: Any, lora: Any, tmp_path: Path, unsaid: str | None) -> None:
    path = zipped(tmp_path / "my.zip", files_of(lora, base_model_name_or_path=unsaid))
    assert unpack(path, shared, "new").record.base == shared.spec.id


@pytest.mark.parametrize("targets", [["c_attn"], ["q_proj", "c_attn"], ["q_proj"], [], "nothing"], ids=repr)
def test_layers_that_do_not_exist_or_lack_their_weights_are_refused(
    shared: Any, lora: Any, tmp_path: Path, targets: list[Any] | str
) -> None:
    assert refusal(zipped(tmp_path / "my.zip", files_of(lora, target_modules=targets)), shared) in (
        "no_such_targets",
        "does_not_fit",
    )


def of_rank(adapter: Any, rank: Any, outside: Any = None) -> Any:
    """The same adapter with zeros of another rank, and with `outside` of another width."""
    grown = {}
    for name, tensor in adapter.tensors.items():
        rows, columns = tensor.shape
        grown[name] = torch.zeros((rank, columns) if "lora_A" in name else (outside or rows, rank))
    return replace(adapter, loaded=grown)


@pytest.mark.parametrize("rank", [0, -1, 10**9, 8.5, "8", None, [8], float("nan"), float("inf"), True], ids=repr)
def test_a_rank_out_of_range_is_refused(shared: Any, lora: Any, tmp_path: Path, rank: Any) -> None:
    assert refusal(zipped(tmp_path / "my.zip", files_of(lora, r=rank)), shared) in ("out_of_range", "wrong_kind")


@pytest.mark.parametrize("rank", [7, 65, 10_000_000], ids=repr)
def test_a_rank_that_the_tensors_do_not_have_is_refused_before_it_takes_memory(
    shared: Any, lora: Any, tmp_path: Path, rank: Any
) -> None:
    assert refusal(zipped(tmp_path / "my.zip", files_of(lora, r=rank)), shared) == "does_not_fit"


def test_a_rank_beyond_the_sliders_is_accepted(shared: Any, lora: Any, tmp_path: Path) -> None:
    path = zipped(tmp_path / "my.zip", files_of(of_rank(lora, 500), r=500, lora_alpha=2000))
    found = unpack(path, shared, "new").record.hyperparameters
    assert (found["rank"], found["alpha"]) == (500, 2000)


@pytest.fixture(scope="module")
def soft(shared: Any) -> Any:
    return trained(shared, "prompt_tuning", {"virtual_tokens": 5})[0]


def of_shape(adapter: Any, rows: Any, columns: Any) -> Any:
    return replace(adapter, loaded={name: torch.zeros(rows, columns) for name in adapter.tensors})


@pytest.mark.parametrize("tokens", [0, settings.MAX_VIRTUAL_TOKENS + 1, 10**6, "5", None], ids=repr)
def test_a_number_of_virtual_tokens_out_of_range_is_refused(
    shared: Any, soft: Any, tmp_path: Path, tokens: int | str | None
) -> None:
    path = zipped(tmp_path / "my.zip", files_of(soft, num_virtual_tokens=tokens))
    assert refusal(path, shared) in ("out_of_range", "wrong_kind")


def test_virtual_tokens_of_another_width_than_the_bases_are_refused(shared: Any, soft: Any, tmp_path: Path) -> None:
    path = zipped(tmp_path / "my.zip", files_of(of_shape(soft, 5, 32), token_dim=32))
    assert refusal(path, shared) == "does_not_fit"


def test_submodules_do_not_multiply_virtual_tokens_past_their_limit(shared: Any, soft: Any, tmp_path: Path) -> None:
    path = zipped(tmp_path / "my.zip", files_of(of_shape(soft, 250, 64), num_transformer_submodules=50))
    assert refusal(path, shared) == "upload_setting"


ODD = (None, "nonsense", -1, 1.5, 10**13, 10**400, [1], {"a": "b"})
SETTINGS = {
    "lora": (
        "task_type", "r", "lora_alpha", "target_modules", "lora_dropout", "use_rslora", "use_dora", "bias",
        "fan_in_fan_out", "rank_pattern", "alpha_pattern", "layers_to_transform", "layers_pattern", "exclude_modules",
    ),
    "prompt_tuning": ("task_type", "num_virtual_tokens", "token_dim", "num_transformer_submodules", "num_layers"),
    "ia3": ("task_type", "target_modules", "feedforward_modules", "fan_in_fan_out", "exclude_modules"),
}  # fmt: skip


def outcome(path: Any, base: Base) -> Any:
    """None if an upload is refused with a sentence or answers; otherwise what went wrong."""
    try:
        assert logits(model_of(base, unpack(path, base, "new"))).shape[-1] == 258
    except PlaygroundError:
        return None
    except Exception as error:  # noqa: BLE001  that nothing else leaves is what is tested
        return type(error).__name__
    return None


@pytest.mark.parametrize("method_id", SETTINGS)
def test_whatever_a_config_says_the_upload_is_refused_or_answers(shared: Any, tmp_path: Path, method_id: str) -> None:
    adapter, _ = trained(shared, method_id)
    changes = [(key, value) for key in SETTINGS[method_id] for value in ODD]
    paths = [zipped(tmp_path / f"{n}.zip", files_of(adapter, **{key: value})) for n, (key, value) in enumerate(changes)]
    found = {change: outcome(path, shared) for change, path in zip(map(str, changes), paths, strict=True)}
    assert {change: problem for change, problem in found.items() if problem} == {}


# What a zip must not be able to do


def hostile_embedding(base: Base) -> Any:
    """LoRA on the embedding: PEFT's state dict then holds the base's own weight, here replaced by zeros."""
    model = get_peft_model(base.view(), LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["embed_tokens"]))
    tensors = {name: torch.zeros_like(tensor) for name, tensor in get_peft_model_state_dict(model).items()}
    return tensors, {"r": 4, "target_modules": ["embed_tokens"]}


def hostile_biases(base: Base) -> Any:
    """LoRA that brings biases: PEFT copies them over the base's own."""
    model = get_peft_model(base.view(), LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj"], bias="all"))
    tensors = {name: torch.zeros_like(tensor) for name, tensor in get_peft_model_state_dict(model).items()}
    return tensors, {"r": 4, "target_modules": ["q_proj"], "bias": "all"}


@pytest.mark.parametrize("hostile", [hostile_embedding, hostile_biases])
def test_no_upload_can_change_the_base(tmp_path: Path, hostile: Any) -> None:
    tensors, changed = hostile(tiny_base("qwen2"))
    base = tiny_base("qwen2")
    adapter, before = trained(base, "lora")[0], logits(base.model)
    path = zipped(tmp_path / "my.zip", files_of(replace(adapter, loaded=tensors), **changed))
    with suppress(PlaygroundError):  # being refused is as good as being harmless
        unpack(path, base, "new")
    assert base.untouched()
    assert torch.equal(logits(base.model), before)


# Records


@pytest.mark.parametrize(
    "record",
    [
        {"trainable_parameters": 1, "total_parameters": 2, "bytes": 3},
        {"trainable_parameters": -5, "total_parameters": 0},
        {"trainable_parameters": "many", "bytes": None},
        {"base": "smollm2-360m", "method": "full_fine_tuning", "losses": [[1, 2.0]], "shots": [["a", "b"]]},
        {"hyperparameters": {"rank": 64, "double_quantization": False}, "samples": [{}], "questions": ["?"]},
    ],
    ids=lambda record: " ".join(record),
)
def test_counts_and_method_are_measured_whatever_the_record_says(
    shared: Any, lora: Any, tmp_path: Path, record: dict[str, Any]
) -> None:
    files = {**files_of(lora), RECORD: json.dumps(record)}
    found = unpack(zipped(tmp_path / "my.zip", files), shared, "new").record
    trainable = sum(tensor.numel() for tensor in lora.tensors.values())
    assert (found.base, found.method) == (shared.spec.id, "lora")
    assert {name: found.hyperparameters[name] for name in ("rank", "alpha")} == {"rank": 8, "alpha": 16}
    assert "double_quantization" not in found.hyperparameters
    assert (found.trainable_parameters, found.bytes) == (trainable, 4 * trainable)
    assert found.total_parameters == lora.record.total_parameters  # PEFT's
    assert (found.losses, found.samples, found.questions, found.shots) == ([], [], [], [])


@pytest.mark.parametrize("told", ["evil", "", None, 5, ["pirate"], {"id": "pirate"}, "<b>pirate</b>"], ids=repr)
def test_an_unknown_task_is_told_as_none(shared: Any, lora: Any, tmp_path: Path, told: Any) -> None:
    path = zipped(tmp_path / "my.zip", {**files_of(lora), RECORD: json.dumps({"task": told})})
    assert unpack(path, shared, "new").record.task == ""


@pytest.mark.parametrize("content", ["[]", "null", "5", '"record"', '{"seed": "x", "steps": [1]}', '{"seed": 1e400}', "{}"])
def test_a_record_that_says_nothing_is_no_record(shared: Any, lora: Any, tmp_path: Path, content: str) -> None:
    found = unpack(zipped(tmp_path / "my.zip", {**files_of(lora), RECORD: content}), shared, "new")
    assert (found.record.seed, found.record.steps, found.name) == (0, 0, "my")


@pytest.mark.parametrize("told", [-5, 10**30, True], ids=["negative", "beyond any run", "no number"])
def test_a_record_cannot_bring_numbers_that_no_run_has(shared: Any, lora: Any, tmp_path: Path, told: bool | int) -> None:
    """The JSON of the page and of the API holds 64 bits."""
    files = {**files_of(lora), RECORD: json.dumps({"seed": told, "steps": told})}
    found = unpack(zipped(tmp_path / "my.zip", files), shared, "new")
    assert (found.record.seed, found.record.steps) == (0, 0)
    assert (type(found.record.seed), type(found.record.steps)) == (int, int)


@pytest.mark.parametrize("name", [None, "", [], {}, 5, ["x"]], ids=repr)
def test_a_name_that_is_no_text_gives_way_to_the_files_name(shared: Any, lora: Any, tmp_path: Path, name: Any) -> None:
    path = zipped(tmp_path / "my.zip", {**files_of(lora), RECORD: json.dumps({"name": name})})
    assert unpack(path, shared, "new").name == "my"


def test_a_long_name_is_cut(shared: Any, lora: Any, tmp_path: Path) -> None:
    path = zipped(tmp_path / "adapter.zip", {**files_of(lora), RECORD: json.dumps({"name": "x" * 500})})
    assert len(unpack(path, shared, "new").name) == settings.MAX_ADAPTER_NAME


# The library


def simple(adapter_id: Any, numbers: Any = 10, **more: Any) -> Any:
    return Adapter(adapter_id, record_of(), loaded={"a": torch.zeros(numbers)}, **more)


def test_a_library_shows_its_own_newest_first() -> None:
    library = Library()
    for adapter_id in ("one", "two", "three"):
        library.add(simple(adapter_id))
    assert [adapter.id for adapter in library.own()] == ["three", "two", "one"]


def test_the_oldest_gives_way_when_there_are_too_many() -> None:
    library, most = Library(), settings.MAX_SESSION_ADAPTERS
    for n in range(most + 2):
        library.add(simple(f"a{n}"))
    assert [adapter.id for adapter in library.own()] == [f"a{n}" for n in range(most + 1, 1, -1)]


def test_the_oldest_gives_way_when_they_hold_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_SESSION_BYTES", 1000)
    library = Library()
    for n in range(3):
        library.add(simple(f"a{n}", numbers=100))  # 400 bytes each
    assert [adapter.id for adapter in library.own()] == ["a2", "a1"]


def test_checkpoints_count_as_memory() -> None:
    kept = (Checkpoint(1, {"a": torch.zeros(5)}), Checkpoint(2, {"a": torch.zeros(5, dtype=torch.float16)}))
    assert simple("x", numbers=10, checkpoints=kept).size() == 40 + 20 + 10


def test_the_latest_stays_however_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_SESSION_BYTES", 10)
    library = Library()
    for n in range(2):
        library.add(simple(f"a{n}"))
    assert [adapter.id for adapter in library.own()] == ["a1"]


def test_what_a_session_keeps_leaves_less_for_what_can_be_had_again() -> None:
    store = Store(lambda beside: 1000 - beside)
    library = Library(store)
    library.add(simple("a", numbers=100))
    assert store.budget() == 600
    library.clear()
    gc.collect()
    assert store.budget() == 1000


@pytest.mark.parametrize(
    "adapter_id", ["", "base", "nobody", "@", "@3", "mine@x", "mine@-1", "mine@3.0", "mine@1234567", "../mine"]
)
def test_an_unknown_adapter_is_refused(adapter_id: str) -> None:
    library = Library()
    library.add(simple("mine"))
    with pytest.raises(PlaygroundError) as refused:
        library.get(adapter_id)
    assert refused.value.key == "unknown_adapter"


def test_a_checkpoint_is_found_by_its_step() -> None:
    library = Library()
    early, late = {"a": torch.zeros(2)}, {"a": torch.ones(2)}
    library.add(Adapter("mine", record_of(), {"r": 1}, late, checkpoints=(Checkpoint(3, early), Checkpoint(12, late))))
    found = library.get("mine@3")
    assert (found.id, found.config, found.checkpoints) == ("mine@3", {"r": 1}, ())
    assert torch.equal(found.tensors["a"], early["a"])
    assert library.get("mine").id == "mine"
    with pytest.raises(PlaygroundError) as refused:
        library.get("mine@4")
    assert (refused.value.key, refused.value.values["steps"]) == ("no_checkpoint", "3, 12")


def test_sessions_do_not_see_each_others_adapters() -> None:
    sessions = Sessions(Jobs())
    sessions.get("ann").library.add(simple("anns"))
    assert sessions.get("ann").library.get("anns").id == "anns"
    assert sessions.get("ben").library.own() == []
    with pytest.raises(PlaygroundError):
        sessions.get("ben").library.get("anns")


@pytest.mark.parametrize(
    ("made_for", "method_id", "asked", "used"),
    [
        ("smollm2-135m", "lora", "smollm2-135m", "smollm2-135m"),
        ("smollm2-135m", "lora", "smollm2-135m:int8_vectorwise", "smollm2-135m:int8_vectorwise"),
        ("smollm2-135m:int8_vectorwise", "lora", "smollm2-135m", "smollm2-135m"),
        ("smollm2-135m", "qlora", "smollm2-135m", "smollm2-135m:nf4_double"),
    ],
)
def test_a_pane_runs_on_the_weights_that_its_adapter_needs(made_for: str, method_id: str, asked: str, used: str) -> None:
    assert Variant.of(asked, Adapter("x", record_of(method_id, base=made_for))).base == used


def test_an_adapter_of_another_base_cannot_be_a_pane() -> None:
    with pytest.raises(PlaygroundError) as refused:
        Variant.of("smollm2-135m:nf4", Adapter("x", record_of(base="smollm2-360m")))
    assert refused.value.key == "other_base"
    assert "se hizo para SmolLM2-360M-Instruct, no para SmolLM2-135M-Instruct · NF4." in refused.value.message("es")
    assert "made for smollm2-360m, not for smollm2-135m:nf4." in str(refused.value)  # a program reads ids


def test_a_summary_says_what_was_trained_of_how_much() -> None:
    summary = simple("mine", name="My own").summary()
    assert (summary["id"], summary["name"], summary["percent"]) == ("mine", "My own", 1.0)


@pytest.mark.parametrize("adapter_id", examples())
def test_the_ready_made_adapters_are_what_their_records_say(adapter_id: Any) -> None:
    adapter = examples()[adapter_id]
    assert adapter.folder is not None
    numbers = sum(tensor.numel() for tensor in load_file(adapter.folder / WEIGHTS).values())
    assert (adapter.record.trainable_parameters, adapter.record.bytes) == (numbers, 4 * numbers)
    assert adapter_id.startswith(f"{adapter.record.task}-")
    assert adapter.config["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"


def test_a_ready_made_adapter_fits_the_embedded_base(base: Base) -> None:
    for adapter in examples().values():
        model_of(base, adapter)
    assert base.untouched()
