"""Open3D, loaded so that its wheel works without system packages; every other file imports it from here.

On Linux its library needs libusb (for depth cameras), which a minimal system lacks. The copy of ``libusb-package`` is
loaded first, and Open3D's library then finds it by name.
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


class _LazyModule:
    """Open3D's module, loaded on first use, because that takes a second."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_loaded(), name)


open3d: Any = _LazyModule()

DISTRIBUTIONS = ("open3d", "open3d-cpu")
"""The library has either name; both belong into ``Stage.libraries``."""

__all__ = ["DISTRIBUTIONS", "open3d"]
