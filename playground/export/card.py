"""
The README of an adapter's folder, which is a model card of the Hugging Face Hub: what it is for, how to load it, how it was
made, what it scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from playground.adapt.adapters import Adapter, file_stem
from playground.adapt.methods import METHODS
from playground.adapt.said import value
from playground.adapt.tasks import TASK_IDS
from playground.locales import machine, number, text, written
from playground.model import embedded
from playground.model.catalogue import BITSANDBYTES, parts_of, spec_of
from playground.train.recipe import examples_file, is_known

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

README = "README.md"
LOADING = """\
```python
import torch
from peft import PeftModel
from transformers import {imports}

BASE = {base!r}
tokenizer = AutoTokenizer.from_pretrained(BASE)
base = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32{quantized})
model = PeftModel.from_pretrained(base, ".")  # {folder}
question = {question!r}
if tokenizer.chat_template is None:
    read = tokenizer(question + "\\n", return_tensors="pt")
else:
    turn = [{{"role": "user", "content": question}}]
    read = tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_tensors="pt", return_dict=True)
written = model.generate(**read.to(model.device), max_new_tokens=64, do_sample=False)
print(tokenizer.decode(written[0, read["input_ids"].shape[1] :], skip_special_tokens=True))
```
"""
FIGURES = ("held_out_loss", "score", "forgetting")  # as `actions.runs.Worth` calls them


def card(adapter: Adapter, scores: Mapping[str, float | None], language: str) -> str:
    """The whole file. `scores` are what was measured of it, by FIGURES."""
    record = adapter.record
    measured = {name: value for name in FIGURES if (value := scores.get(name)) is not None}
    parts = [
        f"---\n{_data(adapter, measured).to_yaml()}\n---\n",
        f"# {_title(adapter, language)}\n",
        _about(adapter, language),
    ]
    parts += [f"## {text(language, 'card.loading')}\n", _loading(adapter, language)]
    if reproducible(adapter):
        parts += [f"## {text(language, 'card.recipe')}\n", _recipe(adapter, language)]
    parts += [f"## {text(language, 'card.numbers')}\n", _numbers(adapter, measured, language)]
    if record.versions or record.hardware:
        there = [machine(language, record.hardware)] if record.hardware else []
        made = ", ".join([*(f"{name} {one}" for name, one in record.versions.items()), *there])
        parts.append(f"{text(language, 'card.made', made=_plain(made))}\n")
    return "\n".join(parts)


def reproducible(adapter: Adapter) -> bool:
    """Whether a run of this page made it, from which it can be made again."""
    record = adapter.record
    known = (
        record.method in METHODS
        and spec_of(record.base) is not None
        and (record.task in TASK_IDS or adapter.examples is not None)
        and is_known(record)
    )
    return known and record.steps > 0 and not (record.mix or record.converted)


def _data(adapter: Adapter, measured: Mapping[str, float]) -> ModelCardData:
    """The metadata; a base that is no repository of the hub is none there."""
    from huggingface_hub import EvalResult, ModelCardData
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    record, repository = adapter.record, _repository(adapter)
    try:
        validate_repo_id(repository)
    except HFValidationError:
        repository = ""
    kinds = {"held_out_loss": "loss", "score": "score", "forgetting": "forgetting"}
    task = record.task or "unknown"
    results = [
        EvalResult(
            task_type="text-generation", dataset_type=task, dataset_name=f"{task} (PEFT Playground)",
            metric_type=kinds[name], metric_value=round(value, 4),
        )
        for name, value in measured.items()
    ]  # fmt: skip
    name = file_stem(adapter.name) or adapter.id.replace("@", "-step-")
    return ModelCardData(
        base_model=repository or None, library_name="peft", pipeline_tag="text-generation", model_name=name,
        tags=[*([f"base_model:adapter:{repository}"] if repository else []), record.method, "peft-playground"],
        eval_results=results or None,
    )  # fmt: skip


def _repository(adapter: Adapter) -> str:
    """What its base is called on the hub; as PEFT's config says it where the base is not in the catalogue any more."""
    spec = spec_of(adapter.record.base)
    told = (adapter.config or {}).get("base_model_name_or_path") or parts_of(adapter.record.base)[0]
    return spec.repository if spec else str(told)


