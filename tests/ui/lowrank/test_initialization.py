"""The section on where factors begin: its map, its race, and what it says of both."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from playground.actions import initialization as actions
from playground.adapt.initialization import NAMES, RANDOM
from playground.locales import LANGUAGES, text
from playground.lowrank.initialization import RATES, SEEDS, STARTS, STEPS, Curve, Race
from playground.model.bases import Base
from playground.ui.lowrank import initialization_html as drawn
from playground.ui.lowrank.initialization import Asked, Cards
from playground.work.sessions import SESSIONS
from tests.families import one_thread  # noqa: F401

CARDS = Cards(gr.Dropdown(), gr.HTML(), gr.Plot(), gr.HTML(), gr.HTML(), gr.Button())


def asked(key: str, language: str = "en", **other: Any) -> Asked:
    return replace(Asked(key, language, "tiny", None, "pissa", RATES[0]), **other)


def raced(**last: float) -> Race:
    """Every start at 3.0 but those that are named, a hundredth apart from seed to seed."""
    curves = [
        Curve(one.method, one.initialization, seed, (), ((0, 4.0), (STEPS, last.get(one.initialization, 3.0) + seed / 100)),
              0.5 * (one.initialization != RANDOM), "finished")
        for one in STARTS for seed in SEEDS
    ]  # fmt: skip
    return Race("tiny", 0.01, tuple(curves))


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_race_says_who_ended_lower_higher_or_inside_the_noise(language: str) -> None:
    found = drawn.race(raced(pissa=2.0, olora=5.0), language)
    said = plain(found)
    for kind, names in (("better", "PiSSA"), ("worse", "OLoRA"), ("inside", "EVA")):
        begin = text(language, f"initialization.verdict.{kind}", names="").strip()
        assert re.search(rf"{begin}[^;.]*LoRA · {names}", said)
    assert found.count("<figure") == len(STARTS)
    assert found.count("pp-band") == len(STARTS)
    assert "2.01 (2 to 2.02)" not in said  # three figures, always
    assert ("2.01 (2.00 to 2.02)" if language == "en" else "2,01 (de 2,00 a 2,02)") in said


def test_a_race_that_has_begun_shows_what_is_over_and_says_how_many_seeds() -> None:
    whole = raced()
    found = plain(drawn.race(replace(whole, curves=whole.curves[:2]), "en"))
    assert "2 of 3 seeds so far" in found
    assert "against the same method" not in found


def test_the_map_follows_module_and_start(tiny_here: Base) -> None:
    key = "initialization-map".ljust(32, "0")
    *_, last = CARDS.look(asked(key))
    assert last[CARDS.map]["visible"]
    assert "φ = 1.00 lies within W&#x27;s 8 strongest" in last[CARDS.said]
    first, *_, other = CARDS.look(asked(key, module=actions.modules("tiny")[0], initialization=RANDOM))
    assert first[CARDS.module]["value"] == actions.modules("tiny")[0]
    assert "φ = 1.00" not in other[CARDS.said]
    *_, wrong = CARDS.look(asked(key, initialization="eva", base="nowhere"))
    assert "pp-error" in wrong[CARDS.said]


def test_a_link_brings_its_module_if_the_base_has_it(tiny_here: Base) -> None:
    paths = actions.modules("tiny")
    assert CARDS.draw(asked("link", module=paths[0]))[CARDS.module]["value"] == paths[0]
    assert CARDS.draw(asked("link", module="model.layers.99.mlp"))[CARDS.module]["value"] == paths[len(paths) // 2]
    assert CARDS.draw(asked("link", base="tiny:nf4", module=paths[0]))[CARDS.module]["value"] == paths[0]  # not here yet


def test_a_race_is_recorded_until_one_runs_here_and_stops(tiny_here: Base) -> None:
    key = "initialization-race".ljust(32, "0")
    first = CARDS.draw(asked(key))
    assert "Recorded on" in first[CARDS.notice]
    running = CARDS.go(asked(key))
    next(running)
    CARDS.stop(asked(key))
    *_, last = running
    assert last[CARDS.halt]["visible"] is False
    assert "Stopped" in last[CARDS.notice]
    assert "Recorded on" in last[CARDS.notice]  # as what is shown still is
    SESSIONS.get(key).runs.clear()


def test_every_start_has_a_name_and_every_kind_a_choice() -> None:
    assert {RANDOM, *NAMES} == set(actions.KINDS)
