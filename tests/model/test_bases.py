"""Bases: views share memory and nothing else, checksums see every change, and what cannot be loaded is refused."""

import copy
import errno
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import httpx2
import psutil
import pytest
import torch
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError
from peft import IA3Config, LoraConfig, PromptTuningConfig, get_peft_model
from torch import nn
from transformers import AutoModelForCausalLM

from playground import settings
from playground.adapt.methods import method
from playground.adapt.tasks import Task
from playground.errors import PlaygroundError
from playground.formats.registry import format_of
from playground.model import bases
from playground.model.architecture import architecture_of, entries
from playground.model.bases import Bases, checksum, load
from playground.model.catalogue import BITSANDBYTES, CATALOGUE, FORMS, BaseSpec, split_id
from playground.model.hub import Told
from playground.model.memory import Store
from playground.model.modules import linear_layers
from playground.model.needed import pick_device
from playground.model.weights import own_bytes, weight_of
from playground.train.job import TrainingJob
from playground.train.training import train
from tests.families import logits, one_thread, tiny_base, tiny_model  # noqa: F401

FAMILIES = ("llama", "qwen2", "bloom")
every_family = pytest.mark.parametrize("family", FAMILIES)


def lora(**options: Any) -> Any:
    return LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, **options)


def ia3() -> Any:
    return IA3Config(
        task_type="CAUSAL_LM", target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]
    )


def soft_prompt() -> Any:
    return PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)


def injected(view: Any, config: Any, seed: Any = 0) -> Any:
    """PEFT around a view, every trainable number moved away from where it does nothing."""
    torch.manual_seed(seed)
    model = get_peft_model(view, config).eval()
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data + torch.randn(parameter.shape, generator=generator)
    return model


def places(model: Any) -> Any:
    return {name: tensor.data_ptr() for name, tensor in (*model.named_parameters(), *model.named_buffers())}


def kinds(model: Any) -> Any:
    return {name: type(module) for name, module in model.named_modules()}


# Views


@every_family
def test_a_view_shares_every_tensor(family: str) -> None:
    base = tiny_base(family)
    view = base.view()
    assert places(view) == places(base.model)
    assert torch.equal(logits(view), logits(base.model))


@every_family
def test_a_view_has_modules_of_its_own(family: str) -> None:
    base = tiny_base(family)
    view, other = base.view(), base.view()
    trees = [{id(module) for module in tree.modules()} for tree in (view, other, base.model)]
    assert kinds(view) == kinds(base.model)
    assert not trees[0] & trees[1]
    assert not trees[0] & trees[2]


def test_a_view_keeps_tied_weights_tied(tiny: bases.Base) -> None:
    view = tiny.view()
    assert view.get_output_embeddings().weight is view.get_input_embeddings().weight


def test_many_views_hold_no_memory_of_their_own(base: bases.Base) -> None:
    def held() -> Any:
        """Bytes of every distinct storage that a tensor anywhere in the process rests on."""
        gc.collect()
        tensors = [one for one in gc.get_objects() if isinstance(one, torch.Tensor) and not one.is_mkldnn]
        return sum({one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}.values())

    before = held()
    views = [base.view() for _ in range(8)]
    assert len(views) == 8
    assert held() - before < 1_000_000


@pytest.mark.parametrize("config", [lora, ia3, soft_prompt], ids=lambda one: one.__name__)
def test_what_peft_does_to_one_view_the_base_and_other_views_do_not_notice(config: Any) -> None:
    base = tiny_base("qwen2")
    bystander = base.view()
    before, shapes, where = logits(base.model), kinds(base.model), places(base.model)
    changed = injected(base.view(), config())
    late = base.view()
    assert not torch.equal(logits(changed), before)
    for model in (base.model, bystander, late):
        assert torch.equal(logits(model), before)
        assert (kinds(model), places(model)) == (shapes, where)
    assert base.untouched()


