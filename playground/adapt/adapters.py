"""
Adapters as values: what was trained, and the record of how.

PEFT's folder (`adapter_config.json`, `adapter_model.safetensors`) is the only format on disk, with `record.json` beside
it. A zip from outside is checked before anything of it is used. Knows nothing about training or the page.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground.disk import whole
from playground.errors import PlaygroundError
from playground.model.weights import stored_bytes

if TYPE_CHECKING:
    import torch

    from playground.adapt.tasks import Task


CONFIG, WEIGHTS, RECORD = "adapter_config.json", "adapter_model.safetensors", "record.json"
PREFIX = "base_model.model."  # PEFT's, before the path of a module in the base
TURNING = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # Unicode's bidirectional controls
STEP_MARK = "@"  # "3f2a@12": that adapter as it was at step 12


@dataclass(frozen=True)
class Record:
    """How an adapter was made; what `record.json` holds."""

    base: str
    method: str
    task: str  # "" where nobody knows, as of an upload that does not tell
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
    precision: str = "float32"  # of the products with frozen weights while it was trained
    made_for: str = ""  # the base that an upload names, where it is not called as the one that it fits
    undone: str = ""  # the initialization whose part of the base the adapter holds: "PiSSA", "OLoRA"
    beginning: float = 0.0  # of the seconds, those that the initialization took
    mix: dict[str, Any] = field(default_factory=dict)  # of what, where it is a sum of others (`lowrank.mixing.Mix.told`)
    converted: dict[str, Any] = field(default_factory=dict)  # from what, where PEFT made LoRA of it (`lowrank.convert`)

    @property
    def untrained(self) -> bool:
        """Whether a run exploded or was stopped before it had learned anything."""
        return self.steps == 0 < self.planned_steps


@dataclass(frozen=True)
class Checkpoint:
    step: int
    tensors: Mapping[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Adapter:
    """
    A trained adapter: PEFT's config as JSON (None for few-shot and full fine-tuning, which PEFT does not know), tensors
    on the CPU under PEFT's names, the record, and the checkpoints of its run. `folder` instead of tensors: read when
    needed. `number` counts a session's own, from 1.
    """

    id: str
    record: Record
    config: dict[str, Any] | None = None
    loaded: Mapping[str, torch.Tensor] = field(default_factory=dict)
    folder: Path | None = None
    name: str = ""
    checkpoints: tuple[Checkpoint, ...] = ()
    number: int = 0
    examples: Task | None = None  # a visitor's own, that it was made with here; they are in no file of the adapter

    @cached_property
    def tensors(self) -> Mapping[str, torch.Tensor]:
        if self.folder is None:
            return self.loaded
        from safetensors.torch import load_file

        return load_file(self.folder / WEIGHTS)

    def at(self, step: int) -> Adapter:
        """The adapter as it was at a checkpoint. Raises PlaygroundError if there is none of that step."""
        if step not in self.stages:
            raise PlaygroundError("no_checkpoint", step=step, steps=", ".join(map(str, self.stages)) or "–")
        return self.stages[step]

    @cached_property
    def stages(self) -> dict[int, Adapter]:
        """It at each of its checkpoints, by step. The same value each time, so that what is known of it is found again."""
        return {
            step: replace(
                self, id=f"{self.id}{STEP_MARK}{step}", record=replace(self.record, steps=step), loaded=tensors, folder=None,
                checkpoints=(),
            )
            for step, tensors in ((one.step, one.tensors) for one in self.checkpoints)
        }  # fmt: skip

    def outline(self) -> Adapter:
        """The same without its tensors: what a page has to know of it. The checkpoints keep their steps."""
        return replace(self, loaded={}, checkpoints=tuple(Checkpoint(one.step, {}) for one in self.checkpoints))

    def summary(self, record: Record | None = None) -> dict[str, Any]:
        """What `/adapters` lists; with another record what is said of a part of the adapter."""
        record = record or self.record
        return {
            "id": self.id,
            "name": self.name,
            **{key: getattr(record, key) for key in ("base", "method", "task", "hyperparameters", "steps")},
            "trainable_parameters": record.trainable_parameters,
            "total_parameters": record.total_parameters,
            "percent": 100 * record.trainable_parameters / record.total_parameters,
            "bytes": record.bytes,
            "own": self.number > 0,
            "number": self.number,
            "made_for": record.made_for,
            "undone": record.undone,
            "mixed": bool(record.mix),
            "converted": bool(record.converted),
        }

    def size(self) -> int:
        """Bytes of memory that it holds, checkpoints and examples included."""
        held = [self.loaded, *(checkpoint.tensors for checkpoint in self.checkpoints)]
        examples = (*self.examples.train, *self.examples.held_out) if self.examples else ()
        characters = sum(len(one.prompt) + len(one.response) for one in examples)
        return characters + stored_bytes(tensor for tensors in held for tensor in tensors.values())


def peft_config(config: Mapping[str, Any]) -> Any:
    """PEFT's config object from its JSON, for use, not for training."""
    from peft import PeftConfig

    return PeftConfig.from_peft_type(**{**config, "inference_mode": True})


