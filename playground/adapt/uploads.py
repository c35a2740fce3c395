"""
Adapters from outside: files that somebody made somewhere, checked before anything of them is used.

Nothing is written to disk, nothing in it is executed, nothing is drawn from the global generators. It computes what PEFT
would compute, or it is refused; counts are measured. Knows nothing about where they came from.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load

from playground import settings
from playground.adapt.adapters import CONFIG, PREFIX, RECORD, WEIGHTS, Adapter, Record, file_stem, readable
from playground.adapt.archive import begins_as_zip, files_of
from playground.adapt.attach import PROMPT, attach
from playground.adapt.fields import METHOD_OF_TYPE, honoured
from playground.adapt.methods import METHODS
from playground.adapt.patterns import written_out
from playground.adapt.ranks_left import KIND, with_all_ranks
from playground.adapt.tasks import OWN, TASK_IDS
from playground.adapt.undo import NAMES, plain_lora
from playground.adapt.variant import Variant
from playground.bounds import SEED, shown
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.model.modules import kind_of, linear_layers, sides

if TYPE_CHECKING:
    import torch

# What the record tells of a config, by PEFT's name, which is not always the registry's
SHOWN = {
    "r": "rank", "lora_alpha": "alpha", "lora_dropout": "dropout", "use_rslora": "rslora", "use_dora": "dora",
    "num_virtual_tokens": "virtual_tokens",
    **{name: name for name in ("bias", "rank_pattern", "alpha_pattern", "layers_to_transform")},
}  # fmt: skip
COPY = re.compile(r"\s*\(\d+\)$")  # as browsers number a file that is there already
PLAIN = ("adapter", "adapter-model", "download")  # files that nobody has given a name
TYPES = ("float32", "float16", "bfloat16")
WHOLE, INDICES = ("int32", "int64"), re.compile(r"\.(shira_indices|supertuning_indices|frod_s_indices|frod_s_size)(\.|$)")
# What is saved beside what is trained
FROZEN = re.compile(
    r"\.(p?vera_[AB]|randlora_[AB]|tinylora_[ABP]|frod_V|frod_s_indices|frod_s_size|delora_w_norm|\w+_indices|zeros)(\.|$)"
)
CHECKED = ("LORA", "IA3", "PROMPT_TUNING")  # types whose tensors are told apart by name before PEFT is asked
ADAPTED = re.compile(re.escape(PREFIX) + r"(.+)\.(lora_A\.weight|lora_B\.weight|lora_magnitude_vector|ia3_l)")


def unpack(path: Path, base: Base, new_id: str) -> Adapter:
    """
    The adapter in a zip, as one of the session's own with the id `new_id`.

    Raises PlaygroundError: no zip, too large, a file that has no place there, no safetensors, another method, settings
    that change the answers in a way not followed here, or tensors that do not fit `base`.
    """
    try:
        files = files_of(path)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise PlaygroundError("upload_unreadable", reason="damaged" if begins_as_zip(path) else "no_zip") from error
    except (ValueError, RuntimeError) as error:  # RuntimeError: zipfile's, for what it cannot do
        if isinstance(error, PlaygroundError):
            raise
        raise PlaygroundError("upload_unreadable", reason=str(error)[:200]) from error
    return checked(files, path.stem, base, new_id)


def checked(files: Mapping[str, bytes], stem: str, base: Base, new_id: str) -> Adapter:
    """The same of an adapter's files, by their names; `stem` names it where its record does not. Raises as `unpack`."""
    try:
        config, told = _json(files[CONFIG]), _json(files.get(RECORD, b"{}"))
        tensors = _tensors(files[WEIGHTS])
    except (ValueError, RuntimeError, SafetensorError) as error:
        if isinstance(error, PlaygroundError):
            raise
        raise PlaygroundError("upload_unreadable", reason=str(error)[:200]) from error
    kept, made_for = honoured(config), _made_for(config, base)
    kept |= {"base_model_name_or_path": base.spec.repository, "inference_mode": True}
    if kept["peft_type"] == KIND and "rank_pattern" in kept:
        kept, tensors = with_all_ranks(base, kept, tensors)
    record = replace(_record(kept, told, tensors, base), made_for=made_for)
    name = called(told.get("name"), stem)
    adapter = Adapter(new_id, record, kept, tensors, name=name[: settings.MAX_ADAPTER_NAME])
    try:
        return _fitted(base, adapter)
    except PlaygroundError as error:
        if made_for and error.key == "does_not_fit":
            reason = error.values["reason"]
            raise PlaygroundError("upload_other_base", found=made_for, expected=base.spec.name, reason=reason) from error
        raise


