"""Any base that is a causal language model: whatever the page does works on every family, as PEFT does it."""

import copy
import dataclasses
import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from playground import settings
from playground.adapt import tasks
from playground.adapt.adapters import Adapter, save
from playground.adapt.attach import attach
from playground.adapt.methods import FRONT, MORE, method
from playground.adapt.tasks import Example, Task
from playground.adapt.variant import Variant
from playground.compare.comparison import compare
from playground.compare.decoding import Row
from playground.compare.job import CompareJob, Decoding
from playground.compare.reading import Opening, common, read
from playground.errors import PlaygroundError
from playground.formats.registry import format_of
from playground.lowrank import findings, softprompt
from playground.lowrank.updates import updates
from playground.model.bases import Base, load
from playground.model.catalogue import CATALOGUE, BaseSpec
from playground.model.modules import FEED_FORWARD, linear_layers
from playground.model.weights import is_quantized, weight_of
from playground.quantize import activations, sources, tensor, wholemodel
from playground.train.job import TrainingJob
from playground.train.training import train
from tests.adapt.test_registry import SMALL
from tests.conftest import walk
from tests.families import one_thread  # noqa: F401
from tests.kinds import KINDS, folder_of_kind

GetBase = Callable[[str], Base]
TASK = Task("own", (Example("say one", "one!"), Example("say two", "two!")), (Example("say three", "three!"),))
PROMPT = "Say something."
ADAPTED = ("prompt_tuning", "lora", "ia3", "qlora", "full_fine_tuning")
CHOICES = ("query_value", "attention", "mlp", "all_linear")
TOKENS = 6
DAILY = ("llama", "gemma3", "gpt2", "opt-350m", "falcon-40b", "qwen2-moe", "deepseek-v3")  # hardly alike


