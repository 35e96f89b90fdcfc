"""The sample scenes that are shipped: photos and truth belong together, and the truth agrees with itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from diptych.stages.formats.colmap import read_colmap
from diptych.stages.formats.depth import read_depth
from diptych.stages.formats.normals import read_normals
from diptych.stages.formats.ply import read_ply
from diptych.stages.geometry.projection import project, unproject
from diptych.stages.geometry.rotations import cross_matrix
from diptych.stages.images.containers import read_container
from diptych.stages.images.exif import focal_in_pixels, read_exif
from diptych.stages.scene import Scene
from PIL import Image

SAMPLES = Path(__file__).resolve().parents[1] / "data_samples"
SCENES = ["courtyard"]

pytestmark = pytest.mark.parametrize("sample", SCENES)


@cache
def truth(sample: str) -> Scene:
    return read_colmap(SAMPLES / sample / "truth")


@cache
def depths(sample: str) -> tuple[np.ndarray, ...]:
    folder = SAMPLES / sample / "truth" / "depth"
    return tuple(read_depth(folder / f"{Path(name).stem}.png") for name in truth(sample).names)


def photo(sample: str, index: int) -> np.ndarray:
    with Image.open(SAMPLES / sample / "photos" / truth(sample).names[index]) as image:
        return np.asarray(image.convert("RGB"))


def at(image: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """The image (H, W, 3), bilinearly, at pixel positions (N, 2)."""
    corner = np.clip(np.floor(xy - 0.5).astype(int), 0, np.array(image.shape[1::-1]) - 2)
    (column, row), (right, down) = corner.T, np.clip(xy - 0.5 - corner, 0, 1).T[:, :, None]
    above = image[row, column] * (1 - right) + image[row, column + 1] * right
    below = image[row + 1, column] * (1 - right) + image[row + 1, column + 1] * right
    return above * (1 - down) + below * down


def surface(sample: str, index: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres (N, 2) of every ``step``-th pixel that shows something, and what they show in the world (N, 3)."""
    scene, depth = truth(sample), depths(sample)[index]
    rows, columns = np.nonzero(depth > 0)
    chosen = (rows % step == step // 2) & (columns % step == step // 2)
    xy = np.stack([columns, rows], axis=1)[chosen] + 0.5
    in_camera = unproject(scene.camera(index), xy) * depth[rows, columns][chosen, None]
    return xy, (in_camera - scene.translations[index]) @ scene.rotations[index]


def seen_from(sample: str, index: int, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels and depths of world points in one view, and the range of the depth map in the four pixels around each."""
    scene, depth = truth(sample), depths(sample)[index]
    in_camera = points @ scene.rotations[index].T + scene.translations[index]
    xy = project(scene.camera(index), in_camera)
    corner = np.floor(xy - 0.5).clip(-10, 1e6).astype(int)
    height, width = depth.shape
    inside = (corner >= 0).all(1) & (corner[:, 0] < width - 1) & (corner[:, 1] < height - 1)
    column, row = np.where(inside[:, None], corner, 0).T
    around = np.stack([depth[row + i, column + j] for i in (0, 1) for j in (0, 1)], axis=1)
    around[~inside] = 0
    return xy, in_camera[:, 2], around


def neighbors(sample: str) -> list[tuple[int, int]]:
    return [(index, index + 1) for index in range(0, len(truth(sample).names) - 1, 3)]


def test_every_photo_has_its_truth_and_nothing_is_big(sample: str) -> None:
    scene, folder = truth(sample), SAMPLES / sample
    assert sorted(path.name for path in (folder / "photos").iterdir()) == sorted(scene.names)
    for index, name in enumerate(scene.names):
        with Image.open(folder / "photos" / name) as image:
            assert image.size == (scene.camera(index).width, scene.camera(index).height)
        assert depths(sample)[index].shape == photo(sample, index).shape[:2]
    assert sum(path.stat().st_size for path in (folder / "photos").iterdir()) < 6e6
    assert sum(path.stat().st_size for path in (folder / "truth").rglob("*") if path.is_file()) < 12e6


def test_exif_knows_the_camera_almost(sample: str) -> None:
    scene = truth(sample)
    for index, name in enumerate(scene.names):
        container = read_container((SAMPLES / sample / "photos" / name).read_bytes())
        exif = read_exif(container.exif)
        assert exif.make == "Diptych"
        true = scene.camera(index).focal_lengths[0]
        focal = focal_in_pixels(exif, *container.size)
        assert focal is not None
        assert 0 < abs(focal / true - 1) < 0.01
        assert abs(exif.focal * exif.plane / true - 1) < 0.01


def test_depth_of_one_view_lands_on_the_depth_of_the_next(sample: str) -> None:
    for first, second in [*neighbors(sample), *((j, i) for i, j in neighbors(sample))]:
        _, points = surface(sample, first, step=5)
        _, z, around = seen_from(sample, second, points)
        smooth = (around.min(1) > 0) & (around.max(1) < 1.003 * around.min(1))
        error = z[smooth] / around[smooth].mean(1) - 1
        # What lies in front in the second view hides the rest; nothing may lie in front of what the second view sees.
        assert (np.abs(error) < 2e-3).mean() > 0.7
        assert (error < -5e-3).mean() < 0.005
        assert np.median(np.abs(error)) < 3e-4


def test_normals_are_those_of_the_depth(sample: str) -> None:
    """Where a surface is smooth, the normal stands across the steps to the pixels beside and below."""
    for index, name in list(enumerate(truth(sample).names))[::4]:
        depth = depths(sample)[index]
        normals = read_normals(SAMPLES / sample / "truth" / "normals" / f"{Path(name).stem}.png")
        np.testing.assert_array_equal(normals.any(axis=2), depth > 0)
        height, width = depth.shape
        y, x = np.mgrid[:height, :width] + 0.5
        rays = unproject(truth(sample).camera(index), np.stack([x.ravel(), y.ravel()], axis=1)).reshape(
            height, width, 3
        )
        assert ((normals * rays).sum(axis=2) < 0.01).all()
        points = rays * depth[..., None]
        across, down = np.diff(points, axis=1)[:-1], np.diff(points, axis=0)[:, :-1]
        expected = np.cross(down, across)
        expected /= np.linalg.norm(expected, axis=2, keepdims=True).clip(1e-12)
        low, high = (f([depth[:-1, :-1], depth[1:, :-1], depth[:-1, 1:]], axis=0) for f in (np.min, np.max))
        angle = np.degrees(np.arccos((expected * normals[:-1, :-1]).sum(axis=2).clip(-1, 1)))
        smooth = angle[(low > 0) & (high < 1.01 * low)]
        assert np.median(smooth) < 1
        assert (smooth < 5).mean() > 0.8


def test_photos_agree_with_the_depth(sample: str) -> None:
    """Colours carried over by the truth correlate; carried to a place two pixels beside, they do so clearly less."""
    for first, second in neighbors(sample):
        xy, points = surface(sample, first, step=3)
        there, z, around = seen_from(sample, second, points)
        visible = (around.min(1) > 0) & (np.abs(z / np.maximum(around.mean(1), 1e-9) - 1) < 1e-3)
        here, image = at(photo(sample, first), xy[visible]), photo(sample, second)
        shifts = ((0, 0), (2, 0), (-2, 0), (0, 2), (0, -2))
        carried = [at(image, there[visible] + shift) for shift in shifts]
        exact, *beside = (np.corrcoef(here.ravel(), other.ravel())[0, 1] for other in carried)
        assert exact > 0.9
        assert exact > max(beside) + 0.02


def test_sift_matches_obey_the_true_epipolar_lines(sample: str) -> None:
    scene = truth(sample)
    first, second = neighbors(sample)[1]
    sift = cv2.SIFT.create(contrastThreshold=0.0133, enable_precise_upscale=True)
    found = [sift.detectAndCompute(cv2.cvtColor(photo(sample, i), cv2.COLOR_RGB2GRAY), None) for i in (first, second)]
    assert all(len(keypoints) > 3000 for keypoints, _ in found)
    pairs = cv2.BFMatcher().knnMatch(found[0][1], found[1][1], k=2)
    good = [best for best, other in pairs if best.distance < 0.7 * other.distance]
    x1 = np.array([found[0][0][match.queryIdx].pt for match in good]) + 0.5
    x2 = np.array([found[1][0][match.trainIdx].pt for match in good]) + 0.5
    rotation = scene.rotations[second] @ scene.rotations[first].T
    translation = scene.translations[second] - rotation @ scene.translations[first]
    essential = cross_matrix(translation) @ rotation
    lines = unproject(scene.camera(first), x1) @ essential.T @ np.linalg.inv(scene.camera(second).matrix)
    distance = np.abs((lines * np.column_stack([x2, np.ones(len(x2))])).sum(1)) / np.hypot(lines[:, 0], lines[:, 1])
    assert len(good) > 500
    assert np.median(distance[distance < 3]) < 0.3
    assert (distance < 1).mean() > 0.7


def test_points_are_observed_where_they_project(sample: str) -> None:
    scene = truth(sample)
    assert len(scene.points) > 500
    assert np.bincount(scene.obs_point).min() >= 2
    for index in range(len(scene.names)):
        mine = scene.obs_photo == index
        assert mine.sum() > 50
        xy, z, around = seen_from(sample, index, scene.points[scene.obs_point[mine]])
        assert np.abs(xy - scene.obs_xy[mine]).max() < 1e-6
        assert ((z > 0.998 * around.min(1)) & (z < 1.002 * around.max(1))).all()


def test_vertices_of_the_mesh_lie_on_or_behind_what_is_seen(sample: str) -> None:
    mesh = read_ply(SAMPLES / sample / "truth" / "mesh.ply")
    assert mesh.faces is not None
    assert mesh.faces.max() < len(mesh.points)
    on_surface = np.zeros(len(mesh.points), bool)
    for index in range(0, len(truth(sample).names), 4):
        _, z, around = seen_from(sample, index, mesh.points.astype(np.float64))
        framed = around.min(1) > 0
        # Rods thinner than a pixel slip between the rays.
        assert (z[framed] > 0.99 * around[framed].min(1)).mean() > 0.98
        on_surface |= framed & (z > 0.995 * around.min(1)) & (z < 1.005 * around.max(1))
    assert on_surface.mean() > 0.2
