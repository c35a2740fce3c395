"""Recipes: plain Python that needs no line of this project, says what the record says, and trains the same adapter again."""

import ast
import builtins
import itertools
import json
import re
import tomllib
import zipfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file

from playground.actions.export import export
from playground.adapt.adapters import CONFIG, WEIGHTS, Adapter, Record, config_json
from playground.adapt.methods import DOWNLOADABLE, FRONT, METHODS
from playground.adapt.own import as_lines, task_of
from playground.adapt.tasks import OWN, OWN_FILE, TASK_IDS, Example, Task, task
from playground.adapt.uploads import unpack
from playground.data import tables
from playground.data.given import Given
from playground.locales import LANGUAGES, text
from playground.model import bases
from playground.model.catalogue import CATALOGUE
from playground.train.job import TrainingJob
from playground.train.notebook import notebook
from playground.train.recipe import python
from playground.train.training import train
from playground.work.sessions import SESSIONS
from tests.conftest import model_of
from tests.families import logits, one_thread, tiny_base  # noqa: F401

LAW = settings(deadline=None, derandomize=True, database=None)
NUMBERS = ("SEED", "STEPS", "DONE", "BATCH", "RATE")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny_base("llama", tmp_path_factory.mktemp("model"))


def adapter(tiny: Any, method_id: Any = "lora", task: Any = "pirate", values: Any = None, **changed: Any) -> Adapter:
    """One that was never trained, as a run on the embedded base would have made it."""
    chosen = METHODS[method_id]
    values = chosen.complete(values or {})
    record = Record("smollm2-135m", method_id, task, values, 3, 12, 460_800, 134_975_808, 1_843_200, planned_steps=12)
    config = config_json(chosen.config(tiny, values), tiny.spec.repository) if chosen.config else None
    return Adapter("one", replace(record, **changed), config)


def assigned(script: str) -> dict[str, Any]:
    """The values of the script's settings, as Python would give them."""
    found: dict[str, Any] = {}
    for node in ast.parse(script).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Tuple):
            names = [one.id for one in ast.walk(node.targets[0]) if isinstance(one, ast.Name)]
            value = ast.literal_eval(node.value)
            found |= dict(zip(names, value if isinstance(value, tuple) else [value], strict=True))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", [*TASK_IDS, OWN])
@pytest.mark.parametrize("method_id", FRONT)
def test_a_recipe_says_what_its_record_says_and_needs_no_line_of_this_project(
    tiny: Any, method_id: Any, task: Any, language: str
) -> None:
    made = adapter(tiny, method_id, task, questions=["Why?"])
    script = python(made, language)
    found, values = assigned(script), made.record.hyperparameters
    assert found["BASE"] == CATALOGUE["smollm2-135m"].repository
    if method_id == "few_shot":
        assert (found["SEED"], found["EXAMPLES"], found["QUESTION"]) == (3, values["examples"], "Why?")
    else:
        assert [found[name] for name in NUMBERS] == [3, 12, 12, values["batch_size"], values["learning_rate"]]
    assert (OWN_FILE in script) == (task == OWN)
    assert (f"open('{task}.jsonl'" in script.replace('"', "'")) == (task != OWN)


