"""The laws of writing together and of training, on a GPU: with random models, as no weights can be fetched everywhere."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
import torch

from playground.adapt.adapters import Adapter
from playground.adapt.attach import attach
from playground.adapt.tasks import Example, Task
from playground.adapt.variant import Variant
from playground.compare.pool import Part, Pool
from playground.model.bases import Base
from playground.model.checksum import checksum
from playground.train.job import TrainingJob
from playground.train.together import Company
from playground.train.training import train
from tests.compare.test_pool import rows_of
from tests.compare.test_routing import LENGTH, assert_own, generated, tiny, variants_of, written
from tests.train import test_samples as samples
from tests.train import test_together as together
from tests.train.test_together import passes  # noqa: F401

FAMILIES = ["llama", "gemma2", "gpt2", "bloom", "mixtral"]
TASK = Task("t", tuple(Example(f"q{n}", f"answer {n}") for n in range(12)), (Example("q", "answer"), Example("p", "no")))


def on_gpu(family: str, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """Variants of one model, which share their tensors there, too."""
    named = {name: model.to("cuda", dtype) for name, model in variants_of(tiny(family)).items()}
    weights = [next(p for n, p in named[name].named_parameters() if "lora" not in n) for name in ("base", "lora")]
    assert weights[0].data_ptr() == weights[1].data_ptr()
    return named


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_write_together_what_their_own_models_generate(family: str) -> None:
    named = on_gpu(family)
    assert_own(list(named), list(named.values()), written(list(named.values())))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_16_bits_company_moves_logits_no_further_than_rounding(dtype: torch.dtype) -> None:
    named = on_gpu("llama", dtype)
    rows = written(list(named.values()))
    for model, row in zip(named.values(), rows, strict=True):
        tokens, logits = generated(model, row.prompt)
        parted = (place for place, pair in enumerate(zip(row.tokens, tokens, strict=False)) if pair[0] != pair[1])
        same = next(parted, LENGTH - 1)
        ours, own = torch.stack(row.seen[: same + 1]), logits[: same + 1].float().cpu()
        torch.testing.assert_close(ours, own, rtol=0, atol=0.05 * float(own.abs().max()))


def test_rows_that_join_and_leave_change_no_other() -> None:
    named = on_gpu("llama")
    rows, pool = rows_of(list(named.values())), Pool()
    for step in range(2 * len(rows) + LENGTH):
        if step % 2 == 0 and step // 2 < len(rows):
            rows[step // 2].prefill()
            pool.join([rows[step // 2]])
        pool.step()
    assert_own(list(named), list(named.values()), rows)


@pytest.fixture(scope="module")
def places(request: pytest.FixtureRequest) -> dict[str, Base]:
    """The same tiny base on both devices."""
    base: Base = request.getfixturevalue("tiny")
    model = copy.deepcopy(base.model).to("cuda")
    return {"cpu": base, "cuda": dataclasses.replace(base, model=model, device_name="GPU", loaded_checksum=checksum(model))}


@pytest.mark.parametrize("method", ["lora", "ia3", "prompt_tuning", "full_fine_tuning"])
def test_a_training_goes_as_on_the_processor(method: str, places: dict[str, Base]) -> None:
    made: dict[str, Adapter] = {}
    for device, base in places.items():
        *_, ended = train(TrainingJob("tiny", method, TASK, {"batch_size": 4}, 6), lambda _, base=base: base)  # type: ignore[misc]
        made[device] = ended.adapter
        assert base.untouched()
    losses = [[loss for _, loss in adapter.record.losses] for adapter in made.values()]
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)
    assert losses[0][-1] != losses[0][0]


def test_an_adapter_that_has_learned_nothing_is_the_base(places: dict[str, Base]) -> None:
    base = places["cuda"]
    first = next(iter(train(TrainingJob("tiny", "lora", TASK, {}, 1), lambda _: base)))
    assert first.event == "started"
    *_, ended = train(TrainingJob("tiny", "lora", TASK, {"learning_rate": 1e-5}, 1), lambda _: base)
    start = ended.adapter.at(0)
    model = attach(base, Variant("tiny", start)).model
    ids = torch.arange(12, device="cuda")[None]
    assert torch.equal(model(input_ids=ids).logits, base.model(input_ids=ids).logits)


def test_runs_that_step_together_learn_what_each_learns_alone(places: dict[str, Base], passes: list[int]) -> None:  # noqa: F811
    base, company = places["cuda"], Company(most=10**6)
    assert company.pays(base)
    jobs = [together.job_of(name, seed) for seed, name in enumerate(together.RUNS)]
    events = together.in_turn([train(job, lambda _: base, company=company) for job in jobs], company)
    assert max(passes) == len(jobs)
    assert min(passes) > 1
    for job, seen in zip(jobs, events, strict=True):
        together.assert_as_alone(seen, list(train(job, lambda _: base)))
    assert base.untouched()


def test_what_runs_answer_in_one_pool_is_what_each_answers_alone(places: dict[str, Base]) -> None:
    base, part = places["cuda"], Part(Pool())
    jobs = [together.job_of(name, seed, 2) for seed, name in enumerate(samples.NAMES)]
    events, most = samples.in_turn([train(job, lambda _: base, pool=part) for job in jobs], part)
    assert most > 4
    for job, seen in zip(jobs, events, strict=True):
        assert samples.samples(seen) == samples.samples(list(train(job, lambda _: base)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_16_bits_company_moves_gradients_no_further_than_rounding(
    dtype: torch.dtype,
    places: dict[str, Base],
    passes: list[int],  # noqa: F811
) -> None:
    base = dataclasses.replace(places["cuda"], model=copy.deepcopy(places["cuda"].model).to(dtype))
    made = [together.request_of(base, name, seed) for seed, name in enumerate(together.RUNS)]
    found = together.answered(Company(most=10**6), *made)
    assert passes == [len(made)]
    for request, own in zip(made, found, strict=True):
        together.assert_same(own, together.alone(request), 1e-2)
