"""
When the server is told to end, nothing of what it wrote for its visitors stays behind.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from tests.serving import serving


@pytest.mark.parametrize("ends_by", [signal.SIGTERM, signal.SIGINT])
def test_temporary_files_go_with_the_server(tmp_path: Path, ends_by: signal.Signals) -> None:
    temporary, sent = tmp_path / "temporary", tmp_path / "sent.zip"
    temporary.mkdir()
    sent.write_text("no zip")
    with serving(tmp_path / "log.txt", ends_by, TMPDIR=str(temporary), GRADIO_TEMP_DIR="") as (url, _):
        client = Client(url, verbose=False, download_files=str(tmp_path / "received"))
        assert Path(client.predict("pirate-lora", api_name="/download_adapter")).is_file()
        with pytest.raises(AppError):
            client.predict(handle_file(sent), api_name="/upload_adapter")
        assert list(temporary.rglob("*.zip"))
    assert list(temporary.iterdir()) == []
    assert "Traceback" not in (tmp_path / "log.txt").read_text()
