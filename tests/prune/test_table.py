"""
What is left of a base, measured: rows, what goes from each layer, one pruning before and after, and what comes back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

from playground.adapt.tasks import Task
from playground.errors import PlaygroundError
from playground.model.bases import BASES, Base
from playground.model.neutral import text_windows
from playground.model.pruning import KINDS, Pruning
from playground.prune import healed, importance
from playground.prune.form import calibration_of
from playground.prune.healed import TRAINED, WHO
from playground.prune.looking import PruneJob, look
from playground.prune.picture import taken
from playground.prune.recovery import RecoveryJob, recovery
from playground.prune.rows import recorded
from playground.prune.table import everything, read, row, table
from playground.train.pauses import finished
from tests.families import tiny_base


@pytest.fixture
def plain(loaded: Callable[[Base], Base]) -> Base:
    return loaded(tiny_base("llama"))


def test_a_text_is_read_as_the_model_reads_it(plain: Base) -> None:
    loss, right = finished(read(plain.model, plain))
    losses, guessed = [], []
    for window in text_windows(plain):
        with torch.no_grad():
            logits = plain.model(window[None]).logits[0, :-1]
        losses.append(torch.nn.functional.cross_entropy(logits, window[1:], reduction="none"))
        guessed.append(logits.argmax(-1) == window[1:])
    assert loss == pytest.approx(float(torch.cat(losses).mean()), rel=1e-5)
    assert right == pytest.approx(float(torch.cat(guessed).float().mean()))


def test_a_row_counts_what_is_there(plain: Base) -> None:
    left = BASES.get("tiny-llama:sparse-50-magnitude")
    found = finished(row(left, "sparse-50-magnitude"))
    weights = sum(one.inputs * one.outputs * one.count for one in plain.architecture.linears)
    assert found.parameters == plain.architecture.parameters
    assert found.zeros == pytest.approx(weights / 2, abs=weights / 100)
    narrow = finished(row(BASES.get("tiny-llama:width-50-l1"), "width-50-l1"))
    assert narrow.parameters < found.parameters
    assert narrow.zeros == 0
    assert narrow.bytes == 4 * narrow.parameters


def of(plain: Base, name: str) -> Any:
    return taken(plain, BASES.get(f"tiny-llama:{name}"), Pruning.parse(name))


def test_what_goes_of_width_is_less_than_its_share_of_neurons(plain: Base) -> None:
    for rule in ("l1", "max_min", "activation"):
        assert all(0 < share < 0.5 for share in of(plain, f"width-50-{rule}").values)


def test_what_goes_of_weights_is_less_than_its_share_of_them(plain: Base) -> None:
    small, wanda = (of(plain, f"sparse-50-{rule}").values for rule in ("magnitude", "wanda"))
    assert all(0 < one <= other + 1e-9 for one, other in zip(small, wanda, strict=True))
    assert all(0 < share < 0.5 for share in small)


@pytest.mark.parametrize("kind", ["depth", "bypass"])
def test_whole_parts_go_where_they_change_least_or_last(plain: Base, kind: str) -> None:
    values = getattr(importance, {"depth": "layers", "bypass": "attentions"}[kind])(plain.model, calibration_of(plain))
    least, last = of(plain, f"{kind}-50-cosine"), of(plain, f"{kind}-50-last")
    assert least.values == last.values == tuple(values.tolist())
    assert least.gone == (int(values.argmin()),)
    assert last.gone == (len(values) - 1,)


def test_a_look_gives_what_goes_then_both_rows(plain: Base) -> None:
    *_, seen = look(PruneJob("tiny-llama", Pruning("width", 0.5, "max_min")), BASES.get)
    assert [one.pruning for one in seen.rows] == ["", "width-50-max_min"]
    assert seen.taken is not None
    stopped = list(look(PruneJob("tiny-llama", Pruning("width", 0.5, "max_min")), BASES.get, lambda: True))
    assert stopped[-1].rows == ()


def test_a_table_has_a_row_for_the_base_and_for_each(plain: Base) -> None:
    wanted = [Pruning("width", 0.5, "max_min"), Pruning("depth", 0.5, "last")]
    *_, found = table("tiny-llama", wanted, BASES.get)
    assert [one.pruning for one in found.rows] == ["", *map(str, wanted)]
    assert plain.untouched()


def test_the_recorded_one_has_every_rule_and_its_best_neurons_are_those_that_work() -> None:
    found, machine = recorded()
    assert machine
    assert [one.pruning for one in found.rows] == ["", *map(str, everything())]
    losses = {one.pruning: one.loss for one in found.rows}
    for percent in (10, 20, 40):
        rules = {rule: losses[f"width-{percent}-{rule}"] for rule in KINDS["width"].rules}
        assert min(rules, key=rules.__getitem__) == "activation"
        assert max(rules, key=rules.__getitem__) == "apart"


def test_what_comes_back_stands_beside_the_same_adapter_on_the_whole_base(plain: Base, small_task: Task) -> None:
    job = RecoveryJob("tiny-llama", Pruning("width", 0.5, "max_min"), small_task, 2)
    *_, seen = recovery(job, BASES.get)
    assert [one.who for one in seen.rows] == list(WHO)
    rows = {one.who: one for one in seen.rows}
    assert rows["lora"].trained == rows["distilled"].trained == rows["sparse"].trained < rows["whole_lora"].trained
    assert len({rows[who].held_out for who in ("pruned", "lora", "distilled", "sparse")}) == 4
    assert [one.seconds > 0 for one in seen.rows] == [who in TRAINED for who in WHO]
    assert rows["lora"].held_out < rows["pruned"].held_out
    assert seen.working is None
    assert plain.untouched()


def test_only_the_steps_of_a_training_are_its_seconds(plain: Base, small_task: Task) -> None:
    ticks = count()
    job = RecoveryJob("tiny-llama", Pruning("width", 0.5, "max_min"), small_task, 3)
    *_, seen = recovery(job, BASES.get, clock=lambda: next(ticks))
    rows = {one.who: one for one in seen.rows}
    assert rows["lora"].seconds == rows["whole_lora"].seconds == 3  # one tick in each, none of the looks


def test_what_is_recorded_of_healing_is_a_whole_run_and_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = healed.recorded()
    assert [one.who for one in made.found.rows] == list(WHO)
    assert made.machine
    assert made.seconds > sum(one.seconds for one in made.found.rows)
    monkeypatch.setattr(healed, "FILE", tmp_path / "healed.json")
    healed.FILE.write_text(json.dumps(healed.recording(made)), encoding="utf-8")
    assert healed.recorded.__wrapped__() == made


def test_a_stopped_healing_keeps_what_it_has(plain: Base, small_task: Task) -> None:
    events: list[Any] = []
    job = RecoveryJob("tiny-llama", Pruning("width", 0.5, "max_min"), small_task, 40)
    running = recovery(job, BASES.get, lambda: bool(events) and events[-1].step is not None)
    while event := next(running, None):
        events.append(event)
    assert [one.who for one in events[-1].rows] == ["whole", "pruned"]


def test_a_healing_without_steps_is_refused(small_task: Task) -> None:
    with pytest.raises(PlaygroundError) as error:
        RecoveryJob("tiny-llama", Pruning("width", 0.5, "max_min"), small_task, 0).checked()
    assert error.value.key == "out_of_range"
