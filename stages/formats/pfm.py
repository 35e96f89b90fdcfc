"""PFM images: floating point, without compression, the last row first (as Middlebury stores disparity)."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def read_pfm(path: str | Path) -> np.ndarray:
    """Read an image of one channel, float32, shape (H, W), or of three, shape (H, W, 3); its first row is the top one.

    Raises:
        ValueError: not a PFM file, or it ends early.
    """
    data = Path(path).read_bytes()
    words = data.split(maxsplit=4)
    channels = {b"Pf": (), b"PF": (3,)}.get(words[0]) if len(words) > 3 else None
    if channels is None:
        raise ValueError(f"{path}: expected a PFM image")
    width, height, scale = int(words[1]), int(words[2]), float(words[3])
    # One byte of white space follows the scale; the next may be part of the first number.
    start = data.index(words[3], data.index(words[2], data.index(words[1], 2) + len(words[1])) + len(words[2]))
    shape = (height, width, *channels)
    values = np.frombuffer(data, "<f4" if scale < 0 else ">f4", int(np.prod(shape)), start + len(words[3]) + 1)
    return values.reshape(shape)[::-1].astype(np.float32)
