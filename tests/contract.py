"""Inputs for the contract tests of slots whose stages take different inputs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from diptych.stages.stage import Stage


def taken(stage: Stage, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the inputs that ``run`` of a stage takes."""
    return {name: inputs[name] for name in inspect.signature(stage.run).parameters if name in inputs}
