"""Blocks of the embedded base as its file held them; the file itself is compared in tests/benchmarks/blocks.py."""

from dataclasses import replace
from typing import Any

import pytest

from playground.errors import PlaygroundError
from playground.formats import gguf
from playground.formats.registry import FORMATS
from playground.model.weights import weight_of
from playground.quantize.sources import default_module
from playground.quantize.stored import stored_block


@pytest.fixture
def embedded(tiny: Any) -> Any:
    """A base that says to be the embedded one."""
    return replace(tiny, spec=replace(tiny.spec, source="embedded"))


def test_a_block_of_a_linear_layer_is_q4_1_and_one_of_the_embedding_q8_0(embedded: Any) -> None:
    found = stored_block(embedded, place=1)
    weight = weight_of(embedded.model, default_module(embedded)).reshape(-1)[32:64]
    assert (found.format, len(found.stored), len(found.codes)) == ("q4_1", 20, 32)
    assert found.numbers == tuple(FORMATS["q4_1"].round_trip(weight).values.tolist())
    assert stored_block(embedded, "model.embed_tokens").format == "q8_0"
    assert stored_block(embedded, "model.embed_tokens").minimum is None


def test_encoding_what_was_decoded_gives_the_bytes_back(embedded: Any) -> None:
    weight = weight_of(embedded.model, default_module(embedded)).float().numpy()
    for name in ("q4_1", "q8_0"):
        packed = gguf.encode(FORMATS[name], weight)
        assert (gguf.encode(FORMATS[name], gguf.decode(FORMATS[name], packed)) == packed).all()


def test_what_was_in_no_block_is_refused(tiny: Any, embedded: Any) -> None:
    for base, module, key in (
        (tiny, "", "not_stored"), (embedded, "model.norm", "not_stored"), (embedded, "model.layers.99", "unknown_weight"),
    ):  # fmt: skip
        with pytest.raises(PlaygroundError) as error:
            stored_block(base, module)
        assert error.value.key == key
        assert error.value.message("es")
    with pytest.raises(PlaygroundError):
        stored_block(embedded, "", 10**9)
