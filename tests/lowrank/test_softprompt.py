"""The soft-prompt view: starts drawn again, neighbours by cosine, a plane, and prompts with tokens left out."""

from __future__ import annotations

import dataclasses
import gc
import itertools
import pickle
import re
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PromptTuningConfig, get_peft_model

from playground.actions.lowrank import IMPORTANCE, LEFT_OUT, run_about, start_without, turn_to
from playground.adapt import adapters, library, tasks
from playground.adapt.adapters import Adapter, Checkpoint, Record
from playground.adapt.attach import attached
from playground.adapt.tasks import Example, Task
from playground.adapt.variant import Variant
from playground.errors import PlaygroundError
from playground.lowrank import vocabulary
from playground.lowrank.softprompt import (
    Importance,
    LeftOut,
    importance,
    initial,
    projection,
    report,
    virtual_tokens,
    without,
)
from playground.lowrank.vocabulary import Near, nearest
from playground.model.bases import Base
from playground.plots.lowrank.softprompt import HOVER, importance_bars, importance_summary, projection_figure
from playground.train.evaluation import held_out_loss
from playground.train.job import TrainingJob
from playground.train.training import train
from playground.ui.lowrank import softprompt_html as view
from playground.ui.lowrank.softprompt import named
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS
from tests.conftest import model_of
from tests.ui.drawn import HOSTILE, Page

EXAMPLES = tuple(Example(f"say {word}", f"{word}!") for word in "one two three four five six seven eight nine ten".split())
TASK = Task("pirate", EXAMPLES[:8], EXAMPLES[8:])
STARTS = {
    "random": {"virtual_tokens": 5, "initialization": "random"},
    "vocabulary": {"virtual_tokens": 5, "initialization": "vocabulary"},
    "text": {"virtual_tokens": 5, "initialization": "text", "initialization_text": "Hi!"},  # shorter than the prompt
    "long text": {"virtual_tokens": 3, "initialization": "text", "initialization_text": "Speak like a pirate."},
    "many": {"virtual_tokens": 100, "initialization": "vocabulary"},
}


def learned(tiny: Base, values: dict, seed: int = 3, method_id: str = "prompt_tuning", steps: int = 1) -> Adapter:
    job = TrainingJob("tiny", method_id, TASK, {"learning_rate": 0.05, **values}, steps, seed)
    *_, ended = train(job, lambda base_id: tiny)
    return ended.adapter


@pytest.fixture(scope="module")
def soft(tiny: Base) -> Adapter:
    """A trained soft prompt of six tokens that began as tokens of the vocabulary."""
    return learned(tiny, {"virtual_tokens": 6}, steps=3)


@pytest.fixture(scope="module")
def lora(tiny: Base) -> Adapter:
    return learned(tiny, {}, method_id="lora")


def made(rows: torch.Tensor, **hyperparameters: object) -> Adapter:
    """A soft prompt of given embeddings, as an upload gives it: how it began is not known."""
    config = {"peft_type": "PROMPT_TUNING", "task_type": "CAUSAL_LM", "num_virtual_tokens": len(rows)}
    config["base_model_name_or_path"] = "tests/tiny"
    values = {"virtual_tokens": len(rows), **hyperparameters}
    record = Record("tiny", "prompt_tuning", "own", values, 0, 0, rows.numel(), rows.numel(), 4 * rows.numel())
    return Adapter("made", record, config, {"prompt_embeddings": rows})


def embeddings(base: Base) -> torch.Tensor:
    return base.model.get_input_embeddings().weight.detach()


def finished(result: object) -> None:
    """A generator raises only when it is asked."""
    list(result) if isinstance(result, Iterator) else None


def refused(key: str, call: Any, *arguments: Any) -> PlaygroundError:
    with pytest.raises(PlaygroundError) as caught:
        finished(call(*arguments))
    assert caught.value.key == key
    assert all(caught.value.message(language) for language in ("en", "es"))
    return caught.value


