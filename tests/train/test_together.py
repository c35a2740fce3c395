"""Runs that step together learn what each learns alone: any mix of methods, whoever joins, leaves or fails."""

from __future__ import annotations

import copy
import dataclasses
import gc
import itertools
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from playground.actions.train import start_training
from playground.adapt.methods import method
from playground.adapt.tasks import IGNORE, Example, Task, encode
from playground.model import kernels
from playground.model.architecture import architecture_of
from playground.model.bases import Base
from playground.model.catalogue import BaseSpec
from playground.train import evaluation, training
from playground.train.batches import by_length, shares, shuffled
from playground.train.job import Ended, Evaluation, Step, TrainingJob
from playground.train.passes import Pass
from playground.train.together import SHARED, Company, Request
from playground.train.trainable import wrap
from playground.train.training import train
from playground.work.sessions import JOBS
from tests.conftest import needs_bfloat16, tiny_tokenizer
from tests.families import one_thread, tiny_base  # noqa: F401
from tests.kinds import model_of_kind

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
SAY = Task("pirate", *(tuple(Example(f"say {w}", f"{w}!") for w in words) for words in (WORDS[:8], WORDS[8:])))
LONGER = Task(
    "own", tuple(Example(f"what about {w}?", f"{w}, {w} and {w}" * n) for n, w in enumerate(WORDS, 1)), SAY.held_out
)

# One of each, and what is different about a method: what is reached, how high, what is dropped
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": ("lora", {"learning_rate": 0.02}),
    "lora_rank_2": ("lora", {"learning_rate": 0.02, "rank": 2, "alpha": 32, "batch_size": 2}),
    "lora_all_linear": ("lora", {"learning_rate": 0.01, "rank": 16, "targets": "all_linear"}),
    "lora_dropout": ("lora", {"learning_rate": 0.02, "targets": "all_linear", "dropout": 0.3, "rank": 4}),
    "lora_more_dropout": ("lora", {"learning_rate": 0.02, "dropout": 0.5, "batch_size": 3}),
    "rslora": ("lora", {"learning_rate": 0.01, "rslora": True}),
    "dora": ("lora", {"learning_rate": 0.02, "dora": True}),
    "dora_dropout": ("lora", {"learning_rate": 0.02, "dora": True, "dropout": 0.3}),
    "ia3": ("ia3", {"learning_rate": 0.3}),
    "prompt": ("prompt_tuning", {"learning_rate": 0.3, "virtual_tokens": 7, "initialization": "random"}),
    "prompt_vocabulary": ("prompt_tuning", {"learning_rate": 0.3, "virtual_tokens": 12, "batch_size": 1}),
}
STEPS = 10


def job_of(name: str, seed: int = 0, steps: int = STEPS, task: Task = SAY, base: str = "tiny") -> TrainingJob:
    chosen, values = RUNS[name]
    return TrainingJob(base, chosen, task, values, steps, seed)


def company() -> Company:
    return Company(pays=lambda base: True, most=10**6)


@pytest.fixture(autouse=True)
def short_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SAMPLE_TOKENS", 3)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many runs each pass answered."""
    found: list[int] = []
    losses = Pass.losses

    def noted(self: Any, seats: Any, *rest: Any) -> torch.Tensor:
        found.append(len(seats))
        return losses(self, seats, *rest)

    monkeypatch.setattr(Pass, "losses", noted)
    return found


def in_turn(runs: Sequence[Iterator[Any]], own: Company, starts: Sequence[int] | None = None) -> list[list[Any]]:
    """The events of runs that have a turn each, as a lane gives them, and then step together; some begin in a later turn."""
    events: list[list[Any]] = [[] for _ in runs]
    going = dict(enumerate(runs))
    for turn in itertools.count():
        for place, run in list(going.items()):
            if starts is None or turn >= starts[place]:
                event = next(run, None)
                if event is None:
                    del going[place]
                else:
                    events[place].append(event)
        own.step()
        if not going:
            return events
    raise AssertionError


