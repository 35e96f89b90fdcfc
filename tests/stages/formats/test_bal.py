"""BAL problems: read, written, read again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.formats.bal import read_bal, write_bal
from diptych.stages.geometry.rotations import matrix_from_vector
from diptych.stages.scene import Camera
from diptych.stages.sfm.bundle import reprojection_errors

# One camera at (0, 0, 5) that looks along -z, f 100, k1 0.1, k2 0.01, and a second one turned and moved.
PROBLEM = """2 3 5
0 0 2.5 -1.25
1 0 -3.0 4.0
0 1 10.0 -20.0
1 2 1.5 0.5
0 2 0.0 7.0
0
0
0
0
0
-5
100
0.1
0.01
0.1
-0.2
0.05
0.3
-0.1
-6
120
-0.05
0
0.5
-0.25
0
1
2
0.5
-1
1
0.25
"""


def bal_residuals(text: str) -> np.ndarray:
    """The format's own definition: P = R X + t, p = -P / P.z, f (1 + k1 p^2 + k2 p^4) p minus the measurement."""
    numbers = np.array(text.split()[3:], float)
    seen, cameras, points = numbers[:20].reshape(5, 4), numbers[20:38].reshape(2, 9), numbers[38:].reshape(3, 3)
    residuals = []
    for photo, point, x, y in sorted(seen.tolist(), key=lambda row: (row[1], row[0])):
        camera = cameras[int(photo)]
        position = matrix_from_vector(camera[:3]) @ points[int(point)] + camera[3:6]
        p = -position[:2] / position[2]
        r2 = p @ p
        residuals.append(camera[6] * (1 + camera[7] * r2 + camera[8] * r2**2) * p - [x, y])
    return np.array(residuals)


def test_residuals_are_those_of_the_format(tmp_path: Path) -> None:
    path = tmp_path / "problem.txt"
    path.write_text(PROBLEM)
    scene = read_bal(path)
    assert [camera.model for camera in scene.cameras] == ["RADIAL", "RADIAL"]
    assert scene.obs_point.tolist() == [0, 0, 1, 2, 2]
    assert scene.obs_photo.tolist() == [0, 1, 0, 0, 1]
    assert (scene.centers[0] == [0, 0, 5]).all()
    np.testing.assert_allclose(reprojection_errors(scene), np.linalg.norm(bal_residuals(PROBLEM), axis=1), atol=1e-10)


def test_round_trip(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("a.txt", "b.txt", "c.txt"))
    first.write_text(PROBLEM)
    scene = read_bal(first)
    write_bal(scene, second)
    again = read_bal(second)
    for name in ("rotations", "translations", "points", "obs_xy"):
        np.testing.assert_allclose(getattr(again, name), getattr(scene, name), atol=1e-14)
    np.testing.assert_array_equal(again.obs_photo, scene.obs_photo)
    assert again.cameras == scene.cameras
    write_bal(again, third)
    np.testing.assert_allclose(bal_residuals(third.read_text()), bal_residuals(PROBLEM), atol=1e-12)


def test_round_trip_of_a_real_problem(shared_data: Path, tmp_path: Path) -> None:
    scene = read_bal(shared_data / "bal/dubrovnik-3-7-pre.txt")
    assert (len(scene.names), len(scene.points)) == (3, 7)
    write_bal(scene, tmp_path / "again.txt")
    again = read_bal(tmp_path / "again.txt")
    np.testing.assert_allclose(reprojection_errors(again), reprojection_errors(scene), atol=1e-8)
    np.testing.assert_allclose(again.points, scene.points)


@pytest.mark.parametrize(
    "text", ["", "2 3", "1 1 1\n0 0 1", "a b c\n", PROBLEM.replace("1 2 1.5", "1 9 1.5"), "1 1 0\nx"]
)
def test_what_is_no_problem_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.txt"
    path.write_text(text)
    with pytest.raises(StageFailure, match="bad-bal-file") as failure:
        read_bal(path)
    assert "broken.txt" in failure.value.sentence


def test_cameras_that_the_format_cannot_say_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "problem.txt"
    path.write_text(PROBLEM)
    scene = read_bal(path)
    pinhole = Camera("PINHOLE", 100, 100, (50.0, 51.0, 50.0, 50.0))
    with pytest.raises(StageFailure, match="no-bal-camera"):
        write_bal(dataclasses.replace(scene, cameras=(pinhole, pinhole)), path)