@pytest.mark.parametrize("task", ["pirate", OWN])
@pytest.mark.parametrize(
    ("method_id", "values"), [*((one, {}) for one in FRONT), ("lora", {"rate_ratio": 4.0}), ("oft", {})]
)
def test_a_recipe_imports_what_it_uses_and_uses_what_it_imports(tiny: Any, method_id: Any, values: Any, task: Any) -> None:
    tree = ast.parse(python(adapter(tiny, method_id, task, values), "en"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules <= {"peft", "peft.optimizers", "transformers"}
    imported = [name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import) for name in node.names]
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert len(imported) == len(set(imported))
    assert set(imported) <= used
    assert set(imported) <= {
        "json",
        "math",
        "os",
        "random",
        "torch",
        *dir(__import__("peft")),
        "create_loraplus_optimizer",
        *dir(__import__("transformers")),
    }
    made = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    made |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    made |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    assert used <= {*imported, *made, *dir(builtins)}


@pytest.mark.parametrize("method_id", FRONT)
def test_only_what_peft_can_load_is_said_to_be_loaded_with_peft(tiny: Any, method_id: Any) -> None:
    assert ("PeftModel.from_pretrained" in python(adapter(tiny, method_id), "en")) == (method_id in DOWNLOADABLE)


@pytest.mark.parametrize("base_id", ["smollm2-135m", "smollm2-135m:nf4_double", "smollm2-135m:int4"])
def test_a_base_in_fewer_bits_is_read_so_where_bitsandbytes_has_the_form_and_said_to_be_none_where_not(
    tiny: Any, base_id: str
) -> None:
    script = python(adapter(tiny, base=base_id), "en")
    assert ("load_in_4bit=True" in script) == (base_id == "smollm2-135m:nf4_double")
    assert ("rounded the linear layers to" in script) == (base_id == "smollm2-135m:int4")


@pytest.mark.parametrize(("language", "said"), [("en", "weights in bfloat16 while"), ("es", "congelados en bfloat16 al")])
def test_a_run_whose_products_were_rounded_says_that_the_script_does_not_round_them(
    tiny: Any, language: str, said: str
) -> None:
    assert said in python(adapter(tiny, precision="bfloat16"), language)
    assert "bfloat16" not in python(adapter(tiny), language)


@LAW
@given(words=st.text(max_size=40))
def test_a_text_to_start_from_comes_back_as_it_was_typed(tiny: Any, words: Any) -> None:
    assert initialization(tiny, words) == (words.strip() and words)


@pytest.mark.parametrize("words", ["task('own')", "import task\n", '"""', "{steps}", "'; import os; '", "{", "\\", "\u2028"])
def test_a_text_that_looks_like_the_recipe_is_still_a_text(tiny: Any, words: str) -> None:
    assert initialization(tiny, words) == (words.strip() and words)


def initialization(tiny: Any, words: str) -> Any:
    """The text to start from that the script gives to PEFT; "" where it is none that can be trained with."""
    if not words.strip():
        return ""
    values = {"initialization": "text", "initialization_text": words}
    (call,) = [
        node
        for node in ast.walk(ast.parse(python(adapter(tiny, "prompt_tuning", values=values), "en")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "PromptTuningConfig"
    ]
    (found,) = [one.value for one in call.keywords if one.arg == "prompt_tuning_init_text"]
    return ast.literal_eval(found)


# Running it


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A tiny base whose repository is its own folder, and a folder to run scripts in."""
    made = tiny_base("llama", tmp_path / "model")
    made = replace(made, spec=replace(made.spec, repository=str(tmp_path / "model")))
    monkeypatch.setitem(CATALOGUE, made.id, made.spec)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def lessons(tmp_path: Path) -> Any:
    """A short task, and the file of it that a recipe reads."""
    examples = [Example(f"say {word}", f"{word}!") for word in ("one", "two", "three", "four", "five", "six", "seven")]
    short = Task("pirate", tuple(examples[:5]), tuple(examples[5:]))
    rows = [{"split": split, **vars(one)} for split in ("train", "held_out") for one in getattr(short, split)]
    (tmp_path / "pirate.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return short


def trained(base: bases.Base, task: Any, method_id: Any, values: Any, steps: Any, stop_after: Any = None) -> Any:
    asked = itertools.count()
    stop = (lambda: False) if stop_after is None else (lambda: next(asked) >= stop_after)
    *_, ended = train(TrainingJob(base.id, method_id, task, values, steps, seed=5), lambda base_id: base, stop)
    return ended.adapter


def run(made: Adapter, language: str = "en") -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(python(made, language), "recipe.py", "exec"), names)
    return names


def assert_same(found: Any, made: Adapter) -> None:
    """The script's loss is transformers' own, over all positions: equal but for the order of a sum."""
    assert found["losses"] == pytest.approx([loss for _, loss in made.record.losses], rel=1e-4)
    state = found["model"].state_dict() if made.config is None else get_peft_model_state_dict(found["model"])
    for name, tensor in made.tensors.items():
        torch.testing.assert_close(state[name], tensor, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize(
    ("method_id", "values"),
    [
        ("lora", {"rank": 3, "targets": "all_linear", "dropout": 0.2}),
        ("lora", {"dora": True, "rslora": True, "batch_size": 2, "learning_rate": 3e-3}),
        ("lora", {"ranks": "q_proj 0: 2/6; 1: 5", "targets": "attention"}),
        ("lora", {"initialization": "pissa"}),
        ("lora", {"initialization": "olora", "targets": "all_linear", "rslora": True, "rank": 3}),
        ("lora", {"initialization": "eva", "dropout": 0.2}),
        ("lora", {"initialization": "orthogonal"}),
        ("prompt_tuning", {"virtual_tokens": 4}),
        ("prompt_tuning", {"initialization": "text", "initialization_text": 'Say it\'s "loud"!', "virtual_tokens": 5}),
        ("ia3", {}),
        ("pvera", {"rank": 8}),  # draws while it is trained
        ("full_fine_tuning", {}),
    ],
    ids=str,
)
def test_running_a_recipe_trains_the_same_adapter_again(
    base: bases.Base, lessons: Any, tmp_path: Path, method_id: str, values: dict[str, Any]
) -> None:
    made = trained(base, lessons, method_id, values, steps=3)
    found = run(made)
    if made.record.undone:  # PEFT trains what it took out of the base, and converts when it saves
        assert found["losses"] == pytest.approx([loss for _, loss in made.record.losses], rel=1e-4)
        saved = load_file(tmp_path / "my-adapter" / WEIGHTS)
        assert saved.keys() == made.tensors.keys()
        for name, tensor in made.tensors.items():
            torch.testing.assert_close(saved[name], tensor, rtol=1e-2, atol=1e-4)
    else:
        assert_same(found, made)


def test_adalora_by_peft_alone_is_trained_alike_and_its_cut_tensors_are_an_upload(
    base: bases.Base, lessons: Any, tmp_path: Path
) -> None:
    made = trained(base, lessons, "adalora", {"rank": 2, "initial_rank": 4, "learning_rate": 0.05}, steps=8)
    found = run(made)
    assert found["losses"] == pytest.approx([loss for _, loss in made.record.losses], rel=1e-4)
    left = {name: int(tensor.count_nonzero()) for name, tensor in made.tensors.items() if name.endswith(".lora_E")}
    assert sum(left.values()) == 2 * len(left)  # the target, as a mean
    saved = load_file(tmp_path / "my-adapter" / WEIGHTS)
    assert {name: len(saved[name]) for name in left} == left
    with zipfile.ZipFile(tmp_path / "cut.zip", "w") as archive:
        for name in (CONFIG, WEIGHTS):
            archive.write(tmp_path / "my-adapter" / name, name)
    given = unpack(tmp_path / "cut.zip", base, "new")
    assert given.record.trainable_parameters == made.record.trainable_parameters
    of_peft = PeftModel.from_pretrained(base.view(), tmp_path / "my-adapter").eval()
    torch.testing.assert_close(logits(model_of(base, given)), logits(of_peft), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits(model_of(base, given)), logits(model_of(base, made)), rtol=1e-2, atol=1e-3)


def test_what_a_recipe_saves_is_what_the_page_lets_download(base: bases.Base, lessons: Any, tmp_path: Path) -> None:
    made = trained(base, lessons, "lora", {}, steps=2)
    run(made)
    saved = load_file(tmp_path / "my-adapter" / WEIGHTS)
    assert {name: tensor.shape for name, tensor in saved.items()} == {
        name: tensor.shape for name, tensor in made.tensors.items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_its_examples_a_recipe_says_where_they_are_to_be_had(base: bases.Base, lessons: Any, language: str) -> None:
    made = trained(base, lessons, "ia3", {}, steps=1)
    Path("pirate.jsonl").unlink()
    with pytest.raises(SystemExit) as stopped:
        run(made, language)
    assert "pirate.jsonl" in str(stopped.value)
    assert text(language, "home.kind.examples") in str(stopped.value)
    kept = "an-id"
    SESSIONS.add("who-takes-home", replace(made, id=kept))
    written = Path(export("who-takes-home", kept, "examples"))
    assert (written.name, written.read_text()) == ("pirate.jsonl", as_lines(task("pirate")))
    SESSIONS.get("who-takes-home").library.clear()


def test_running_a_few_shot_recipe_asks_with_the_same_examples(base: bases.Base, lessons: Any) -> None:
    made = trained(base, lessons, "few_shot", {"examples": 3}, steps=None)
    found = run(made)
    assert [tuple(shot) for shot in found["shots"]] == made.record.shots
    assert isinstance(found["answer"], str)


def test_running_the_recipe_of_a_stopped_run_gives_the_adapter_that_was_kept(base: bases.Base, lessons: Any) -> None:
    made = trained(base, lessons, "lora", {}, steps=8, stop_after=5)
    assert made.record.steps == 5
    assert_same(run(made), made)


def test_running_the_recipe_of_a_checkpoint_stops_there(base: bases.Base, lessons: Any) -> None:
    made = trained(base, lessons, "lora", {}, steps=8)
    early = made.at(3)
    found = run(early)
    assert found["losses"] == pytest.approx([loss for _, loss in made.record.losses[:3]], rel=1e-4)
    assert len(found["losses"]) == 3


# The same as a notebook, and for uv


def test_running_the_cells_of_the_notebook_trains_the_same_adapter_too(base: bases.Base, lessons: Any) -> None:
    made = trained(base, lessons, "lora", {"initialization": "eva"}, steps=2)
    read = json.loads(notebook(made, "es"))
    assert (read["nbformat"], read["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in read["cells"]]
    assert len(set(ids)) == len(ids) > 5
    (title, install, *cells) = read["cells"]
    assert (title["cell_type"], set(title)) == ("markdown", {"cell_type", "id", "metadata", "source"})
    assert "".join(install["source"]).startswith("%pip install -q torch==")
    names: dict[str, Any] = {}
    for cell in cells:
        assert (cell["cell_type"], cell["outputs"], cell["execution_count"]) == ("code", [], None)
        exec("".join(cell["source"]), names)
    assert_same(names, made)


@pytest.mark.parametrize("method_id", FRONT)
def test_its_head_pins_for_uv_what_it_imports_as_the_record_has_it(tiny: Any, method_id: str) -> None:
    made = adapter(tiny, method_id, versions={"torch": "2.13.0+cpu", "transformers": "5.1.2", "peft": "x; y"})
    script = python(made, "en")
    # PEP 723's own expression
    (head,) = re.findall(r"(?m)^# /// script$\s(?:(?:^#(?:| .*)$\s)+)^# ///$", script)
    told = tomllib.loads("\n".join(line[2:] for line in head.splitlines()[1:-1]))
    assert told["requires-python"] == ">=3.11"
    pins = dict(one.split("==") for one in told["dependencies"])
    assert (pins["torch"], pins["transformers"]) == ("2.13.0", "5.1.2")
    assert pins.get("peft", version("peft")) == version("peft")  # what is no version is taken from here
    assert set(pins) >= {name for name in ("torch", "transformers", "peft") if f"\nfrom {name} " in script}
    assert ("bitsandbytes" in pins) == ("BitsAndBytesConfig" in script)


FILES = {
    "commas.csv": "prompt,response\n" + "\n".join(f'"say {n}, {n}", {n}! ' for n in range(10)),
    "tabs.tsv": "\n".join(f"say {n},5?\t{n},5; again" for n in range(10)),
    "semicolons and decimal commas.csv": "Respuesta;Pregunta\n" + "\n".join(f"{n},5;¿{n},5 por 1?" for n in range(10)),
    "objects.jsonl": "\n".join(json.dumps({"prompt": f"say\n{n}\u2028", "response": f"{n}"}) for n in range(10)),
    "a prompt twice.csv": "\n".join(f"say {n % 9};{n}!" for n in range(10)),
}


@pytest.mark.parametrize("name", FILES)
def test_running_the_recipe_of_own_examples_reads_exactly_the_pairs_that_were_read(
    base: bases.Base, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    made = trained(base, task_of(tables.read(Given(file=str(tmp_path / name)))), "ia3", {}, steps=2)
    assert made.examples is not None
    (tmp_path / OWN_FILE).write_text(as_lines(made.examples), encoding="utf-8")
    found = run(made)
    assert found["rows"] == [(one.prompt, one.response) for one in made.examples.train]
    assert_same(found, made)


def test_running_the_recipe_of_own_shots_asks_with_them(base: bases.Base, tmp_path: Path) -> None:
    made = trained(base, task_of(tables.read(Given(pasted=FILES["tabs.tsv"]))), "few_shot", {"examples": 3}, steps=None)
    assert made.examples is not None
    (tmp_path / OWN_FILE).write_text(as_lines(made.examples), encoding="utf-8")
    assert [tuple(shot) for shot in run(made)["shots"]] == made.record.shots
