"""The cache in fewer bits: what is kept, what it takes, and that a full one changes nothing."""

import math

import pytest
import torch

from playground.errors import PlaygroundError
from playground.formats.format import Layout
from playground.formats.registry import FORMATS
from playground.model.bases import Base
from playground.model.neutral import text_windows
from playground.quantize import kvcache
from playground.quantize.kvcache import GROUP, KIVI, Kept, cache_bytes, cached_log_probabilities, reading, rounded_cache
from playground.quantize.wholemodel import log_probabilities
from playground.train.pauses import finished
from tests.families import one_thread, tiny_base  # noqa: F401

EVERY = [Kept(bits, keys, values) for bits in (4, 8) for keys in kvcache.WAYS for values in kvcache.WAYS]


@pytest.fixture(scope="module")
def base() -> Base:
    return tiny_base("llama")


def states(seed: int, positions: int) -> torch.Tensor:
    return torch.randn(2, 3, positions, 16, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bits", [4, 8])
def test_a_scale_for_each_token_or_for_each_channel_of_a_group(bits: int) -> None:
    given, format = states(0, GROUP + 5), FORMATS[f"int{bits}"]
    found, end = kvcache.rounded(given, bits, "token")
    assert end == GROUP + 5
    assert torch.equal(found[1, 2, 7], format.round_trip(given[1, 2, 7], Layout("tensor")).values)
    found, end = kvcache.rounded(given, bits, "channel")
    assert end == GROUP
    assert torch.equal(found[1, 2, :GROUP, 7], format.round_trip(given[1, 2, :GROUP, 7], Layout("tensor")).values)
    assert torch.equal(found[..., GROUP:, :], given[..., GROUP:, :])


@pytest.mark.parametrize("kept", EVERY)
def test_what_comes_in_pieces_is_kept_as_what_comes_at_once(kept: Kept) -> None:
    keys, values = states(1, 70), states(2, 70)
    once, pieces = rounded_cache(kept), rounded_cache(kept)
    whole = once.update(keys, values, 0)
    for start, end in ((0, 30), (30, 31), (31, 66), (66, 70)):
        last = pieces.update(keys[..., start:end, :], values[..., start:end, :], 0)
    assert all(torch.equal(one, other) for one, other in zip(whole, last, strict=True))
    assert pieces.get_seq_length() == 70


def test_a_cropped_cache_goes_on_where_it_was_cut() -> None:
    cache = rounded_cache(KIVI)
    before, _ = cache.update(states(1, 70), states(2, 70), 0)
    cache.crop(-25)  # 45 are left, 32 of them in a whole group
    keys, values = cache.update(states(3, 50), states(4, 50), 0)
    assert keys.shape == values.shape == (2, 3, 95, 16)
    assert torch.equal(keys[..., :GROUP, :], before[..., :GROUP, :])
    assert torch.equal(values[..., 45:, :], kvcache.rounded(states(4, 50), 4, "token")[0])
    assert torch.equal(keys[..., 64:, :], states(3, 50)[..., 19:, :])  # no whole group yet


def test_bytes_are_those_of_the_codes_and_the_scales(base: Base) -> None:
    cache = rounded_cache(Kept(4))
    base.view()(input_ids=text_windows(base)[0][None, :100], past_key_values=cache, use_cache=True)
    numbers = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
    assert cache_bytes(base, 100) == 4 * numbers
    head = cache.layers[0].keys.shape[-1]
    assert cache_bytes(base, 100, Kept(4)) == numbers // 2 + 4 * numbers // head
    assert cache_bytes(base, 100, Kept(8)) == numbers + 4 * numbers // head
    half, whole = numbers // 2, numbers // 2 * 96 // 100  # keys; of 100 positions 96 fill groups
    expected = whole // 2 + 4 * whole // GROUP + 4 * (half - whole) + half // 2 + 4 * half // head
    assert cache_bytes(base, 100, KIVI) == expected


@pytest.mark.parametrize("kept", EVERY)
def test_fewer_bits_are_further_from_the_full_cache(base: Base, kept: Kept) -> None:
    windows = [text_windows(base)[0][:128]]
    found = finished(reading(base, kept, windows))
    there = log_probabilities(base, windows[0])
    here = cached_log_probabilities(base, windows[0], kept)
    expected = torch.nn.functional.kl_div(there, here, log_target=True, reduction="batchmean")
    assert found.kl_from_base == pytest.approx(expected.item(), rel=1e-3)
    assert found.perplexity == pytest.approx(math.exp(found.loss))
    if kept.bits == 8:
        assert found.kl_from_base < finished(reading(base, Kept(4, kept.keys, kept.values), windows)).kl_from_base


def test_nothing_rounded_is_the_full_cache(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kvcache, "rounded", lambda states, bits, way, start=0: (states, start))
    window = text_windows(base)[0][:64]
    torch.testing.assert_close(cached_log_probabilities(base, window, KIVI), log_probabilities(base, window))


def test_what_does_not_exist_is_refused() -> None:
    for kept in (Kept(5), Kept(4, "row"), Kept(4, "token", "layer")):
        with pytest.raises(PlaygroundError):
            rounded_cache(kept)
