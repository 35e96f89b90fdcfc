"""pycolmap, imported so that it works beside other libraries; every other file imports it from here."""

from __future__ import annotations

# pycolmap brings a compression library of its own. Loaded first, it would take the place of the system's: writing a PNG
# would end the process, and a compressed NumPy archive would never be finished.
import zlib  # noqa: F401  # isort: skip
import cv2  # noqa: F401  # isort: skip

import pycolmap

__all__ = ["pycolmap"]

# Failures and warnings of Diptych say what matters.
pycolmap.logging.minloglevel = pycolmap.logging.ERROR.value
