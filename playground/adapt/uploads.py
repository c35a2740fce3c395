"""
Adapters from outside: a zip that somebody made somewhere, checked before anything of it is used.

Nothing is written to disk, nothing in it is executed. Of its config only what says how to adapt is read, within the
limits of the registry; counts are measured. Knows nothing about where the zip came from.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playground import settings
from playground.adapt.adapters import CONFIG, RECORD, WEIGHTS, Adapter, Record
from playground.adapt.attach import attach
from playground.adapt.methods import METHODS
from playground.adapt.tasks import OWN, TASK_IDS
from playground.adapt.variant import Variant
from playground.bounds import SEED, Bound
from playground.errors import PlaygroundError
from playground.model.bases import Base

METHOD_OF_TYPE = {"PROMPT_TUNING": "prompt_tuning", "LORA": "lora", "IA3": "ia3"}
# PEFT's name for what the registry calls otherwise
LORA = {"r": "rank", "lora_alpha": "alpha", "lora_dropout": "dropout", "use_rslora": "rslora", "use_dora": "dora"}
FIELDS = {"lora": LORA | {"bias": "bias"}, "prompt_tuning": {"num_virtual_tokens": "virtual_tokens"}, "ia3": {}}
SPECIAL = ("rank_pattern", "alpha_pattern", "layers_to_transform", "layers_pattern", "exclude_modules", "fan_in_fan_out")
REQUIRED = ("virtual_tokens",)
MODULES = {"lora": ("target_modules",), "prompt_tuning": (), "ia3": ("target_modules", "feedforward_modules")}


def unpack(path: Path, base: Base, new_id: str) -> Adapter:
    """
    The adapter in a zip, as one of the session's own with the id `new_id`.

    Raises PlaygroundError: no zip, too large, a file beyond the three, no safetensors, another method or base, settings
    out of range, or tensors that do not fit `base`.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if path.stat().st_size > settings.MAX_UPLOAD_BYTES:
        raise PlaygroundError("upload_too_large", maximum=settings.MAX_UPLOAD_BYTES // 1_000_000)
    try:
        with zipfile.ZipFile(path) as archive:
            files = _files(archive)
        config, told = json.loads(files[CONFIG]), json.loads(files.get(RECORD, b"{}"))
        tensors = load(files[WEIGHTS])
    except zipfile.BadZipFile as error:
        reason = "damaged" if zipfile.is_zipfile(path) else "no_zip"
        raise PlaygroundError("upload_unreadable", reason=reason) from error
    except (zlib.error, EOFError, ValueError, RecursionError, SafetensorError) as error:
        if isinstance(error, PlaygroundError):
            raise
        raise PlaygroundError("upload_unreadable", reason=str(error)[:200]) from error
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise PlaygroundError("not_finite")
    told = told if isinstance(told, dict) else {}
    kind, values, kept = _checked_config(config, base)
    record = _record(kind, values, told, tensors, base)
    name = told.get("name")
    name = name if isinstance(name, str) and name.strip() else path.stem
    adapter = Adapter(new_id, record, kept, tensors, name=name.strip()[: settings.MAX_ADAPTER_NAME])
    attach(base, Variant.of(base.id, adapter))  # raises if it does not fit
    return adapter


def _files(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """The three files of the archive, by name; they may lie in one folder. Raises PlaygroundError for anything else."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if sum(entry.file_size for entry in entries) > settings.MAX_UNPACKED_BYTES:
        raise PlaygroundError("upload_too_large", maximum=settings.MAX_UNPACKED_BYTES // 1_000_000)
    folders = {entry.filename.rpartition("/")[0] for entry in entries}
    files: dict[str, bytes] = {}
    for entry in entries:
        name = entry.filename.rpartition("/")[2]
        link = (entry.external_attr >> 16) & 0o170000 == 0o120000
        escapes = entry.filename.startswith("/") or ".." in entry.filename.split("/") or "\\" in entry.filename
        if name not in (CONFIG, WEIGHTS, RECORD, "README.md") or len(folders) > 1 or link or escapes:
            raise PlaygroundError("upload_forbidden", file=entry.filename[:80])
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise PlaygroundError("upload_unreadable", reason=f"{name}: encrypted, or compressed in an unusual way")
        if name != "README.md":
            files[name] = archive.read(entry)
    missing = [name for name in (CONFIG, WEIGHTS) if name not in files]
    if missing:
        raise PlaygroundError("upload_missing", files=", ".join(missing))
    return files


def _checked_config(config: Any, base: Base) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """(method id, hyperparameters, PEFT config) of an uploaded config. Raises PlaygroundError."""
    config = config if isinstance(config, dict) else {}
    kind = METHOD_OF_TYPE.get(str(config.get("peft_type")))
    if kind is None:
        raise PlaygroundError("upload_method", found=str(config.get("peft_type"))[:40], known=", ".join(METHOD_OF_TYPE))
    made_for = str(config.get("base_model_name_or_path") or base.spec.repository)
    if made_for != base.spec.repository:
        raise PlaygroundError("other_base", found=made_for[:80], expected=base.spec.repository)
    special = [name for name in SPECIAL if config.get(name)]
    if special:
        raise PlaygroundError("does_not_fit", base=base.spec.name, reason=", ".join(special))
    kept = {"peft_type": config["peft_type"], "task_type": "CAUSAL_LM", "base_model_name_or_path": made_for}
    values: dict[str, Any] = {}
    bounds: dict[str, Bound] = {one.name: one for one in METHODS[kind].hyperparameters}
    for peft_name, name in FIELDS[kind].items():
        if peft_name in config or name in REQUIRED:
            kept[peft_name] = values[name] = bounds[name].check(config.get(peft_name))
    known = [layer.name for layer in base.architecture.linears]
    for field in MODULES[kind]:
        modules = config.get(field)
        if not isinstance(modules, list) or not modules or not all(module in known for module in modules):
            raise PlaygroundError("no_such_targets", targets=str(modules)[:60], known=", ".join(known))
        kept[field] = modules
    return kind, values, kept | {"inference_mode": True}


def _record(kind: str, values: dict[str, Any], told: dict[str, Any], tensors: Mapping[str, Any], base: Base) -> Record:
    """What is measured, and of the record that came along only what cannot mislead: task, seed, steps, QLoRA's base."""
    if kind == "lora" and told.get("method") == "qlora":
        kind, hyperparameters = "qlora", told.get("hyperparameters")
        double = hyperparameters.get("double_quantization") if isinstance(hyperparameters, dict) else None
        values = {**values, "double_quantization": double is not False}
    trainable = sum(tensor.numel() for tensor in tensors.values())
    biases = sum(tensor.numel() for name, tensor in tensors.items() if name.endswith(".bias"))  # the base has them too
    seed, steps = (_whole(told.get(name)) for name in ("seed", "steps"))
    return Record(
        base=base.spec.id,
        method=kind,
        task=told["task"] if told.get("task") in TASK_IDS else OWN,
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
