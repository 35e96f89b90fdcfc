"""Robust multi-view triangulation on synthetic cameras with known noise."""

from __future__ import annotations

import numpy as np
import pytest
from diptych.stages.sfm.triangulation import triangulate_tracks, widest_angles

FOCAL, NOISE = 1000.0, 0.5


class Arc:
    """Cameras on an arc of radius 5 that look at points in the unit cube; tracks of 2 to 7 views."""

    def __init__(self, seed: int, tracks: int = 4000, outliers: float = 0.0) -> None:
        rng = np.random.default_rng(seed)
        angle = np.linspace(-0.6, 0.6, 12)
        zero, one = np.zeros(12), np.ones(12)
        self.rotations = np.stack(
            [np.cos(angle), zero, -np.sin(angle), zero, one, zero, np.sin(angle), zero, np.cos(angle)], axis=1
        ).reshape(-1, 3, 3)
        self.translations = np.tile([0.0, 0.0, 5.0], (12, 1))
        self.centers = -np.einsum("nji,nj->ni", self.rotations, self.translations)
        self.points = rng.uniform(-1, 1, (tracks, 3))
        length = rng.integers(2, 8, tracks)
        self.start = np.concatenate([[0], np.cumsum(length)])
        self.photo = np.concatenate([np.sort(rng.permutation(12)[:n]) for n in length])
        self.track = np.repeat(np.arange(tracks), length)
        local = np.einsum("nij,nj->ni", self.rotations[self.photo], self.points[self.track])
        local += self.translations[self.photo]
        self.rays = local[:, :2] / local[:, 2:] + rng.normal(0, NOISE / FOCAL, (len(local), 2))
        self.outlier = rng.random(len(local)) < outliers
        self.rays[self.outlier] += rng.normal(0, 0.1, (self.outlier.sum(), 2))

    def triangulate(self, min_angle: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
        tolerance = np.full(len(self.photo), 4 / FOCAL)
        return triangulate_tracks(
            self.start, self.photo, self.rays, tolerance, self.rotations, self.translations, min_angle
        )


def test_error_is_what_the_noise_predicts() -> None:
    scene = Arc(0)
    points, used = scene.triangulate()
    long = np.diff(scene.start) >= 5
    error = np.linalg.norm(points - scene.points, axis=1)[long]
    # 0.5 px at 1000 px focal length and 5 m distance are 2.5 mm across for one view; several views and depth make 1-4.
    assert 0.001 < np.median(error) < 0.004
    assert used.mean() > 0.99


def test_outliers_are_found_and_do_not_spoil_the_point() -> None:
    scene = Arc(1, outliers=0.2)
    points, used = scene.triangulate()
    clean = np.bincount(scene.track, ~scene.outlier) >= 4
    error = np.linalg.norm(points - scene.points, axis=1)[clean]
    assert np.nanmedian(error) < 0.005
    assert np.isnan(error).mean() < 0.01
    assert used[scene.outlier].mean() < 0.05
    assert used[~scene.outlier & clean[scene.track]].mean() > 0.97


def test_small_angles_make_no_point() -> None:
    scene = Arc(2)
    points, used = scene.triangulate(min_angle=20.0)
    made = ~np.isnan(points[:, 0])
    assert 0.2 < made.mean() < 0.95
    assert not used[~made[scene.track]].any()
    start = np.concatenate([[0], np.cumsum(np.bincount(scene.track[used], minlength=len(points))[made])])
    angles = widest_angles(start, scene.photo[used], points[made], scene.centers)
    assert angles.min() > 19.5


def test_rays_that_meet_behind_the_cameras_make_no_point() -> None:
    rotations, translations = np.stack([np.eye(3)] * 2), np.array([[0.0, 0, 0], [-1, 0, 0]])
    for disparity, made in ((0.2, True), (-0.2, False)):
        rays = np.array([[disparity / 2, 0.0], [-disparity / 2, 0.0]])
        points, used = triangulate_tracks(
            np.array([0, 2]), np.array([0, 1]), rays, np.full(2, 0.004), rotations, translations
        )
        assert used.all() == made and np.isfinite(points).all() == made


def test_rays_of_chance_rarely_make_points() -> None:
    scene = Arc(3, tracks=1000)
    scene.rays = np.random.default_rng(0).permutation(scene.rays)
    points, _ = scene.triangulate()
    assert np.isnan(points[np.diff(scene.start) == 2]).mean() > 0.9


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_triangulate(count: int) -> None:
    scene = Arc(4, tracks=3)
    points, used = triangulate_tracks(
        np.arange(count + 1),
        scene.photo[:count],
        scene.rays[:count],
        np.full(count, 0.01),
        scene.rotations,
        scene.translations,
    )
    assert np.isnan(points).all() and not used.any()
