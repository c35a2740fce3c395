"""A merged model folder: plain transformers loads it, and it answers as the adapter over the base."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from playground import settings
from playground.adapt.adapters import Adapter, Record
from playground.adapt.attach import attach
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.export import merged
from playground.model.weights import held_bytes
from tests.families import one_thread, tiny_base, trained  # noqa: F401


def whole(base: Any) -> Adapter:
    """As full fine-tuning leaves one: every weight its own."""
    tensors = {name: one.detach() * 1.1 for name, one in base.model.named_parameters()}
    record = Record(base.id, "full_fine_tuning", "pirate", {}, 0, 1, 1, 1, 1)
    return Adapter("full", record, loaded=tensors)


@pytest.mark.parametrize("family", ["llama", "bloom"])
@pytest.mark.parametrize("method_id", ["lora", "ia3", "full_fine_tuning"])
def test_plain_transformers_loads_what_the_adapter_made_of_the_base(family: str, method_id: str, tmp_path: Path) -> None:
    base = tiny_base(family)
    adapter = whole(base) if method_id == "full_fine_tuning" else trained(base, method_id, {})[0]
    merged.write(adapter, base, tmp_path / "mine.zip")
    assert base.untouched()
    with zipfile.ZipFile(tmp_path / "mine.zip") as packed:
        assert {Path(name).suffix for name in packed.namelist()} >= {".safetensors", ".json"}
        packed.extractall(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "mine").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "mine")
    assert tokenizer.chat_template == base.tokenizer.chat_template
    ids = torch.tensor([tokenizer("Say it")["input_ids"]])
    with torch.no_grad():
        found, plain = model(ids).logits, base.model(ids).logits
        expected = attach(base, Variant(base.id, adapter)).model(ids).logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("method_id", "values"), [("prompt_tuning", {"virtual_tokens": 3}), ("prefix_tuning", {})])
def test_what_changes_no_weight_is_refused(method_id: str, values: dict[str, Any], tmp_path: Path) -> None:
    base = tiny_base("llama")
    adapter = Adapter("one", Record(base.id, method_id, "pirate", values, 0, 1, 1, 1, 1), {"peft_type": "PROMPT_TUNING"})
    with pytest.raises(PlaygroundError) as error:
        merged.write(adapter, base, tmp_path / "mine.zip")
    assert error.value.key == "nothing_to_merge"


def test_a_model_that_is_too_large_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tiny_base("llama")
    monkeypatch.setattr(settings, "MAX_MODEL_BYTES", held_bytes(base.model) - 1)
    with pytest.raises(PlaygroundError) as error:
        merged.write(whole(base), base, tmp_path / "mine.zip")
    assert error.value.key == "model_too_large"
    assert not list(tmp_path.iterdir())
