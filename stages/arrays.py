"""Checked, read-only arrays: shapes and dtypes are settled where a value is made."""

from __future__ import annotations

from typing import Any

import numpy as np

Shape = tuple[int | str | None, ...]


def settle(value: object, **expected: tuple[type[np.generic], Shape]) -> None:
    """Convert and check the array fields of a frozen dataclass, from its ``__post_init__``.

    Each keyword names a field and gives its dtype and shape. A number in a shape is exact, ``None`` is free, and a
    letter binds: ``"N"`` means the same size wherever it stands. The settled arrays are contiguous and read-only.

    Raises:
        ValueError: naming the type, the field, the shape that was expected and the one that came.
    """
    sizes: dict[str, int] = {}
    for name, (dtype, shape) in expected.items():
        given: Any = getattr(value, name)
        array = np.ascontiguousarray(given, dtype=dtype)
        if array.size == 0 and len(shape) > 1 and array.ndim == 1:
            array = array.reshape([0 if isinstance(size, str) else size or 0 for size in shape])
        if not _fits(array.shape, shape, sizes):
            known = tuple(sizes.get(size, size) if isinstance(size, str) else size for size in shape)
            raise ValueError(f"{type(value).__name__}.{name}: expected shape {known}, got {array.shape}")
        array = array.view()
        array.setflags(write=False)
        object.__setattr__(value, name, array)


def _fits(actual: tuple[int, ...], shape: Shape, sizes: dict[str, int]) -> bool:
    if len(actual) != len(shape):
        return False
    return all(
        want is None or (sizes.setdefault(want, size) if isinstance(want, str) else want) == size
        for size, want in zip(actual, shape, strict=True)
    )
