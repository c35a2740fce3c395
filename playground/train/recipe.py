"""
The Python that reproduces an adapter, from its record. Knows nothing about the page.
"""

from __future__ import annotations

from playground.adapt.adapters import DOWNLOADABLE, Record
from playground.adapt.tasks import OWN
from playground.model.catalogue import split_id

JOB = """\
from playground.adapt.tasks import {reader}
from playground.model.bases import BASES
from playground.train.job import TrainingJob
from playground.train.training import train

job = TrainingJob(
    base={base!r},
    method={method!r},
    task={data},
    hyperparameters={hyperparameters!r},
    steps={planned},
    seed={seed!r},
)
"""
WHOLE = """\
*events, ended = train(job, BASES.get)
"""
PART = """\
done = []  # this adapter is that of step {steps}
for ended in train(job, BASES.get, stop=lambda: len(done) == {steps}):
    done += [ended] if ended.event == "step" else []
"""
SAVE = """
from pathlib import Path
from peft import PeftModel
from transformers import AutoModelForCausalLM
from playground.adapt.adapters import save

save(ended.adapter, Path("my-adapter"))
base = AutoModelForCausalLM.from_pretrained({repository!r})
model = PeftModel.from_pretrained(base, "my-adapter")
"""


def python(record: Record) -> str:
    """A script that trains the same adapter again and, where PEFT has a format for it, loads it with PEFT."""
    planned = max(record.steps, record.planned_steps)
    own = record.task == OWN
    script = JOB.format(
        reader="read_file" if own else "task",
        data="read_file('my-examples.csv')" if own else f"task({record.task!r})",
        planned=planned,
        **{name: getattr(record, name) for name in ("base", "method", "hyperparameters", "seed")},
    )
    script += WHOLE if record.steps == planned else PART.format(steps=record.steps)
    if record.method not in DOWNLOADABLE:
        return script
    return script + SAVE.format(repository=split_id(record.base)[0].repository)
