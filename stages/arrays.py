"""Convert and check the array fields of dataclasses."""

from __future__ import annotations

from typing import Any

import numpy as np

Shape = tuple[int | str | None, ...]


def check_arrays(value: object, **expected: tuple[type[np.generic], Shape]) -> None:
    """Convert array fields of a frozen dataclass to their dtypes and check their shapes, in its ``__post_init__``.

    Each keyword is a field with its dtype and shape. In a shape, ``None`` is any size, and a letter such as ``"N"`` is
    a size that is equal wherever the letter occurs. The converted arrays are contiguous and read-only.

    Raises:
        ValueError: with the type, the field, the expected and the actual shape.
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