def _title(adapter: Adapter, language: str) -> str:
    name = text(language, f"methods.{adapter.record.method}.name") if adapter.record.method in METHODS else ""
    return _plain(adapter.name) or name or adapter.id


def _about(adapter: Adapter, language: str) -> str:
    record = adapter.record
    values = {
        "method": text(language, f"methods.{record.method}.name"), "base": _repository(adapter),
        "task": text(language, f"tasks.{record.task}.title") if record.task in TASK_IDS else text(language, "card.own"),
        "trained": number(language, record.trainable_parameters), "total": number(language, record.total_parameters),
    }  # fmt: skip
    return f"{text(language, 'card.about', **values)}\n"


def _loading(adapter: Adapter, language: str) -> str:
    """Code that answers a question with it."""
    record = adapter.record
    name, _, form = parts_of(METHODS[record.method].base_id(record.base, record.hyperparameters))
    imports, quantized = ["AutoModelForCausalLM", "AutoTokenizer"], ""
    if form in BITSANDBYTES:
        imports.append("BitsAndBytesConfig")
        bits = ", ".join(f"{name}={value!r}" for name, value in BITSANDBYTES[form].items())
        quantized = f', device_map="auto", quantization_config=BitsAndBytesConfig({bits})'
    question = next(iter(record.questions), "") or "Hello!"
    code = LOADING.format(
        imports=", ".join(imports), base=_repository(adapter), quantized=quantized, question=question,
        folder=text(language, "card.folder"),
    )  # fmt: skip
    said = [text(language, "card.template")]
    said += [text(language, "recipe.embedded")] if name == embedded.ID else []
    return f"{' '.join(said)}\n\n{code}"


def _recipe(adapter: Adapter, language: str) -> str:
    record = adapter.record
    rows = [
        (text(language, f"hyperparameters.{one.name}"), value(one, record.hyperparameters[one.name], language))
        for one in METHODS[record.method].hyperparameters
        if record.hyperparameters.get(one.name, "") != ""  # a text that was left empty
    ]
    rows += [(text(language, "card.steps"), number(language, record.steps))]
    rows += [(text(language, "card.seed"), number(language, record.seed))]
    rows += [(text(language, "card.precision"), record.precision)]
    table = "".join(f"| {_plain(name)} | {_plain(one)} |\n" for name, one in rows)
    names = {"fold": text(language, "home.python"), "kind": text(language, "home.kind.examples")}
    key = "card.again" if record.task in TASK_IDS else "card.again.own"
    return f"|  |  |\n| --- | --- |\n{table}\n{text(language, key, file=examples_file(record), **names)}\n"


def _numbers(adapter: Adapter, measured: Mapping[str, float], language: str) -> str:
    """What was measured on the held-out examples, while it was trained and afterwards."""
    record = adapter.record
    lines = [f"- {text(language, f'card.{name}')}: {_figure(one, language)}" for name, one in measured.items()]
    if len(record.held_out) > 1 and "held_out_loss" not in measured:  # one stopped early was measured at its beginning only
        (first, before), (last, after) = record.held_out[0], record.held_out[-1]
        values: dict[str, Any] = {"first": number(language, first), "last": number(language, last)}
        values |= {"before": _figure(before, language), "after": _figure(after, language)}
        lines.append(f"- {text(language, 'card.held_out', **values)}")
    return "\n".join(lines or [text(language, "card.unmeasured")]) + "\n"


def _figure(value: float, language: str) -> str:
    return written(language, value, 4)


def _plain(told: str) -> str:
    """A visitor's words in one line, as nothing of Markdown's or HTML's."""
    shown = "".join(f"\\{one}" if one in "\\`*_[]|<>#&" else one for one in told)
    return " ".join(shown.split())
