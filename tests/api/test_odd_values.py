"""
Whatever a program sends: one sentence about what is wrong, before any work.
"""

from __future__ import annotations

import inspect
from typing import Any

import gradio as gr
import pytest

from playground import locales
from playground.model.bases import Base
from playground.ui.api.another import ENDPOINTS as ANOTHER
from playground.ui.api.catalogue import ENDPOINTS as CATALOGUE
from playground.ui.api.endpoints import build_api
from playground.ui.api.lowrank import ENDPOINTS as LOW_RANK
from playground.ui.api.many import ENDPOINTS as MANY
from playground.ui.api.mix import ENDPOINTS as MIX
from playground.ui.api.own import ENDPOINTS as OWN
from playground.ui.api.prune import ENDPOINTS as PRUNE
from playground.ui.api.quantize import ENDPOINTS as MORE
from playground.ui.api.served import ServedBlocks
from tests.api.calling import awaited

BASE = "smollm2-135m"
SOUND: dict[str, dict[str, Any]] = {  # values of all endpoints that have no default
    "examine_base": {"base": "tiny/llama"},
    "load_base": {"base": BASE},
    "fetch_adapter": {"adapter": "tiny/lora", "base": BASE},
    "count_parameters": {"base": BASE, "method": "lora"},
    "train": {"base": BASE, "method": "lora", "task": "pirate"},
    "compare": {"base": BASE, "prompt": "Hello?", "adapters": ["base"]},
    "answers": {"base": BASE, "prompt": "Hello?", "adapters": ["base"]},
    "low_rank": {"adapter": "pirate-lora"},
    "truncate": {"adapter": "pirate-lora", "prompt": "Hello?"},
    "soft_prompt": {"adapter": "pirate-prompt_tuning"},
    "mix": {"adapters": ["pirate-lora", "json-lora"], "weights": [1, 0.5]},
    "anatomy": {"format": "int8", "value": 0.5},
    "quantize": {"base": BASE},
    "survey": {"base": BASE},
    "ladder": {"base": BASE},
    "prune": {"base": BASE},
    "download_adapter": {"adapter": "pirate-lora"},
    "examples": {"base": BASE, "own": {"rows": [["a", "b"]]}},
    "upload_adapter": {"zip_file": None, "base": BASE},
}


def nested(depth: int) -> list[Any]:
    return [nested(depth - 1)] if depth else []


ODD: dict[str, Any] = {
    "null": None, "true": True, "number": 5, "fraction": -1.5, "tiny": 1e-300, "huge": 1e300, "endless": 10**400,
    "nan": float("nan"), "infinite": float("inf"), "half": "cut \ud83d", "long": "x" * 100_000, "empty": "",
    "list": [], "other list": [None, {}, "\ud800"], "deep": nested(150), "object": {}, "other object": {"\ud800": [None]},
}  # fmt: skip
MEANT = {  # what is not odd for a type, and for some parameters
    int: {"number"}, float: {"number"}, bool: {"true"}, list[Any]: {"list"}, dict[str, Any]: {"object"},
    int | None: {"null", "number"}, str: set(),
}  # fmt: skip
MEANT_TOO = {
    ("anatomy", "value"): {"fraction", "tiny"},
    ("truncate", "strength"): {"tiny"},
    ("prune", "percent"): {"tiny"},
    ("low_rank", "module"): {"empty"},
    ("quantize", "module"): {"empty"},
    ("ladder", "module"): {"empty"},
    ("quantize", "granularity"): {"empty"},
}
NOT_MEANT = {
    ("mix", "adapters"): {"list"},
    ("mix", "weights"): {"list"},
    ("mix", "density"): {"number"},
    ("compare", "adapters"): {"list"},
    ("compare", "temperature"): {"number"},
    ("answers", "adapters"): {"list"},
    ("answers", "temperature"): {"number"},
}


with ServedBlocks() as PAGE:  # the endpoints alone
    build_api({**CATALOGUE, **LOW_RANK, **MANY, **MIX, **OWN, **ANOTHER, **PRUNE, **MORE})
ENDPOINTS = {str(one.api_name): one for one in PAGE.fns.values() if one.api_visibility == "public"}


def values(name: str) -> dict[str, tuple[Any, Any]]:
    """The annotation and a sound value of every parameter."""
    taken = inspect.signature(ENDPOINTS[name].fn, eval_str=True).parameters.values()
    known = SOUND.get(name, {})
    return {one.name: (one.annotation, known.get(one.name, one.default)) for one in taken if one.name != "request"}


def said(name: str, given: list[Any], language: str = "en") -> str:
    """The sentence of a refusal."""
    request = gr.Request(session_hash="odd", headers={"accept-language": language})
    with pytest.raises(gr.Error) as refused:
        awaited(PAGE.process_api(ENDPOINTS[name], given, request=request))
    return str(refused.value.message)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_parameter_is_told_what_is_odd_about_a_value(name: str, base: Base) -> None:
    taken = values(name)
    for place, (parameter, (kind, _)) in enumerate(taken.items()):
        meant = MEANT[kind] | MEANT_TOO.get((name, parameter), set())
        for what in ODD.keys() - meant | NOT_MEANT.get((name, parameter), set()):
            given = [value for _, value in taken.values()]
            given[place] = ODD[what]
            sentence = said(name, given)
            assert sentence.encode().endswith(b"."), (parameter, what, sentence)
            assert len(sentence) < 1500, (parameter, what)
            assert "went wrong inside" not in sentence, (parameter, what)


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_what_is_missing_is_named_with_all_that_is_taken(name: str, language: str) -> None:
    first, *_ = taken = list(values(name))
    assert said(name, [], language) == locales.text(
        language, "error.value_missing", name=first, endpoint=f"/{name}", parameters=", ".join(taken)
    )


@pytest.mark.parametrize("name", ENDPOINTS)
def test_values_that_nobody_takes_are_not_passed_over(name: str) -> None:
    taken = list(values(name))
    assert said(name, [None] * (len(taken) + 1)).endswith(f"/{name} takes: [{', '.join(taken)}].")
    assert str(len(taken) + 1) in said(name, [None] * (len(taken) + 1))


@pytest.mark.parametrize("value", ["eight", None, 1e-300, 10**400, [8], {}])
def test_hyperparameters_are_looked_at_one_by_one(value: Any) -> None:
    assert "rank must be" in said("count_parameters", [BASE, "lora", {"rank": value}])
    assert "dora must be" in said("count_parameters", [BASE, "lora", {"dora": value}])


def test_whole_numbers_may_be_written_as_javascript_writes_them() -> None:
    request = gr.Request(session_hash="odd")
    found = awaited(PAGE.process_api(ENDPOINTS["accumulate"], [127.0, 1.0], request=request))
    assert found["data"][0]["addition"]["result"] == -128
