"""Bundler files written by hand and by Bundler itself; round trips are in test_round_trips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.formats.bundler import read_bundler
from diptych.stages.geometry.projection import project
from diptych.stages.sfm.bundle import reprojection_errors
from PIL import Image

CAMERAS = "100 0.1 0.01\n1 0 0\n0 1 0\n0 0 1\n0 0 0\n" + "0 0 0\n" * 5 + "50 0 0\n1 0 0\n0 1 0\n0 0 1\n1 2 -3\n"
POINTS = "1 1 -2\n255 128 0\n3 0 7 56.5625 56.5625 1 9 1 2 2 8 20 -30\n-1 0 -4\n1 2 3\n1 2 4 0 0\n"
BUNDLE = f"# Bundle file v0.3\n3 2\n{CAMERAS}{POINTS}"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "bundle").mkdir()
    path = tmp_path / "bundle" / "bundle.out"
    path.write_text(BUNDLE)
    return path


def test_a_point_up_and_right_of_the_axis_is_seen_up_and_right(bundle: Path) -> None:
    (bundle.parent.parent / "list.txt").write_text("./one photo.jpg 0 532.5\nlost.jpg\nthree.jpg 0 60\n")
    Image.new("L", (200, 160)).save(bundle.parent / "one photo.jpg")
    scene = read_bundler(bundle)
    assert scene.names == ("one photo.jpg", "three.jpg")
    assert [(c.width, c.height) for c in scene.cameras] == [(200, 160), (40, 60)]
    assert scene.cameras[0].params == (100.0, 100.0, 80.0, 0.1, 0.01)
    np.testing.assert_array_equal(scene.centers[1], [-1, -2, 3])
    np.testing.assert_array_equal(scene.points, [[1, 1, -2], [-1, 0, -4]])
    np.testing.assert_array_equal(scene.colors, [[255, 128, 0], [1, 2, 3]])
    # The observation in the camera that was not registered is gone.
    np.testing.assert_array_equal(scene.obs_photo, [0, 1, 1])
    np.testing.assert_array_equal(scene.obs_point, [0, 0, 1])
    np.testing.assert_array_equal(scene.obs_keypoint, [7, 8, 4])
    np.testing.assert_allclose(scene.obs_xy, [[100 + 56.5625, 80 - 56.5625], [40, 60], [20, 30]])
    # r2 is 0.5: 50 px times 1 + 0.1 / 2 + 0.01 / 4, up and right of the center.
    in_camera = scene.points[:1] @ scene.rotations[0].T + scene.translations[0]
    np.testing.assert_allclose(project(scene.cameras[0], in_camera), [[100 + 52.625, 80 - 52.625]])


def test_without_a_list_photos_are_numbered(bundle: Path) -> None:
    assert read_bundler(bundle).names == ("00000", "00002")


def test_what_cannot_be_understood_is_said(bundle: Path) -> None:
    (bundle.parent / "list.txt").write_text("a.jpg\n")
    contents = (BUNDLE, BUNDLE[:-9], BUNDLE.replace("v0.3", "v0.1"), BUNDLE.replace("3 0 7", "3000 0 7"), "")
    for content in contents:
        bundle.write_text(content)
        with pytest.raises(StageFailure) as caught:
            read_bundler(bundle)
        assert caught.value.code == "damaged-bundler"


@pytest.mark.parametrize(
    ("name", "photos", "points"), [("bundler_kermit11/reference/bundle.out", 9, 634), ("bal/Balbianello.out", 5, 544)]
)
def test_bundlers_own_files_fit_their_measurements(shared_data: Path, name: str, photos: int, points: int) -> None:
    """Only with the right signs of axes and distortion do points project onto what was measured."""
    scene = read_bundler(shared_data / name)
    assert (len(scene.names), len(scene.points)) == (photos, points)
    errors = reprojection_errors(scene)
    assert 0.05 < np.median(errors) < 0.3
    assert errors.max() < 10
