"""
Training against `transformers.Trainer` with PEFT on the stock model, step by step in turns; what a default run spends on
looking; what rounding the products costs in held-out loss.

Every method has a process of its own: `python -m tests.benchmarks.training lora` prints its numbers as JSON.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

import torch

from playground import settings
from playground.adapt import tasks
from playground.adapt.attach import attach
from playground.adapt.methods import METHODS
from playground.adapt.variant import Variant
from playground.model.bases import BASES, Base
from playground.train.batches import Encoded, shuffled
from playground.train.evaluation import held_out_loss
from playground.train.job import Ended, Evaluation, Sample, Step, TrainingJob, Working
from playground.train.schedule import rate_factor
from playground.train.training import CLIP, train
from tests.benchmarks.table import write_all
from tests.serving import ROOT

TASK, COMPARED, SEEDS = "pirate", ("lora", "prompt_tuning", "ia3"), 3
ROUNDED = ("lora", "ia3")  # a soft prompt is trained in float32
STEPS = 16  # that are compared
COMMAND = [sys.executable, "-m", "tests.benchmarks.training"]


class Peer:
    """Trainer with PEFT's model on transformers' own, fed the same batches at the same rates."""

    def __init__(self, base: Base, job: TrainingJob) -> None:
        from peft import get_peft_model
        from transformers import AutoModelForCausalLM

        config: Any = METHODS[job.method].config
        stock = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
        torch.manual_seed(job.seed)
        self.model = get_peft_model(stock, config(base, job.hyperparameters))
        self.base, self.job, self.seconds = base, job, list[float]()

    def train(self, between: Callable[[], None]) -> None:
        """All steps, with `between` called after each."""
        from transformers import Trainer, TrainerCallback, TrainingArguments

        seconds = self.seconds

        class Timed(TrainerCallback):
            def on_step_begin(self, *_: Any, **__: Any) -> None:
                self.begin = time.perf_counter()

            def on_step_end(self, *_: Any, **__: Any) -> None:
                seconds.append(time.perf_counter() - self.begin)
                between()

        values, count = self.job.hyperparameters, self.job.steps or 0
        encoded = [tasks.encode(self.base.tokenizer, one) for one in self.job.task.train]
        batches = islice(shuffled(encoded, values["batch_size"], self.job.seed), count)
        trained = [one for one in self.model.parameters() if one.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=values["learning_rate"], weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step + 1, count))
        options: dict[str, Any] = {
            "max_steps": count, "per_device_train_batch_size": values["batch_size"], "max_grad_norm": CLIP, "use_cpu": True,
            "train_sampling_strategy": "sequential", "save_strategy": "no", "logging_strategy": "no", "report_to": [],
            "disable_tqdm": True, "remove_unused_columns": False,
        }  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            Trainer(
                self.model, TrainingArguments(folder, **options), train_dataset=[row for batch in batches for row in batch],
                data_collator=self._padded, optimizers=(optimizer, schedule), callbacks=[Timed()],
            ).train()  # fmt: skip

    def _padded(self, batch: list[Encoded]) -> dict[str, torch.Tensor]:
        def rows(lists: list[list[int]], filler: int) -> torch.Tensor:
            longest = max(map(len, lists))
            return torch.tensor([one + [filler] * (longest - len(one)) for one in lists])

        ids = [ids for ids, _ in batch]
        return {
            "input_ids": rows(ids, self.base.tokenizer.pad_token_id),
            "labels": rows([labels for _, labels in batch], tasks.IGNORE),
            "attention_mask": rows([[1] * len(one) for one in ids], 0),
        }


def held_out(base: Base, model: Any) -> float:
    encoded = [tasks.encode(base.tokenizer, one) for one in tasks.task(TASK).held_out]
    return held_out_loss(model.eval(), encoded, base.tokenizer.pad_token_id)


def compared(method: str, steps: int | None = None) -> dict[str, Any]:
    """Seconds of a step of both (medians of steps in turn), and the held-out loss, in float32, that both end with."""
    base = BASES.get(settings.DEFAULT_BASE)
    job = TrainingJob(base.id, method, tasks.task(TASK), steps=steps).checked()
    peer, ours, events = Peer(base, job), list[float](), train(job, BASES.get)

    def until(kind: type) -> Any:
        """Our events up to one of a kind; the seconds of a step are those without what is looked at."""
        last = time.perf_counter()
        for event in events:
            if isinstance(event, Step):
                ours.append(time.perf_counter() - last)
            if isinstance(event, kind):
                return event
            last = time.perf_counter()
        raise AssertionError("it ended")

    peer.train(lambda: until(Step))
    ended = until(Ended)
    mine = attach(base, Variant.of(base.id, ended.adapter)).model
    return {
        "ours": statistics.median(ours), "theirs": statistics.median(peer.seconds),
        "our_loss": held_out(base, mine), "their_loss": held_out(base, peer.model),
    }  # fmt: skip


def whole(method: str) -> dict[str, Any]:
    """The seconds of a default run, as it comes: to its first step, of its looks, in all."""
    begin = time.perf_counter()
    base = BASES.get(settings.DEFAULT_BASE)
    loading = time.perf_counter() - begin
    begin = last = time.perf_counter()
    first, looks, counts = 0.0, 0.0, {Evaluation: 0, Sample: 0}
    for event in train(TrainingJob(base.id, method, tasks.task(TASK)), BASES.get):
        now = time.perf_counter()
        if isinstance(event, Evaluation | Sample):
            looks += now - last
            counts[type(event)] += 1
        elif isinstance(event, Working):
            continue
        if isinstance(event, Step) and not first:
            first = now - begin
        last = now
    seconds = last - begin
    return {
        "loading": loading, "first": first, "looks": looks, "all": seconds, "share": looks / seconds,
        "evaluations": counts[Evaluation], "samples": counts[Sample],
    }  # fmt: skip


def rounding(method: str, seed: int) -> dict[str, float]:
    """The held-out loss, in float32, after default runs with products in float32 and as this machine is measured."""
    base, found = BASES.get(settings.DEFAULT_BASE), {}
    for precision in ("float32", "auto"):
        settings.PRECISION = precision
        *_, ended = train(TrainingJob(base.id, method, tasks.task(TASK), seed=seed), BASES.get)
        found[precision] = held_out(base, attach(base, Variant.of(base.id, ended.adapter)).model)
    return found


MEASURES = {"compared": compared, "whole": whole, "rounding": rounding}


def apart(measure: str, *arguments: Any) -> Any:
    """What one of them measures in a process of its own."""
    done = subprocess.run([*COMMAND, measure, *map(str, arguments)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def study() -> None:
    BASES.get(settings.DEFAULT_BASE)  # prepared and its products measured
    steps = []
    for method in COMPARED:
        found = apart("compared", method, STEPS)
        ratio = f"**{found['theirs'] / found['ours']:.2f} ×**"
        losses = [f"{found[whose]:.3f}" for whose in ("their_loss", "our_loss")]
        steps.append([method, f"{found['theirs']:.2f} s", f"{found['ours']:.2f} s", ratio, *losses])
    runs = []
    for method in COMPARED:
        found = apart("whole", method)
        numbers = [f"{found[name]:.1f} s" for name in ("first", "looks", "all")]
        seen = f"{found['evaluations']} losses, {found['samples']} times two answers"
        runs.append([method, *numbers, f"**{100 * found['share']:.0f} %**", seen])
    rounded = []
    for method in ROUNDED:
        for seed in range(SEEDS):
            found = apart("rounding", method, seed)
            losses = [f"{found[name]:.4f}" for name in ("float32", "auto")]
            rounded.append([method, str(seed), *losses, f"{found['auto'] - found['float32']:+.4f}"])
    write_all("training", TITLE, [
        ("A step", ["method", "Trainer + PEFT", "here", "ratio", "its held-out loss", "here"], steps),
        ("A default run", ["method", "to the first step", "looking", "all", "share of looking", "what is looked at"], runs),
        ("Products in bfloat16", ["method", "seed", "float32", "as measured", "difference"], rounded),
    ], NOTE)  # fmt: skip


TITLE = "Training, against transformers' Trainer with PEFT"
NOTE = (
    f"The style task in batches of 4, default settings. A step: medians of {STEPS} steps of both in turn, in one process, "
    "on the same batches at the same rates; Trainer has transformers' own model with torch's products in float32. A default "
    "run: base loaded, nothing else before it in its process. Held-out losses are measured in float32; those of the last "
    "table after default runs with products in float32 and as this machine was measured to be faster. A soft prompt is "
    "trained in float32: tried once in bfloat16, its loss differed by -0.001, -0.058 and -0.040 (seeds 0 to 2). Looking was "
    "meant to take at most 15 %: reading all 16 held-out examples costs about one and a half steps (profiled: half of it "
    "products, a quarter attention), writing two answers of 20 tokens about three."
)

if __name__ == "__main__":
    measure, method, *rest = sys.argv[1:]
    print(json.dumps(MEASURES[measure](method, *map(int, rest))))