@pytest.mark.parametrize(
    ("method_id", "values"),
    [
        ("lora", {}),
        ("lora", {"bias": "lora_only", "targets": "all_linear"}),  # PEFT trains the model's own biases in place
        ("lora", {"dora": True}),
        ("ia3", {}),
        ("prompt_tuning", {}),
        ("full_fine_tuning", {}),
    ],
    ids=str,
)
def test_training_never_moves_a_tensor_of_the_base(small_task: Task, method_id: str, values: dict[str, Any]) -> None:
    base = tiny_base("qwen2")
    before = logits(base.model)
    *_, ended = train(TrainingJob(base.id, method_id, small_task, values, steps=2), lambda base_id: base)
    assert any(tensor.any() for tensor in ended.adapter.tensors.values())
    assert base.untouched()
    assert torch.equal(logits(base.model), before)
    assert [name for name, parameter in base.model.named_parameters() if parameter.requires_grad] == []


def test_two_adapters_side_by_side_answer_as_each_does_alone() -> None:
    configs = [lora(), ia3(), soft_prompt()]
    alone = [logits(injected(tiny_base("qwen2").view(), config, seed)) for seed, config in enumerate(configs)]
    base = tiny_base("qwen2")
    together = [injected(base.view(), copy.deepcopy(config), seed) for seed, config in enumerate(configs)]
    for _ in range(2):  # and answering does not change who answers
        for model, expected in zip(together, alone, strict=True):
            assert torch.equal(logits(model), expected)


def test_training_in_a_view_reaches_the_adapter_and_not_the_base() -> None:
    base = tiny_base("qwen2")
    model = get_peft_model(base.view(), lora())
    ids = torch.arange(8)[None]
    model(input_ids=ids, labels=ids).loss.backward()
    assert any(p.grad is not None for p in model.parameters() if p.requires_grad)
    assert [name for name, parameter in base.model.named_parameters() if parameter.grad is not None] == []


# Checksums


@every_family
def test_a_copy_has_the_same_checksum(family: str) -> None:
    base = tiny_base(family)
    assert checksum(copy.deepcopy(base.model)) == base.checksum() == base.loaded_checksum
    assert checksum(tiny_model(family)) == base.checksum()


@every_family
def test_one_weight_that_moves_by_one_unit_in_the_last_place_is_seen(family: str) -> None:
    base = tiny_base(family)
    for parameter in base.model.parameters():
        weight = parameter.view(-1)[-1:]
        kept = weight.clone()
        weight.copy_(torch.nextafter(kept, torch.tensor([float("inf")])))
        assert not base.untouched()
        weight.copy_(kept)
        assert base.untouched()


def test_the_sign_of_a_zero_is_seen() -> None:
    base = tiny_base("llama")
    norm = base.model.model.norm.weight
    norm[0] = 0.0
    positive = base.checksum()
    norm[0] = -0.0
    assert base.checksum() != positive


def test_the_same_weights_in_another_place_are_seen() -> None:
    base = tiny_base("llama")
    first, second = (base.model.model.layers[n].self_attn.q_proj.weight for n in (0, 1))
    kept = first.clone()
    first.copy_(second)
    second.copy_(kept)
    assert not base.untouched()


# Ids


