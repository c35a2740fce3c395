"""A rung on a whole tiny base: in the right order, on the right inputs, stoppable, and without a trace on the base."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from playground.errors import PlaygroundError
from playground.model.bases import Base
from playground.model.modules import linear_layers
from playground.model.neutral import text_windows
from playground.model.weights import weight_of
from playground.quantize import sequential
from playground.quantize.ladder import RUNGS
from playground.quantize.rounding import Grid
from playground.quantize.sequential import LadderJob, calibration, climbed
from playground.quantize.wholemodel import WholeJob, survey
from playground.train.pauses import Stopped
from tests.families import one_thread, tiny_base  # noqa: F401

GRID = Grid(4, 32)


@pytest.fixture(scope="module")
def base() -> Base:
    return tiny_base("llama")


@pytest.fixture(scope="module")
def text(base: Base) -> torch.Tensor:
    return calibration(base, 256, 64)


def done(plain: Base, rung: str, text: torch.Tensor) -> Any:
    work = sequential.rounded(plain, RUNGS[rung], GRID, text)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("family", ["llama", "bloom"])
def test_each_layer_is_rounded_on_what_the_rounded_ones_before_it_put_out(family: str) -> None:
    plain = tiny_base(family)
    text = calibration(plain, 256, 64)
    base, found = done(plain, "gptq", text)
    assert [one.module for one in found.layers] == list(linear_layers(plain.model))
    assert found.fraction == 1.0
    seen: dict[str, torch.Tensor] = {}
    view = base.view()
    for path, layer in linear_layers(view).items():
        layer.register_forward_pre_hook(lambda _, given, path=path: seen.update({path: given[0].flatten(0, -2)}))
    with torch.no_grad():
        view.base_model(text, use_cache=False)
    for path, inputs in seen.items():  # nothing after it could have changed what it read
        expected = RUNGS["gptq"](weight_of(plain.model, path), inputs, GRID).weight
        torch.testing.assert_close(weight_of(base.model, path), expected)


def test_the_base_is_not_touched_and_what_is_no_linear_layer_is_shared(base: Base, text: torch.Tensor) -> None:
    other, _ = done(base, "clipped", text)
    assert base.untouched()
    assert other.untouched()
    assert other.loaded_checksum != base.loaded_checksum
    ours, theirs = (one.model.get_input_embeddings().weight for one in (base, other))
    assert ours.data_ptr() == theirs.data_ptr()
    assert not any(layer._forward_pre_hooks for layer in linear_layers(other.model).values())


def test_gptq_puts_out_less_error_than_nearest_in_nearly_every_layer(base: Base, text: torch.Tensor) -> None:
    nearest, gptq = (done(base, rung, text)[1].layers for rung in ("nearest", "gptq"))
    better = [one.output_error < other.output_error for one, other in zip(gptq, nearest, strict=True)]
    assert sum(better) >= 0.9 * len(better)


def test_nearest_reads_the_text_as_the_survey_says(base: Base) -> None:
    *_, found = climbed(LadderJob("tiny", "nearest_channel", Grid(8, 32)), lambda _: base)
    *_, surveyed = survey(WholeJob("smollm2-135m", ()), lambda _: base)
    plain = surveyed.found[0].reading
    assert found.reading.tokens == plain.tokens == sum(len(window) - 1 for window in text_windows(base))
    assert abs(found.reading.loss - plain.loss) < 0.05
    assert 0 < found.reading.kl_from_base < 0.05


def test_progress_grows_and_ends_with_the_answers(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequential, "ANSWER_TOKENS", 3)
    seen = list(climbed(LadderJob("tiny", "gptq", GRID, ("hello", "bye")), lambda _: base))
    assert [one.fraction for one in seen] == sorted(one.fraction for one in seen)
    assert seen[-1].reading is not None
    assert len(seen[-1].answers) == 2
    assert seen[-1].seconds == pytest.approx(sum(one.seconds for one in seen[-1].layers))


def test_it_stops_at_the_next_layer(base: Base, text: torch.Tensor) -> None:
    work = sequential._Pass(base, RUNGS["nearest"], GRID)
    kept: Callable[..., None] = work._round

    def stopping(path: str, inputs: torch.Tensor) -> None:
        kept(path, inputs)
        if len(work.done) == 3:
            work.stop.set()

    work._round = stopping  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        work.run(text)
    assert len(work.done) == 3
    assert base.untouched()


def test_a_block_that_does_not_fit_is_refused_before_the_first_layer(base: Base) -> None:
    with pytest.raises(PlaygroundError) as refused:
        list(climbed(LadderJob("tiny", "gptq", Grid(4, 96)), lambda _: base))
    assert refused.value.key == "block_does_not_fit"


def test_an_expert_that_no_token_reaches_is_rounded_to_nearest(base: Base, text: torch.Tensor) -> None:
    work = sequential._Pass(base, RUNGS["gptq"], GRID)
    path, layer = "model.layers.0.mlp.up_proj", work.model.get_submodule("model.layers.0.mlp.up_proj")
    work._round(path, torch.zeros(1, layer.in_features))
    torch.testing.assert_close(layer.weight.data, GRID.nearest(weight_of(base.model, path)))


def test_the_calibration_text_is_of_every_task_and_in_equal_pieces(base: Base) -> None:
    found = calibration(base, 512, 128)
    assert found.shape == (4, 128)
    first, last = (base.tokenizer.decode(found[place]) for place in (0, 2))
    assert first != last
    assert first.startswith("<|im_start|>user")
    assert not torch.equal(found[0], text_windows(base)[0][:128])
