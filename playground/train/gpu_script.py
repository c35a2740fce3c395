"""
A recipe that was tried here, for another base on a GPU elsewhere: the same steps as `recipe`, in bfloat16, with the examples
from a repository and the adapter to it; and what such a script prints, read back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from playground.adapt.adapters import Adapter, Record, config_json
from playground.adapt.fitting import check_fits
from playground.adapt.methods import DOWNLOADABLE, METHODS
from playground.adapt.tasks import TASK_IDS
from playground.errors import PlaygroundError
from playground.locales import text
from playground.model.catalogue import BITSANDBYTES, BaseSpec, parts_of
from playground.train.pinned import header, requirements
from playground.train.recipe import Place, is_known, needed, parts

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel

    from playground.model.architecture import Architecture

SCRIPT = "train.py"
ELSEWHERE = Place("torch.bfloat16", 'hf_hub_download(REPOSITORY, "{}")', by_hand=False)
# PEFT's config of these is made from a tokenizer or names the base's own tensors
STAYS = ("trainable_tokens",)
STEP = re.compile(r"step (\d+) of (\d+): loss (\S+)")  # as `recipe` prints it
HEAD = """\
# {said}
from huggingface_hub import HfApi, hf_hub_download

REPOSITORY = {repository}
"""
PUSH = """\
saved = HfApi().upload_folder(
    repo_id=REPOSITORY, folder_path="my-adapter", ignore_patterns="README.md", commit_message="Trained"
)
print("adapter:", saved.commit_url, flush=True)
"""


@dataclass(frozen=True)
class Outline:
    """What PEFT's configs are made from, of a base without numbers: a stand-in for `bases.Base`."""

    spec: BaseSpec
    model: PreTrainedModel
    architecture: Architecture
    folder: Path | str


def travels(method_id: str) -> bool:
    """Whether a method means the same on another base."""
    return method_id in DOWNLOADABLE and method_id not in STAYS


def check_travels(adapter: Adapter) -> None:
    """Raises PlaygroundError for an adapter that no recipe makes again on another base."""
    record = adapter.record
    if not travels(record.method):
        raise PlaygroundError("gpu_method", method=record.method)
    known = (record.task in TASK_IDS or adapter.examples is not None) and is_known(record)
    if not known or not planned(record) or record.mix or record.converted:
        raise PlaygroundError("gpu_no_recipe")


def planned(record: Record) -> int:
    """The steps of the whole run, also of one that was stopped."""
    return max(record.steps, record.planned_steps)


def base_on(record: Record, base_id: str) -> str:
    """Another base in the form that this one was trained over, where a GPU has modules for that."""
    form = parts_of(record.base)[2]
    return f"{base_id}:{form}" if form in BITSANDBYTES else base_id


def carried(adapter: Adapter, base: Outline) -> Adapter:
    """
    The same recipe on another base: what would be trained there, not trained yet. Raises PlaygroundError: see
    `check_travels`, and where the method does not fit the base.
    """
    check_travels(adapter)
    record = adapter.record
    one, base_id = METHODS[record.method], base_on(record, base.spec.id)
    check_fits(one, base_id, base.architecture)
    stand_in: Any = base
    counts, steps = one.counts(base.architecture, record.hyperparameters), planned(record)
    config = config_json(one.planned(stand_in, record.hyperparameters, steps), base.spec.repository)
    fresh: dict[str, Any] = {"losses": [], "held_out": [], "samples": [], "seconds": 0.0, "hardware": "", "undone": ""}
    told = replace(record, base=base_id, steps=steps, planned_steps=steps, precision="float32", **counts, **fresh)
    return replace(adapter, record=told, config=config, loaded={}, folder=None, checkpoints=())


def script(adapter: Adapter, repository: str, language: str) -> str:
    """For `uv run`: trains a carried adapter and puts it into the `repository` that the examples are in."""
    pins = [*needed(adapter), *requirements(adapter.record, ["huggingface_hub"])]
    head = HEAD.format(said=text(language, "recipe.gpu"), repository=repr(repository))
    return header(pins) + "\n".join([head, *parts(adapter, language, ELSEWHERE), PUSH])


def told(adapter: Adapter) -> str:
    """What lies beside it as `record.json`."""
    return json.dumps({"name": adapter.name, **asdict(adapter.record)}, ensure_ascii=False, indent=1) + "\n"


def losses(lines: Iterable[str]) -> list[tuple[int, float]]:
    """The (step, loss) that such a script has printed so far, of what else is in its log nothing."""
    found = [match for line in lines if (match := STEP.search(line))]
    return [(int(one[1]), _number(one[3])) for one in found]


def _number(written: str) -> float:
    try:
        return float(written)
    except ValueError:
        return float("nan")
