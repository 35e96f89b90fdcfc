"""Maps of surface normals as 8-bit PNG images in the usual colors, good to 0.4 degrees.

A map holds unit vectors (H, W, 3) in the camera's frame (x right, y down, z forward) that face the camera, and zeros
where there is none. In the file, red, green and blue are ``128 + 127 n``, and black means none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_normals(path: str | Path, normals: np.ndarray) -> None:
    """Write unit normals (H, W, 3), zero where there is none.

    Raises:
        ValueError: another shape, or vectors that are neither of length 1 nor 0.
    """
    normals = np.asarray(normals, np.float64)
    if normals.ndim != 3 or normals.shape[2] != 3:
        raise ValueError(f"write_normals: expected an array (H, W, 3), got shape {normals.shape}")
    length = np.linalg.norm(normals, axis=2)
    known = length > 0
    if not (np.abs(length[known] - 1) < 1e-2).all():
        raise ValueError("write_normals: expected vectors of length 1, or 0 for none")
    values = np.where(known[..., None], 128 + np.rint(127 * normals), 0).astype(np.uint8)
    Image.fromarray(values).save(path, format="PNG", compress_level=9)


def read_normals(path: str | Path) -> np.ndarray:
    """Read a map written by :func:`write_normals`: unit normals (H, W, 3) in float64, zero where there is none.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an image of three channels of 8 bits.
    """
    with Image.open(path) as image:
        if image.mode != "RGB":
            raise ValueError(f"{path}: expected an 8-bit RGB image, got mode {image.mode}")
        values = np.asarray(image).astype(np.float64)
    normals = np.where(values.any(axis=2, keepdims=True), values - 128, 0.0)
    return normals / np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1.0)
