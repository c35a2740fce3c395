"""
The Python that makes an adapter again: plain PEFT and transformers, from the adapter's config and record.

What it writes runs without this project: the same base, examples, order, learning rates and seeds as `training`. Its
comments are in the visitor's language. Knows nothing about the page.
"""

from __future__ import annotations

import dataclasses
from dataclasses import Field, dataclass, fields
from typing import Any

from playground.adapt.adapters import Adapter, Record
from playground.adapt.methods import DOWNLOADABLE, METHODS
from playground.adapt.tasks import OWN_FILE, TASK_IDS
from playground.errors import PlaygroundError
from playground.locales import text
from playground.model.catalogue import BITSANDBYTES, split_id, steps_of
from playground.train.pinned import header, requirements
from playground.train.recipe_beginning import Start, start_of
from playground.train.recipe_loop import loop_of

SAID = {"examples", "batch_size", "learning_rate"}  # what no config of PEFT's tells
WIDTH = 110  # of a line that holds a whole config
FEW_SHOT = "few_shot"
# What PEFT's config says besides how to adapt: filled in by PEFT when it wraps a model, or by us when it is saved
ABOUT = {
    "base_model_name_or_path", "inference_mode", "peft_version", "auto_mapping", "revision", "num_layers", "token_dim",
    "num_attention_heads", "num_transformer_submodules", "peft_type", "tokenizer_name_or_path", "tokenizer_kwargs",
}  # fmt: skip
# Shown where they are PEFT's default; AdaLoRA has a rank to begin with and one to end with, and ignores LoRA's
ALWAYS = ("r", "lora_alpha", "lora_dropout", "num_virtual_tokens", "prompt_tuning_init")
ALWAYS_ALLOCATED = ("target_r", "init_r", "lora_alpha")

TOKENIZER = """\
tokenizer = AutoTokenizer.from_pretrained(BASE)
if tokenizer.pad_token_id is None:
    tokenizer.pad_token = tokenizer.eos_token
"""
ENCODE = """\
def encode(prompt, response):
    turn = [{"role": "user", "content": prompt}]
    if tokenizer.chat_template is None:
        before = tokenizer(prompt + "\\n")["input_ids"]
    else:
        before = tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=True)["input_ids"]
    after = tokenizer(response, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    return before + after, [-100] * len(before) + after
"""
MISSING = """\
if not os.path.exists({file}):
    raise SystemExit({said!r})
"""
ROWS = """\
with open({file}, encoding="utf-8") as file:
    lines = [json.loads(line) for line in file]
rows = [(line["prompt"], line["response"]) for line in lines if line["split"] == "train"]
"""
SOME = """\
TRAINED = {{
{names}}}
for name, parameter in model.named_parameters():
    parameter.requires_grad = name in TRAINED
"""
ASK = """\
shots = random.Random(SEED).sample(rows, min(EXAMPLES, len(rows)))
turns = [
    {"role": role, "content": words}
    for prompt, response in shots
    for role, words in (("user", prompt), ("assistant", response))
]
turns.append({"role": "user", "content": QUESTION})
if tokenizer.chat_template is None:
    ids = tokenizer("\\n".join(turn["content"] for turn in turns) + "\\n")["input_ids"]
else:
    ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True)["input_ids"]
written = model.generate(torch.tensor([ids], device=device), max_new_tokens=64, do_sample=False)
answer = tokenizer.decode(written[0, len(ids) :], skip_special_tokens=True)
print(answer)
"""


@dataclass(frozen=True)
class Place:
    """
    Where a script runs: the numbers that it holds the base in, the path of the examples' `file`, as it is written, and
    whether somebody has to put it there.
    """

    dtype: str = "torch.float32"
    file: str = '"{}"'
    by_hand: bool = True


HERE = Place()


