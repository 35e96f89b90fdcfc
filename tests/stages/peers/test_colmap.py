"""pycolmap loaded by way of Diptych leaves the process sound."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
from diptych.stages.colmap import pycolmap
import io
import cv2
import numpy as np

assert cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[0]
packed = io.BytesIO()
np.savez_compressed(packed, zeros=np.zeros(100_000))
assert len(packed.getvalue()) < 10_000
bitmap = pycolmap.Bitmap.from_array(np.zeros((64, 64, 3), np.uint8))
print("sound")
"""


def test_png_and_compressed_archives_can_be_written_after_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "sound"), done.stderr
