"""Middlebury pairs of every generation, made small: depth, disparity and cameras agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from diptych.stages.depth_truth import DepthTruth
from diptych.stages.failure import StageFailure
from diptych.stages.formats.truth.dense import read_dense_truth
from diptych.stages.geometry.projection import project, unproject
from PIL import Image

HEIGHT = 6


def photos(folder: Path, left: str, right: str, width: int) -> None:
    for name in (left, right):
        Image.fromarray(np.zeros((HEIGHT, width, 3), np.uint8)).save(folder / name)


def disparities(width: int) -> np.ndarray:
    """Whole numbers of pixels, some of them unknown."""
    rng = np.random.default_rng(width)
    values = rng.integers(2, 20, (HEIGHT, width)).astype(np.float64)
    values[rng.random((HEIGHT, width)) < 0.1] = 0
    return values


def shifts(truth: DepthTruth) -> np.ndarray:
    """How far each pixel of the left view moves in the right one, by the cameras and the depth alone."""
    left, right = truth.views
    y, x = np.mgrid[: left.shape[0], : left.shape[1]] + 0.5
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)
    world = unproject(left.camera, pixels) * left.depth.ravel()[:, None]
    there = project(right.camera, world @ right.rotation.T + right.translation)
    np.testing.assert_allclose(there[np.isfinite(there[:, 1]), 1], pixels[np.isfinite(there[:, 1]), 1], atol=1e-4)
    return (pixels[:, 0] - there[:, 0]).reshape(left.shape)


@pytest.mark.parametrize(
    ("left", "right", "name", "width", "step"),
    [
        ("im2.png", "im6.png", "disp2.png", 450, 4),
        ("im2.png", "im6.png", "disp2.png", 900, 2),
        ("view1.png", "view5.png", "disp1.png", 1300, 1),
        ("view1.png", "view5.png", "disp1.png", 626, 2),
        ("view1.png", "view5.png", "disp1.png", 430, 3),
        ("im2.ppm", "im6.ppm", "disp2.pgm", 434, 8),
    ],
)
def test_scaled_disparities(tmp_path: Path, left: str, right: str, name: str, width: int, step: int) -> None:
    photos(tmp_path, left, right, width)
    true = disparities(width)
    Image.fromarray((step * true).astype(np.uint8)).save(tmp_path / name)
    truth = read_dense_truth(tmp_path)
    assert [view.name for view in truth.views] == [left, right]
    assert truth.baseline == 1
    np.testing.assert_array_equal(truth.views[0].depth > 0, true > 0)
    np.testing.assert_allclose(shifts(truth)[true > 0], true[true > 0], atol=1e-3)
    assert not truth.views[1].depth.any()


def test_the_calibration_of_2014_gives_focal_length_and_offset(tmp_path: Path) -> None:
    photos(tmp_path, "im0.png", "im1.png", 40)
    (tmp_path / "calib.txt").write_text(
        "cam0=[100.5 0 19.25; 0 100.5 3; 0 0 1]\ncam1=[100.5 0 24.75; 0 100.5 3; 0 0 1]\ndoffs=5.5\nbaseline=193.001\n"
    )
    true = disparities(40)
    true[true == 0] = np.inf
    true[0, 0] = 0.0
    for name in ("disp0.pfm", "disp1.pfm"):
        head = f"Pf\n40 {HEIGHT}\n-1\n".encode()
        (tmp_path / name).write_bytes(head + true[::-1].astype("<f4").tobytes())
    truth = read_dense_truth(tmp_path)
    left, right = truth.views
    assert left.camera.principal_point == (19.75, 3.5) and right.camera.principal_point == (25.25, 3.5)
    known = np.isfinite(true) & (true > 0)
    np.testing.assert_array_equal(left.depth > 0, known)
    np.testing.assert_allclose(left.depth[known], 100.5 / (true[known] + 5.5), rtol=1e-6)
    np.testing.assert_allclose(shifts(truth)[known], true[known], atol=1e-4)
    np.testing.assert_array_equal(right.depth, left.depth)


def test_a_disparity_of_another_size_is_damaged(tmp_path: Path) -> None:
    photos(tmp_path, "im2.png", "im6.png", 450)
    Image.fromarray(np.ones((HEIGHT, 225), np.uint8)).save(tmp_path / "disp2.png")
    truth = read_dense_truth(tmp_path)
    with pytest.raises(StageFailure) as failure:
        _ = truth.views[0].depth
    assert failure.value.code == "damaged-truth"


@pytest.mark.parametrize("name", ["middlebury_cone", "middlebury_Cloth3", "motorcycle_skimage"])
def test_real_pairs_look_alike_where_the_truth_says_so(shared_data: Path, name: str) -> None:
    folder = shared_data / "stereo" / name
    truth = read_dense_truth(folder)
    left, right = (np.asarray(Image.open(folder / view.name).convert("L"), np.float64) for view in truth.views)
    known = truth.views[0].depth > 0
    assert known.mean() > 0.9

    def difference(extra: int) -> float:
        row, column = np.nonzero(known)
        there = np.round(column - shifts(truth)[known]).astype(int) + extra
        inside = (there >= 0) & (there < left.shape[1])
        return float(np.median(np.abs(left[row, column] - right[row, np.clip(there, 0, left.shape[1] - 1)])[inside]))

    assert difference(0) < 0.6 * min(difference(4), difference(-4))
