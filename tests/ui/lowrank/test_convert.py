"""The fold that converts: what is drawn is what was measured, and another adapter's goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from playground.actions.lowrank import CONVERT, run_about
from playground.errors import PlaygroundError
from playground.locales import text
from playground.model.bases import Base
from playground.train import scoring
from playground.ui.compare.panes import cost
from playground.ui.lowrank import convert
from playground.ui.lowrank.convert import Asked, Fold, drawn
from playground.work.sessions import SESSIONS
from tests.ui.drawn import Page, assert_laws


def held(events: Iterator[Any]) -> dict[Any, Any]:
    """What the components hold after a handler."""
    found: dict[Any, Any] = {}
    for changes in events:
        found |= changes
    return found


def _full_disk(*_: Any) -> str:
    raise PlaygroundError("no_space")


def test_an_adapter_is_converted_and_both_are_told(own: Any, tiny_here: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "TOKENS", 2)
    key, lora, soft = own
    fold = Fold(gr.Slider(), gr.Button(), gr.HTML(), gr.HTML(), gr.DownloadButton())
    (empty,) = fold.attach(Asked(key, "en", lora.id, 4))
    assert (empty[fold.notice], empty[fold.shown], empty[fold.download]["visible"]) == ("", "", False)
    last = held(fold.convert(Asked(key, "en", lora.id, 4)))
    run = run_about(key, CONVERT, lora.id)
    assert run
    done = run.events[-1]
    told = Page(last[fold.shown]).text
    assert f"As LoRA of rank 4 it has {lora.record.trainable_parameters // 2:,} parameters." in told  # it has rank 8
    assert "As LoRA, r = 4" in told
    assert ("more than noise" in told) == done.apart.differs
    (made,) = [one for one in SESSIONS.get(key).library.own() if one.record.converted]
    assert made.name == "LoRA r = 4 from LoRA r = 8 · pirate 1"
    assert f"“{made.name}” is one more of your adapters" in told
    assert f"panes=base%2C{lora.id}%2C{made.id}" in last[fold.shown]
    assert Path(last[fold.download]["value"]).name == "lora-r-4-from-lora-r-8-pirate-1.zip"
    assert "not trained" in cost(made.summary(), "en")
    assert_laws(lambda language: [drawn(one, lora, True, language) for one in run.events if one])
    again = held(fold.attach(Asked(key, "en", lora.id, 4)))  # after a reload
    assert again[fold.shown] == last[fold.shown]
    with monkeypatch.context() as full:
        full.setattr(convert, "download", _full_disk)
        unwritten = held(fold.attach(Asked(key, "en", lora.id, 4)))
    assert not unwritten[fold.download]["visible"]
    assert text("en", "error.no_space") in Page(unwritten[fold.notice]).text
    held(fold.convert(Asked(key, "en", lora.id, 4)))
    assert len(SESSIONS.get(key).library.own()) == 3  # the same one, not one more
    SESSIONS.get(key).library.remove(made.id)
    gone = held(fold.attach(Asked(key, "en", lora.id, 4)))
    assert "one more of your adapters" not in gone[fold.shown]
    assert "As LoRA, r = 4" in gone[fold.shown]
    assert not gone[fold.download]["visible"]
    *_, refused = fold.convert(Asked(key, "es", soft.id, 4))
    assert "PEFT convierte" in Page(refused[fold.notice]).text
