"""Recipes: the Python on the page is Python, says what the record says, and trains the same adapter again."""

import ast
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.adapt.adapters import DOWNLOADABLE, Adapter, Record
from playground.adapt.methods import METHODS
from playground.adapt.tasks import OWN, TASK_IDS, Example, Task, read_file
from playground.model import bases
from playground.model.catalogue import CATALOGUE
from playground.train.job import TrainingJob
from playground.train.recipe import python
from playground.train.training import train
from tests.conftest import model_of
from tests.families import logits, one_thread, tiny_base  # noqa: F401

LAW = settings(deadline=None, derandomize=True, database=None)


def record(method_id: Any = "lora", task: Any = "pirate", values: Any = None, **changed: Any) -> Any:
    values = METHODS[method_id].complete(values or {})
    return replace(Record("smollm2-135m", method_id, task, values, 3, 12, 460_800, 134_975_808, 1_843_200), **changed)


def job_in(script: Any) -> Any:
    """The keyword arguments of the script's TrainingJob, as the values that Python would give them."""
    (call,) = [
        node
        for node in ast.walk(ast.parse(script))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "TrainingJob"
    ]
    task = next(keyword.value for keyword in call.keywords if keyword.arg == "task")
    plain = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg != "task"}
    return {**plain, "task": ast.unparse(task)}


@pytest.mark.parametrize("task", [*TASK_IDS, OWN])
@pytest.mark.parametrize("method_id", METHODS)
def test_a_recipe_is_the_job_of_its_record(method_id: Any, task: Any) -> None:
    told = record(method_id, task)
    job = job_in(python(told))
    assert job.pop("task") == ("read_file('my-examples.csv')" if task == OWN else f"task('{task}')")
    assert job == {key: getattr(told, key) for key in ("base", "method", "hyperparameters", "steps", "seed")}


@pytest.mark.parametrize("task", ["pirate", OWN])
@pytest.mark.parametrize("method_id", METHODS)
def test_a_recipe_imports_what_it_uses_and_uses_what_it_imports(method_id: Any, task: Any) -> None:
    tree = ast.parse(python(record(method_id, task)))
    imported = [name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for name in node.names]
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert len(imported) == len(set(imported))
    assert set(imported) <= used
    assigned = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    assert used <= {*imported, *assigned}


@pytest.mark.parametrize("method_id", METHODS)
def test_only_what_peft_can_load_is_loaded_with_peft(method_id: Any) -> None:
    assert ("PeftModel.from_pretrained" in python(record(method_id))) == (method_id in DOWNLOADABLE)


@pytest.mark.parametrize("base_id", ["smollm2-135m", "smollm2-135m:nf4_double", "smollm2-135m-hub"])
def test_peft_is_given_the_models_own_repository(base_id: str) -> None:
    assert "AutoModelForCausalLM.from_pretrained('HuggingFaceTB/SmolLM2-135M-Instruct')" in python(record(base=base_id))


@LAW
@given(words=st.text(max_size=40))
def test_a_text_to_start_from_comes_back_as_it_was_typed(words: Any) -> None:
    values = {"initialization": "text", "initialization_text": words}
    assert job_in(python(record("prompt_tuning", values=values)))["hyperparameters"]["initialization_text"] == words


@pytest.mark.parametrize("words", ["task('own')", "import task\n", '"""', "{steps}", "'; import os; '", "{", "\\", "\u2028"])
def test_a_text_that_looks_like_the_recipe_is_still_a_text(words: str) -> None:
    values = {"initialization": "text", "initialization_text": words}
    for task in ("pirate", OWN):
        job = job_in(python(record("prompt_tuning", task, values)))
        assert job["hyperparameters"]["initialization_text"] == words


# Running it


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A tiny base that recipes find in the catalogue, whose repository is its own folder."""
    made = tiny_base("llama", tmp_path / "model")
    made = replace(made, spec=replace(made.spec, repository=str(tmp_path / "model")))
    monkeypatch.setitem(CATALOGUE, made.id, made.spec)
    monkeypatch.setattr(bases.BASES, "get", lambda base_id: made)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def lessons(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A short task that recipes find under the name of a shipped one."""
    examples = [Example(f"say {word}", f"{word}!") for word in ("one", "two", "three", "four", "five", "six", "seven")]
    short = Task("pirate", tuple(examples[:5]), tuple(examples[5:]))
    monkeypatch.setattr("playground.adapt.tasks.task", lambda task_id: short)
    return short


def trained(base: bases.Base, task: Any, method_id: Any, values: Any, steps: Any, stop_after: Any = None) -> Any:
    asked = itertools.count()
    stop = (lambda: False) if stop_after is None else (lambda: next(asked) >= stop_after)
    *_, ended = train(TrainingJob(base.id, method_id, task, values, steps, seed=5), lambda base_id: base, stop)
    return ended.adapter


def run(script: Any) -> Any:
    names: dict[str, Any] = {}
    exec(compile(script, "recipe.py", "exec"), names)
    return names


def same(one: Any, other: Any) -> Any:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("method_id", "values"),
    [
        ("lora", {"rank": 3, "targets": "all_linear", "dropout": 0.2}),
        ("lora", {"dora": True, "rslora": True}),
        ("prompt_tuning", {"virtual_tokens": 4}),
        ("prompt_tuning", {"initialization": "text", "initialization_text": 'Say it\'s "loud"!', "virtual_tokens": 5}),
        ("ia3", {}),
        ("full_fine_tuning", {}),
    ],
    ids=str,
)
def test_running_a_recipe_trains_the_same_adapter_again(
    base: bases.Base, lessons: Any, method_id: str, values: dict[str, Any]
) -> None:
    adapter = trained(base, lessons, method_id, values, steps=3)
    again = run(python(adapter.record))["ended"].adapter
    assert again.tensors
    assert same(again.tensors, adapter.tensors)
    assert again.record.losses == adapter.record.losses


def test_running_a_few_shot_recipe_picks_the_same_examples(base: bases.Base, lessons: Any) -> None:
    adapter = trained(base, lessons, "few_shot", {"examples": 3}, steps=None)
    assert run(python(adapter.record))["ended"].adapter.record.shots == adapter.record.shots


@pytest.mark.parametrize("method_id", ["lora", "prompt_tuning", "ia3"])
def test_the_model_that_a_recipe_ends_with_answers_as_the_pane_does(base: bases.Base, lessons: Any, method_id: str) -> None:
    adapter = trained(base, lessons, method_id, {}, steps=2)
    loaded = run(python(adapter.record))["model"].eval()
    assert torch.equal(logits(loaded), logits(model_of(base, adapter)))


def test_running_the_recipe_of_a_stopped_run_gives_the_adapter_that_was_kept(base: bases.Base, lessons: Any) -> None:
    adapter = trained(base, lessons, "lora", {}, steps=8, stop_after=5)
    assert adapter.record.steps == 5
    assert same(run(python(adapter.record))["ended"].adapter.tensors, adapter.tensors)


def test_running_the_recipe_of_a_visitors_own_data_reads_the_file(base: bases.Base, tmp_path: Path) -> None:
    rows = [f"say {n},{n}!" for n in range(10)]
    (tmp_path / "my-examples.csv").write_text("\n".join(rows))
    adapter = trained(base, read_file(tmp_path / "my-examples.csv"), "ia3", {}, steps=2)
    assert isinstance(adapter, Adapter)
    assert same(run(python(adapter.record))["ended"].adapter.tensors, adapter.tensors)
