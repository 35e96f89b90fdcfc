"""Open3D, loaded so that its wheel works on a bare machine; whoever needs it imports it from this room.

On Linux its library asks for libusb (for depth cameras), which a bare machine has not. The one that comes from PyPI
in ``libusb-package`` is loaded before; Open3D's then finds it under its own name.
"""

from __future__ import annotations

import ctypes
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def _load_libusb() -> None:
    found = find_spec("libusb_package") if sys.platform == "linux" else None
    for folder in (found and found.submodule_search_locations) or ():
        for library in sorted(Path(folder).glob("libusb-1.0.so*")):
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)


_load_libusb()

import open3d as _open3d  # noqa: E402

open3d: Any = _open3d
open3d.utility.set_verbosity_level(open3d.utility.VerbosityLevel.Error)

DISTRIBUTIONS = ("open3d", "open3d-cpu")
"""Under either name the same library comes; both belong to ``Stage.libraries``."""

__all__ = ["DISTRIBUTIONS", "open3d"]
