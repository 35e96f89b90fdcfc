"""Copies that can be written to, of results that cannot."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def writable(value: T) -> T:
    """Copy an array, or a dataclass of arrays such as a scene or a depth map, so that it can be written to.

    The arrays of results are read-only, as they map the files of the store. Libraries that write into the arrays they
    get, or ask that they could, need a copy:

    >>> depth = dp.writable(result.depths["a.jpg"].depth)                             # doctest: +SKIP
    >>> depth[depth > 5] = 0                                                          # doctest: +SKIP
    >>> open3d.utility.Vector3dVector(dp.writable(result.scene.points))               # doctest: +SKIP
    >>> torch.from_numpy(depth)                                                       # doctest: +SKIP

    Args:
        value: an array; a dataclass, tuple, list or dict, whose arrays are copied at any depth. Anything else is
            returned as it is.

    Returns:
        The copy, of the same type.
    """
    return _copied(value)


def _copied(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, (tuple, list)):
        return type(value)(map(_copied, value))
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        made = object.__new__(type(value))
        for field in fields(value):
            object.__setattr__(made, field.name, _copied(getattr(value, field.name)))
        return made
    return value