def _json(data: bytes) -> dict[str, Any]:
    """An object; an empty one of anything else. Raises ValueError if it is no JSON, or holds half a character."""
    found = json.loads(data)
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found if isinstance(found, dict) else {}


def _tensors(data: bytes) -> dict[str, torch.Tensor]:
    """Raises PlaygroundError for other numbers than float32, float16 and bfloat16, and for infinite ones."""
    try:
        tensors = load(data)
    except KeyError as error:  # of a type that torch does not have
        raise PlaygroundError("upload_type", name=WEIGHTS, found=str(error).strip("'")) from error
    for name, tensor in tensors.items():
        found = str(tensor.dtype).removeprefix("torch.")
        if found not in TYPES and not (found in WHOLE and INDICES.search(name)):
            raise PlaygroundError("upload_type", name=shown(name), found=found)
        if not tensor.isfinite().all():
            raise PlaygroundError("not_finite")
    named = {re.sub(r"lora_magnitude_vector\.weight$", "lora_magnitude_vector", name): one for name, one in tensors.items()}
    if len(named) < len(tensors):
        raise PlaygroundError("upload_unreadable", reason=f"{WEIGHTS}: lora_magnitude_vector × 2")
    return named


def called(told: Any, stem: str) -> str:
    """The name that a zip tells; its file's own where it tells none, or where somebody has given the file another one."""
    told, stem = readable(told) if isinstance(told, str) else "", COPY.sub("", readable(stem))
    downloaded = file_stem(told)
    return told if told and (not downloaded or file_stem(stem) in (downloaded, *PLAIN)) else stem or told


def _made_for(config: Mapping[str, Any], base: Base) -> str:
    """The base that a config names, if it is called otherwise than `base`; PEFT does not read it."""
    named = config.get("base_model_name_or_path")
    if named and not isinstance(named, str):
        raise PlaygroundError("other_base", found=shown(named), expected=base.spec.repository)
    return "" if not named or named == base.spec.repository else shown(named)


def _fitted(base: Base, adapter: Adapter) -> Adapter:
    """The adapter as it computes on this base. Raises PlaygroundError if its tensors do not fit."""
    config = adapter.config or {}
    known = linear_layers(base.model)
    foreign = [name for name in adapter.tensors if not _belongs(name, known)]
    _check_places(base, adapter)
    if foreign and config["peft_type"] in CHECKED:
        kinds = ", ".join(dict.fromkeys(kind_of(module) for module in known))
        raise PlaygroundError("upload_targets", module=foreign[0].removeprefix(PREFIX)[:80], known=kinds)
    config = written_out(config, [name for name, _ in base.model.named_modules() if name])
    begun = config.pop("init_lora_weights", None)
    adapter = replace(adapter, config=config)
    attach(base, Variant.of(base.id, adapter))  # raises if it does not fit
    if begun is None:
        return adapter
    if adapter.record.method == "qlora":  # PEFT takes it out of the rounded weights, and rounds again
        raise PlaygroundError("upload_initialization", name=begun)
    config, tensors = plain_lora(base, config | {"init_lora_weights": begun}, adapter.tensors)
    return replace(adapter, config=config, loaded=tensors, record=replace(adapter.record, undone=NAMES[begun]))


