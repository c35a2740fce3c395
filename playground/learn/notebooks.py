"""
The course's notebooks, step by step: their hyperparameters, what they stored, and what the same gives on another base.

A run is the notebook's own: PEFT's config, transformers' Trainer with its defaults, the loss on every token of the texts,
greedy answers. Products are computed in bfloat16, what is trained is float32 (`mixed_precision` shows what that changes).
`make examples` records the runs on the embedded base in RECORD; where a hub is reachable, `rerun` takes bloomz-560m as well.
The texts are this project's own: the dataset of the notebooks has been reordered since.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from statistics import fmean
from typing import TYPE_CHECKING, Any

from playground import settings
from playground.adapt import tasks
from playground.adapt.attach import wrapped
from playground.adapt.methods import METHODS
from playground.learn.bits import VOCABULARY
from playground.learn.figures import Bar, Figure, Figures
from playground.model.catalogue import CATALOGUE

if TYPE_CHECKING:
    from playground.model.bases import Base

FOLDER = settings.EXAMPLES / "notebooks"
RECORD = FOLDER / "runs.json"  # written by `make examples`
BATCH, SEED = 8, 42  # at which auto_find_batch_size ended; the Trainer's own
NEW_TOKENS, PENALTY = 50, 1.5  # of the notebooks' get_outputs
COACH, NICE = "I want you to act as a motivational coach. ", "There are two nice things that should matter to you:"
TEXTS = {"prompts": 50, "sayings": 25}  # rows of each


@dataclass(frozen=True)
class Stored:
    """What a notebook's output says: numbers trained and in all, and the Trainer's loss, the mean over the steps."""

    model: str
    trainable: int
    total: int
    loss: float
    answer: str


@dataclass(frozen=True)
class Notebook:
    """One training of a notebook, in the terms of the registry of methods; `stored` is None for a run of ours beside it."""

    texts: str
    method: str
    values: dict[str, Any] = field(hash=False)
    epochs: int
    question: str
    stored: Stored | None = None

    @property
    def steps(self) -> int:
        return self.epochs * math.ceil(TEXTS[self.texts] / BATCH)


def _prompt(texts: str, question: str, loss: float, answer: str) -> Notebook:
    values = {"virtual_tokens": 4, "initialization": "random", "learning_rate": 3e-3}
    return Notebook(texts, "prompt_tuning", values, 6, question, Stored("bloomz-560m", 4096, 559_218_688, loss, answer))


def _lora(targets: str, rank: int, alpha: int, bias: str = "none", stored: Stored | None = None) -> Notebook:
    values = {"rank": rank, "alpha": alpha, "targets": targets, "dropout": 0.05, "bias": bias, "learning_rate": 3e-2}
    return Notebook("prompts", "lora", values, 2, COACH, stored)


# peremartra/Large-Language-Model-Notebooks-Course: Prompt_Tuning_PEFT.ipynb, LoRA_Tuning_PEFT.ipynb, 5_2_LoRA_Tuning.ipynb
BLOOMZ = (
    "I will provide some information about my life and goals for the next few months, then give it up. My first request is "
    '"I need help finding motivation in everyday activities" ...'
)
LLAMA = (
    "express touch first better information plan my form part practice their need make other of use type is book about "
    "means ..."
)
NOTEBOOKS = {
    "prompts": _prompt(
        "prompts", COACH, 3.580,
        "You will be helping students learn how they can improve their performance in the classroom and at school.",
    ),
    "sayings": _prompt("sayings", NICE, 4.428, "the weather and your health."),
    "bloomz": _lora("query_value", 4, 1, "lora_only", stored=Stored("bloomz-560m", 393_216, 559_607_808, 2.728, BLOOMZ)),
    "llama": _lora("all_linear", 8, 16, stored=Stored("llama-3.2-1b", 5_636_096, 1_241_450_496, 12.349, LLAMA)),
    "scale": _lora("all_linear", 8, 2),  # ours: as the one before, at the scale of the one before that
}  # fmt: skip
BASE_ANSWERS = {COACH: "Don't be afraid of being challenged.", NICE: "the price and quality of your product."}  # bloomz-560m


def texts(name: str) -> list[str]:
    """What a notebook's run reads, a text each."""
    if name == "sayings":
        return (FOLDER / "sayings.txt").read_text(encoding="utf-8").splitlines()
    return [one.response for one in tasks.task("act_as").train[: TEXTS[name]]]


