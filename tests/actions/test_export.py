"""What is taken home: folders of downloads that come and go."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.actions import export


def test_a_download_that_another_one_makes_room_for_meanwhile_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export.DOWNLOADS, "name", str(tmp_path))
    gone = tmp_path / "gone"
    (tmp_path / "there").mkdir()
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter([gone, tmp_path / "there"]))  # as it was a moment ago
    with export._new_folder() as folder:
        assert folder.is_dir()