def _check_places(base: Base, adapter: Adapter) -> None:
    """Raises PlaygroundError for a whole number that points outside of what it points into: a weight, the vocabulary."""
    embeddings: Any = base.model.get_input_embeddings()
    chosen = (adapter.config or {}).get("token_indices") or ()
    wrong = [f"token_indices: {one}" for one in chosen if not 0 <= one < len(embeddings.weight)]
    layers = linear_layers(base.model)
    for name, tensor in adapter.tensors.items():
        if not tensor.is_floating_point() and not _points_inside(name, tensor, adapter.tensors, layers):
            wrong.append(shown(name))
    if wrong:
        raise PlaygroundError("does_not_fit", base=base.spec.name, reason=wrong[0])


def _points_inside(name: str, tensor: torch.Tensor, tensors: Mapping[str, torch.Tensor], layers: Mapping[str, Any]) -> bool:
    """Whether SHiRA's rows and columns, Super-Tuning's places, FRoD's coordinates and their size lie in their matrix."""
    module, _, part = name.removeprefix(PREFIX).rpartition(".")
    inputs, outputs = sides(layers[module]) if module in layers else (0, 0)
    if part == "shira_indices":
        sizes = [outputs, inputs]
    elif part == "supertuning_indices":
        sizes = [inputs * outputs]
    else:
        shared = tensors.get(re.sub(r"frod_s_(indices|size)", "frod_V", name))
        sizes = [*shared.shape] if shared is not None else []
        if "frod_s_size" in name:
            return bool(tensor.tolist() == sizes)
    rows = tensor[None] if tensor.dim() == 1 else tensor
    if len(rows) != len(sizes) or not sizes:
        return False
    return all(bool(((row >= 0) & (row < size)).all()) for row, size in zip(rows, sizes, strict=True))


def _belongs(name: str, known: Collection[str]) -> bool:
    """Whether a tensor is of a linear layer, a bias or a soft prompt; whether that has its place is PEFT's to say."""
    found = ADAPTED.fullmatch(name)
    return found[1] in known if found else name.endswith(".bias") or name == PROMPT


def _record(config: dict[str, Any], told: dict[str, Any], tensors: Mapping[str, Any], base: Base) -> Record:
    """What is measured, and of the record that came along only what cannot mislead: task, seed, steps, QLoRA's base."""
    kind = METHOD_OF_TYPE[config["peft_type"]]
    values = {name: config[field] for field, name in SHOWN.items() if config.get(field) not in (None, {}, [])}
    one = METHODS[kind]
    values |= {name: config[field] for field, name in one.settings.items() if config.get(field) is not None}
    ranks = [len(tensor) for name, tensor in tensors.items() if name.endswith(".lora_A.weight") and tensor.dim()]
    if ranks and "rank_pattern" in values:
        values["rank"] = max(ranks)
    if kind == "lora" and told.get("method") == "qlora":
        kind, hyperparameters = "qlora", told.get("hyperparameters")
        double = hyperparameters.get("double_quantization") if isinstance(hyperparameters, dict) else None
        values = {**values, "double_quantization": double is not False}
    tied = base.model.config.get_text_config().tie_word_embeddings and "lm_head.trainable_tokens_delta"
    trained = {name: tensor for name, tensor in tensors.items() if not FROZEN.search(name) and not (tied and tied in name)}
    trainable = sum(tensor.numel() for tensor in trained.values())
    biases = sum(tensor.numel() for name, tensor in tensors.items() if name.endswith(".bias"))  # the base has them too
    seed, steps = (_whole(told.get(name)) for name in ("seed", "steps"))
    return Record(
        base=base.spec.id,
        method=kind,
        task=told["task"] if told.get("task") in (*TASK_IDS, OWN) else "",  # with what it was made, nobody else knows
        hyperparameters=values,
        seed=seed,
        steps=steps,
        trainable_parameters=trainable,
        total_parameters=base.architecture.parameters + trainable - biases,
        bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()),
    )


def _whole(value: Any) -> int:
    """A number that a run can have had, else 0."""
    try:
        return int(SEED.check(value))
    except PlaygroundError:
        return 0