# The start


@pytest.mark.parametrize("values", STARTS.values(), ids=STARTS.keys())
def test_the_start_drawn_again_is_the_checkpoint_of_step_0(tiny: Base, values: dict) -> None:
    adapter = learned(tiny, values, seed=values["virtual_tokens"])
    kept = next(checkpoint for checkpoint in adapter.checkpoints if checkpoint.step == 0)
    assert torch.equal(initial(tiny, adapter), kept.tensors["prompt_embeddings"])
    drawn = initial(tiny, dataclasses.replace(adapter, checkpoints=()))
    assert torch.equal(drawn, kept.tensors["prompt_embeddings"])


def test_a_checkpoint_of_step_0_is_believed_before_the_seed(tiny: Base, soft: Adapter) -> None:
    rows = torch.full((6, 32), 0.5)
    known = dataclasses.replace(soft, checkpoints=(Checkpoint(0, {"prompt_embeddings": rows}),))
    assert torch.equal(initial(tiny, known), rows)


def test_drawing_the_start_again_leaves_the_global_generator_alone(tiny: Base, soft: Adapter) -> None:
    """A training beside us seeds and uses it: were it moved, that training would give another adapter."""
    torch.manual_seed(11)
    before = torch.get_rng_state()
    report(tiny, soft)
    projection(tiny, soft)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_start_of_a_prompt_that_came_from_outside_is_not_guessed(tiny: Base) -> None:
    rows = torch.randn(4, 32, generator=torch.Generator().manual_seed(0))
    assert initial(tiny, made(rows)) is None
    found = report(tiny, made(rows))
    assert all(token.cosine_to_start is token.distance_from_start is token.start_norm is None for token in found.tokens)
    assert all(token.start_nearest == () for token in found.tokens)
    points = projection(tiny, made(rows), 50)
    assert points.start == ()
    assert points.step_share is None
    assert len(points.now) == 4


def test_the_examples_began_where_their_records_say(base: Base) -> None:
    """The start drawn again has the held-out loss that was recorded before the first step, on the real base."""
    adapter = library.examples()["sentiment-prompt_tuning"]
    start = made(initial(base, adapter))
    encoded = [tasks.encode(base.tokenizer, example) for example in tasks.task("sentiment").held_out]
    loss = held_out_loss(model_of(base, start), encoded, base.tokenizer.pad_token_id)
    assert adapter.record.held_out[0] == [0, pytest.approx(loss, rel=1e-4)]


# The report


def test_an_embedding_of_the_vocabulary_is_nearest_to_its_own_token(tiny: Base) -> None:
    ids = [0, 72, 105, 256]  # 257 pads: its embedding is zero
    found = report(tiny, made(2.5 * embeddings(tiny)[ids]))  # the length does not matter
    assert [token.nearest[0].id for token in found.tokens] == ids
    assert [token.nearest[0].token for token in found.tokens] == [tiny.tokenizer.decode([one]) for one in ids]
    assert [token.nearest[0].cosine for token in found.tokens] == pytest.approx([1.0] * 4, abs=1e-6)


def test_special_tokens_are_shown_as_they_are(tiny: Base) -> None:
    mark = tiny.tokenizer.bos_token_id
    (token,) = report(tiny, made(embeddings(tiny)[[mark]])).tokens
    assert token.nearest[0].token == "<|im_start|>"


