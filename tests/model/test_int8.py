"""The int8 base in the log: what bitsandbytes has to say once is not said at every product."""

from __future__ import annotations

import logging

import pytest
import torch

from playground.model.bases import Base
from tests.conftest import load_tiny


def test_an_int8_base_logs_nothing_as_it_computes(tiny: Base, caplog: pytest.LogCaptureFixture) -> None:
    base = load_tiny(tiny, "tiny:int8_vectorwise")
    log = logging.getLogger("bitsandbytes.autograd._functions")
    with caplog.at_level(logging.WARNING), torch.inference_mode():
        base.view()(input_ids=torch.tensor([[72, 101, 108]]))
        log.warning("something else")
    assert [record.getMessage() for record in caplog.records if record.name == log.name] == ["something else"]
