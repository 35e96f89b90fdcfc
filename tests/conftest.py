"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real photographs beside the checkout; a test that needs them is skipped where they are absent."""
    folder = (Path(__file__).resolve().parents[1] / "../shared/data").resolve()
    if not folder.is_dir():
        pytest.skip("the shared data sets are not here")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the tutorials, which take minutes, so that two processes end at about the same time."""
    items.sort(key=lambda item: item.path.name != "test_docs.py")
