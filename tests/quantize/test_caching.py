"""Caches of fewer bits beside each other: a full one changes nothing, and what is measured is what is shown."""

import pytest
import torch

from playground.adapt import tasks
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.quantize import caching
from playground.quantize.caching import CACHES, CacheJob, answered, caches
from playground.quantize.kvcache import Kept, cache_bytes
from playground.train.evaluation import answers
from playground.train.pauses import finished
from tests.families import one_thread, tiny_base  # noqa: F401


@pytest.fixture(scope="module")
def base() -> Base:
    return tiny_base("llama")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "ANSWER_TOKENS", 6)


def test_the_base_s_own_cache_comes_first_and_changes_nothing(base: Base) -> None:
    seen = list(caches(CacheJob("tiny", "hello", (Kept(8), Kept(4))), lambda _: base))
    first, eight, four = seen[-1].found
    assert first.kept is None
    assert first.reading.kl_from_base == 0
    assert 0 < eight.reading.kl_from_base < four.reading.kl_from_base
    assert [one.bytes for one in seen[-1].found] == [cache_bytes(base, 1000, kept) for kept in (None, Kept(8), Kept(4))]
    assert [one.fraction for one in seen] == sorted(one.fraction for one in seen)
    assert seen[-1].fraction == 1


def test_with_a_full_cache_it_answers_as_it_always_does(base: Base) -> None:
    prompt = tasks.prompt_ids(base.tokenizer, "hello")
    assert finished(answered(base, None, prompt)) == answers(base.model, base, [prompt], 6)[0]


def test_an_answer_reads_what_is_kept(base: Base) -> None:
    """Two bits of keys and values leave other tokens than all of them."""
    prompt = tasks.prompt_ids(base.tokenizer, "what is the capital of France?")
    assert finished(answered(base, Kept(2), prompt)) != finished(answered(base, None, prompt))


def test_every_cache_that_is_measured_is_another_one() -> None:
    assert len(set(CACHES)) == len(CACHES) == 6
    assert {one.bits for one in CACHES} == {4, 8}


def test_a_way_that_is_none_is_refused_before_anything_is_read() -> None:
    def none(base_id: str) -> Base:
        raise AssertionError(base_id)

    with pytest.raises(PlaygroundError):
        next(iter(caches(CacheJob("tiny", "hello", (Kept(4, "row"),)), none)))


def test_nothing_is_left_on_the_base(base: Base) -> None:
    list(caches(CacheJob("tiny", "hello", (Kept(4),)), lambda _: base))
    assert base.untouched()
    assert not torch.is_inference_mode_enabled()
