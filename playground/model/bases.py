"""
Base models: the catalogue, finding their weights, loading them, and private views of them.

A base is loaded once and never written to. Heavy libraries are imported inside the functions that load, so that the
page can be built from the catalogue before they are there. Knows nothing about adapters.
"""

from __future__ import annotations

import copy
import errno
import hashlib
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.errors import PlaygroundError
from playground.formats.registry import format_of
from playground.model import embedded
from playground.model.architecture import architecture_of
from playground.model.catalogue import BITSANDBYTES, split_id
from playground.model.modules import linear_layers
from playground.model.weights import tensors_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from playground.model.architecture import Architecture
    from playground.model.catalogue import BaseSpec


Report = Callable[[str, float | None], None]  # (stage, fraction done or None)


@dataclass(frozen=True, eq=False)
class Base:
    """A loaded model that nobody writes to; `loaded_checksum` was taken right after loading."""

    id: str
    spec: BaseSpec
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    architecture: Architecture
    folder: Path
    device_name: str
    loaded_checksum: str

    @property
    def device(self) -> torch.device:
        return self.model.device

    def untouched(self) -> bool:
        """Whether every weight is still what was loaded."""
        return self.checksum() == self.loaded_checksum

    @property
    def dtype(self) -> str:
        return str(self.model.dtype).removeprefix("torch.")

    def view(self) -> PreTrainedModel:
        """A copy of the module tree over the same tensors: PEFT may inject into it, the base does not notice."""
        return copy.deepcopy(self.model, {id(tensor): tensor for tensor in tensors_of(self.model)})

    def checksum(self) -> str:
        return checksum(self.model)


def checksum(model: PreTrainedModel) -> str:
    """
    A fingerprint of every weight: per parameter the XOR of its words (torch.hash_tensor), hashed together.

    0.1 s for the embedded base, fast enough to check after every comparison that nothing was written.
    """
    import torch

    words = [torch.hash_tensor(parameter).view(torch.int64).item() for parameter in model.parameters()]
    return hashlib.sha256(repr(words).encode()).hexdigest()


@dataclass(frozen=True)
class Status:
    """How a base is: "waiting", "downloading", "converting", "loading", "rounding", "ready", "failed" (with the error)."""

    state: str = "waiting"
    fraction: float | None = None
    device: str = ""
    dtype: str = ""
    error: PlaygroundError | None = None


class Bases:
    """
    The bases that are loaded, most recently used last; at most `settings.MAX_LOADED_BASES` plain ones and
    `settings.MAX_LOADED_FORMS` in fewer bits.
    """

    def __init__(self) -> None:
        self._loaded: OrderedDict[str, Base] = OrderedDict()
        self._status: dict[str, Status] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # one base's download holds up no other
        self._tidying = threading.Lock()

    def is_loaded(self, base_id: str) -> bool:
        return base_id in self._loaded

    def status(self, base_id: str) -> Status:
        return self._status.get(base_id, Status())

    def get(self, base_id: str) -> Base:
        """The base, loading it if need be. Raises PlaygroundError with what to do when it cannot be had."""
        base = self._found(base_id)  # without the lock: one that is being loaded holds up none that is there
        if base is None:
            with self._locks[split_id(base_id)[0].id]:
                base = self._found(base_id)
                if base is None:
                    base = self._load(base_id)
                    self._keep(base_id, base)
        return base

    def _found(self, base_id: str) -> Base | None:
        with self._tidying:
            if base_id in self._loaded:
                self._loaded.move_to_end(base_id)  # the most recently used is the last
            return self._loaded.get(base_id)

    def _keep(self, base_id: str, base: Base) -> None:
        with self._tidying:
            self._loaded[base_id] = base
            plain = [one for one in self._loaded if ":" not in one]
            forms = [one for one in self._loaded if ":" in one]
            for dropped in [*plain[: -settings.MAX_LOADED_BASES], *forms[: -settings.MAX_LOADED_FORMS]]:
                del self._loaded[dropped]
                self._status.pop(dropped, None)

    def _load(self, base_id: str) -> Base:
        def report(stage: str, fraction: float | None) -> None:
            self._status[base_id] = Status(stage, fraction)

        try:
            base = load(base_id, report)
        except PlaygroundError as error:
            self._status[base_id] = Status("failed", error=error)
            raise
        except BaseException:  # out of memory while rounding, say: nothing is loading any more
            self._status.pop(base_id, None)
            raise
        self._status[base_id] = Status("ready", device=base.device_name, dtype=base.dtype)
        return base


BASES = Bases()


