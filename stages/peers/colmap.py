"""pycolmap, imported so that it works beside other libraries; every other file imports it from here."""

from __future__ import annotations

# pycolmap contains a compression library. Loaded first, it would replace the system's: writing a PNG would abort the
# process, and writing a compressed NumPy archive would hang.
import zlib  # noqa: F401  # isort: skip  # pyright: ignore[reportUnusedImport]
import cv2  # noqa: F401  # isort: skip  # pyright: ignore[reportUnusedImport]

import pycolmap

__all__ = ["pycolmap"]

# Our failures and warnings say what matters.
pycolmap.logging.minloglevel = pycolmap.logging.ERROR.value
