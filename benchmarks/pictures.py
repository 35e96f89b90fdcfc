"""Images from files, in the order of colors that Diptych uses."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def read_stored(path: Path) -> np.ndarray:
    """The values of an image file as they are stored.

    Raises:
        FileNotFoundError: there is no image.
    """
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise FileNotFoundError(path)
    return image


def read_rgb(path: Path) -> np.ndarray:
    """RGB, uint8, shape (H, W, 3)."""
    return cv2.cvtColor(read_stored(path), cv2.COLOR_BGR2RGB)
