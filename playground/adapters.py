"""
Adapters as values: what was trained, and the record of how.

PEFT's folder (`adapter_config.json`, `adapter_model.safetensors`) is the only format on disk, with `record.json` beside
it. A zip from outside is checked before anything of it is used. Knows nothing about training or the page.
"""

from __future__ import annotations

import copy
import json
import re
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from playground import settings
from playground.bases import split_id
from playground.errors import PlaygroundError
from playground.methods import METHODS, method
from playground.tasks import TASK_IDS

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig
    from transformers import PreTrainedModel

    from playground.bases import Base

CONFIG, WEIGHTS, RECORD = "adapter_config.json", "adapter_model.safetensors", "record.json"
BASE = "base"  # the pane of the plain base; "base:nf4" is that of its form in NF4
QUANTIZED = "quantized"  # the "method" of such a pane
WITHOUT_TENSORS = ("few_shot", QUANTIZED)
STEP_MARK = "@"  # "3f2a@12": that adapter as it was at step 12
LESS = "~"  # ends the id of what is left of an adapter that was cut
DOWNLOADABLE = ("prompt_tuning", "lora", "ia3", "qlora")
MERGEABLE = ("lora", "ia3", "qlora")  # change weights, and not all of them


@dataclass(frozen=True)
class Record:
    """How an adapter was made; what `record.json` holds."""

    base: str
    method: str
    task: str
    hyperparameters: dict[str, Any]
    seed: int
    steps: int  # done
    trainable_parameters: int
    total_parameters: int
    bytes: int
    losses: list[tuple[int, float]] = field(default_factory=list)
    held_out: list[tuple[int, float]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    shots: list[tuple[str, str]] = field(default_factory=list)  # few-shot: the examples in the prompt
    planned_steps: int = 0  # more than `steps` where a run was stopped or exploded; decides the learning rates
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    hardware: str = ""


@dataclass(frozen=True)
class Checkpoint:
    step: int
    tensors: Mapping[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Adapter:
    """
    A trained adapter: PEFT's config as JSON (None for few-shot and full fine-tuning, which PEFT does not know), tensors
    on the CPU under PEFT's names, the record, and the checkpoints of its run. `folder` instead of tensors: read when
    needed.
    """

    id: str
    record: Record
    config: dict[str, Any] | None = None
    loaded: Mapping[str, torch.Tensor] = field(default_factory=dict)
    folder: Path | None = None
    name: str = ""
    checkpoints: tuple[Checkpoint, ...] = ()
    merged: bool = False  # into the base's weights when it is attached; the id of such a one ends in LESS

    @cached_property
    def tensors(self) -> Mapping[str, torch.Tensor]:
        if self.folder is None:
            return self.loaded
        from safetensors.torch import load_file

        return load_file(self.folder / WEIGHTS)

    def at(self, step: int) -> Adapter:
        """The adapter as it was at a checkpoint. Raises PlaygroundError if there is none of that step."""
        if step not in self._stages:
            raise PlaygroundError("no_checkpoint", step=step, steps=", ".join(map(str, self._stages)) or "–")
        return self._stages[step]

    @cached_property
    def _stages(self) -> dict[int, Adapter]:
        """By step. The same value each time, so that what is known of it is found again."""
        return {
            step: replace(
                self, id=f"{self.id}{STEP_MARK}{step}", record=replace(self.record, steps=step), loaded=tensors, folder=None,
                checkpoints=(),
            )
            for step, tensors in ((one.step, one.tensors) for one in self.checkpoints)
        }  # fmt: skip

    def summary(self) -> dict[str, Any]:
        """What `/adapters` lists."""
        record = self.record
        return {
            "id": self.id,
            "name": self.name,
            **{key: getattr(record, key) for key in ("base", "method", "task", "hyperparameters", "steps")},
            "trainable_parameters": record.trainable_parameters,
            "total_parameters": record.total_parameters,
            "percent": 100 * record.trainable_parameters / record.total_parameters,
            "bytes": record.bytes,
            "own": self.folder is None,
        }

    def size(self) -> int:
        """Bytes of memory that it holds, checkpoints included."""
        held = [self.loaded, *(checkpoint.tensors for checkpoint in self.checkpoints)]
        return sum(tensor.numel() * tensor.element_size() for tensors in held for tensor in tensors.values())


def attach(base: Base, adapter: Adapter | None) -> PreTrainedModel:
    """
    A private model that answers as `adapter` says, in eval mode: a view of the base with PEFT around it. None or
    few-shot: the plain view. Full fine-tuning: a view whose parameters are the trained ones. One to be merged: a plain
    tree with what PEFT's `merge_and_unload` writes into the weights, rounded again where they are quantized.

    Raises PlaygroundError if the tensors do not fit the base, or if a method that changes no weight is to be merged.
    """
    if adapter is not None and adapter.merged and adapter.record.method not in MERGEABLE:
        raise PlaygroundError("not_mergeable", method=adapter.record.method)
    if adapter is None or adapter.record.method in WITHOUT_TENSORS:
        return base.view().eval()
    if adapter.config is None:
        return _with_parameters(base.view(), adapter.tensors).eval()
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    try:
        model = wrapped(base, peft_config(adapter.config))
    except ValueError as error:
        raise PlaygroundError("does_not_fit", base=base.spec.name, reason=str(error)[:200]) from error
    expected = {
        name: tuple(tensor.shape) for name, tensor in get_peft_model_state_dict(model, save_embedding_layers=False).items()
    }
    found = {name: tuple(tensor.shape) for name, tensor in adapter.tensors.items()}
    if expected != found:
        name = sorted(set(expected.items()) ^ set(found.items()))[0][0]
        raise PlaygroundError(
            "does_not_fit", base=base.spec.name, reason=f"{name}: {found.get(name)} ≠ {expected.get(name)}"
        )
    set_peft_model_state_dict(model, dict(adapter.tensors))
    return (_merged(model) if adapter.merged else model).requires_grad_(False).eval()


def _merged(model: Any) -> PreTrainedModel:
    """
    PEFT's own merge. It adds to a float weight in place, and marks a 4-bit one and the layer that it belongs to; a view
    shares both with the base, so what it writes to becomes the view's own first. An int8 weight it replaces.
    """
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            layer: Any = module.get_base_layer()
            if type(layer.weight).__name__ == "Params4bit":
                layer.weight = copy.copy(layer.weight)  # over the same packed numbers, which PEFT replaces
                layer.weight.module = layer
            elif type(layer.weight).__name__ != "Int8Params":
                layer.weight = torch.nn.Parameter(layer.weight.detach().clone(), requires_grad=False)
    return model.merge_and_unload()


_ATTACHED: WeakKeyDictionary[Base, OrderedDict[Adapter | None, PreTrainedModel]] = WeakKeyDictionary()


def attached(base: Base, adapter: Adapter | None) -> PreTrainedModel:
    """
    `attach`, remembering the latest few per base; both are immutable values, told apart by identity. What is left of a
    cut adapter is used once.
    """
    if adapter is not None and adapter.id.endswith(LESS):
        return attach(base, adapter)
    if adapter is not None and adapter.record.method in WITHOUT_TENSORS:
        adapter = None
    models = _ATTACHED.setdefault(base, OrderedDict())
    if adapter not in models:
        models[adapter] = attach(base, adapter)
    models.move_to_end(adapter)
    while len(models) > settings.MAX_ATTACHED:
        models.popitem(last=False)
    return models[adapter]


def wrapped(base: Base, config: PeftConfig) -> Any:
    """
    PEFT around a private view of the base. Where PEFT would train or load biases of the base itself, the view gets its
    own copies of them first: a view shares its tensors with everybody.
    """
    import torch
    from peft import get_peft_model

    view = base.view()
    if getattr(config, "bias", "none") != "none":
        for module in view.modules():
            bias = getattr(module, "bias", None)
            if isinstance(bias, torch.nn.Parameter):
                module.bias = torch.nn.Parameter(bias.detach().clone(), requires_grad=False)
    return get_peft_model(view, config)


def peft_config(config: Mapping[str, Any]) -> Any:
    """PEFT's config object from its JSON, for use, not for training."""
    from peft import PeftConfig

    return PeftConfig.from_peft_type(**{**config, "inference_mode": True})


def config_json(config: Any, repository: str) -> dict[str, Any]:
    """PEFT's config as the JSON that `save_pretrained` would write, without paths of this machine."""
    plain = {
        **config.to_dict(),
        "inference_mode": True,
        "base_model_name_or_path": repository,
    }
    if plain.get("prompt_tuning_init") == "TEXT":  # needs a tokenizer's path; the learned tokens replace the text anyway
        plain |= {
            "prompt_tuning_init": "RANDOM",
            "prompt_tuning_init_text": None,
            "tokenizer_name_or_path": None,
            "tokenizer_kwargs": None,
        }
    return json.loads(json.dumps(plain, default=lambda value: sorted(value) if isinstance(value, set) else str(value)))


def _with_parameters(model: PreTrainedModel, tensors: Mapping[str, torch.Tensor]) -> PreTrainedModel:
    import torch

    for name, tensor in tensors.items():
        path, _, leaf = name.rpartition(".")
        parameter = torch.nn.Parameter(tensor.to(model.device), requires_grad=False)
        setattr(model.get_submodule(path), leaf, parameter)
    model.tie_weights()
    return model


# Folders and zips


def save(adapter: Adapter, folder: Path) -> None:
    """Write PEFT's folder and the record. Raises PlaygroundError for what PEFT has no format for."""
    from safetensors.torch import save_file

    if adapter.config is None:
        raise PlaygroundError("nothing_to_download", method=adapter.record.method)
    if adapter.merged:  # its tensors are those of the adapter, which answers differently
        raise PlaygroundError("merged_not_saved")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(adapter.config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    save_file(dict(adapter.tensors), folder / WEIGHTS, metadata={"format": "pt"})
    record = json.dumps({"name": adapter.name, **asdict(adapter.record)}, ensure_ascii=False, indent=1)
    (folder / RECORD).write_text(record + "\n", encoding="utf-8")


def read(folder: Path) -> Adapter:
    """An adapter from its folder; the tensors are read when needed."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    fields = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    name = fields.pop("name", "")
    return Adapter(folder.name, Record(**fields), config, folder=folder, name=name)


def pack(adapter: Adapter, folder: Path) -> Path:
    """A zip of the adapter in `folder`; unpacked, `PeftModel.from_pretrained` loads it."""
    path = folder / f"{adapter.id.replace(STEP_MARK, '-step-')}.zip"
    with tempfile.TemporaryDirectory() as inside, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        save(adapter, Path(inside))
        for file in (CONFIG, WEIGHTS, RECORD):
            archive.write(Path(inside) / file, file)
    return path


# The library: the examples that everybody sees, and the adapters of one session


@lru_cache
def examples() -> dict[str, Adapter]:
    """The ready-made adapters of `examples/adapters`, by id, in the order of the registries."""
    found = [read(path.parent) for path in (settings.EXAMPLES / "adapters").glob(f"*/{RECORD}")]
    order = (*TASK_IDS, *METHODS)
    plain = {f"{one.record.task}-{one.record.method}" for one in found}  # the method's own before its variants
    found.sort(key=lambda one: (order.index(one.record.task), order.index(one.record.method), one.id not in plain, one.id))
    return {adapter.id: adapter for adapter in found}


@lru_cache
def quantized(base_id: str) -> Adapter:
    """
    The pane of a base in fewer bits, such as "smollm2-135m:nf4": nothing is trained, the base itself is another one (see
    `bases.load`). Raises PlaygroundError for a form that does not exist.
    """
    spec, form = split_id(base_id)
    record = Record(base_id, QUANTIZED, "", {"format": form}, 0, 0, 0, spec.parameters or 1, 0)
    return Adapter(f"{BASE}:{form}", record)


class Library:
    """The adapters that one session sees: the examples, and its own, of which it keeps the latest few."""

    def __init__(self) -> None:
        self._own: OrderedDict[str, Adapter] = OrderedDict()

    def add(self, adapter: Adapter) -> None:
        """Keep an adapter; the oldest give way when there are too many or they hold too much memory."""
        self._own[adapter.id] = adapter
        while len(self._own) > 1 and (
            len(self._own) > settings.MAX_SESSION_ADAPTERS or self.size() > settings.MAX_SESSION_BYTES
        ):
            self._own.popitem(last=False)

    def size(self) -> int:
        """Bytes of memory that the session's own adapters hold."""
        return sum(adapter.size() for adapter in list(self._own.values()))

    def own(self) -> list[Adapter]:
        """The session's own adapters, newest first."""
        return list(reversed(self._own.values()))

    def knows(self, adapter_id: str) -> bool:
        """Whether `get` would find it."""
        try:
            return self.get(adapter_id) is not None
        except PlaygroundError:
            return False

    def get(self, adapter_id: str) -> Adapter:
        """By id, or `id@step` for a checkpoint. Raises PlaygroundError if this session has no such adapter."""
        name, _, step = str(adapter_id).partition(STEP_MARK)
        adapter = self._own.get(name) or examples().get(name)
        if adapter is None:
            raise PlaygroundError("unknown_adapter", adapter=str(adapter_id)[:60])
        if not step:
            return adapter
        if not re.fullmatch(r"\d{1,6}", step):
            raise PlaygroundError("unknown_adapter", adapter=str(adapter_id)[:60])
        return adapter.at(int(step))


def base_id(adapter: Adapter, requested: str) -> str:
    """The base whose weights this adapter's pane runs on. Raises PlaygroundError if it belongs to another base."""
    if adapter.record.base.partition(":")[0] != requested.partition(":")[0]:
        raise PlaygroundError("other_base", found=adapter.record.base, expected=requested)
    if adapter.record.method == QUANTIZED:
        return adapter.record.base
    return method(adapter.record.method).base_id(requested, adapter.record.hyperparameters)
