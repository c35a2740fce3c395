"""The course's notebooks: counts as PEFT makes them on the model itself, records that hold together, a run that learns."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from transformers import BloomConfig, BloomForCausalLM

from playground.learn import notebooks
from playground.learn.notebooks import BATCH, NOTEBOOKS, TEXTS, counted, diverges, recorded, rerun, texts
from playground.model.bases import Base
from playground.model.catalogue import CATALOGUE

every_notebook = pytest.mark.parametrize("name", NOTEBOOKS)


@pytest.fixture(scope="module")
def bloomz() -> BloomForCausalLM:
    """bloomz-560m's config (hidden 1024, 24 layers, 16 heads, 250,880 tokens), without weights."""
    with torch.device("meta"):
        return BloomForCausalLM(BloomConfig(hidden_size=1024, n_layer=24, n_head=16, vocab_size=250880))


def test_a_soft_prompt_on_bloomz_is_counted_as_peft_does(bloomz: BloomForCausalLM) -> None:
    config = PromptTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=4, token_dim=1024, num_layers=24, num_attention_heads=16,
        prompt_tuning_init="RANDOM",
    )  # fmt: skip
    with torch.device("meta"):
        found = get_peft_model(bloomz, config).get_nb_trainable_parameters()
    stored = NOTEBOOKS["prompts"].stored
    assert stored is not None
    assert counted("prompts", "bloomz-560m") == found == (stored.trainable, stored.total) == (4_096, 559_218_688)


def test_a_lora_on_bloomz_is_counted_as_peft_does(bloomz: BloomForCausalLM) -> None:
    """PEFT counts the biases that it trains; the notebook of 2024 stored the factors alone."""
    counts = {}
    for bias in ("none", "lora_only"):
        config = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=1, target_modules=["query_key_value"], bias=bias)
        with torch.device("meta"):
            wrapped = get_peft_model(bloomz, config)
            counts[bias] = wrapped.get_nb_trainable_parameters()
        wrapped.unload()
    stored = NOTEBOOKS["bloomz"].stored
    assert stored is not None
    assert counted("bloomz", "bloomz-560m") == counts["lora_only"] == (466_944, stored.total)
    assert counted("bloomz", "bloomz-560m", bias="none") == counts["none"] == (stored.trainable, stored.total)


@every_notebook
def test_what_a_notebook_stored_is_what_is_counted(name: str) -> None:
    stored = NOTEBOOKS[name].stored
    if stored is not None:
        bias = {} if name in ("prompts", "sayings") else {"bias": "none"}
        assert counted(name, stored.model, **bias) == (stored.trainable, stored.total)


@every_notebook
def test_the_record_is_of_these_runs(name: str) -> None:
    one, found = NOTEBOOKS[name], recorded()["runs"][name]
    assert (found["trainable"], found["total"]) == counted(name, recorded()["base"])
    assert len(found["losses"]) == one.steps
    assert found["loss"] == pytest.approx(sum(found["losses"]) / one.steps, abs=0.01)  # as the Trainer means it
    assert found["before"] != found["after"]
    alike = [other for other in NOTEBOOKS if NOTEBOOKS[other].question == one.question]
    assert {recorded()["runs"][other]["before"] for other in alike} == {found["before"]}


def test_steps_and_texts_are_the_notebooks() -> None:
    assert [NOTEBOOKS[name].steps for name in ("prompts", "sayings", "bloomz", "llama")] == [42, 24, 14, 14]
    for name, rows in TEXTS.items():
        assert len(set(texts(name))) == rows
    assert CATALOGUE[recorded()["base"]].source == "embedded"


def test_of_the_recorded_runs_the_one_of_the_large_scale_alone_diverges() -> None:
    assert {name for name, one in recorded()["runs"].items() if diverges(one["losses"])} == {"llama"}


def test_a_run_again_trains_what_is_counted_and_leaves_the_base_alone(tiny: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(notebooks.TEXTS, "prompts", 2 * BATCH)
    before = {name: tensor.clone() for name, tensor in tiny.model.state_dict().items()}
    found = rerun(tiny, ["llama"])["llama"]
    assert len(found["losses"]) == 2 * 2
    assert found["losses"][-1] != found["losses"][0]
    assert all(torch.equal(tensor, before[name]) for name, tensor in tiny.model.state_dict().items())
