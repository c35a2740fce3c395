"""
Models that papers and model cards describe, to work out what adapting them would cost. Nothing of them is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from playground.adapt.methods import METHODS
from playground.bounds import shown
from playground.errors import PlaygroundError
from playground.model.architecture import Architecture, deberta, llama, roberta, t5, transformer
from playground.model.catalogue import CATALOGUE


@dataclass(frozen=True)
class Published:
    """A model that a paper or a model card describes; `source` is that paper, or the model's name on the hub."""

    id: str
    name: str
    architecture: Architecture
    source: str


def _published() -> dict[str, Published]:
    lora, llama_paper = METHODS["lora"].paper, "Touvron et al. 2023, arXiv 2302.13971"
    gpt_3 = replace(transformer(12288, 96, 0), parameters=175_255_800_000)  # the total is the paper's, see its table 4
    t5_sizes = {
        "small": t5(512, 6, 1024, 8), "base": t5(768, 12, 2048, 12), "large": t5(1024, 16, 2816, 24),
        "XL": t5(2048, 32, 5120, 24), "XXL": t5(4096, 64, 10240, 24),
    }  # fmt: skip
    found = [
        Published("gpt-3", "GPT-3 175B", gpt_3, lora),
        Published("roberta-base", "RoBERTa-base", roberta(768, 12), lora),
        Published("roberta-large", "RoBERTa-large", roberta(1024, 24), lora),
        Published("deberta-xxl", "DeBERTa-v2-XXL", deberta(1536, 48), lora),
        Published("llama-65b", "LLaMA-65B", llama(8192, 22016, 80, 64, 64, 32000, tied=False), llama_paper),
        Published("llama-2-7b", "Llama-2-7B", llama(4096, 11008, 32, 32, 32, 32000, tied=False), "meta-llama/Llama-2-7b-hf"),
        Published(
            "llama-3.2-3b", "Llama-3.2-3B", llama(3072, 8192, 28, 24, 8, 128256, head_size=128), "meta-llama/Llama-3.2-3B"
        ),
    ]
    for spec in CATALOGUE.values():
        if spec.architecture and spec.id != "smollm2-135m-hub":  # the embedded one is the same model
            found.append(Published(spec.id, spec.repository.rpartition("/")[2], spec.architecture, spec.repository))
    for size, architecture in t5_sizes.items():
        found.append(Published(f"t5-{size.lower()}", f"T5 v1.1 {size}", architecture, METHODS["prompt_tuning"].paper))
    for name, size in (("3B", "XL"), ("11B", "XXL")):
        found.append(Published(f"t0-{name.lower()}", f"T0-{name}", t5_sizes[size], METHODS["ia3"].paper))
    return {one.id: one for one in found}


PUBLISHED = _published()


def published(model_id: str) -> Published:
    """Raises PlaygroundError for a model that is not in the list."""
    if model_id not in PUBLISHED:
        raise PlaygroundError("unknown_model", model=shown(model_id), known=", ".join(PUBLISHED))
    return PUBLISHED[model_id]