def curves(events: Sequence[Any]) -> tuple[list[float], list[float]]:
    """Losses of the steps, and held-out losses."""
    steps = [event.loss for event in events if isinstance(event, Step)]
    return steps, [event.held_out_loss for event in events if isinstance(event, Evaluation)]


def assert_as_alone(events: Sequence[Any], alone: Sequence[Any]) -> None:
    (losses, held_out), (own, own_held_out) = curves(events), curves(alone)
    assert len(losses) == len(own)
    assert losses[:10] == pytest.approx(own[:10], abs=1e-4)
    assert held_out == pytest.approx(own_held_out, abs=1e-3)
    assert own[0] != own[-1]


def test_all_methods_at_once_learn_what_each_learns_alone(tiny: Base, passes: list[int]) -> None:
    jobs = [job_of(name, seed, task=(SAY, LONGER)[seed % 2]) for seed, name in enumerate(RUNS)]
    own = company()
    events = in_turn([train(job, lambda _: tiny, company=own) for job in jobs], own)
    assert max(passes) == len(RUNS)
    assert min(passes) > 1
    for job, seen in zip(jobs, events, strict=True):
        assert_as_alone(seen, list(train(job, lambda _: tiny)))
    assert tiny.untouched()


def test_runs_join_in_the_middle_leave_early_and_are_stopped(tiny: Base, passes: list[int]) -> None:
    lengths, starts, names = [12, 5, 9, 12, 12], [0, 1, 4, 7, 2], ["lora", "lora_dropout", "prompt", "ia3", "dora"]
    own, heard = company(), [0]

    def stop() -> bool:
        heard[0] += 1
        return heard[0] > 4

    stops = [lambda: False] * 4 + [stop]
    jobs = [job_of(name, seed, steps) for seed, (name, steps) in enumerate(zip(names, lengths, strict=True))]
    runs = [train(job, lambda _: tiny, halt, own) for job, halt in zip(jobs, stops, strict=True)]
    events = in_turn(runs, own, starts)
    heard[0] = 0
    for job, halt, seen in zip(jobs, stops, events, strict=True):
        assert_as_alone(seen, list(train(job, lambda _: tiny, halt)))
    assert [seen[-1].event for seen in events] == ["finished"] * 4 + ["stopped"]
    assert set(passes) == {2, 3, 4}


def test_one_run_in_company_is_the_very_run(tiny: Base) -> None:
    job, own = job_of("lora_dropout", steps=3), company()
    (events,) = in_turn([train(job, lambda _: tiny, company=own)], own)
    *_, alone = train(job, lambda _: tiny)
    tensors, same = events[-1].adapter.tensors, alone.adapter.tensors
    assert all(torch.equal(tensor, same[name]) for name, tensor in tensors.items())


def test_on_a_processor_nobody_waits_for_company(tiny: Base) -> None:
    own = Company()
    *_, ended = train(job_of("lora", steps=2), lambda _: tiny, company=own)  # though nobody steps it
    assert (ended.event, ended.step) == ("finished", 2)


# One step


def request_of(base: Base, name: str, seed: int = 0, task: Task = SAY) -> Request:
    """A run's first batch, with an adapter that has learned something already."""
    chosen = method(RUNS[name][0])
    values = chosen.complete(RUNS[name][1])
    torch.manual_seed(seed)
    model, _ = wrap(base, chosen, values)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(0.05 * torch.randn_like(parameter))
    encoded = [encode(base.tokenizer, example) for example in task.train]
    batch = next(shuffled(encoded, values["batch_size"], seed))
    ((part, share),) = shares(batch)
    return Request(base, model, parameters, part, share, seed)


Answer = tuple[float, list[torch.Tensor]]  # loss, gradients


def again(request: Request) -> Request:
    """The same wish, not answered yet, without gradients."""
    for parameter in request.parameters:
        parameter.grad = None
    return dataclasses.replace(request, loss=None, error=None)


def gradients(request: Request) -> list[torch.Tensor]:
    return [parameter.grad for parameter in request.parameters if parameter.grad is not None]


def answered(own: Company, *requests: Request) -> list[Answer]:
    for request in requests:
        own.ask(request)
    own.step()
    return [(request.result(), gradients(request)) for request in requests]


