"""
The study behind "How do the methods compare?": every method on every ready-made task, with its usual recipe or the one
that belongs to the task, from three seeds, on the embedded base. `make leaderboard` writes `examples/leaderboard.json`
after every run and, killed, goes on where it was. Knows nothing about the page; what numbers say is in `standings`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import save as as_file

from playground import settings
from playground.adapt import tasks
from playground.adapt.adapters import Adapter
from playground.adapt.attach import attach
from playground.adapt.methods import METHODS
from playground.adapt.tasks import Example
from playground.adapt.variant import BASE, Variant
from playground.compare.reading import virtual_tokens
from playground.disk import whole
from playground.errors import PlaygroundError
from playground.model.bases import BASES, Base
from playground.model.kernels import processor
from playground.train.board_tables import front_table, whole_table
from playground.train.evaluation import EvaluateJob, Report, Score, evaluate
from playground.train.forgetting import neutral_loss
from playground.train.job import Ended, TrainingJob
from playground.train.record import versions
from playground.train.scoring import TOKENS as TOKENS
from playground.train.standings import FILE, SEEDS, UNIT, Cell, Pace, Row, cells, paces, read, read_paces, recipe
from playground.train.training import train

GetBase = Callable[[str], Base]


def measured(cell: Cell, base_id: str, get_base: GetBase) -> Row:
    """One run of the study, with its recipe. Raises SystemExit for a run that exploded."""
    if cell.method == BASE:
        return row_of(cell, None, 0.0, base_id, get_base, TOKENS)
    job = TrainingJob(base_id, cell.method, tasks.task(cell.task), **recipe(cell), seed=cell.seed)
    adapter, seconds = trained(job, get_base)
    return row_of(cell, adapter, seconds, base_id, get_base, TOKENS)


def row_of(cell: Cell, adapter: Adapter | None, seconds: float, base_id: str, get_base: GetBase, tokens: int) -> Row:
    """What an adapter (None: the base) is worth and costs, after a run of so many seconds."""
    task, variant = tasks.task(cell.task), Variant.of(base_id, adapter)
    *scores, report = evaluate(EvaluateJob(base_id, adapter, task, tokens), get_base)
    assert isinstance(report, Report)
    base, shots = get_base(variant.base), [Example(*shot) for shot in adapter.record.shots] if adapter else []
    model = attach(base, variant).model
    asked = [len(tasks.prompt_ids(base.tokenizer, one.prompt, shots)) for one in task.held_out]
    return Row(
        task=cell.task,
        method=cell.method,
        seed=cell.seed,
        answers=tuple(one.answer for one in scores if isinstance(one, Score)),
        held_out_loss=report.held_out_loss,
        parameters=adapter.record.trainable_parameters if adapter else 0,
        bytes=file_bytes(adapter),
        cpu_seconds=round(seconds, 2),
        prompt_tokens=virtual_tokens(model) + sum(asked) / len(asked),
        neutral_before=neutral_loss(attach(base, Variant(variant.base)).model, base),
        neutral_after=neutral_loss(model, base, shots),
        processor=processor() if base.device.type == "cpu" else base.device_name,
        recipe=recipe(cell),
        versions=versions(),
        precision=adapter.record.precision if adapter else "float32",
    )


def trained(job: TrainingJob, get_base: GetBase) -> tuple[Adapter, float]:
    """The adapter that a job makes, and the processor's seconds; 0 for what makes no steps. Raises SystemExit."""
    job = job.checked()
    chosen = METHODS[job.method]
    get_base(chosen.base_id(job.base, job.hyperparameters))  # loading it is no part of the run
    begin = time.process_time()
    *_, ended = train(job, get_base)
    seconds = time.process_time() - begin
    if not isinstance(ended, Ended) or ended.event != "finished":
        raise SystemExit(f"{job.task.id}, {job.method}, seed {job.seed}: {ended.event}")
    return ended.adapter, seconds if chosen.steps else 0.0


def file_bytes(adapter: Adapter | None) -> int:
    """Of the safetensors file that PEFT reads, or of a whole model; 0 where nothing is trained."""
    return len(as_file(dict(adapter.tensors), {"format": "pt"})) if adapter and adapter.tensors else 0


# The file


def about(base: Base) -> dict[str, Any]:
    """What all rows were measured with; where it differs, they are measured again."""
    return {"base": base.id, "checksum": base.loaded_checksum, "dtype": base.dtype, "tokens": TOKENS}


def study(file: Path, base: Base, get_base: GetBase, wanted: Sequence[Cell]) -> Iterator[Row]:
    """Measures what is missing in a file, and writes it after every run, in the order of `wanted`."""
    measured_with = about(base)
    there = {row.cell: row for row in read(file, measured_with)}
    for cell in wanted:
        if cell in there:
            continue
        there[cell] = measured(cell, base.id, get_base)
        _write(file, measured_with, [there[one] for one in wanted if one in there], read_paces(file, measured_with))
        yield there[cell]


def timed(file: Path, base: Base, get_base: GetBase) -> Iterator[Pace]:
    """
    Times `UNIT` where rows were measured on this processor and its own were not, so that their time has something to be
    beside; writes it after every task.
    """
    here = processor() if base.device.type == "cpu" else base.device_name
    measured_with = about(base)
    rows = read(file, measured_with)
    for task in dict.fromkeys(row.task for row in rows if row.processor == here):
        there, usual = read_paces(file, measured_with), recipe(Cell(task, UNIT, SEEDS[0]))
        if (task, here) in paces(rows, there):
            continue
        jobs = [TrainingJob(base.id, UNIT, tasks.task(task), **usual, seed=seed) for seed in SEEDS]
        found = Pace(task, here, tuple(round(trained(job, get_base)[1], 2) for job in jobs), usual)
        _write(file, measured_with, rows, [*there, found])
        yield found


def _write(file: Path, measured_with: dict[str, Any], rows: Sequence[Row], there: Sequence[Pace]) -> None:
    found = {**measured_with, "paces": [asdict(one) for one in there], "rows": [asdict(row) for row in rows]}
    with whole(file) as written:
        written.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def fits(method: str, base: Base) -> bool:
    """Whether the base has what a method trains: BitFit wants biases."""
    try:
        return method == BASE or METHODS[method].trainable(base.architecture, {}) >= 0
    except PlaygroundError:
        return False


def main() -> None:
    """Measure what is missing, and print README's tables."""
    base = BASES.get(settings.DEFAULT_BASE)
    wanted = [cell for cell in cells() if fits(cell.method, base)]
    for row in study(FILE, base, BASES.get, wanted):
        print(row.cell, f"{row.held_out_loss:.3f}", f"{row.cpu_seconds:.0f} s", flush=True)
    for pace in timed(FILE, base, BASES.get):
        print(pace, flush=True)
    found, more = read(FILE), read_paces(FILE)
    print(front_table(found, more), whole_table(found, more), sep="\n\n")


if __name__ == "__main__":
    main()
