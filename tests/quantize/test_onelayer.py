"""Every rung on one layer of a tiny base: what it reads, what is refused, and that the base stays as it is."""

import pytest
import torch

from playground import settings
from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.model.modules import linear_layers
from playground.model.neutral import text_windows
from playground.model.weights import weight_of
from playground.quantize import onelayer
from playground.quantize.ladder import RUNGS
from playground.quantize.onelayer import LayerJob, layer_ladder, read_by
from playground.quantize.rounding import Grid
from playground.quantize.sequential import calibration
from tests.families import one_thread, tiny_base  # noqa: F401

GRID = Grid(4, 32)
MODULE = "model.layers.1.mlp.up_proj"


@pytest.fixture(scope="module")
def base() -> Base:
    return tiny_base("llama")


def test_it_grows_by_a_rung_and_ends_with_all(base: Base) -> None:
    seen = list(layer_ladder(LayerJob("tiny", MODULE, GRID), lambda _: base))
    counts = [len(one.steps) for one in seen]
    assert counts == sorted(counts)
    assert [one.rung for one in seen[-1].steps] == list(RUNGS)
    assert seen[-1].done
    assert not seen[0].done
    assert seen[-1].shape == tuple(weight_of(base.model, MODULE).shape)
    assert seen[-1].seen == calibration(base).numel()
    assert seen[-1].unseen == sum(map(len, text_windows(base)))
    assert base.untouched()


@pytest.mark.parametrize("family", ["llama", "bloom"])
def test_what_a_layer_reads_is_what_it_is_given_in_a_whole_pass(family: str) -> None:
    plain = tiny_base(family)
    view, found = plain.view(), list[torch.Tensor]()
    *_, path = linear_layers(plain.model)
    view.get_submodule(path).register_forward_pre_hook(lambda _, given: found.append(given[0].flatten(0, -2)))
    with torch.no_grad():
        for window in text_windows(plain):
            view.base_model(window[None], use_cache=False)
    torch.testing.assert_close(read_by(plain, path)[1], torch.cat(found))


def test_what_was_read_is_remembered_with_its_base(base: Base) -> None:
    assert read_by(base, MODULE)[0] is read_by(base, MODULE)[0]


def test_without_a_module_it_takes_one_in_the_middle(base: Base) -> None:
    first = next(iter(layer_ladder(LayerJob("tiny", "", GRID), lambda _: base)))
    assert first.module in onelayer.modules(base)


@pytest.mark.parametrize(
    ("module", "grid", "key"),
    [
        ("model.norm", GRID, "not_a_module"),
        (MODULE, Grid(4, 96), "block_does_not_fit"),
        (MODULE, Grid(5, 32), "not_a_choice"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(base: Base, module: str, grid: Grid, key: str) -> None:
    with pytest.raises(PlaygroundError) as refused:
        next(iter(layer_ladder(LayerJob("tiny", module, grid), lambda _: base)))
    assert refused.value.key == key


def test_a_layer_that_is_too_wide_is_refused(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_LADDER_INPUTS", 32)
    with pytest.raises(PlaygroundError) as refused:
        next(iter(layer_ladder(LayerJob("tiny", MODULE, GRID), lambda _: base)))
    assert refused.value.key == "ladder_too_wide"
