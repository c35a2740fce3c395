"""The README in a zip: a model card that the hub's own reader takes, whose code runs, whose recipe lies beside it."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from playground.actions.export import beside, download
from playground.adapt.archive import files_of
from playground.adapt.library import examples
from playground.adapt.tasks import Example, Task
from playground.export.card import card
from playground.locales import LANGUAGES
from playground.model.catalogue import CATALOGUE, typed
from tests.families import one_thread, tiny_base, trained  # noqa: F401


def data_of(found: ModelCard) -> dict[str, Any]:
    told: Any = found.data
    return dict(told.to_dict())


SCORES = {"held_out_loss": 2.34567, "score": 0.875, "forgetting": None}
HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("adapter_id", list(examples()))
def test_every_ready_made_adapter_has_a_valid_card(adapter_id: str, language: str) -> None:
    adapter = examples()[adapter_id]
    found = ModelCard(card(adapter, SCORES, language))
    data = data_of(found)
    assert (data["library_name"], data["base_model"], data["pipeline_tag"]) == ("peft", HUB, "text-generation")
    assert f"base_model:adapter:{HUB}" in data["tags"]
    (results,) = data["model-index"]
    assert {one["type"]: one["value"] for one in results["results"][0]["metrics"]} == {"loss": 2.3457, "score": 0.875}
    assert data_of(ModelCard(str(found))) == data  # as it is written again
    rows = [line.strip("| ").split(" | ") for line in found.text.splitlines() if line.startswith("| ")][1:]
    assert all(len(row) == 2 for row in rows)  # what was left empty has no row
    assert not {"True", "False", "None", *adapter.record.hyperparameters} & {one for row in rows for one in row}
    assert "\\_" not in "".join(one for row in rows for one in row)  # nothing by its internal name
    assert "{" not in re.sub(r"```python.*?```", "", found.text, flags=re.DOTALL)  # nothing was left to fill in


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["460,800 of 134,975,808", "| Learning rate | 0.01 |", "queries and values", "| no |", "2 threads", "1.932"]),
        ("es", ["460 800 de 134 975 808", "aprendizaje | 0,01 |", "consultas y valores", "| no |", "2 hilos", "1,932"]),
    ],
)
def test_a_card_writes_numbers_and_settings_as_the_page_does(language: str, said: list[str]) -> None:
    made = examples()["pirate-lora"]
    made = replace(made, record=replace(made.record, hardware="CPU, 2 threads, x86_64", held_out=[(0, 4.0), (24, 1.9321)]))
    written = card(made, {}, language).replace("\N{NO-BREAK SPACE}", " ")
    assert [one for one in said if one not in written] == []


def test_words_of_a_visitor_are_no_markup_and_no_metadata() -> None:
    adapter = replace(examples()["pirate-lora"], name="]( <script>\n---\nlicense: mit\n# `x`")
    found = ModelCard(card(adapter, {}, "en"))
    assert "license" not in data_of(found)
    assert "<script>" not in found.text.replace("\\<", "")
    assert len(re.findall(r"^# ", found.text, re.MULTILINE)) == 1


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = tiny_base("llama", tmp_path / "model")
    made = replace(made, spec=replace(made.spec, repository=str(tmp_path / "model")))
    monkeypatch.setitem(CATALOGUE, made.id, made.spec)
    monkeypatch.chdir(tmp_path)
    return made


def test_a_folder_on_this_machine_is_no_base_of_the_hub(base: Any) -> None:
    assert "base_model" not in data_of(ModelCard(card(trained(base, "lora")[0], {}, "en")))


def test_its_code_loads_the_adapter_and_answers(base: Any, tmp_path: Path, capsys: Any) -> None:
    from playground.adapt.adapters import save

    adapter = trained(base, "lora")[0]
    save(adapter, tmp_path / "adapter")
    (code,) = re.findall(r"```python\n(.*?)```", card(adapter, {}, "es"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code.replace('"."', '"adapter"').replace("max_new_tokens=64", "max_new_tokens=4"), names)
    assert names["model"].peft_config["default"].r == adapter.record.hyperparameters["rank"]
    assert names["written"].shape[1] > names["read"]["input_ids"].shape[1]


def test_a_zip_holds_what_makes_it_again_and_comes_back_as_an_upload(tmp_path: Path) -> None:
    path = Path(download("", "pirate-lora", "Mine", "es"))
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        task = archive.read("pirate.jsonl").decode().splitlines()
        assert 'open("pirate.jsonl"' in archive.read("recipe.py").decode()
    assert sorted(names) == [
        "README.md", "adapter_config.json", "adapter_model.safetensors", "pirate.jsonl", "recipe.ipynb", "recipe.py",
        "record.json",
    ]  # fmt: skip
    assert {json.loads(line)["split"] for line in task} == {"train", "held_out"}
    assert sorted(files_of(path)) == ["adapter_config.json", "adapter_model.safetensors", "record.json"]


def test_a_typed_base_s_adapter_has_the_script_that_the_page_shows(tmp_path: Path) -> None:
    base = tiny_base("llama", tmp_path / "tiny-llama")
    spec = replace(base.spec, id="folder-0123456789", source="local", repository=str(tmp_path / "tiny-llama"))
    made = trained(base, "lora")[0]
    made = replace(made, record=replace(made.record, base=spec.id))
    assert "recipe.py" not in beside("", made, "en")  # nobody has that base here, so nothing is known of it
    kept = typed(spec)
    assert f"BASE = {kept.repository!r}" in beside("", made, "en")["recipe.py"]


def test_own_examples_are_in_no_file_beside_an_adapter() -> None:
    secret = Task("own", (Example("my secret", "is this"),), ())
    made = examples()["pirate-lora"]
    own = replace(made, record=replace(made.record, task="own"), examples=secret)
    found = beside("", own, "en")
    assert sorted(found) == ["README.md", "recipe.ipynb", "recipe.py"]
    assert "secret" not in "".join(found.values())


@pytest.mark.parametrize("changed", [{"task": ""}, {"mix": {"rule": "cat"}}, {"converted": {"from": "loha"}}, {"steps": 0}])
def test_what_no_run_made_has_no_recipe(changed: dict[str, Any]) -> None:
    made = examples()["pirate-lora"]
    assert list(beside("", replace(made, record=replace(made.record, **changed)), "en")) == ["README.md"]
