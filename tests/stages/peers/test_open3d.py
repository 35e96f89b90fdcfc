"""Open3D comes up in a fresh process, with the libusb that came with it where one is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
from pathlib import Path
from diptych.stages.open3d import open3d
grid = open3d.t.geometry.VoxelBlockGrid(("tsdf",), (open3d.core.float32,), ((1),), 0.1, 8, 4)
loaded = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libusb" in line}
print(*loaded, sep="\\n")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux does Open3D ask for libusb")
def test_libusb_is_the_one_of_the_package() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    loaded = run.stdout.split()
    assert loaded and all("libusb_package" in path for path in loaded)
