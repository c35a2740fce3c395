"""What gradio does after a handler, when the disk is full by then."""

from __future__ import annotations

import asyncio
from pathlib import Path

import gradio as gr
import pytest

from playground.locales import text
from playground.ui.api.served import ServedBlocks
from tests.faults import in_child, limited


@pytest.mark.parametrize("visibility", ["public", "private"])
def test_what_gradio_cannot_copy_is_a_full_disk(visibility: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    given = tmp_path / "large.zip"
    given.write_bytes(bytes(100_000))
    with ServedBlocks() as page:
        gr.Button().click(lambda: str(given), None, gr.File(), api_name="give", api_visibility=visibility)

    def asked() -> str:
        with limited(5000):
            try:
                asyncio.run(page.process_api(0, []))
            except gr.Error as error:
                return str(error.message)
        return "given"

    assert in_child(asked)[1] == text("en", "error.no_space")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [given], "nothing half-copied"
    assert asyncio.run(page.process_api(0, []))["data"][0]["path"].endswith("large.zip")
