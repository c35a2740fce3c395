"""A base in each of its forms on a GPU: what it is loaded in, what it holds, and that everything reads the same one."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import torch

from playground import settings
from playground.adapt.tasks import Example, Task
from playground.adapt.variant import Variant
from playground.compare.comparison import compare
from playground.compare.job import CompareJob, Decoding
from playground.lowrank.updates import updates
from playground.model import loading
from playground.model.bases import Base, Bases
from playground.model.catalogue import BITSANDBYTES, CATALOGUE, BaseSpec
from playground.model.memory import Store
from playground.model.weights import own_bytes
from playground.quantize.tensor import rows
from playground.train.job import TrainingJob
from playground.train.training import train
from tests.kinds import folder_of_kind

TASK = Task("t", tuple(Example(f"q{n}", f"answer {n}") for n in range(12)), (Example("q", "answer"), Example("p", "no")))
SIMULATED = "q4_0"
FORMS = ["", *(f":{form}" for form in BITSANDBYTES), f":{SIMULATED}"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bases:
    """A tiny base that can be loaded as "local"."""
    folder_of_kind("llama", tmp_path)
    monkeypatch.setitem(CATALOGUE, "local", BaseSpec("local", "Local one", "local", str(tmp_path), None))
    return Bases(Store(lambda beside: 2**30))


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_loaded_on_the_gpu_and_answers_there(form: str, here: Bases) -> None:
    base = here.get(f"local{form}")
    assert {parameter.device.type for parameter in base.model.parameters()} == {"cuda"}
    assert base.dtype == "bfloat16"
    assert base.device_name == torch.cuda.get_device_name()
    job = CompareJob(f"local{form}", "Hello", (Variant(f"local{form}"),), Decoding(max_new_tokens=4))
    *_, last = compare(job, here.get)
    assert last.panes[0].tokens
    assert base.untouched()


@pytest.mark.parametrize("form", FORMS)
def test_what_a_form_holds_is_what_the_allocator_has_given(form: str, here: Bases) -> None:
    gc.collect()  # of the tests before
    before = torch.cuda.memory_allocated()
    base: Base = here.get(f"local{form}")
    shared = (here.get("local").model,) if form == f":{SIMULATED}" else ()
    held = own_bytes(base.model, *shared) + sum(own_bytes(one) for one in shared)
    grown = torch.cuda.memory_allocated() - before
    assert held <= grown <= held + 2**22  # it gives blocks of 512 bytes, and libraries keep room to compute in


def test_in_float32_it_has_none_of_the_processor_s_kernels(here: Bases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "KERNELS", "onednn")
    monkeypatch.setattr(loading, "compute_dtype", lambda device, spec: (torch.float32, ""))
    *_, ended = train(TrainingJob("local", "lora", TASK, {"batch_size": 4}, 2), here.get)
    assert here.get("local").dtype == ended.adapter.record.precision == "float32"


@pytest.mark.parametrize("form", ["", ":nf4"])
def test_an_adapter_is_trained_and_opened_up_there(form: str, here: Bases) -> None:
    job = TrainingJob(f"local{form}", "lora", TASK, {"batch_size": 4}, 6)
    *_, ended = train(job, here.get)
    losses = [loss for _, loss in ended.adapter.record.losses]
    assert losses[-1] < losses[0]
    found = updates(here.get(f"local{form}"), ended.adapter)
    assert found
    assert here.get(f"local{form}").untouched()


def test_the_quantization_lab_reads_its_weights(here: Bases) -> None:
    base = here.get("local")
    module = next(name for name, one in base.model.named_modules() if isinstance(one, torch.nn.Linear))
    found = {row["format"]: row["sqnr_db"] for row in rows(base, module, ("int8", "int4"))}
    assert found["int8"] > found["int4"] > 10