def rerun(base: Base, names: Iterable[str] = NOTEBOOKS) -> dict[str, Any]:
    """Every run on a base: losses by step, the Trainer's loss, what is trained and of how much, base's and tuned answer."""
    return {name: _run(base, NOTEBOOKS[name]) for name in names}


def _run(base: Base, notebook: Notebook) -> dict[str, Any]:
    from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments, set_seed

    set_seed(SEED)
    chosen = METHODS[notebook.method]
    values, config = chosen.complete(notebook.values), chosen.config
    assert config is not None
    model = wrapped(base, config(base, values))
    trainable, total = model.get_nb_trainable_parameters()
    tokenizer: Any = base.tokenizer
    rows = [{"input_ids": tokenizer(text)["input_ids"]} for text in texts(notebook.texts)]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, per_device_train_batch_size=BATCH, num_train_epochs=notebook.epochs, seed=SEED,
            learning_rate=values["learning_rate"], bf16=True, use_cpu=base.device.type == "cpu", logging_steps=1,
            save_strategy="no", report_to=[], disable_tqdm=True,
        )  # fmt: skip
        trainer = Trainer(model, arguments, DataCollatorForLanguageModeling(tokenizer, mlm=False), rows)
        trainer.train()
    logs = trainer.state.log_history
    return {
        "losses": [round(one["loss"], 4) for one in logs if "loss" in one],
        "loss": round(logs[-1]["train_loss"], 4), "trainable": trainable, "total": total,
        "before": _answer(base, base.model, notebook.question), "after": _answer(base, model, notebook.question),
    }  # fmt: skip


def _answer(base: Base, model: Any, question: str) -> str:
    """As the notebooks' get_outputs: greedy, with their penalty on what was said before."""
    tokenizer: Any = base.tokenizer
    read = tokenizer(question, return_tensors="pt").to(base.device)
    model.eval()
    found = model.generate(
        input_ids=read["input_ids"], attention_mask=read["attention_mask"], max_new_tokens=NEW_TOKENS, do_sample=False,
        repetition_penalty=PENALTY, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return str(tokenizer.decode(found[0, read["input_ids"].shape[1] :], skip_special_tokens=True)).strip()


@cache
def recorded() -> dict[str, Any]:
    """What `make examples` ran: the base, the machine, and `runs` by the names of NOTEBOOKS."""
    found: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


def counted(name: str, base_id: str, **values: Any) -> tuple[int, int]:
    """Numbers that a notebook's run trains on a base, and all of them, from its architecture alone."""
    notebook, architecture = NOTEBOOKS[name], CATALOGUE[base_id].architecture
    assert architecture is not None
    counts = METHODS[notebook.method].counts(architecture, {**notebook.values, **values})
    return counts["trainable_parameters"], counts["total_parameters"]


def prompts() -> Figures:
    """Of bloomz-560m: what a soft prompt of 4 tokens trains, beside the LoRA of the other notebook."""
    trained, total = counted("prompts", "bloomz-560m")
    bars = (
        Bar("prompts", Figure(trained), "prompt_tuning"),
        Bar("lora", Figure(counted("bloomz", "bloomz-560m", bias="none")[0])),
    )
    notebook = NOTEBOOKS["prompts"]
    more = {
        "total": Figure(total - trained),
        "percent": Figure(100 * trained / total, "%", 6),
        "virtual_tokens": Figure(notebook.values["virtual_tokens"]),
        "epochs": Figure(notebook.epochs),
    }
    return Figures(trained, bars, more)


def lora() -> Figures:
    """Which of the two notebooks' LoRA runs diverges on the embedded base, recorded, and a run that tells why."""
    runs, blind = recorded()["runs"], math.log(VOCABULARY)
    names = ("bloomz", "llama", "scale")
    bars = (*(Bar(name, Figure(runs[name]["loss"], "", 2)) for name in names), Bar("blind", Figure(blind, "", 2), "base"))
    diverged = {name: diverges(runs[name]["losses"]) for name in ("bloomz", "llama")}
    answer = 2 if all(diverged.values()) else 1 if diverged["llama"] else 0
    llama = NOTEBOOKS["llama"]
    assert llama.stored is not None
    more = {
        "epochs": Figure(llama.epochs),
        "stored": Figure(llama.stored.loss, "", 2),
        "worst": Figure(max(runs["llama"]["losses"]), "", 1),
        "scale_last": Figure(runs["scale"]["losses"][-1], "", 2),
    }
    return Figures(answer, bars, more, origin="measured")


def diverges(losses: list[float]) -> bool:
    """The last three steps are on average 3 nats above the first one, as in `train.training`."""
    return fmean(losses[-3:]) > losses[0] + 3