@pytest.fixture(scope="module", params=walk(KINDS, DAILY))
def get(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GetBase]:
    """A tiny base of the family and its forms, loaded by the way that all bases take, each once; "any" is its id."""
    folder = folder_of_kind(request.param, tmp_path_factory.mktemp("kind"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CATALOGUE, "any", BaseSpec("any", request.param, "local", str(folder), None))
        patch.setattr(settings, "DEVICE", "cpu")
        patch.setattr("playground.train.evaluation.SAMPLE_TOKENS", 1)

        def made(base_id: str) -> Base:
            return load(base_id, plain=known("any") if base_id != "any" else None)

        known: GetBase = cache(made)
        yield known


@pytest.fixture(scope="module")
def trained(get: GetBase) -> Callable[[str], Any]:
    """What one step of training each method gives: all events, the last with the adapter; a refusal as itself."""

    def events(method_id: str) -> Any:
        quick = {} if method_id == "few_shot" else {**SMALL.get(method_id, {}), "batch_size": 2}
        try:
            return list(train(TrainingJob("any", method_id, TASK, quick, 1), get))
        except PlaygroundError as error:
            return error

    return cache(events)


@pytest.fixture(scope="module")
def adapters(trained: Callable[[str], Any]) -> dict[str, Adapter]:
    """The trained ones, every number moved, so that each answers in its own way."""
    return {one: moved(trained(one)[-1].adapter) for one in ADAPTED}


def moved(adapter: Adapter) -> Adapter:
    far = 0.05 if adapter.config is None else 0.3
    generator = torch.Generator().manual_seed(7)
    loaded = {name: one + far * torch.randn(one.shape, generator=generator) for name, one in adapter.tensors.items()}
    return dataclasses.replace(adapter, loaded=loaded)


@pytest.mark.parametrize("method_id", FRONT)
def test_every_method_trains(get: GetBase, trained: Callable[[str], Any], method_id: str) -> None:
    events = trained(method_id)
    assert isinstance(events, list), events
    ended = events[-1]
    assert ended.event == "finished"
    assert all(math.isfinite(event.loss) for event in events if event.event == "step")
    if method_id != "few_shot":
        assert sum(one.numel() for one in ended.adapter.tensors.values()) == ended.adapter.record.trainable_parameters
    assert get("any").untouched()


@pytest.mark.parametrize("method_id", walk(MORE, ("prefix_tuning", "last_layers")))
def test_other_methods_train_and_save_what_was_counted_or_are_refused_in_words(
    get: GetBase, trained: Callable[[str], Any], method_id: str
) -> None:
    told = trained(method_id)
    if isinstance(told, PlaygroundError):
        assert told.key in (
            "method_does_not_fit",
            "method_counted_otherwise",
            "method_no_layers",
            "no_biases",
            "no_norms",
            "no_such_targets",
        )
        return
    adapter = told[-1].adapter
    counts = method(method_id).counts(get("any").architecture, adapter.record.hyperparameters)
    saved = sum(one.numel() * one.element_size() for one in adapter.tensors.values())
    assert (adapter.record.trainable_parameters, saved) == (counts["trainable_parameters"], counts["bytes"])


def test_counts_before_training_are_what_peft_counts(get: GetBase) -> None:
    """Or the choice is refused before training, as experts are that PEFT could only adapt all together."""
    base = get("any")
    lora = [{"targets": one, "rank": 4, "bias": "lora_only"} for one in CHOICES]
    cases: list[tuple[str, dict[str, Any]]] = [*(("lora", one) for one in lora), ("lora", {"dora": True})]
    cases += [("ia3", {}), ("prompt_tuning", {}), ("qlora", {})]
    for method_id, asked in cases:
        if asked.get("targets") == "mlp" and only_experts(base):
            with pytest.raises(PlaygroundError, match="no layers for targets"):
                method(method_id).counts(base.architecture, asked)
            continue
        counted = method(method_id).counts(base.architecture, asked)
        config: Any = method(method_id).config
        model: Any = get_peft_model(copy.deepcopy(base.model), config(base, method(method_id).complete(asked)))
        assert (counted["trainable_parameters"], counted["total_parameters"]) == model.get_nb_trainable_parameters()


def only_experts(base: Base) -> bool:
    """Whether PEFT could only adapt all feed-forward layers together, as blocks of experts."""
    return "experts" in base.notes and not any(one.role in FEED_FORWARD for one in base.architecture.linears)


def test_every_pane_of_one_comparison_writes_what_peft_generates(
    get: GetBase, adapters: dict[str, Adapter], tmp_path_factory: pytest.TempPathFactory
) -> None:
    variants = (Variant("any"), *(Variant.of("any", one) for one in adapters.values()))
    job = CompareJob("any", PROMPT, variants, Decoding(TOKENS))
    *_, last = compare(job, get)
    texts = [reference(get, variant, job, tmp_path_factory) for variant in variants]
    assert [pane.text for pane in last.panes] == texts
    assert len(set(texts)) > 2, "they differ, or nothing is shown by this"
    assert last.panes[0].weights_untouched


def reference(get: GetBase, variant: Variant, job: CompareJob, folders: pytest.TempPathFactory) -> str:
    """What `generate` writes with transformers' and PEFT's own loading, without the end token."""
    base, adapter = get(variant.base), variant.adapter
    model: Any = base.view() if variant.form else AutoModelForCausalLM.from_pretrained(base.folder)
    if adapter and adapter.config:
        save(adapter, folder := folders.mktemp("adapter"))
        model = PeftModel.from_pretrained(model, folder)
    elif adapter:
        model.load_state_dict(dict(adapter.tensors), strict=False)
    ids = tasks.prompt_ids(base.tokenizer, job.prompt)
    options = {"do_sample": False, "max_new_tokens": TOKENS, "pad_token_id": base.tokenizer.pad_token_id}
    mask = torch.ones(1, len(ids), dtype=torch.long)
    written = model.eval().generate(input_ids=torch.tensor([ids]), attention_mask=mask, **options)[0, len(ids) :].tolist()
    text: Any = base.tokenizer.decode(written, skip_special_tokens=True)
    return str(text).rstrip("\N{REPLACEMENT CHARACTER}")


def test_a_prompt_in_two_parts_has_the_logits_that_it_has_in_one(get: GetBase, adapters: dict[str, Adapter]) -> None:
    for adapter in (None, *adapters.values()):
        variant = Variant.of("any", adapter)
        base = get(variant.base)
        model, begins = attach(base, variant).model, common(tasks.any_two(base.tokenizer))
        apart, cut = Opening(begins), Opening(begins, cut=True)
        for question in (PROMPT, "And then, what else?"):
            ids = tasks.prompt_ids(base.tokenizer, question)
            whole = read(model, ids).logits
            for opening in (apart, cut):
                torch.testing.assert_close(read(model, ids, opening).logits, whole, rtol=0, atol=1e-4)
        assert apart.find() is not None


@pytest.mark.parametrize("form", ["nf4", "int8_vectorwise", "ternary"])
def test_a_form_holds_every_linear_layer_as_its_format_rounds_it(get: GetBase, form: str) -> None:
    plain = get("any")
    if (plain.spec.name, form) == ("deepseek-v3", "int8_vectorwise"):
        with pytest.raises(PlaygroundError, match="does not run"):  # bitsandbytes rounds no input of MLA's four dimensions
            get(f"any:{form}")
        return
    base = get(f"any:{form}")
    assert list(linear_layers(base.model)) == list(linear_layers(plain.model)) != []
    assert base.architecture == plain.architecture
    for path, layer in linear_layers(base.model).items():
        weight = weight_of(plain.model, path)
        found, expected = weight_of(base.model, path), format_of(form).round_trip(weight).values
        assert is_quantized(layer.weight) == (form != "ternary")
        assert not torch.equal(found, weight)
        assert (found - expected).abs().max() < 0.01 * weight.abs().max()  # bitsandbytes keeps some scales in 16 bits
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        assert not torch.equal(base.view()(input_ids=ids).logits, plain.model(input_ids=ids).logits)


@pytest.mark.parametrize("method_id", ["lora", "ia3", "full_fine_tuning", "adalora"])
def test_the_low_rank_lab_shows_the_change_of_the_weights_that_the_model_computes_with(
    get: GetBase, trained: Callable[[str], Any], adapters: dict[str, Adapter], method_id: str
) -> None:
    base = get("any")
    if method_id not in adapters and isinstance(trained(method_id), PlaygroundError):
        pytest.skip(str(trained(method_id)))  # refused in words, which is tried above
    adapter = adapters.get(method_id) or moved(trained(method_id)[-1].adapter)
    whole: Any = attach(base, Variant("any", adapter, merged=adapter.config is not None)).model
    found = updates(base, adapter)
    assert found
    for module, update in found.items():
        weight = weight_of(base.model, module)
        torch.testing.assert_close(weight + update.delta(weight), weight_of(whole, module), rtol=1e-4, atol=1e-4)
    if method_id == "lora":
        assert findings.report(base, adapter).module in found
    assert base.untouched()


def test_the_other_labs_take_it(get: GetBase, adapters: dict[str, Adapter]) -> None:
    base = get("any")
    cells = activations.network(base, ["One two"])
    assert {cell.module for cell in cells} <= set(linear_layers(base.model))
    read = activations.activations(base, cells[0].module, ["One two"])[0]
    assert read.shape[1] == weight_of(base.model, cells[0].module).shape[1]
    assert softprompt.report(base, adapters["prompt_tuning"]).tokens[0].nearest
    module = sources.default_module(base)
    assert sources.shape_of(base, module) == tuple(weight_of(base.model, module).shape)
    assert tensor.rows(base, module, ["nf4", "int8"])[0]["module"] == module
    assert wholemodel.bits_of(base, "nf4") < wholemodel.bits_of(base, "float32") == 32
    row = Row(base.view(), base.tokenizer, tasks.prompt_ids(base.tokenizer, PROMPT), Decoding(1))
    row.prefill()
    assert row.read
