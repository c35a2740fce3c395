"""
The Python that reproduces an adapter, from its record. Knows nothing about the page.
"""

from __future__ import annotations

from playground.adapters import Record

TEMPLATE = """\
from playground.bases import BASES
from playground.tasks import task
from playground.training import TrainingJob, train

job = TrainingJob(
    base={base!r},
    method={method!r},
    task=task({task!r}),
    hyperparameters={hyperparameters!r},
    steps={steps},
    seed={seed},
)
*events, ended = train(job, BASES.get)
"""
SAVE = """
from pathlib import Path
from peft import PeftModel
from transformers import AutoModelForCausalLM
from playground.adapters import save

save(ended.adapter, Path("my-adapter"))
base = AutoModelForCausalLM.from_pretrained("{repository}")
model = PeftModel.from_pretrained(base, "my-adapter")
"""


def python(record: Record) -> str:
    """A script that trains the same adapter again and, where PEFT has a format for it, loads it with PEFT."""
    from playground.adapters import DOWNLOADABLE
    from playground.bases import split_id

    script = TEMPLATE.format(**vars(record))
    if record.task == "own":
        script = script.replace("import task\n", "import read_file\n").replace("task('own')", "read_file('my-examples.csv')")
    if record.method not in DOWNLOADABLE:
        return script
    return script + SAVE.format(repository=split_id(record.base)[0].repository)