@pytest.mark.parametrize(
    "base_id",
    [
        "",
        "nope",
        "SMOLLM2-135M",
        "smollm2-135m:int5",
        "smollm2-135m:nf4:int8",
        "smollm2-135m:float32",
        ":nf4",
        "smollm2-135m:",
        "../smollm2-135m",
        " ",
    ],
)
def test_an_unknown_base_is_refused_with_the_known_ones(base_id: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        split_id(base_id)
    assert refused.value.key == "unknown_base"
    assert all(one in str(refused.value) for one in (*CATALOGUE, *FORMS))


@pytest.mark.parametrize("form", [None, *FORMS])
@pytest.mark.parametrize("base_id", CATALOGUE)
def test_every_base_has_its_forms(base_id: Any, form: Any) -> None:
    assert split_id(f"{base_id}:{form}" if form else base_id) == (CATALOGUE[base_id], form)


# Loading


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A local base in the catalogue, as PLAYGROUND_LOCAL_BASE makes one: nothing is known of it before loading."""
    tiny_base("qwen2", tmp_path / "model")
    monkeypatch.setitem(CATALOGUE, "local", BaseSpec("local", "model", "local", str(tmp_path / "model"), None))
    return tmp_path / "model"


def test_a_local_folder_is_loaded_as_it_is(local: Any) -> None:
    base, original = load("local"), tiny_base("qwen2")
    assert torch.equal(logits(base.model), logits(original.model))
    assert (base.architecture, base.dtype, base.folder) == (original.architecture, "float32", local)
    assert not base.model.training
    assert [name for name, parameter in base.model.named_parameters() if parameter.requires_grad] == []
    assert base.untouched()


QUANTIZED = {"nf4": ("nf4", False), "nf4_double": ("nf4", True), "fp4": ("fp4", False), "int8_vectorwise": (None, None)}
every_form = pytest.mark.parametrize("form", QUANTIZED)


@every_form
def test_a_quantized_base_answers_nearly_as_the_base_does(local: Any, form: str) -> None:
    plain, base = load("local"), load(f"local:{form}")
    expected, found = logits(plain.model), logits(base.model)
    assert not torch.equal(found, expected)
    assert torch.nn.functional.cosine_similarity(found.double(), expected.double()).min() > {
        "int8_vectorwise": 0.99,
        "fp4": 0.7,
    }.get(form, 0.9)
    prompt = torch.tensor([base.tokenizer("Hi")["input_ids"]])
    written = base.model.generate(prompt, max_new_tokens=1, do_sample=False)
    assert written[0, -1] == base.model(prompt).logits[0, -1].argmax()


@pytest.mark.parametrize("form", ["nf4", "nf4_double", "fp4"])
def test_the_modules_of_bitsandbytes_hold_what_the_format_says(local: Any, form: str) -> None:
    """So a simulated pane and a real one of a 4-bit format would answer the same."""
    plain, base = load("local"), load(f"local:{form}")
    simulated = plain.view()
    for path, layer in linear_layers(plain.model).items():
        found = format_of(form).round_trip(layer.weight).values
        assert torch.equal(found, weight_of(base.model, path))
        simulated.get_submodule(path).weight = torch.nn.Parameter(found, requires_grad=False)
    torch.testing.assert_close(logits(base.model), logits(simulated), atol=1e-5, rtol=0)


@every_form
def test_every_linear_layer_of_a_quantized_base_is_quantized_and_the_head_is_not(local: Any, form: str) -> None:
    model = load(f"local:{form}").model
    names = {
        name.rpartition(".")[2]: type(module).__name__
        for name, module in model.named_modules()
        if "Linear" in str(type(module))
    }
    head = names.pop("lm_head")
    assert (set(names.values()), head) == ({"Linear8bitLt" if form == "int8_vectorwise" else "Linear4bit"}, "Linear")
    kind, double = QUANTIZED[form]
    states = [module.weight.quant_state for module in model.modules() if hasattr(module, "quant_state")]
    assert all((state.quant_type, state.nested) == (kind, double) for state in states)


@every_form
def test_a_quantized_base_is_counted_as_the_model_that_it_stands_for(local: Any, form: str) -> None:
    plain, base = load("local"), load(f"local:{form}")
    assert base.architecture == plain.architecture
    lora = method("lora")
    assert lora.config is not None
    model = get_peft_model(base.view(), lora.config(base, lora.complete({})))
    found = lora.counts(base.architecture, {})
    assert (found["trainable_parameters"], found["total_parameters"]) == model.get_nb_trainable_parameters()


@every_form
def test_a_view_of_a_quantized_base_shares_its_weights_and_answers_the_same(local: Any, form: str) -> None:
    base = load(f"local:{form}")
    before = logits(base.model)
    view = base.view()
    assert places(view) == places(base.model)
    assert torch.equal(logits(view), before)
    injected(base.view(), lora())
    assert torch.equal(logits(base.model), before)
    assert base.untouched()


@every_form
def test_one_quantized_weight_that_changes_is_seen(local: Any, form: str) -> None:
    base = load(f"local:{form}")
    weight = base.model.model.layers[0].mlp.up_proj.weight.data.view(-1)
    weight[0] ^= 1
    assert not base.untouched()


@pytest.mark.parametrize("form", [form for form in FORMS if form not in BITSANDBYTES])
def test_a_simulated_form_is_the_same_model_with_rounded_linear_layers(local: Any, form: Any) -> None:
    plain, base = load("local"), load(f"local:{form}")
    assert (base.architecture, base.dtype) == (plain.architecture, "float32")
    rounded = linear_layers(plain.model)
    for path, module in plain.model.named_modules():
        weight, found = getattr(module, "weight", None), getattr(base.model.get_submodule(path), "weight", None)
        if weight is not None:
            assert torch.equal(found, format_of(form).round_trip(weight).values if path in rounded else weight)
    assert len(rounded) == 2 * 7
    assert not any(parameter.requires_grad for parameter in base.model.parameters())
    assert base.untouched()


def test_rounding_tells_how_far_it_is(local: Any) -> None:
    told = []
    load("local:int4", lambda stage, fraction: told.append((stage, fraction)))
    fractions = [fraction for stage, fraction in told if stage == "rounding"]
    assert fractions == [done / 14 for done in range(14)]


def test_a_pad_token_is_there_even_if_the_tokenizer_has_none(local: Any) -> None:
    tokenizer = tiny_base("qwen2").tokenizer
    tokenizer.pad_token = None
    tokenizer.save_pretrained(local)
    base = load("local")
    assert base.tokenizer.pad_token_id == base.tokenizer.eos_token_id


# What cannot be loaded


def refusal(base_id: Any) -> Any:
    with pytest.raises(PlaygroundError) as refused:
        load(base_id)
    assert refused.value.message("en") != refused.value.message("es")
    return refused.value


@pytest.mark.parametrize("emptied", ["the folder", "its config"])
def test_a_local_folder_without_a_model_is_refused(local: Any, emptied: str) -> None:
    for file in local.iterdir():
        if emptied == "the folder" or file.name == "config.json":
            file.unlink()
    error = refusal("local")
    assert (error.key, error.values["folder"]) == ("no_local_base", str(local))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", b"{"),
        ("config.json", b"[]"),
        ("config.json", b"{}"),
        ("config.json", b'{"model_type": "nonsense"}'),
        ("config.json", b"\xff\xfe"),
        ("model.safetensors", None),
        ("model.safetensors", b""),
        ("model.safetensors", b"\xff" * 100),
        ("tokenizer.json", b"{"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_local_folder_with_broken_files_is_refused(local: Any, file: str, content: Any) -> None:
    (local / file).unlink()
    if content is not None:
        (local / file).write_bytes(content)
    error = refusal("local")
    assert (error.key, error.values["base"]) == ("base_unreadable", "local")


@pytest.mark.parametrize(
    ("base_id", "free", "needed"),
    [
        ("smollm2-135m", 0.6e9, 0.6),
        ("llama-3.2-1b", 5.9e9, 5.9),
        ("llama-3.2-1b:nf4", 1.8e9, 1.9),  # embeddings stay in float32
        ("llama-3.2-1b:int8_vectorwise", 2.3e9, 2.4),
        ("llama-3.2-1b:int8", 5.9e9, 5.9),
    ],
)
def test_a_base_that_does_not_fit_into_memory_is_refused_before_loading(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, base_id: str, free: float, needed: float
) -> None:
    monkeypatch.setattr(bases, "_find", lambda spec, report: tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=int(free), total=10**11))
    error = refusal(base_id)
    assert (error.key, error.values["needed"]) == ("too_little_memory", needed)


def told(repository: str, sha: str = "") -> Told:
    """A hub that knows the model."""
    return Told(repository, "", False, {"config.json": 100, "model.safetensors": 100}, sha or "1" * 40)


def response(status: Any) -> Any:
    return httpx2.Response(status, request=httpx2.Request("GET", "https://huggingface.co/x"))


@pytest.mark.parametrize(
    ("problem", "key"),
    [
        (GatedRepoError("gated", response=response(403)), "base_gated"),
        (RepositoryNotFoundError("no such", response=response(404)), "base_not_on_hub"),
        (LocalEntryNotFoundError("offline"), "no_network"),
        (HfHubHTTPError("server", response=response(503)), "hub_fails"),
        (HfHubHTTPError("too many", response=response(429)), "hub_rate_limited"),
        (httpx2.ConnectError("refused"), "no_network"),
        (httpx2.ReadTimeout("slow"), "no_network"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "no_network"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_goes_wrong_on_the_hub_is_said(monkeypatch: pytest.MonkeyPatch, problem: Any, key: str) -> None:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise problem

    monkeypatch.setattr("playground.model.hub.told", told)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    assert refusal("llama-3.2-1b").key == key


def test_only_a_full_disk_is_called_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", "/root/.cache/huggingface")

    monkeypatch.setattr("playground.model.hub.told", told)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises((PlaygroundError, PermissionError)) as refused:
        load("llama-3.2-1b")
    assert getattr(refused.value, "key", "") != "disk_full"


def test_offline_a_base_that_was_never_fetched_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """huggingface_hub itself, offline and with an empty cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert refusal("smollm2-360m").key == "hub_offline"


def test_only_what_a_model_needs_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[str, Any] = {}

    def fetch(repository: Any, **options: Any) -> Any:
        asked.update(options, repository=repository)
        return str(tmp_path)

    monkeypatch.setattr("playground.model.hub.told", told)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    refusal("bloomz-560m")  # the folder is empty
    assert asked["repository"] == "bigscience/bloomz-560m"
    assert not [
        pattern for pattern in asked["allow_patterns"] if pattern.endswith((".bin", ".py", ".pt", ".h5", ".pkl", "*"))
    ]


def test_the_cpu_is_taken_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DEVICE", "cpu")
    assert pick_device() == ("cpu", "CPU")


# The bases that are kept

A, B, C = "smollm2-135m", "smollm2-360m", "bloomz-560m"


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Counts what is loaded; loading the hub's copy of SmolLM2 fails."""
    loaded = []

    def fake(base_id: Any, report: Any, plain: Any, make_room: Any) -> Any:
        report("downloading", 0.5)
        if base_id == "smollm2-135m-hub":
            raise PlaygroundError("no_network", what=base_id)
        make_room(400)
        loaded.append(base_id)
        model = nn.Linear(10, 10, bias=False)  # 400 bytes
        about = {"device_name": "CPU", "dtype": "float32", "notes": ("experts",), "products": (0.04, 0.02)}
        return SimpleNamespace(id=base_id, model=model, architecture=None, **about)

    monkeypatch.setattr(bases, "load", fake)
    monkeypatch.setattr(bases, "expected_bytes", lambda *asked: 400)
    return loaded


def room_for(count: Any) -> Any:
    """The bases that a budget for so many of them keeps."""
    return Bases(Store(lambda _: 400 * count))


def test_a_base_is_loaded_once(loads: Any) -> None:
    kept = room_for(9)
    assert (kept.is_loaded(A), kept.status(A).state) == (False, "waiting")
    assert kept.get(A) is kept.get(A)
    assert (kept.status(A).notes, kept.status(A).products) == (("experts",), (0.04, 0.02))
    assert (loads, kept.is_loaded(A), kept.status(A).state) == ([A], True, "ready")


def test_a_base_and_its_quantized_form_are_two(loads: Any) -> None:
    kept = room_for(9)
    assert kept.get(A) is not kept.get(f"{A}:nf4")
    assert loads == [A, f"{A}:nf4"]


def test_nothing_gives_way_to_a_base_that_cannot_be_had(loads: Any) -> None:
    kept = room_for(1)
    kept.get(A)
    with pytest.raises(PlaygroundError):
        kept.get("smollm2-135m-hub")
    assert (kept.is_loaded(A), kept.status(A).state) == (True, "ready")


def test_many_visitors_at_once_load_a_base_once(loads: Any) -> None:
    kept = room_for(9)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(kept.get, [A] * 8))
    assert loads == [A]
    assert {id(one) for one in found} == {id(found[0])}


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Two local bases of different families in the catalogue, and their models as they were written."""
    families = ("llama", "bloom")
    for family in families:
        monkeypatch.setitem(CATALOGUE, family, BaseSpec(family, family, "local", str(tmp_path / family), None))
    return {family: tiny_base(family, tmp_path / family).model for family in families}


def test_two_bases_asked_for_at_once_both_load_and_answer_as_they_were_written(
    two: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers loads under global settings (dtype, empty tensors): it must never load two at a time."""
    inside, most, real = [0], [0], AutoModelForCausalLM.from_pretrained

    def counted(*given: Any, **options: Any) -> Any:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        loaded = real(*given, **options)
        inside[0] -= 1
        return loaded

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", counted)
    kept, together = Bases(Store(lambda _: 10**9)), Barrier(4)

    def ask(base_id: str) -> Any:
        together.wait(60)
        return kept.get(base_id)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, [*two, *two]))
    assert [one.id for one in found] == [*two, *two]
    assert [found[0], found[1]] == [found[2], found[3]]  # each was loaded once
    for base in found[:2]:
        torch.testing.assert_close(logits(base.model), logits(two[base.id]), rtol=1e-3, atol=1e-4)  # with other products
        assert base.untouched()
        assert kept.status(base.id).state == "ready"
    assert most == [1]


