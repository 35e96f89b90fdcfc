"""Open3D, loaded so that its wheel works on a bare machine; whoever needs it imports it from this room.

On Linux its library asks for libusb (for depth cameras), which a bare machine has not. The one that comes from PyPI
in ``libusb-package`` is loaded before; Open3D's then finds it under its own name.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def _load_libusb() -> None:
    found = find_spec("libusb_package") if sys.platform == "linux" else None
    for folder in (found and found.submodule_search_locations) or ():
        for library in sorted(Path(folder).glob("libusb-1.0.so*")):
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)


@cache
def _loaded() -> Any:
    _load_libusb()
    import open3d as library

    library.utility.set_verbosity_level(library.utility.VerbosityLevel.Error)
    return library


class _WhenAsked:
    """Open3D's module, loaded when something of it is first asked for: that takes a second, and most runs of a recipe
    find the mesh in the store."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_loaded(), name)


open3d: Any = _WhenAsked()

DISTRIBUTIONS = ("open3d", "open3d-cpu")
"""Under either name the same library comes; both belong to ``Stage.libraries``."""

__all__ = ["DISTRIBUTIONS", "open3d"]
