"""Local contrast of a photo."""

from __future__ import annotations

import cv2
import numpy as np


def deviation(image: np.ndarray, radius: int) -> np.ndarray:
    """Standard deviation of the brightness about every pixel.

    Args:
        image: RGB, uint8, shape (H, W, 3).
        radius: of the square about the pixel, in pixels.

    Returns:
        In gray values, float32, shape (H, W).
    """
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    window = (2 * radius + 1, 2 * radius + 1)
    mean, square = cv2.blur(gray, window), cv2.blur(gray * gray, window)
    return np.sqrt(np.maximum(square - mean * mean, 0))
