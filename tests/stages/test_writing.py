"""A file is there whole, as it was, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from diptych.stages.writing import atomic_write


def test_what_was_written_is_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with atomic_write(path) as aside:
        aside.write_text("half", "utf-8")
        assert not path.exists()
    assert path.read_text("utf-8") == "half"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_no_remains(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old", "utf-8")
    with pytest.raises(ValueError, match="stopped"), atomic_write(path) as aside:
        aside.write_text("hal", "utf-8")
        raise ValueError("stopped")
    assert path.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    with atomic_write(path) as first, atomic_write(path) as second:
        assert first != second
        first.write_text("first", "utf-8")
        second.write_text("second", "utf-8")
    assert path.read_text("utf-8") == "first"
    assert list(tmp_path.iterdir()) == [path]
