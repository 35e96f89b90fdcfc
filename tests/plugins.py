"""Plug-in stages that others trained: tests run them where they and their weights are installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.stage import Stage


def if_installed(stage: Stage, *more: Any) -> Any:
    """A parameter of a test, skipped where Kornia or the stage's weights are absent."""
    return pytest.param(stage, *more, marks=pytest.mark.skipif(not _installed(stage), reason="not installed"))


def _installed(stage: Stage) -> bool:
    try:
        stage.files()
    except StageFailure:
        return False
    return find_spec("kornia") is not None