def alone(request: Request) -> Answer:
    own = again(request)
    own.alone()
    return own.result(), gradients(own)


def assert_same(found: Answer, wanted: Answer, exact: float = 1e-5) -> None:
    assert found[0] == pytest.approx(wanted[0], rel=exact, nan_ok=True)
    assert len(found[1]) == len(wanted[1])
    for one, other in zip(found[1], wanted[1], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=10 * exact * max(1e-3, float(other.abs().amax())))


@pytest.fixture(scope="module")
def requests(tiny: Base) -> dict[str, Request]:
    return {name: request_of(tiny, name, seed, (SAY, LONGER)[seed % 2]) for seed, name in enumerate(RUNS)}


def test_pairs_have_the_gradients_of_each_alone(requests: dict[str, Request], passes: list[int]) -> None:
    wanted = {name: alone(request) for name, request in requests.items()}
    for one, other in itertools.pairwise([*RUNS, *list(RUNS)[::3]]):
        found = answered(company(), again(requests[one]), again(requests[other]))
        assert_same(found[0], wanted[one])
        assert_same(found[1], wanted[other])
    assert set(passes) == {2}


@pytest.mark.parametrize("name", ["lora", "lora_all_linear", "rslora", "dora", "ia3", "prompt"])
def test_gradients_are_those_of_peft_itself(name: str, passes: list[int]) -> None:
    base = tiny_base("llama")
    request, other = request_of(base, name), request_of(base, "lora_all_linear", 1, LONGER)
    (found, _) = answered(company(), request, other)
    assert passes == [2]
    plain: Any = copy.deepcopy(request.model).train()  # nothing of ours takes part in it
    plain.zero_grad()
    longest = max(len(ids) for ids, _ in request.batch)
    ids, labels, mask = (
        torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])
        for fill, rows in (
            (0, [ids for ids, _ in request.batch]),
            (IGNORE, [labels for _, labels in request.batch]),
            (0, [[1] * len(ids) for ids, _ in request.batch]),
        )
    )
    loss = plain(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    own = [parameter.grad for parameter in plain.parameters() if parameter.requires_grad]
    assert_same(found, (float(loss.detach()), [gradient for gradient in own if gradient is not None]))


def test_what_is_measured_together_is_what_each_measures_alone(
    tiny: Base, requests: dict[str, Request], passes: list[int]
) -> None:
    """Every run's held-out batches in one pass, though some drop while they learn; nobody gets gradients."""
    encoded = [encode(tiny.tokenizer, one) for one in (*SAY.held_out, *LONGER.train)]
    own, spent = company(), list[float]()
    models = {name: request.model for name, request in requests.items()}
    for request in requests.values():
        again(request)
    asked = {name: own.held_out_loss(tiny, model, encoded, {}, spent.append) for name, model in models.items()}
    for one in asked.values():
        assert next(one, "ended") is None
    own.step()
    assert passes == [len(by_length(encoded)) * len(RUNS)]
    for name, one in asked.items():
        with pytest.raises(StopIteration) as found:
            next(one)
        alone = evaluation.held_out_loss(models[name], encoded, tiny.tokenizer.pad_token_id)
        assert found.value.value == pytest.approx(alone, abs=1e-4)
    assert len(spent) == passes[0] > len(RUNS)
    assert not any(gradients(request) for request in requests.values())


def test_who_learns_and_who_measures_do_so_apart(requests: dict[str, Request], passes: list[int]) -> None:
    learning = [again(requests[name]) for name in ("lora_dropout", "dora_dropout")]
    measuring = [dataclasses.replace(again(requests[name]), learns=False) for name in ("lora", "lora_more_dropout")]
    found = answered(company(), *learning, *measuring)
    assert passes == [2, 2]
    for request, own in zip((*learning, *measuring), found, strict=True):
        assert_same(own, alone(request))


def test_a_run_alone_among_strangers_changes_nobody(requests: dict[str, Request]) -> None:
    """The random numbers that everybody else draws, another run's parameters, what a run had added up before."""
    one, other, third = again(requests["lora_dropout"]), again(requests["dora_dropout"]), again(requests["lora"])
    torch.manual_seed(7)
    following = torch.rand(3)
    torch.manual_seed(7)
    for parameter in one.parameters:
        parameter.grad = torch.ones_like(parameter)
    (_, found), _ = answered(company(), one, other)
    assert torch.equal(torch.rand(3), following)
    assert gradients(third) == []
    _, own = alone(one)
    for gradient, wanted in zip(found, own, strict=True):
        torch.testing.assert_close(gradient, 1 + wanted)


@needs_bfloat16
def test_products_are_bfloat16s_as_for_a_run_alone() -> None:
    base = tiny_base("llama")
    kernels.install(base.model.modules(), base.folder)
    halves = {
        layer.weight: layer.weight.detach().bfloat16() for layer in base.model.modules() if type(layer) is kernels.Linear
    }
    assert halves
    made = [request_of(base, name, seed) for seed, name in enumerate(["lora", "lora_all_linear", "dora"])]
    plain = answered(company(), *made)
    short = [dataclasses.replace(again(request), halves=halves) for request in made]
    found = answered(company(), *short)
    for request, (loss, own), (exact, _) in zip(short, found, plain, strict=True):
        assert loss != exact
        assert_same((loss, own), alone(request), 1e-2)


# Who cannot, and what goes wrong


def test_what_no_pass_can_read_is_answered_alone(tiny: Base, tiny_forms: Any, passes: list[int]) -> None:
    chosen = method("full_fine_tuning")
    whole, _ = wrap(tiny, chosen, chosen.complete({}))
    apart = dataclasses.replace(request_of(tiny, "lora"), model=whole, parameters=list(whole.parameters()))
    other_form = request_of(tiny_forms("tiny:nf4"), "lora", 1)
    beside = [request_of(tiny, "ia3", 2), request_of(tiny, "prompt", 3)]
    found = answered(company(), apart, other_form, *beside)
    assert passes == [2]
    for request, own in zip([apart, other_form, *beside], found, strict=True):
        assert_same(own, alone(request))


def test_runs_on_a_base_in_four_bits_are_joined(tiny_forms: Any, passes: list[int]) -> None:
    made = [request_of(tiny_forms("tiny:nf4"), name, seed) for seed, name in enumerate(["lora", "dora", "lora_dropout"])]
    found = answered(company(), *made)
    assert passes == [3]
    for request, own in zip(made, found, strict=True):
        assert_same(own, alone(request))


def test_one_that_raises_is_told_so_and_the_others_go_on_together(requests: dict[str, Request], passes: list[int]) -> None:
    good = [again(requests[name]) for name in ("lora", "ia3")]
    wrong = dataclasses.replace(again(requests["rslora"]), batch=[([1, 10**6, 3], [IGNORE, IGNORE, 3])])
    own = company()
    for request in (*good, wrong):
        own.ask(request)
    own.step()
    with pytest.raises(IndexError):
        wrong.result()
    for request in good:
        assert_same((request.result(), gradients(request)), alone(request))
    passes.clear()
    answered(own, *map(again, good))
    assert passes == [2]


def test_a_batch_that_nobody_can_read_is_its_own_runs_affair(requests: dict[str, Request]) -> None:
    good, unheard = again(requests["lora"]), again(requests["lora_dropout"])
    unheard = dataclasses.replace(unheard, batch=[([1, 2, 3], [IGNORE] * 3)])
    own = company()
    own.ask(unheard)
    assert_same(answered(own, good)[0], alone(good))
    with pytest.raises(IndexError):
        unheard.result()


def test_a_company_of_none_holds_nothing(tiny: Base) -> None:
    own = company()
    made = [request_of(tiny, "lora", seed) for seed in range(2)]
    answered(own, *made)
    held = [weakref.ref(request.model) for request in made]
    own.step()
    del made
    gc.collect()
    assert [one() for one in held] == [None, None]


def test_one_that_overflows_takes_nobody_along(tiny: Base, requests: dict[str, Request], passes: list[int]) -> None:
    good = [again(requests[name]) for name in ("lora_all_linear", "dora", "ia3", "prompt")]
    wrong = request_of(tiny, "lora", 5)
    with torch.no_grad():
        for parameter in wrong.parameters:
            parameter.fill_(1e25)
    *found, (loss, _) = answered(company(), *good, wrong)
    assert loss != loss
    assert passes == [5]
    for request, own in zip(good, found, strict=True):
        assert_same(own, alone(request))


def test_where_memory_ends_runs_step_alone_and_later_in_smaller_company(
    requests: dict[str, Request], monkeypatch: pytest.MonkeyPatch, passes: list[int]
) -> None:
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError

    names, own = ["lora", "rslora", "ia3"], company()
    widest = max(own._seat(requests[name]).width for name in names)
    own.most = 4 * widest
    with monkeypatch.context() as patch:
        patch.setattr(Pass, "losses", full)
        found = answered(own, *(again(requests[name]) for name in names))
    for name, one in zip(names, found, strict=True):
        assert_same(one, alone(requests[name]))
    passes.clear()
    answered(own, *(again(requests[name]) for name in names))
    assert own.most == 2 * widest
    assert passes == [2]


def test_a_run_that_fails_or_is_dropped_ends_alone(tiny: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [([1, 10**6, 3], [IGNORE, IGNORE, 3])]

    def breaking(examples: Any, size: int, seed: int) -> Iterator[Any]:
        batches = shuffled(examples, size, seed)
        yield from itertools.islice(batches, 3)
        yield broken if seed == 1 else next(batches)
        yield from batches

    monkeypatch.setattr(training, "shuffled", breaking)
    jobs, own = [job_of("lora", 0), job_of("lora", 1), job_of("ia3", 2)], company()
    runs = [train(job, lambda _: tiny, company=own) for job in jobs]

    def failing(run: Iterator[Any]) -> Iterator[Any]:
        with pytest.raises(IndexError):
            yield from run

    first, failed, last = in_turn([runs[0], failing(runs[1]), itertools.islice(runs[2], 5)], own)
    assert [event.step for event in failed if isinstance(event, Step)] == [1, 2, 3]
    assert not any(isinstance(event, Ended) for event in (*failed, *last))
    assert_as_alone(first, list(train(jobs[0], lambda _: tiny)))
    runs[2].close()  # type: ignore[attr-defined]
    assert own._waiting == []


def test_trainings_of_several_visitors_step_in_one_pass(
    tiny: Base, loaded: Any, monkeypatch: pytest.MonkeyPatch, passes: list[int]
) -> None:
    loaded(tiny)
    monkeypatch.setattr(SHARED, "pays", lambda base: True)
    with JOBS._work:  # all of them come before the first begins
        runs = [
            start_training(f"visitor {n}", "tiny", name, SAY, {}, steps=4) for n, name in enumerate(["lora", "ia3", "lora"])
        ]
    for run in runs:
        assert [None for _ in run.changes()]
        assert (run.state, run.error) == ("finished", None)
        assert [event.step for event in run.events if isinstance(event, Step)] == [1, 2, 3, 4]
    assert max(passes) == 3


# Every family

FAMILIES = ["qwen3", "gemma", "phi3", "gptj", "falcon-40b", "starcoder2", "cohere", "mixtral", "qwen3-moe", "deepseek-v3"]


@pytest.mark.parametrize("kind", FAMILIES)
def test_families_join(kind: str, passes: list[int]) -> None:
    model = model_of_kind(kind, tiny_tokenizer())
    spec = BaseSpec(kind, kind, "local", f"tests/{kind}", None)
    base = Base(kind, spec, model, tiny_tokenizer(), architecture_of(model), Path("nowhere"), "CPU", "")
    names = ["lora", "lora_all_linear", "lora_dropout", "dora", "ia3", "prompt"]
    made = [request_of(base, name, seed) for seed, name in enumerate(names)]
    found = answered(company(), *made)
    assert passes == [len(names)]
    for request, own in zip(made, found, strict=True):
        assert_same(own, alone(request), 2e-5)
