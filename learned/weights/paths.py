"""Paths of weights: shipped ones by name, all others by path."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ...stages.failure import StageFailure

_SUFFIX = ".safetensors"


def path_of(weights: str) -> Path:
    """The file of weights.

    Args:
        weights: the name of shipped weights, such as ``depth``, or the path of a file.

    Raises:
        StageFailure: ``missing-weights``.
    """
    is_name = "/" not in weights and "\\" not in weights and not Path(weights).suffix
    path = Path(str(files(__package__ or "") / f"{weights}{_SUFFIX}")) if is_name else Path(weights).expanduser()
    if not path.is_file():
        raise StageFailure(
            "missing-weights",
            f"There are no weights {weights!r}.",
            hint=f"Train some with 'diptych train', or give the path of a {_SUFFIX} file.",
        )
    return path
