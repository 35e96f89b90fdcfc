"""A package adds a slot: its stages fill it, later stages take it, and its results are cached."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PLUGIN = '''
"""Dark and bright rows of a photo."""

from dataclasses import dataclass

import diptych as dp
import numpy as np
from diptych.stages.images.photos import decode
from diptych.stages.scene import Features, Photo


@dataclass(frozen=True)
class Lines:
    """Lines: rows and brightness, shapes (N,)."""
    row: np.ndarray
    brightness: np.ndarray


LINES = dp.Slot("lines", Lines, per="photo", after="features")


class Rows(dp.Stage):
    """The rows of a photo at a fixed distance."""

    slot = "lines"
    distance: int = 8

    def run(self, photo: Photo) -> Lines:
        gray = decode(photo).mean(axis=2)
        rows = np.arange(0, len(gray), self.distance)
        return Lines(rows, gray[rows].mean(axis=1))


class LineFeatures(dp.Stage):
    """A keypoint at the start of every line."""

    slot = "features"

    def run(self, lines: Lines) -> Features:
        xy, zero = np.stack([0 * lines.row, lines.row], axis=1) + 0.5, 0 * lines.row
        return Features(xy, zero + 1, zero, lines.brightness, np.stack([zero] * 3, 1), xy, "lines")
'''

ENTRY_POINTS = """
[diptych.slots]
lines = rows:LINES
[diptych.stages]
Rows = rows:Rows
LineFeatures = rows:LineFeatures
"""

SCRIPT = """
import sys
import diptych as dp
photos, out = sys.argv[1:]
recipe = dp.Recipe.from_dict({"lines": {"use": "Rows"}, "features": {"use": "LineFeatures"}})
for recipe in (recipe, recipe, recipe.set(["lines.distance=4"])):
    result = dp.run(photos, out=out, recipe=recipe, progress=False)
    print(*(task["status"] for task in result.record["tasks"]), len(result["lines"]["a.png"].row))
from rows import Rows
from diptych.stages.images.photos import PhotoFile, read_photos
dp.testing.check_stage(Rows(), photo=read_photos(__import__("pathlib").Path(photos))[1][0].load())
"""


def test_a_slot_of_a_package(photos: Path, tmp_path: Path) -> None:
    assert len(PLUGIN.strip().splitlines()) <= 40
    package = tmp_path / "site"
    info = package / "rows-1.0.dist-info"
    info.mkdir(parents=True)
    (package / "rows.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rows\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)

    def python(*arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(package)}
        done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    ran, stored, changed = (" ".join([status] * 8) for status in ("ran", "hit", "ran"))
    said = python("-c", SCRIPT, str(photos), str(tmp_path / "out")).splitlines()
    assert said == [f"{ran} 3", f"{stored} 3", f"{changed} 6"]
    listed = python("-m", "diptych.pipeline.cli", "stages")
    assert listed.index("features  (") < listed.index("lines  (Lines, per photo)") < listed.index("pairs  (")
    assert "Rows" in listed
