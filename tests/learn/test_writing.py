"""A whole base that writes in each form: the same model but for its rounding, what it holds, quartiles that are those."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from playground.learn import writers, writing
from playground.learn.writers import MAKERS, held_bytes
from playground.learn.writing import FORMS, Written
from playground.model.bases import BASES, Base
from tests.families import one_thread as one_thread
from tests.families import tiny_base


@pytest.fixture
def plain(loaded: Callable[[Base], Base]) -> Base:
    return loaded(tiny_base("llama"))


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=torch.arange(1, 9)[None]).logits
    return found.float()


@pytest.mark.parametrize(
    ("form", "most"),
    [("float32", 1e-5), ("packed", 1e-5), ("bfloat16", 0.05), ("int8_dynamic", 0.1), ("int8_weights", 0.1)],
)
def test_a_form_is_the_same_model_but_for_its_rounding(plain: Base, form: str, most: float) -> None:
    made = MAKERS[form](plain, BASES.get)
    wanted = logits(plain.model)
    assert float((logits(made.model) - wanted).norm() / wanted.norm()) < most
    assert plain.untouched()


def test_a_form_holds_the_bytes_of_its_weights_and_copies(plain: Base) -> None:
    sizes = {form: held_bytes(MAKERS[form](plain, BASES.get)) for form in FORMS[:4]}
    assert sizes["bfloat16"] == sizes["float32"] / 2
    assert sizes["int8_dynamic"] < sizes["float32"] < sizes["packed"] <= 2 * sizes["float32"]


def test_every_form_has_its_turns_or_none(plain: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*given: object) -> Any:
        raise NotImplementedError

    monkeypatch.setattr(writers, "MAKERS", dict.fromkeys(FORMS, refused) | {"float32": MAKERS["float32"]})
    found = writers.written(plain, BASES.get, 1, 3)
    assert [one.form for one in found] == list(FORMS)
    assert [len(one.rates) for one in found] == [3, *([0] * (len(FORMS) - 1))]


def test_what_spans_more_than_a_quarter_of_the_median_was_disturbed() -> None:
    assert Written("float32", (9.0, 10.0, 11.0)).quartiles == (9.5, 10.0, 10.5)
    assert not Written("float32", (9.0, 10.0, 11.0)).disturbed
    assert Written("float32", (7.0, 10.0, 13.0)).disturbed


def test_the_record_may_be_without_them() -> None:
    assert [one.form for one in writing.recorded()] in ([], list(FORMS))