def load(base_id: str, report: Report = lambda stage, fraction: None) -> Base:
    """
    Find the weights of `base_id` and load them: float32 on a CPU; on a GPU bfloat16, the embedded base float32. In one of
    FORMS its linear layers (without the head) hold fewer bits: as bitsandbytes' modules where it has them; otherwise
    simulated, that is rounded, read back and computed with in float.

    Raises PlaygroundError: unknown id, no network, gated or unknown repository, too little memory, disk full, wrong hash.
    """
    spec, form = split_id(base_id)
    folder = _find(spec, report)
    report("loading", None)
    device, device_name = pick_device()
    _check_memory(spec, device, form)
    model, tokenizer = _load_folder(folder, spec, device, form)
    if form and form not in BITSANDBYTES:
        _round(model, form, report)
    model.name_or_path = model.config._name_or_path = spec.repository  # what PEFT writes into adapter_config.json
    model.requires_grad_(False)
    architecture = spec.architecture or architecture_of(model)
    return Base(base_id, spec, model.eval(), tokenizer, architecture, folder, device_name, checksum(model))


def pick_device() -> tuple[str, str]:
    """The device that models run on, and its name for the page."""
    import torch

    if settings.DEVICE != "cpu" and torch.cuda.is_available():
        return "cuda", torch.cuda.get_device_name()
    return "cpu", "CPU"


def _round(model: PreTrainedModel, form: str, report: Report) -> None:
    """Every linear layer gets the weight that its round trip leaves of it."""
    layers = linear_layers(model)
    for done, layer in enumerate(layers.values()):
        report("rounding", done / len(layers))
        layer.weight.data = format_of(form).round_trip(layer.weight).values.to(layer.weight)


def _load_folder(folder: Path, spec: BaseSpec, device: str, form: str | None) -> tuple[Any, Any]:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    dtype = torch.bfloat16 if device == "cuda" and spec.source != "embedded" else torch.float32
    options: dict[str, Any] = {"dtype": dtype, "local_files_only": True}
    if form in BITSANDBYTES:
        options |= {"quantization_config": _bitsandbytes_config(form, dtype), "device_map": {"": device}}
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(folder, **options)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise PlaygroundError("base_unreadable", base=spec.id, folder=folder.name, reason=str(error)[:200]) from error
    for module in model.modules():
        if hasattr(module, "init_8bit_state"):
            module.init_8bit_state()  # else the first view that runs takes the codes out of the shared weight
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # bitsandbytes #2078: on such CPUs the first evaluation repacks the weight, and reading it later is wrong
            module.support_avx512bf16_for_cpu = False
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return (model if form in BITSANDBYTES else model.to(device)), tokenizer


def _bitsandbytes_config(form: str, dtype: torch.dtype) -> Any:
    from transformers import BitsAndBytesConfig

    options = BITSANDBYTES[form]
    return BitsAndBytesConfig(**options, **({"bnb_4bit_compute_dtype": dtype} if "load_in_4bit" in options else {}))


def _check_memory(spec: BaseSpec, device: str, form: str | None) -> None:
    import psutil
    import torch

    if spec.parameters is None:
        return
    width = 1.1 * format_of(form).bits_per_parameter() / 8 if form in BITSANDBYTES else 4 if device == "cpu" else 2
    needed = int(spec.parameters * width * 1.2)
    free = torch.cuda.mem_get_info()[0] if device == "cuda" else psutil.virtual_memory().available
    if needed > free:
        raise PlaygroundError("too_little_memory", base=spec.name, needed=f"{needed / 1e9:.1f}", free=f"{free / 1e9:.1f}")


def _find(spec: BaseSpec, report: Report) -> Path:
    """The folder with the model's files: prepared once, downloaded once, or the visitor's own."""
    if spec.source == "embedded":
        return embedded.prepare(report)
    if spec.source == "hub":
        report("downloading", None)
        return _hub_folder(spec)
    folder = Path(spec.repository)
    if not (folder / "config.json").is_file():
        raise PlaygroundError("no_local_base", folder=spec.repository)
    return folder


def _hub_folder(spec: BaseSpec) -> Path:
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    files = ["*.json", "*.safetensors", "*.jinja", "tokenizer.model", "merges.txt", "vocab.txt"]
    try:
        return Path(snapshot_download(spec.repository, allow_patterns=files))
    except GatedRepoError as error:
        raise PlaygroundError("base_gated", base=spec.repository) from error
    except RepositoryNotFoundError as error:
        raise PlaygroundError("base_not_on_hub", base=spec.repository) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, httpx.HTTPError, ConnectionError) as error:
        raise PlaygroundError("no_network", what=spec.repository) from error
    except OSError as error:
        folder = "~/.cache/huggingface"
        if error.errno == errno.ENOSPC:
            raise PlaygroundError("disk_full", folder=folder, needed=f"{4e-9 * (spec.parameters or 1e9):.0f}") from error
        raise PlaygroundError("base_unreadable", base=spec.id, folder=folder, reason=str(error)[:200]) from error