def test_the_least_recently_used_base_gives_way(loads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = room_for(2)
    for base_id in (A, B, A, C):
        kept.get(base_id)
    assert [kept.is_loaded(base_id) for base_id in (A, B, C)] == [True, False, True]
    assert [kept.status(base_id).state for base_id in (A, B, C)] == ["ready", "waiting", "ready"]


def test_forms_do_not_push_out_the_plain_bases(loads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A form is of its plain base, which is in use as long as the form is."""
    kept = room_for(3)
    forms = [f"{A}:{form}" for form in ("int4", "int8", "nf4")]
    for base_id in (A, *forms):
        kept.get(base_id)
    assert [kept.is_loaded(base_id) for base_id in (A, *forms)] == [True, False, True, True]


def test_a_base_that_is_there_does_not_wait_for_its_forms(loads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = room_for(9)
    kept.get(A)
    with kept._locks[A]:  # as while a form is being rounded
        assert ThreadPoolExecutor(1).submit(kept.get, A).result(timeout=60).id == A


def test_a_failure_is_told_and_tried_again(loads: Any) -> None:
    kept = room_for(9)
    for _ in range(2):
        with pytest.raises(PlaygroundError):
            kept.get("smollm2-135m-hub")
        status = kept.status("smollm2-135m-hub")
        assert (status.state, status.error.key) == ("failed", "no_network")
    assert not kept.is_loaded("smollm2-135m-hub")


def test_an_unknown_base_is_not_remembered(loads: Any) -> None:
    kept = room_for(9)
    with pytest.raises(PlaygroundError):
        kept.get("nope")
    assert (loads, kept.is_loaded("nope")) == ([], False)


def test_a_base_that_gave_way_leaves_memory(local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Bases(Store(lambda _: 1))  # nothing but the latest
    model = weakref.ref(kept.get("local:nf4").model)
    kept.get("local:int8")
    gc.collect()
    assert model() is None


def test_a_form_shares_what_it_does_not_change(local: Any) -> None:
    """Embeddings, norms and the head are the plain base's own tensors; so the form holds its linear layers alone."""
    kept = Bases(Store(lambda _: 10**9))
    plain = kept.get("local")
    linear = {f"{path}.weight" for path in linear_layers(plain.model)}
    for form in ("int4", "nf4", "int8_vectorwise"):
        base = kept.get(f"local:{form}")
        theirs = dict(plain.model.named_parameters())
        own = {name for name, one in base.model.named_parameters() if one is not theirs[name]}
        assert own == linear
        assert base.untouched()
    assert plain.untouched()
    simulated = own_bytes(kept.get("local:int4").model, plain.model)
    assert simulated == 4 * entries(plain.architecture.linears)


# The catalogue


def test_the_default_base_works_without_a_network() -> None:
    assert CATALOGUE["smollm2-135m"].source == "embedded"
    assert next(iter(CATALOGUE)) == "smollm2-135m"


def test_the_embedded_base_is_what_the_catalogue_says(base: bases.Base) -> None:
    found = architecture_of(base.model)
    assert found.parameters == base.architecture.parameters == 134_515_008
    assert set(found.linears) == set(base.architecture.linears)
