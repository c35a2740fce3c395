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

from playground import embedded, settings
from playground.errors import PlaygroundError
from playground.quantization import FORMATS, format_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Report = Callable[[str, float | None], None]  # (stage, fraction done or None)
FORMS = tuple(name for name in FORMATS if name != "float32")  # "smollm2-135m:nf4" is that base in NF4
BITSANDBYTES: dict[str, dict[str, Any]] = {  # real modules of that form, by transformers' BitsAndBytesConfig
    "int8_vectorwise": {"load_in_8bit": True},
    "nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "nf4_double": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
    "fp4": {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4"},
}


@dataclass(frozen=True)
class Linear:
    """`count` linear layers of the same name and shape; the weight is (outputs, inputs)."""

    name: str
    inputs: int
    outputs: int
    count: int
    bias: bool = False


@dataclass(frozen=True)
class Architecture:
    """What counting parameters needs to know of a model: its width, its linear layers, its total."""

    hidden_size: int
    linears: tuple[Linear, ...]
    parameters: int


def llama(
    hidden: int, intermediate: int, layers: int, heads: int, kv_heads: int, vocabulary: int,
    head_size: int = 0, tied: bool = True, qkv_bias: bool = False,
) -> Architecture:  # fmt: skip
    """A decoder of the Llama family (SmolLM2, Llama 3.2, Qwen2.5 with `qkv_bias`): grouped-query attention, gated MLP."""
    head_size = head_size or hidden // heads
    query, key_value = heads * head_size, kv_heads * head_size
    linears = (
        Linear("q_proj", hidden, query, layers, qkv_bias),
        Linear("k_proj", hidden, key_value, layers, qkv_bias),
        Linear("v_proj", hidden, key_value, layers, qkv_bias),
        Linear("o_proj", query, hidden, layers),
        Linear("gate_proj", hidden, intermediate, layers),
        Linear("up_proj", hidden, intermediate, layers),
        Linear("down_proj", intermediate, hidden, layers),
    )
    norms = (2 * layers + 1) * hidden
    embeddings = vocabulary * hidden * (1 if tied else 2)
    return Architecture(hidden, linears, embeddings + norms + _count(linears))


def bloom(hidden: int, layers: int, vocabulary: int) -> Architecture:
    """BLOOM: fused query_key_value, biases everywhere, LayerNorms with bias, one more norm after the embedding."""
    linears = (
        Linear("query_key_value", hidden, 3 * hidden, layers, True),
        Linear("dense", hidden, hidden, layers, True),
        Linear("dense_h_to_4h", hidden, 4 * hidden, layers, True),
        Linear("dense_4h_to_h", 4 * hidden, hidden, layers, True),
    )
    norms = (2 * layers + 2) * 2 * hidden
    return Architecture(hidden, linears, vocabulary * hidden + norms + _count(linears))


def architecture_of(model: PreTrainedModel) -> Architecture:
    """The same description read from a loaded model (linear layers inside the decoder, not the output head)."""
    kinds: dict[tuple[str, int, int, bool], int] = {}
    for path, layer in linear_layers(model).items():
        kind = (path.rsplit(".", 1)[-1], layer.in_features, layer.out_features, layer.bias is not None)
        kinds[kind] = kinds.get(kind, 0) + 1
    linears = tuple(Linear(name, inputs, outputs, n, bias) for (name, inputs, outputs, bias), n in kinds.items())
    embeddings: Any = model.get_input_embeddings()
    width = embeddings.weight.shape[1]
    packed = {id(p) for p in model.parameters() if type(p).__name__ == "Params4bit"}  # bitsandbytes: two weights a byte
    return Architecture(width, linears, sum(p.numel() * (2 if id(p) in packed else 1) for p in model.parameters()))


def _count(linears: tuple[Linear, ...]) -> int:
    return sum(layer.count * (layer.inputs * layer.outputs + layer.bias * layer.outputs) for layer in linears)


@dataclass(frozen=True)
class BaseSpec:
    """One line of the catalogue. `repository` names the model on the hub, also for the embedded copy of it."""

    id: str
    name: str
    source: str  # "embedded", "hub" or "local"
    repository: str
    architecture: Architecture | None  # None: not known before loading

    @property
    def parameters(self) -> int | None:
        return self.architecture.parameters if self.architecture else None


def _catalogue() -> dict[str, BaseSpec]:
    smollm_135m = llama(576, 1536, 30, 9, 3, 49152)
    smollm, qwen = "HuggingFaceTB/SmolLM2-{}-Instruct", "Qwen/Qwen2.5-{}-Instruct"
    hub = [
        ("smollm2-135m-hub", smollm.format("135M"), smollm_135m),
        ("smollm2-360m", smollm.format("360M"), llama(960, 2560, 32, 15, 5, 49152)),
        ("smollm2-1.7b", smollm.format("1.7B"), llama(2048, 8192, 24, 32, 32, 49152)),
        ("qwen2.5-0.5b", qwen.format("0.5B"), llama(896, 4864, 24, 14, 2, 151936, qkv_bias=True)),
        ("qwen2.5-1.5b", qwen.format("1.5B"), llama(1536, 8960, 28, 12, 2, 151936, qkv_bias=True)),
        ("llama-3.2-1b", "meta-llama/Llama-3.2-1B-Instruct", llama(2048, 8192, 16, 32, 8, 128256)),
        ("bloomz-560m", "bigscience/bloomz-560m", bloom(1024, 24, 250880)),
    ]
    specs = [BaseSpec(embedded.ID, embedded.NAME, "embedded", embedded.REPOSITORY, smollm_135m)]
    specs += [
        BaseSpec(id, repository.rpartition("/")[2], "hub", repository, architecture) for id, repository, architecture in hub
    ]
    if settings.LOCAL_BASE:
        specs.append(BaseSpec("local", Path(settings.LOCAL_BASE).name, "local", settings.LOCAL_BASE, None))
    return {spec.id: spec for spec in specs}


CATALOGUE = _catalogue()


def split_id(base_id: str) -> tuple[BaseSpec, str | None]:
    """`smollm2-135m:nf4` → its catalogue line and form. Raises PlaygroundError for an id that does not exist."""
    name, mark, form = base_id.partition(":")
    if name not in CATALOGUE or (mark and form not in FORMS):
        raise PlaygroundError("unknown_base", base=base_id, known=", ".join(CATALOGUE), forms=", ".join(FORMS))
    return CATALOGUE[name], form or None


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
        return copy.deepcopy(self.model, {id(tensor): tensor for tensor in _tensors(self.model)})

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


def _tensors(model: PreTrainedModel) -> list[torch.Tensor]:
    """Every tensor of the tree: parameters, buffers, and what bitsandbytes' int8 layers keep beside their weight."""
    import torch

    tensors = [*model.parameters(), *model.buffers()]
    for module in model.modules():
        state = getattr(module, "state", None)  # bitsandbytes.nn.Linear8bitLt
        tensors += [value for value in vars(state).values() if torch.is_tensor(value)] if hasattr(state, "CB") else []
    return tensors


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


def linear_layers(model: PreTrainedModel) -> dict[str, Any]:
    """The linear layers of the decoder by their paths, without the output head: what bitsandbytes quantizes too."""
    from torch import nn

    head = model.get_output_embeddings()
    return {path: one for path, one in model.named_modules() if isinstance(one, nn.Linear) and one is not head}


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