def scaling(config: Any, module: str, rank: int) -> float:
    """alpha / r, or alpha / √r for rsLoRA, with the alpha that PEFT's config gives this module."""
    from peft.utils.other import get_pattern_key

    patterns: dict[str, float] = config.alpha_pattern or {}
    alpha = patterns.get(get_pattern_key(list(patterns), module), config.lora_alpha)
    return float(alpha / (math.sqrt(rank) if config.use_rslora else rank))


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
    written = json.dumps(plain, default=lambda value: sorted(value) if isinstance(value, set) else str(value))
    read: dict[str, Any] = json.loads(written)
    return read


# Folders and zips


def save(adapter: Adapter, folder: Path, beside: Mapping[str, str] | None = None) -> None:
    """
    Write PEFT's folder, the record, and what else stands `beside` them by name, whole or not at all. Raises PlaygroundError
    for what PEFT has no format for, and where the disk is full.
    """
    from safetensors.torch import save_file

    if adapter.config is None:
        raise PlaygroundError("nothing_to_download", method=adapter.record.method)
    with whole(folder) as written:
        written.mkdir()
        (written / CONFIG).write_text(json.dumps(adapter.config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        save_file(dict(adapter.tensors), written / WEIGHTS, metadata={"format": "pt"})
        record = json.dumps({"name": adapter.name, **asdict(adapter.record)}, ensure_ascii=False, indent=1)
        (written / RECORD).write_text(record + "\n", encoding="utf-8")
        for name, content in (beside or {}).items():
            (written / name).write_text(content, encoding="utf-8")


def read(folder: Path) -> Adapter:
    """An adapter from its folder; the tensors are read when needed."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    fields = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    name = fields.pop("name", "")
    return Adapter(folder.name, Record(**fields), config, folder=folder, name=name)


def pack(adapter: Adapter, folder: Path, beside: Mapping[str, str] | None = None) -> Path:
    """
    A zip of the adapter in `folder`, called as it is, with what stands `beside` it; unpacked, `PeftModel.from_pretrained`
    loads it.
    """
    path = folder / f"{file_stem(adapter.name) or adapter.id.replace(STEP_MARK, '-step-')}.zip"
    with whole(path) as written:
        save(adapter, inside := written.parent / "inside", beside)
        with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
            for file in (CONFIG, WEIGHTS, RECORD, *(beside or {})):
                archive.write(inside / file, file)
    return path


def readable(name: str) -> str:
    """A name without what nobody sees of it: control characters, half characters, marks that turn the line around."""
    return "".join(one for one in name if unicodedata.category(one) not in ("Cc", "Cs") and one not in TURNING).strip()


def file_stem(name: str) -> str:
    """A name as every file system takes it: "LoRA r = 8 · pirate 3" is "lora-r-8-pirate-3"; "" where nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