@pytest.mark.parametrize("block", [7, 100, 16_384])
def test_neighbours_are_those_of_the_whole_table_of_cosines(
    tiny: Base, soft: Adapter, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(vocabulary, "BLOCK", block)
    rows = virtual_tokens(soft)
    table = torch.nn.functional.cosine_similarity(rows[:, None].double(), embeddings(tiny)[None].double(), dim=2)
    values, ids = table.topk(10, dim=1)
    found = nearest(tiny, rows, 10)
    assert [[near.id for near in row] for row in found] == ids.tolist()
    assert torch.tensor([[near.cosine for near in row] for row in found]).numpy() == pytest.approx(values.numpy(), abs=1e-6)


def test_cosines_are_cosines_and_sorted(tiny: Base, soft: Adapter) -> None:
    for token in report(tiny, soft, 5).tokens:
        for row in (token.nearest, token.start_nearest):
            cosines = [near.cosine for near in row]
            assert len(row) == 5
            assert cosines == sorted(cosines, reverse=True)
            assert all(-1.0 <= cosine <= 1.0 for cosine in cosines)


def test_a_vector_of_length_zero_has_no_direction_but_an_answer(tiny: Base) -> None:
    (token,) = report(tiny, made(torch.zeros(1, 32))).tokens
    assert token.norm == 0.0
    assert token.nearest[0].cosine == 0.0


def test_norms_cosines_and_distances_are_torchs(tiny: Base, soft: Adapter) -> None:
    now, start = virtual_tokens(soft), initial(tiny, soft)
    found = report(tiny, soft)
    assert [token.position for token in found.tokens] == [1, 2, 3, 4, 5, 6]
    assert [token.norm for token in found.tokens] == pytest.approx(now.norm(dim=1).tolist())
    assert [token.start_norm for token in found.tokens] == pytest.approx(start.norm(dim=1).tolist())
    assert [token.distance_from_start for token in found.tokens] == pytest.approx((now - start).norm(dim=1).tolist())
    cosines = torch.nn.functional.cosine_similarity(now, start).tolist()
    assert [token.cosine_to_start for token in found.tokens] == pytest.approx(cosines)
    norms = np.linalg.norm(embeddings(tiny).numpy(), axis=1)
    assert found.norm_quantiles == pytest.approx(np.quantile(norms, [0.05, 0.5, 0.95]), rel=1e-5)


def test_the_mean_step_is_held_against_the_vocabulary_and_against_chance(tiny: Base, soft: Adapter) -> None:
    found = report(tiny, soft)
    (mean,) = nearest(tiny, (virtual_tokens(soft) - initial(tiny, soft)).mean(dim=0, keepdim=True))
    assert found.step_nearest == mean
    assert report(tiny, soft.at(0)).step_nearest == report(tiny, made(virtual_tokens(soft))).step_nearest == ()
    directions = torch.randn(32, 32, generator=torch.Generator().manual_seed(0))
    chances = [row[0].cosine for row in nearest(tiny, directions, 1)]
    assert found.chance == pytest.approx(sum(chances) / 32, rel=1e-5)


def test_tokens_of_the_vocabulary_are_their_own_nearest_at_the_start(tiny: Base, soft: Adapter) -> None:
    assert [token.start_nearest[0].cosine for token in report(tiny, soft).tokens] == pytest.approx([1.0] * 6, abs=1e-6)


def test_rows_that_no_token_has_are_nobodys_neighbour(tiny: Base) -> None:
    """Some models have more embeddings than their tokenizer has tokens (Qwen2.5)."""
    view_, tokens = tiny.view(), len(tiny.tokenizer)
    grown = torch.cat([embeddings(tiny), torch.randn(6, 32, generator=torch.Generator().manual_seed(1))])
    view_.get_input_embeddings().weight = torch.nn.Parameter(grown, requires_grad=False)
    wide = dataclasses.replace(tiny, model=view_)
    (token,) = report(wide, made(grown[[tokens + 2]]), 10).tokens
    assert all(near.id < tokens for near in token.nearest)
    assert token.nearest[0].cosine < 0.9


def test_a_checkpoint_gives_other_numbers_than_the_end(tiny: Base, soft: Adapter) -> None:
    first, last = soft.checkpoints[0].step, soft.checkpoints[-1].step
    assert first == 0 < soft.checkpoints[1].step < last
    reports: list[Any] = [report(tiny, soft.at(step)) for step in (first, soft.checkpoints[1].step, last)]
    distances = [sum(token.distance_from_start for token in found.tokens) for found in reports]
    begin, _, end = reports
    assert distances[0] == 0 < distances[1] < distances[2]
    assert [token.cosine_to_start for token in begin.tokens] == pytest.approx([1.0] * 6)
    assert end == report(tiny, soft)


def test_what_was_measured_of_a_base_goes_with_it(tiny: Base, soft: Adapter) -> None:
    passing = dataclasses.replace(tiny)
    report(passing, soft)
    gone = weakref.ref(passing)
    assert passing in vocabulary._VOCABULARIES
    del passing
    gc.collect()
    assert gone() is None


def test_other_methods_have_no_soft_prompt(tiny: Base, lora: Adapter) -> None:
    for call in (
        virtual_tokens,
        lambda one: report(tiny, one),
        lambda one: projection(tiny, one),
        lambda one: without(one, [1]),
    ):
        refused("not_a_soft_prompt", call, lora)
    refused("not_a_soft_prompt", importance, tiny, lora, EXAMPLES)


def test_what_cannot_be_compared_is_refused(tiny: Base, soft: Adapter) -> None:
    refused("does_not_fit", report, tiny, made(torch.ones(2, 16)))
    for bad in (float("nan"), float("inf")):
        refused("soft_prompt_not_finite", report, tiny, made(torch.full((2, 32), bad)))
    for count in (0, 11):
        refused("out_of_range", report, tiny, soft, count)
    refused("wrong_kind", report, tiny, soft, "3")
    for sample in (1, 2001):
        refused("out_of_range", projection, tiny, soft, sample)


# The plane


@pytest.mark.parametrize("known", [True, False])
def test_the_plane_is_that_of_numpys_svd(tiny: Base, soft: Adapter, known: bool) -> None:
    adapter = soft if known else made(virtual_tokens(soft))
    points = projection(tiny, adapter, 120, 5)
    ids = torch.randperm(len(tiny.tokenizer), generator=torch.Generator().manual_seed(5))[:120]
    assert len(set(ids.tolist())) == 120
    assert points.words == tuple(tiny.tokenizer.decode([one]) for one in ids)
    parts = [embeddings(tiny)[ids], *([initial(tiny, soft)] if known else []), virtual_tokens(soft)]
    cloud = np.concatenate([part.numpy() for part in parts]).astype(np.float64)
    centred = cloud - cloud.mean(0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    drawn = np.array([*points.vocabulary, *points.start, *points.now])
    assert np.abs(drawn) == pytest.approx(np.abs(centred @ axes[:2].T), abs=1e-5)
    assert points.shares == pytest.approx(values[:2] ** 2 / (values**2).sum(), rel=1e-5)
    assert 0 < points.shares[1] <= points.shares[0]
    assert sum(points.shares) < 1
    assert points.width == 32
    assert len(points.start) == (6 if known else 0)
    if known:
        steps = (virtual_tokens(soft) - initial(tiny, soft)).numpy().astype(np.float64)
        assert points.step_share == pytest.approx(((steps @ axes[:2].T) ** 2).sum() / (steps**2).sum(), rel=1e-5)


def test_the_plane_is_seeded(tiny: Base, soft: Adapter) -> None:
    assert projection(tiny, soft, 40, 1) == projection(tiny, soft, 40, 1)
    assert projection(tiny, soft, 40, 1).words != projection(tiny, soft, 40, 2).words
    assert len(projection(tiny, soft, 2000).words) == len(tiny.tokenizer)  # there are no more


def test_reports_cross_to_another_process(tiny: Base, soft: Adapter) -> None:
    for value in (report(tiny, soft), projection(tiny, soft, 10), next(importance(tiny, soft, TASK.held_out))):
        assert pickle.loads(pickle.dumps(value)) == value


# Less of it


@pytest.mark.parametrize("positions", [[1], [3], [6], [2, 5], [1, 2, 3, 4, 6], []])
def test_without_is_peft_with_the_other_embeddings(tiny: Base, soft: Adapter, positions: list[int]) -> None:
    """By PEFT's own forward and generate, on a model built by hand."""
    kept = [row for row in range(6) if row + 1 not in positions]
    model = model_of(tiny, soft, LeftOut(tuple(positions)))
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=len(kept), base_model_name_or_path="tests/tiny")
    peft = get_peft_model(tiny.view(), config).eval()
    peft.prompt_encoder["default"].embedding.weight.data = virtual_tokens(soft)[kept].clone()
    ids = torch.tensor([[72, 101, 108, 108, 111, 33]])
    with torch.no_grad():
        assert torch.equal(model(input_ids=ids).logits, peft(input_ids=ids).logits)
        written = [one.generate(input_ids=ids, max_new_tokens=12, do_sample=False) for one in (model, peft)]
    assert torch.equal(*written)
    assert written[0].shape[1] > 6


def test_the_rest_is_an_adapter_of_its_own(tiny: Base, soft: Adapter, tmp_path: Path) -> None:
    cut = without(soft, [2, 2, 5])
    assert cut.checkpoints == ()
    assert cut.folder is None
    assert cut.config["num_virtual_tokens"] == cut.record.hyperparameters["virtual_tokens"] == 4
    model = model_of(tiny, cut)
    trainable, (_, total) = (
        sum(one.numel() for one in model.prompt_encoder.parameters()),
        model.get_nb_trainable_parameters(),
    )
    assert (cut.record.trainable_parameters, cut.record.total_parameters, cut.record.bytes) == (trainable, total, 4 * 4 * 32)
    assert initial(tiny, cut) is None  # a run with four tokens would have begun elsewhere
    assert soft.config["num_virtual_tokens"] == 6
    assert len(virtual_tokens(soft)) == 6
    adapters.save(cut, tmp_path)
    assert torch.equal(virtual_tokens(adapters.read(tmp_path)), virtual_tokens(soft)[[0, 2, 3, 5]])
    assert torch.equal(virtual_tokens(without(cut, [1])), virtual_tokens(soft)[[2, 3, 5]])


def test_a_checkpoint_can_be_cut_too(soft: Adapter) -> None:
    half = soft.at(soft.checkpoints[1].step)
    assert torch.equal(virtual_tokens(without(half, [1])), virtual_tokens(half)[1:])


@pytest.mark.parametrize("position", [0, 7, -1, "1", 1.0, True, None, [1]])
def test_a_position_that_does_not_exist_is_refused(soft: Adapter, position: object) -> None:
    error = refused("unknown_virtual_token", without, soft, [1, position])
    assert error.values["tokens"] == 6


def test_one_virtual_token_must_stay(tiny: Base, soft: Adapter) -> None:
    refused("last_virtual_token", without, soft, [1, 2, 3, 4, 5, 6])
    refused("last_virtual_token", importance, tiny, without(soft, [1, 2, 3, 4, 5]), EXAMPLES)


def test_importance_is_the_held_out_loss_without_each_token(tiny: Base, soft: Adapter) -> None:
    encoded = [tasks.encode(tiny.tokenizer, example) for example in TASK.held_out]
    pad = tiny.tokenizer.pad_token_id
    events = list(importance(tiny, soft, TASK.held_out))
    assert [len(event.losses) for event in events] == [0, 0, 1, 2, 3, 4, 5, 6]
    last = events[-1]
    assert (last.tokens, last.examples) == (6, 2)
    assert last.whole == held_out_loss(model_of(tiny, soft), encoded, pad)
    assert last.none == held_out_loss(tiny.view().eval(), encoded, pad)
    alone = [held_out_loss(model_of(tiny, without(soft, [one])), encoded, pad) for one in range(1, 7)]
    assert list(last.losses) == pytest.approx(alone, rel=1e-6)
    assert len({*alone, last.whole}) == 7


def test_every_event_of_importance_holds_all_before_it(tiny: Base, soft: Adapter) -> None:
    events = list(importance(tiny, soft, TASK.held_out))
    for one, other in itertools.pairwise(events):
        assert one.whole == other.whole
        assert other.losses[: len(one.losses)] == one.losses


def test_importance_touches_neither_the_base_nor_the_adapter(tiny: Base, soft: Adapter) -> None:
    before = virtual_tokens(soft).clone()
    list(importance(tiny, soft, TASK.held_out))
    assert tiny.untouched()
    assert torch.equal(virtual_tokens(soft), before)
    shared = attached(tiny, Variant(tiny.id, soft)).model
    assert shared.active_peft_config.num_virtual_tokens == 6


def test_importance_uses_no_more_examples_than_allowed(tiny: Base, soft: Adapter) -> None:
    examples = [Example(f"say {index}", str(index)) for index in range(20)]
    measured, first = (next(filter(None, importance(tiny, soft, some))) for some in (examples, examples[:16]))
    assert measured.examples == 16
    assert measured == first
    refused("no_held_out", importance, tiny, soft, [])


# Figures


def test_the_figure_draws_every_point_once(tiny: Base, soft: Adapter) -> None:
    points = projection(tiny, soft, 50)
    for language in ("en", "es"):
        cloud, lines, start, now = projection_figure(points, language).data
        assert len(cloud.x) == 50
        assert len(lines.x) == 3 * 6
        assert list(now.text) == list(start.text) == ["1", "2", "3", "4", "5", "6"]
        assert list(zip(now.x, now.y, strict=True)) == [(round(x, 3), round(y, 3)) for x, y in points.now]
        assert lines.x[0] == start.x[0]
        assert lines.x[1] == now.x[0]
        assert lines.x[2] is None
        assert cloud.hovertemplate == HOVER
    unknown = projection_figure(projection(tiny, made(virtual_tokens(soft)), 50), "en")
    assert len(unknown.data) == 2


def test_a_token_is_text_in_the_figure(tiny: Base, soft: Adapter) -> None:
    points = dataclasses.replace(projection(tiny, soft, 2), words=(" <b>", "\n"))
    assert list(projection_figure(points, "en").data[0].text) == ["␣&lt;b&gt;", "↵"]


def event(*losses: float, tokens: int = 4) -> Importance:
    return Importance(tokens, 16, 2.0, 3.5, losses)


def test_bars_stand_on_zero_up_or_down() -> None:
    svg = importance_bars(event(2.5, 1.9, 2.0), "en")
    number = r'="([\d.]+)%"'
    shape = re.compile(f"x{number} y{number} width{number} height{number}")
    bars = [[float(value) for value in found] for found in shape.findall(svg)]
    (zero,) = (float(found) for found in re.findall(r'pp-zero" x1="0" x2="100%" y1="([\d.]+)%"', svg))
    (_, top, _, up), (_, down_top, _, down), (_, _, _, none) = bars
    assert top + up == pytest.approx(zero, abs=0.02)
    assert down_top == pytest.approx(zero, abs=0.02)
    assert up / down == pytest.approx(5.0, rel=0.01)
    assert none == 0
    assert svg.count("pp-fall") == 1
    assert [bar[0] for bar in bars] == pytest.approx([3.12, 28.12, 53.12], abs=0.02)
    assert all(0 <= bar[1] <= bar[1] + bar[3] <= 100 for bar in bars)


@pytest.mark.parametrize("tokens", [2, 9, 20, 100])
@pytest.mark.parametrize("language", ["en", "es"])
def test_bars_are_sound_before_while_and_after(tokens: int, language: str) -> None:
    for measured in (0, 1, tokens):
        losses = tuple(2.0 + 0.01 * (index % 3 - 1) for index in range(measured))
        svg = importance_bars(event(*losses, tokens=tokens), language)
        page = Page(svg)
        assert page.sound
        assert page.count("rect") == measured
        ticks = re.findall(r'dy="1.5em" text-anchor="middle">(\d+)<', svg)
        assert 2 <= len(ticks) <= 11
        assert ticks[-1] == str(tokens)
    assert importance_bars(event(tokens=tokens), language).count("pp-grid") > 0


def test_the_sentence_says_the_numbers() -> None:
    assert importance_summary(Importance(4, 16, 2.0), "en") == "Held-out loss with the whole prompt: 2.00 nats."
    assert "3.50 with none" in importance_summary(event(), "en")
    assert "1 of the 4 has been tried" in importance_summary(event(2.2), "en")
    assert "+0.200" in importance_summary(event(2.2), "en")
    assert "Number 3 weighs most: +0.931 nats" in importance_summary(event(2.0, 2.1, 2.931, 1.9), "en")
    assert "3,50" in importance_summary(event(2.0), "es")


# The page's pieces


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_table_has_a_row_for_every_virtual_token(tiny: Base, soft: Adapter, language: str) -> None:
    page = Page(view.tokens(report(tiny, soft), language))
    assert page.sound
    assert page.count("tr") == 7
    assert page.count("th") == 5
    assert page.count("td") == 30
    unknown = Page(view.tokens(report(tiny, made(virtual_tokens(soft))), language))
    assert unknown.sound
    assert unknown.count("th") == 3
    assert unknown.count("td") == 18


def test_hostile_tokens_stay_text(tiny: Base, soft: Adapter) -> None:
    found = report(tiny, soft)
    near = Near(0, HOSTILE, 0.5)
    hostile = dataclasses.replace(found, tokens=tuple(dataclasses.replace(one, nearest=(near,)) for one in found.tokens))
    page = Page(view.tokens(hostile, "en"))
    assert page.sound
    assert page.count("img") == page.count("script") == 0
    assert HOSTILE in page.text


def test_the_sentence_counts_the_tokens_that_kept_their_neighbour(tiny: Base, soft: Adapter) -> None:
    assert "nothing has moved" in view.change(report(tiny, soft.at(0)), "en")
    assert "not recorded" in view.change(report(tiny, made(virtual_tokens(soft))), "en")
    found = report(tiny, soft)
    assert found.step_nearest[0].token.strip() in view.change(found, "en")
    same = [dataclasses.replace(one, nearest=one.start_nearest) for one in found.tokens]
    assert "All 6 still have" in view.change(dataclasses.replace(found, tokens=tuple(same)), "en")
    other = Near(-1, "?", 0.1)
    same[2] = dataclasses.replace(same[2], nearest=(other,))
    assert "5 of the 6 still have" in view.change(dataclasses.replace(found, tokens=tuple(same)), "en")


def test_a_pane_without_virtual_tokens_says_which() -> None:
    assert named([5, 2], "en") == "Without virtual tokens 2, 5"
    assert named([3], "es") == "Sin el token virtual 3"
    assert named(list(range(1, 13)), "en") == "Without 12 virtual tokens"
    refused("nothing_left_out", start_without, "nobody", "here", "pirate-prompt_tuning", [], "Ahoy?", {})


def test_a_run_of_another_adapter_is_stopped_and_not_shown() -> None:
    key = "softprompt-" + "0" * 21
    session = SESSIONS.get(key)
    run = session.runs[IMPORTANCE] = Run("lab", lambda stop: iter(()), "one")
    assert run_about(key, IMPORTANCE, "one") is run
    assert run_about(key, IMPORTANCE, "one@3") is None
    turn_to(key, "one")
    assert not run.replaced  # nor by being looked up for another one
    turn_to(key, "one@3")
    assert run.replaced
    assert run._stop.is_set()
    assert run_about(key, IMPORTANCE, "one") is None
    assert run_about(key, LEFT_OUT, "one") is None
