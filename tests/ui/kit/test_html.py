"""The header: hostile text stays text, both languages speak, and it says how the model is doing."""

from typing import Any

import pytest

from playground.locales import LANGUAGES, NO_BREAK, machine
from playground.ui.kit.html import header, model_state
from playground.work.places import HERE, Where
from tests.ui.drawn import (
    Page,
    assert_laws,
    assert_shown_as_text,
    both_languages,
)


def ready(**changed: Any) -> Any:
    return {"state": "ready", "name": "SmolLM2", "device": "CPU", "dtype": "float32", "fraction": None, **changed}


RAY = Where("ray", {"count": 1, "whole": 2, "devices": "Tesla T4"})
PLACES = {
    "the model's name": lambda evil, lang: header(ready(name=evil), lang),
    "the device": lambda evil, lang: header(ready(device=evil), lang),
    "where work runs": lambda evil, lang: header(ready(where=Where("ray", {**RAY.values, "devices": evil})), lang),
    "the dtype": lambda evil, lang: header(ready(dtype=evil), lang),
    "why loading failed": lambda evil, lang: header(ready(state="failed", message=evil), lang),
    "what is being loaded": lambda evil, lang: header(ready(state="loading", name=evil), lang),
}  # fmt: skip


@both_languages
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_hostile_text_is_shown_as_text_and_never_obeyed(place: Any, language: Any) -> None:
    assert_shown_as_text(place, language)


HEADERS = [
    ready(),
    ready(notes=("experts", "no_bfloat16")),
    ready(where=HERE),
    ready(where=RAY),
    ready(state="loading"),
    ready(state="preparing", fraction=0.42),
    ready(state="preparing", fraction=None),
    ready(state="failed", message=""),
]


def everything(language: Any) -> Any:
    """The header in every state."""
    yield from (header(one, language) for one in HEADERS)


def test_every_piece_in_every_state_keeps_the_laws() -> None:
    assert_laws(everything)


def test_the_language_of_the_page_is_marked_among_the_others() -> None:
    for language in LANGUAGES:
        links = [one for tag, one in Page(header(ready(), language)).elements if tag == "a"]
        assert [one["lang"] for one in links] == list(LANGUAGES)
        assert [one["lang"] for one in links if one.get("aria-current") == "true"] == [language]


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (ready(), "SmolLM2 · CPU · float32"),
        (ready(device="", dtype="NF4"), "SmolLM2 · NF4"),
        (ready(device="Tesla T4", notes=("no_bfloat16",)), "SmolLM2 · Tesla T4 · float32 · this GPU has no bfloat16"),
        (ready(where=HERE), "SmolLM2 · CPU · float32"),
        (ready(where=RAY), "SmolLM2 · CPU · float32 · trainings and answers on 1 of 2 Ray workers (Tesla T4)"),
        (ready(state="loading"), "loading SmolLM2"),
        (ready(state="preparing", fraction=0.426), "preparing SmolLM2 · 43\N{NO-BREAK SPACE}%"),
        (ready(state="failed", message="No network."), "No network."),
        (ready(state="failed", message=""), "The model could not be loaded"),
    ],
)
def test_the_header_says_how_the_model_is_doing(status: Any, line: str) -> None:
    assert model_state(status, "en") == line


def test_whoever_points_at_the_device_reads_why_work_runs_there() -> None:
    for where, why in ((HERE, "beside the page"), (RAY, "PLAYGROUND_RAY")):
        (state,) = [
            one
            for _, one in Page(header(ready(where=where, products=(0.1, 0.2)), "en")).elements
            if "title" in one and one.get("role")
        ]
        assert why in state["title"]
        assert "oneDNN" in state["title"]


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        ("CPU, 2 threads, x86_64", "CPU, 2 hilos, x86_64"),
        ("Intel(R) Xeon(R) Processor @ 2.80GHz, 2 cores; torch 2.13", f"Intel Xeon Processor, 2,80{NO_BREAK}GHz, 2 núcleos"),
        ("NVIDIA H200", "NVIDIA H200"),
    ],
)
def test_recorded_hardware_is_said_in_words(recorded: str, said: str) -> None:
    assert machine("es", recorded) == said