def is_known(record: Record) -> bool:
    """Whether a record says all that a script needs; an adapter that was uploaded does not say how it was trained."""
    return SAID & {one.name for one in METHODS[record.method].hyperparameters} <= record.hyperparameters.keys()


def python(adapter: Adapter, language: str) -> str:
    """
    A script that makes the same adapter again and saves it; for few-shot, one that asks with the same examples. Raises
    PlaygroundError where nothing tells how it was made.
    """
    if not is_known(adapter.record):
        raise PlaygroundError("no_recipe")
    return header(needed(adapter)) + "\n".join(parts(adapter, language))


def needed(adapter: Adapter) -> list[str]:
    """What has to be installed for it, pinned."""
    packed = ["bitsandbytes"] if _form(adapter.record) in BITSANDBYTES else []
    return requirements(adapter.record, ["torch", "transformers", *(["peft"] if adapter.config else []), *packed])


def parts(adapter: Adapter, language: str, place: Place = HERE) -> list[str]:
    """The script, in the parts that a notebook has cells for."""
    record = adapter.record
    start = start_of(record.hyperparameters)
    loaded = TOKENIZER + "\n" + _model(adapter, place.dtype) + ("" if start.reads else _wrapped(adapter, start))
    parts = [_imports(adapter, start, place), _settings(record, language), loaded, _rows(record, language, place)]
    if record.method == FEW_SHOT:
        return [*parts, ASK]
    encode = f"# {text(language, 'recipe.labels')}\n{ENCODE}"
    peft = f"  # {text(language, 'recipe.load')}" if record.method in DOWNLOADABLE else ""
    late = [_wrapped(adapter, start)] if start.reads else []
    saved = f'model.save_pretrained("my-adapter"{start.saved}){peft}\n'
    return [*parts[:-1], parts[-1] + "\n", encode + "\n", *late, loop_of(record, language), saved]


def _imports(adapter: Adapter, start: Start, place: Place) -> str:
    record = adapter.record
    trains, form = record.method != FEW_SHOT, _form(record)
    plain = ["json", *(["math"] if trains else []), *(["os"] if place.by_hand else []), "random"]
    found = [*(["BitsAndBytesConfig"] if form in BITSANDBYTES else []), "AutoModelForCausalLM", "AutoTokenizer"]
    names = sorted((_config(adapter, start)[0], "get_peft_model", *start.imports)) if adapter.config else []
    peft = [f"from peft import {', '.join(names)}"] if names else []
    if record.hyperparameters.get("rate_ratio", 1.0) != 1:
        peft.append("from peft.optimizers import create_loraplus_optimizer")
    lines = [*(f"import {name}" for name in plain), "", "import torch", *peft, *start.lines]
    return "\n".join([*lines, f"from transformers import {', '.join(sorted(found))}", ""])


def _settings(record: Record, language: str) -> str:
    """The numbers of the run by name; what is different from the page is said."""
    values, (spec, pruning, _) = record.hyperparameters, steps_of(record.base)
    planned = max(record.steps, record.planned_steps)
    lines = [f"# {text(language, 'recipe.embedded')}"] if spec.source == "embedded" else []
    form = _form(record)
    if form and form not in BITSANDBYTES:
        lines.append(f"# {text(language, 'recipe.simulated', form=text(language, f'formats.{form}'))}")
    if record.precision != "float32":
        lines.append(f"# {text(language, 'recipe.precision', precision=record.precision)}")
    if pruning:
        lines.append(f"# {text(language, 'recipe.pruned')}")
    lines.append(f"BASE = {(f'{spec.id}-{pruning}' if pruning else spec.repository)!r}")
    if record.method == FEW_SHOT:
        question = next(iter(record.questions), "")
        lines.append(f"SEED, EXAMPLES, QUESTION = {record.seed!r}, {values['examples']!r}, {question!r}")
    else:
        numbers = (record.seed, planned, record.steps, values["batch_size"], values["learning_rate"])
        lines += [f"# {text(language, 'recipe.part')}"] if record.steps != planned else []
        lines.append(f"SEED, STEPS, DONE, BATCH, RATE = {', '.join(map(repr, numbers))}")
    return "\n".join([*lines, 'device = "cuda" if torch.cuda.is_available() else "cpu"', ""])


