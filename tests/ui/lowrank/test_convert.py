"""The fold that converts: what is drawn is what was measured, and another adapter's goes."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from playground.actions.lowrank import CONVERT, run_about
from playground.model.bases import Base
from playground.train import scoring
from playground.ui.lowrank.convert import Asked, Fold, drawn
from tests.ui.drawn import Page, assert_laws


def test_an_adapter_is_converted_and_both_are_told(own: Any, tiny_here: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "TOKENS", 2)
    key, lora, soft = own
    fold = Fold(gr.Slider(), gr.Button(), gr.HTML(), gr.HTML())
    assert list(fold.attach(Asked(key, "en", lora.id, 4))) == [{fold.notice: "", fold.shown: ""}]
    *_, last = fold.convert(Asked(key, "en", lora.id, 4))
    run = run_about(key, CONVERT, lora.id)
    assert run
    done = run.events[-1]
    told = Page(last[fold.shown]).text
    assert f"As LoRA of rank 4 it has {lora.record.trainable_parameters // 2:,} parameters." in told  # it has rank 8
    assert "As LoRA, r = 4" in told
    assert ("more than noise" in told) == done.apart.differs
    assert_laws(lambda language: [drawn(one, "lora", language) for one in run.events if one])
    *_, again = fold.attach(Asked(key, "en", lora.id, 4))  # after a reload
    assert again == last
    *_, refused = fold.convert(Asked(key, "es", soft.id, 4))
    assert "PEFT convierte" in Page(refused[fold.notice]).text
