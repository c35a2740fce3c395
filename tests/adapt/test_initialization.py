"""How LoRA's factors begin: what the first answer is, what is trained, and what may not begin so."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from peft.utils.loftq_utils import _low_rank_decomposition

from playground.adapt.adapters import save
from playground.adapt.initialization import LORA, RANDOM, SUBTRACTED, Beginning, begin
from playground.adapt.methods import method
from playground.adapt.tasks import Example, Task, encode
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.model.weights import weight_of
from playground.train.beginning import read
from playground.train.job import Evaluation, Step, TrainingJob
from playground.train.together import Company
from playground.train.trainable import wrap
from playground.train.training import train
from tests.conftest import model_of
from tests.families import one_thread  # noqa: F401

SAY = Task("pirate", *(tuple(Example(f"say {n}", f"{n}!") for n in some) for some in (range(8), range(8, 10))))
IDS = torch.arange(3, 23).view(2, 10)


def begun(base: Base, unrounded: Base | None = None, name: str = "lora", **values: Any) -> Any:
    """PEFT's model before the first step."""
    chosen = method(name)
    complete = chosen.complete(values)
    torch.manual_seed(0)
    model, _ = wrap(base, chosen, complete)
    inputs = read([encode(base.tokenizer, example) for example in SAY.train], base)
    for _ in begin(Beginning(base, model, complete, inputs, unrounded)):
        pass
    return model.eval()


def trained(base: Base, company: Company | None = None, **values: Any) -> tuple[Any, list[float]]:
    """The adapter of four steps, and its losses."""
    job = TrainingJob(base.id, "lora", SAY, {"rank": 4, **values}, steps=4)
    losses = []
    for event in train(job, lambda base_id: base, company=company):
        if company:
            company.step()
        losses += [event.loss] if isinstance(event, Step) else []
        losses += [event.held_out_loss] if isinstance(event, Evaluation) else []
    return event.adapter, losses


@pytest.mark.parametrize("kind", LORA)
def test_before_the_first_step_the_answer_is_the_bases(tiny: Base, kind: str) -> None:
    before, model = tiny.checksum(), begun(tiny, initialization=kind, targets="all_linear")
    with torch.no_grad():
        expected, found = tiny.model(IDS).logits, model(IDS).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    a = next(one for name, one in model.named_parameters() if "lora_A" in name)
    assert kind == RANDOM or not torch.equal(a, next(p for n, p in begun(tiny).named_parameters() if "lora_A" in n))
    assert tiny.checksum() == before


@pytest.mark.parametrize("kind", [*SUBTRACTED, "eva"])
def test_an_adapter_learns_half_of_what_it_holds_alone_and_in_company_and_loads_in_plain_peft(
    tiny: Base, tmp_path: Path, kind: str
) -> None:
    adapter, losses = trained(tiny, initialization=kind, learning_rate=0.01)
    company = Company(pays=lambda base: True, most=10**6)
    assert trained(tiny, company=company, initialization=kind, learning_rate=0.01)[1] == pytest.approx(losses, abs=1e-3)
    first, last = adapter.checkpoints[0].tensors, adapter.tensors
    for name in first:
        moved = (first[name] != last[name]).any(dim=1 if "lora_A" in name else 0)  # by direction
        assert len(moved) == (8 if kind in SUBTRACTED else 4)
        assert moved[:4].any()
        assert not moved[4:].any()
    assert adapter.record.bytes == sum(one.numel() * 4 for one in last.values())
    save(adapter, tmp_path / "saved")
    plain = PeftModel.from_pretrained(deepcopy(tiny.model), tmp_path / "saved").eval()
    with torch.no_grad():
        torch.testing.assert_close(plain(IDS).logits, model_of(tiny, adapter)(IDS).logits)


@pytest.mark.parametrize("alpha", [8, 32])
def test_loftq_brings_the_rounded_base_nearer_to_the_whole_one(tiny: Base, tiny_forms: Any, alpha: int) -> None:
    rounded = tiny_forms("tiny:nf4_double")
    model = begun(rounded, tiny, "qlora", initialization="loftq", alpha=alpha)
    for path, layer in model.get_base_model().named_modules():
        if hasattr(layer, "lora_A"):
            lost = weight_of(tiny.model, path) - weight_of(rounded.model, path)
            expected = _low_rank_decomposition(lost, reduced_rank=8)  # PEFT's, which leaves the scaling to alpha = r
            torch.testing.assert_close(layer.get_delta_weight("default"), expected["L"] @ expected["R"], rtol=0, atol=1e-5)
            assert (lost - layer.get_delta_weight("default")).norm() < lost.norm()


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"initialization": "pissa", "dropout": 0.1}, "initialization_dropout"),
        ({"initialization": "pissa", "dora": True}, "initialization_dora"),
        ({"initialization": "orthogonal", "rank": 3}, "initialization_odd"),
        ({"initialization": "olora", "rank": 33}, "initialization_rank"),
        ({"initialization": "eva", "rank": 17}, "initialization_rank"),  # keys and values have 16 outputs
        ({"initialization": "loftq"}, "not_a_choice"),
    ],
)
def test_what_cannot_begin_so_is_refused_in_words(tiny: Base, values: dict[str, Any], key: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        begun(tiny, **values)
    assert refused.value.key == key


@pytest.mark.parametrize("values", [{"dropout": 0.1}, {"dora": True}, {"ranks": "0: 2"}])
def test_what_no_base_can_have_together_is_refused_where_it_is_counted(tiny: Base, values: dict[str, Any]) -> None:
    with pytest.raises(PlaygroundError, match="PiSSA"):
        method("lora").counts(tiny.architecture, {"initialization": "pissa", **values})


def test_a_weight_that_is_rounded_cannot_be_taken_apart(tiny_forms: Any) -> None:
    with pytest.raises(PlaygroundError) as refused:
        begun(tiny_forms("tiny:nf4"), initialization="pissa")
    assert refused.value.key == "initialization_quantized"


def test_eva_gives_up_where_directions_do_not_stay(tiny: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.settings.MAX_EVA_READS", 2)
    with pytest.raises(PlaygroundError) as refused:
        begun(tiny, initialization="eva")
    assert refused.value.key == "initialization_eva"