def _model(adapter: Adapter, dtype: str) -> str:
    """The base as it was read."""
    form = _form(adapter.record)
    options = f"dtype={dtype}"
    if form in BITSANDBYTES:
        bits = ", ".join(f"{name}={value!r}" for name, value in BITSANDBYTES[form].items())
        options += f',\n    device_map={{"": device}},\n    quantization_config=BitsAndBytesConfig({bits}),\n'
        lines = [f"model = AutoModelForCausalLM.from_pretrained(\n    BASE,\n    {options})"]
    else:
        lines = [f"model = AutoModelForCausalLM.from_pretrained(BASE, {options}).to(device)"]
    if METHODS[adapter.record.method].chosen:
        lines.append(SOME.format(names="".join(f"    {name!r},\n" for name in adapter.tensors)).rstrip("\n"))
    return "\n".join([*lines, ""])


def _wrapped(adapter: Adapter, start: Start) -> str:
    """PEFT around the base. The seed decides the values that an adapter starts from."""
    if not adapter.config:
        return ""
    config = f"config = {_call(*_config(adapter, start))}\n"
    return f"{config}torch.manual_seed(SEED)\nmodel = get_peft_model(model, config)\n{start.after}"


def examples_file(record: Record) -> str:
    """What the file of the examples is called."""
    return f"{record.task}.jsonl" if record.task in TASK_IDS else OWN_FILE


def _rows(record: Record, language: str, place: Place) -> str:
    """The pairs that were trained on, read from a file; where that is to be had, if it is not there."""
    name = examples_file(record)
    file = place.file.format(name)
    said = text(language, "recipe.task" if record.task in TASK_IDS else "recipe.own")
    names = {"fold": text(language, "home.python"), "kind": text(language, "home.kind.examples")}
    missing = MISSING.format(file=file, said=text(language, "recipe.missing", file=name, **names)) if place.by_hand else ""
    return f"# {said}\n{missing}{ROWS.format(file=file)}"


def _form(record: Record) -> str | None:
    return split_id(METHODS[record.method].base_id(record.base, record.hyperparameters))[1]


def _config(adapter: Adapter, start: Start) -> tuple[str, dict[str, str]]:
    """PEFT's class for the adapter's config and its arguments, as they are written; what is PEFT's default is left out."""
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PeftType

    found: dict[str, Any] = adapter.config or {}
    kind: Any = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(found["peft_type"])]
    always = ALWAYS_ALLOCATED if "init_r" in found else ALWAYS
    chosen = {
        field.name: repr(found[field.name])
        for field in fields(kind)
        if field.name in found and field.name not in ABOUT and (field.name in always or found[field.name] != _default(field))
    }
    values = adapter.record.hyperparameters
    if values.get("initialization") == "text":  # saved without it: the learned tokens have replaced the text
        text_of_it = {"prompt_tuning_init_text": repr(values["initialization_text"]), "tokenizer_name_or_path": "BASE"}
        chosen |= {"prompt_tuning_init": repr("TEXT"), **text_of_it}
    return kind.__name__, chosen | dict(start.arguments)


def _default(field: Field[Any]) -> Any:
    return field.default if field.default is not dataclasses.MISSING else field.default_factory()  # type: ignore[operator]


def _call(name: str, arguments: dict[str, str]) -> str:
    """A call on one line, or with one argument on each."""
    pairs = [f"{key}={value}" for key, value in arguments.items()]
    line = f"{name}({', '.join(pairs)})"
    return line if len(line) <= WIDTH else f"{name}(\n" + "".join(f"    {pair},\n" for pair in pairs) + ")"
