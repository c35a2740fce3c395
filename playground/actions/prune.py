"""
Asking for less of a base: a pruning looked at, what it answers, what comes back, and a folder to take away.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground.actions import catalogue
from playground.actions.compare import start_answers
from playground.actions.lanes import LAB, MEASURE, TRAIN
from playground.actions.train import length_of
from playground.adapt import tasks
from playground.adapt.variant import Variant
from playground.bounds import Bound
from playground.bounds import shown as repeated
from playground.errors import PlaygroundError
from playground.model.bases import BASES
from playground.model.catalogue import split_id
from playground.model.pruning import HALF, KINDS, SHARE, Pruning
from playground.work.jobs import Run
from playground.work.sessions import SESSIONS, Place

if TYPE_CHECKING:
    from playground.prune.looking import Looked

# Places of a session's runs
PRUNE, PRUNE_ANSWERS, HEAL = "prune", "prune-answers", "healing"
PERCENT = Bound("percent", 20.0, 0.0, 100 * (SHARE.maximum or 0))


def pruning_of(what: str, percent: float) -> Pruning:
    """
    `width-activation` and 20 → that pruning; a 2:4 pattern has its own share. Raises PlaygroundError for what there is not.
    """
    kind, _, rule = what.partition("-")
    if kind not in KINDS:
        raise PlaygroundError("not_a_pruning", text=repeated(what), kinds=", ".join(KINDS))
    share = 0.5 if KINDS[kind].share is HALF else round(PERCENT.check(percent or 0) / 100, 4)
    return Pruning(kind, share, rule)


def start_prune(key: str, base_id: str, pruning: Pruning, place: Place = PRUNE) -> Run:
    """Queue a look at a pruning of a plain base. Raises PlaygroundError at once."""
    from playground.prune.looking import PruneJob, look

    plain = split_id(base_id)[0].id
    catalogue.have(plain)
    job = PruneJob(plain, pruning)
    return SESSIONS.submit(key, MEASURE, lambda stop: look(job, BASES.get, stop), job, place)


def pruned(seen: Looked) -> dict[str, Any]:
    """The base and what is left of it so far, in plain values."""
    rows = [{**asdict(one), "perplexity": one.perplexity} for one in seen.rows]
    return {"base": seen.base, "pruning": seen.pruning, "rows": rows}


def variants(base_id: str, pruning: Pruning, form: str, apart: bool) -> list[Variant]:
    """The plain base, what is left of it, the same in a form if there is one, and the wrong way if that is asked for."""
    plain = split_id(base_id)[0].id
    names = [str(pruning), *([f"{pruning}:{form}"] if form else [])]
    names += [str(replace(pruning, rule="apart"))] if apart and pruning.kind == "width" else []
    return [Variant(plain), *(Variant(f"{plain}:{one}") for one in dict.fromkeys(names))]


def start_pruned(key: str, base_id: str, shown: list[Variant], prompt: str, decoding: Mapping[str, Any]) -> Run:
    """Queue what those answer. Raises PlaygroundError at once."""
    plain = split_id(base_id)[0].id
    return start_answers(key, LAB, plain, prompt, shown, decoding, place=PRUNE_ANSWERS)


def start_heal(key: str, base_id: str, pruning: Pruning, task_id: str, steps: int, seed: int) -> Run:
    """Queue what comes back of a pruned base in so many steps of LoRA and distillation. Raises PlaygroundError at once."""
    from playground.prune.healed import TRAINED
    from playground.prune.recovery import RecoveryJob, recovery

    plain = split_id(base_id)[0].id
    job = RecoveryJob(plain, pruning, tasks.task(task_id), steps, seed).checked()
    catalogue.have(plain)
    length = length_of(job.training("whole_lora").checked()) * len(TRAINED)
    return SESSIONS.submit(key, TRAIN, lambda stop: recovery(job, BASES.get, stop), job, HEAL, length=length)


DOWNLOADS = tempfile.TemporaryDirectory(prefix="peft-playground-pruned-")  # goes with the process
_PACKING = threading.Lock()


def download(base_id: str, pruning: Pruning) -> str:
    """
    The path of a zip of what is left, with the tokenizer, as plain transformers loads it; one at a time is kept. Raises
    PlaygroundError where no config of transformers says what was left out, and for what is not loaded.
    """
    from playground.disk import explained, whole
    from playground.export.merged import check_size, zip_model

    plain = split_id(base_id)[0].id
    if not pruning.loads:
        raise PlaygroundError("pruned_not_saved")
    base = BASES.get(f"{plain}:{pruning}")
    size = check_size(base.model)
    with _PACKING, explained(DOWNLOADS.name, 2 * size):
        for old in Path(DOWNLOADS.name).iterdir():
            old.unlink()
        file = Path(DOWNLOADS.name) / f"{plain}-{pruning}.zip"
        with whole(file) as written:
            zip_model(base.model, base.tokenizer, written)
        return str(file)
