"""Small photos and a recipe of toy stages."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from diptych import Recipe
from toys import DENSE, TOY, paint


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of four photos, one with a name that is neither short nor Latin."""
    for i, name in enumerate(("a.png", "b.png", "c.png", "ein Bild größer 写真.png")):
        paint(tmp_path / "photos" / name, 40 + 40 * i)
    return tmp_path / "photos"


@pytest.fixture
def toy() -> Recipe:
    return TOY


@pytest.fixture
def dense() -> Recipe:
    return DENSE


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What the toy stages did since it was last asked."""
    log = tmp_path / "ran.log"
    monkeypatch.setenv("TOY_LOG", str(log))

    def read() -> list[str]:
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return sorted(lines)

    return read
