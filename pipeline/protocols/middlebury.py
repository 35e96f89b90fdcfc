"""Middlebury's data: rectified stereo pairs (Scharstein et al. 2001 to 2014), and object rings (Seitz et al. 2006)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from .cameras import CAMERAS
from .colmap_peer import incremental
from .protocol import BenchOptions, Case, Given, Inputs, Peer, PhotoProtocol, photos_in
from .table import COST, Column

if TYPE_CHECKING:
    import numpy as np

    from ...stages.depth_truth import DepthTruth
    from ..results.result import Result

BLOCKS = 3, 5, 7, 9
"""Block sizes that StereoSGBM is run with."""


class Middlebury(PhotoProtocol):
    """Disparities of stereo pairs, in the cameras that rectification gives, and cameras of the rings.

    A pair's disparities are those of its left view, at all pixels whose truth is known; a pixel without an answer is
    bad. All methods are told the same range of disparities. The reference surfaces of the rings are not published, so
    only their cameras are compared, with known calibration.
    """

    name = "middlebury"
    layout = (
        "stereo pairs, each in a folder: im0.png and im1.png with disp0.pfm, view1.png and view5.png with disp1.png, "
        "or im2 and im6 with disp2; or a multi-view set with its NAME_par.txt"
    )
    columns: ClassVar = (
        Column("bad_0.5_px", "bad 0.5 %", ".2f", 100),
        Column("bad_1_px", "bad 1.0 %", ".2f", 100),
        Column("bad_2_px", "bad 2.0 %", ".2f", 100),
        Column("disparity_mean_px", "avgerr px", ".3f"),
        Column("coverage", "answered %", ".1f", 100),
        *CAMERAS,
        *COST,
    )
    note = "Pairs: all pixels of the left view with a true disparity; no answer is bad; avgerr is of the answers."
    until = "depths"

    def scene(self, place: Path) -> Case | None:
        """Return a pair, or a set of photos named in a ``_par.txt`` there or in ``gt/``."""
        from ...stages.formats.truth.stereo import read_stereo

        name = place.resolve().name.removeprefix("middlebury_")
        if (pair := read_stereo(place)) is not None:
            return Case(name, place, tuple(place / view.name for view in pair.views))
        if parameters := _parameters(place):
            named = {line.split()[0] for line in parameters.read_text().splitlines()[1:] if line.strip()}
            found = (tuple(photo for photo in photos_in(place / at) if photo.name in named) for at in ("images", "."))
            if photos := next(filter(None, found), ()):
                return Case(name, place, photos)
        return None

    def truth(self, case: Case, out: Path) -> Path:
        """Return the scene's own folder."""
        return case.path

    def gives(self, case: Case) -> Given:
        """Return ``poses`` for a pair, ``calibration`` for a ring."""
        return "poses" if _is_pair(case) else "calibration"

    def depths(self, case: Case) -> tuple[float, float]:
        """Return the depths of the searched disparities, from one pixel on."""
        focal, offset, most = _searched(case)
        return focal / (most + offset), focal / (1 + offset)

    def stop(self, case: Case, options: BenchOptions) -> str:
        """Return the slot to stop after; of a ring only the cameras are known."""
        return options.run.until or (self.until if _is_pair(case) else "sparse")

    def score(self, result: Result, case: Case, truth: Path) -> dict[str, float]:
        """Return the bad pixels of a pair, or the camera errors of a ring."""
        from ...stages.evaluation.dense import evaluate_dense
        from .. import api

        if not _is_pair(case):
            return api.evaluate(result.out, truth=truth).as_dict()
        return evaluate_dense(result.scene, _truth_of_left(truth), result.dense.views, result.dense.depths).as_dict()

    def peers(self, case: Case) -> dict[str, Peer]:
        """Return OpenCV's matcher for a pair, COLMAP for a ring."""
        return {"StereoSGBM": semi_global} if _is_pair(case) else {"COLMAP": incremental}


def semi_global(case: Case, given: Inputs) -> dict[str, float]:
    """Return the errors of OpenCV's StereoSGBM, 3-way, with the block size that is best on the pair."""
    import numpy as np

    from ...stages.evaluation.depth import depth_errors, disparity_errors

    focal, offset, most = _searched(case)
    true = _truth_of_left(case.path).views[0].depth
    images = [_pixels(photo) for photo in case.photos]
    scores = []
    for block in BLOCKS:
        disparity = stereo_sgbm(images, most, block)
        depth = np.where(disparity > 0, focal / np.maximum(disparity + offset, 1e-6), 0)
        scores.append({**depth_errors(depth, true).as_dict(), **disparity_errors(depth, true, focal).as_dict()})
    return min(scores, key=lambda score: score["bad_1_px"])


def _searched(case: Case) -> tuple[float, float, float]:
    """Return focal length, distance of the principal points and largest disparity to search, in pixels.

    The largest disparity is that of ``calib.txt``, else the largest true one and 15 % more.
    """
    left, right = _truth_of_left(case.path).views
    focal = left.camera.focal_lengths[0]
    offset = right.camera.principal_point[0] - left.camera.principal_point[0]
    true = left.depth
    return focal, offset, _disparities(case.path) or 1.15 * (focal / float(true[true > 0].min()) - offset)


def stereo_sgbm(images: Sequence[np.ndarray], most: float, block: int) -> np.ndarray:
    """Return the disparities of the left photo in pixels, negative for none, with the penalties that OpenCV advises."""
    import cv2
    import numpy as np

    matcher = cv2.StereoSGBM.create(
        minDisparity=0,
        numDisparities=int(np.ceil(most / 16)) * 16,
        blockSize=block,
        P1=8 * 3 * block**2,
        P2=32 * 3 * block**2,
        disp12MaxDiff=1,
        uniquenessRatio=5,
        speckleWindowSize=100,
        speckleRange=2,
        mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )
    return matcher.compute(*images).astype(np.float64) / 16


def _pixels(photo: Path) -> np.ndarray:
    import numpy as np
    from PIL import Image

    with Image.open(photo) as image:
        return np.asarray(image.convert("RGB"))


def _disparities(folder: Path) -> int:
    """Return the number of disparities to search by ``calib.txt``; 0 if it has none."""
    file = folder / "calib.txt"
    stated = re.search(r"ndisp\s*=\s*(\d+)", file.read_text()) if file.is_file() else None
    return int(stated[1]) if stated else 0


def _truth_of_left(folder: Path) -> DepthTruth:
    """Return the truth of a pair without the depth of its right view."""
    from ...stages.formats.truth.dense import read_dense_truth

    pair = read_dense_truth(folder)
    left, right = pair.views
    return replace(pair, views=(left, replace(right, read_depth=None)))


def _is_pair(case: Case) -> bool:
    return _parameters(case.path) is None


def _parameters(folder: Path) -> Path | None:
    files = (sorted((folder / place).glob("*_par.txt")) for place in (".", "gt"))
    return next((found[0] for found in files if found), None)
