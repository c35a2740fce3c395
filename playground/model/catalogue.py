"""
The bases that there are, and the forms in fewer bits that each of them has. Loads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from playground import settings
from playground.bounds import shown
from playground.errors import PlaygroundError
from playground.formats.registry import FORMATS, USUAL
from playground.model import embedded
from playground.model.architecture import bloom, llama
from playground.model.pruning import Pruning

if TYPE_CHECKING:
    from playground.model.architecture import Architecture


FOLDER = "folder-"  # begins the id of a typed base that is a folder: the path is nobody else's business
FORMS = tuple(name for name in FORMATS if name != "float32")  # "smollm2-135m:nf4" is that base in NF4
USUAL_FORMS = tuple(name for name in FORMS if name in USUAL)  # those that a page shows first, and a survey measures
BITSANDBYTES: dict[str, dict[str, Any]] = {  # real modules of that form, by transformers' BitsAndBytesConfig
    "int8_vectorwise": {"load_in_8bit": True},
    "nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "nf4_double": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
    "fp4": {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4"},
}


def is_simulated(form: str | None) -> bool:
    """Whether a form is rounded, read back and computed with in float: where bitsandbytes has no modules for it."""
    return form is not None and form not in BITSANDBYTES


@dataclass(frozen=True)
class BaseSpec:
    """One line of the catalogue. `repository` names the model on the hub, also for the embedded copy of it."""

    id: str
    name: str
    source: str  # "embedded", "hub" or "local"
    repository: str
    architecture: Architecture | None  # None: not known before loading
    revision: str = ""  # the commit that was examined; "": the latest

    @property
    def parameters(self) -> int | None:
        return self.architecture.parameters if self.architecture else None


def _catalogue() -> dict[str, BaseSpec]:
    smollm_135m = llama(576, 1536, 30, 9, 3, 49152)
    smollm, qwen, gemma = "HuggingFaceTB/SmolLM2-{}-Instruct", "Qwen/Qwen3-{}", "google/gemma-3-{}-it"
    normed: dict[str, Any] = {"head_size": 128, "head_norms": True}
    gemma_normed: dict[str, Any] = {"head_size": 256, "head_norms": True, "block_norms": 4}
    hub = [
        ("smollm2-135m-hub", smollm.format("135M"), smollm_135m),
        ("smollm2-360m", smollm.format("360M"), llama(960, 2560, 32, 15, 5, 49152)),
        ("smollm2-1.7b", smollm.format("1.7B"), llama(2048, 8192, 24, 32, 32, 49152)),
        ("smollm3-3b", "HuggingFaceTB/SmolLM3-3B", llama(2048, 11008, 36, 16, 4, 128256)),
        ("qwen3-0.6b", qwen.format("0.6B"), llama(1024, 3072, 28, 16, 8, 151936, **normed)),
        ("qwen3-1.7b", qwen.format("1.7B"), llama(2048, 6144, 28, 16, 8, 151936, **normed)),
        ("gemma-3-270m", gemma.format("270m"), llama(640, 2048, 18, 4, 1, 262144, **gemma_normed)),
        ("gemma-3-1b", gemma.format("1b"), llama(1152, 6912, 26, 4, 1, 262144, **gemma_normed)),
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
# Those that visitors have typed: each is here as long as a session lists it or the base is loaded, whoever typed it
TYPED: WeakValueDictionary[str, BaseSpec] = WeakValueDictionary()


def typed(spec: BaseSpec) -> BaseSpec:
    """Have a base that somebody typed be found by its id, as long as somebody keeps what this gives back."""
    return TYPED.setdefault(spec.id, spec)


def split_id(base_id: str) -> tuple[BaseSpec, str | None]:
    """`smollm2-135m:nf4` → its catalogue line and form. Raises PlaygroundError for an id that does not exist."""
    spec, _, form = steps_of(base_id)
    return spec, form


def steps_of(base_id: str) -> tuple[BaseSpec, Pruning | None, str | None]:
    """
    The steps of an id from left to right: `smollm2-135m:width-20-max_min:nf4` → the base, what was pruned of it, in which
    form the rest is held. Raises PlaygroundError for an id that does not exist.
    """
    _, pruning, form = parts_of(base_id)
    spec = spec_of(base_id)
    if spec is None:
        raise _unknown(base_id)
    return spec, pruning, form


def spec_of(base_id: str) -> BaseSpec | None:
    """The line of a base in the catalogue, or that somebody has typed; None where nobody has it any more."""
    name = parts_of(base_id)[0]
    return CATALOGUE.get(name) or TYPED.get(name)


def parts_of(base_id: str) -> tuple[str, Pruning | None, str | None]:
    """The same of a base that may not be here any more, which is only named. Raises PlaygroundError for other steps."""
    name, *steps = base_id.split(":")
    form = steps.pop() if steps and steps[-1] in FORMS else None
    if len(steps) > 1 or (steps and "-" not in steps[0]):
        raise _unknown(base_id)
    return name, Pruning.parse(steps[0]) if steps else None, form


def _unknown(base_id: str) -> PlaygroundError:
    return PlaygroundError("unknown_base", base=shown(base_id), known=", ".join(CATALOGUE), forms=", ".join(FORMS))


def in_floats(base_id: str) -> str:
    """
    The base whose weights a form rounds: `smollm2-135m:nf4` → `smollm2-135m`; one that was pruned stays so, in whole blocks
    where the form has them.
    """
    name, pruning, form = parts_of(base_id)
    if pruning is None:
        return name
    blocks = BITSANDBYTES.get(form or "", {}).get("load_in_4bit", False)
    return f"{name}:{pruning.in_blocks() if blocks else pruning}"


def held_in(base_id: str, form: str | None) -> str:
    """The same base in another form, or in floats: `smollm2-135m:width-20-max_min:nf4` in None is without its last step."""
    name, pruning, _ = parts_of(base_id)
    return ":".join(str(one) for one in (name, pruning, form) if one)
