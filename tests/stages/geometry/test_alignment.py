"""Similarities: algebra, exact recovery, noise in a band, and wrong cameras left aside."""

from __future__ import annotations

import numpy as np
import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.geometry.alignment import (
    Similarity,
    align_cameras,
    align_cameras_robustly,
    transform_scene,
    umeyama,
)
from diptych.stages.geometry.projection import project
from diptych.stages.geometry.rotations import angle_between, matrix_from_vector
from diptych.stages.scene import Camera, Scene
from hypothesis import given, settings
from hypothesis import strategies as st

ALIGNERS = [align_cameras, align_cameras_robustly]


def random_similarity(rng: np.random.Generator) -> Similarity:
    return Similarity(float(np.exp(rng.normal())), matrix_from_vector(rng.normal(size=3)), rng.normal(size=3) * 10)


def random_cameras(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (N, 3, 3) and centers (N, 3)."""
    return matrix_from_vector(rng.normal(size=(count, 3))), rng.normal(size=(count, 3)) * [3.0, 2.0, 0.5]


def moved(truth: Similarity, rotations: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, ...]:
    """The cameras, and the same in the other world."""
    return rotations, centers, rotations @ truth.rotation.T, truth(centers)


def assert_close(actual: Similarity, expected: Similarity, atol: float = 1e-9) -> None:
    assert actual.scale == pytest.approx(expected.scale, rel=atol)
    np.testing.assert_allclose(actual.rotation, expected.rotation, atol=atol)
    np.testing.assert_allclose(actual.translation, expected.translation, atol=20 * atol)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_compose_and_invert(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second, points = random_similarity(rng), random_similarity(rng), rng.normal(size=(5, 3))
    np.testing.assert_allclose((second @ first)(points), second(first(points)), atol=1e-11, rtol=1e-11)
    np.testing.assert_allclose(first.inverse(first(points)), points, atol=1e-11, rtol=1e-11)


@pytest.mark.parametrize("align", ALIGNERS)
@pytest.mark.parametrize("count", [2, 3, 4, 11, 60])
@pytest.mark.parametrize("line", [False, True])
def test_exact_without_noise(align, count: int, line: bool) -> None:
    rng = np.random.default_rng(count)
    truth = random_similarity(rng)
    rotations, centers = random_cameras(rng, count)
    if line:
        centers = np.outer(centers[:, 0], [1.0, 2.0, -1.0]) + 4.0
    assert_close(align(*moved(truth, rotations, centers)), truth)


@pytest.mark.parametrize("align", ALIGNERS)
def test_mirrored_positions_still_give_a_rotation(align) -> None:
    """Umeyama's case: cameras in a plane, where the best orthogonal matrix may well be a reflection."""
    rng = np.random.default_rng(5)
    rotations, centers = random_cameras(rng, 9)
    centers[:, 2] = 0.0
    found = align(*moved(random_similarity(rng), rotations, centers))
    assert np.linalg.det(found.rotation) == pytest.approx(1.0)
    mirrored = umeyama(centers + rng.normal(size=(9, 3)), centers * [1, 1, -1] + rng.normal(size=(9, 3)))
    assert np.linalg.det(mirrored.rotation) == pytest.approx(1.0)


@pytest.mark.parametrize("align", ALIGNERS)
def test_noise_is_averaged(align) -> None:
    """The fit's error over many trials: the seven unknowns of N cameras take 7 of 3 N degrees of freedom."""
    rng = np.random.default_rng(2)
    sigma, count, fitted = 0.01, 20, []
    for _ in range(25):
        truth = random_similarity(rng)
        rotations, centers, target_rotations, target = moved(truth, *random_cameras(rng, count))
        noisy = target + rng.normal(size=target.shape) * sigma
        found = align(rotations, centers, target_rotations, noisy)
        fitted.append(np.sum((found(centers) - target) ** 2) / sigma**2)
    assert 5.5 < np.mean(fitted) < 9.0


def test_without_wrong_cameras_robust_is_least_squares() -> None:
    rng = np.random.default_rng(3)
    for count in (3, 8, 25):
        cameras = list(moved(random_similarity(rng), *random_cameras(rng, count)))
        cameras[3] = cameras[3] + rng.uniform(-0.01, 0.01, (count, 3))
        assert_close(align_cameras_robustly(*cameras), align_cameras(*cameras), atol=1e-13)


@pytest.mark.parametrize(("count", "wrong"), [(5, 1), (11, 4), (50, 22), (300, 130), (3000, 1200)])
def test_wrong_cameras_are_left_aside(count: int, wrong: int) -> None:
    rng = np.random.default_rng(count)
    truth = random_similarity(rng)
    rotations, centers, target_rotations, target = moved(truth, *random_cameras(rng, count))
    target = target + rng.normal(size=target.shape) * 0.001
    bad = rng.choice(count, wrong, replace=False)
    # Half of them scattered, half of them shifted together: the worse kind.
    target[bad[: wrong // 2]] += rng.normal(size=(wrong // 2, 3)) * 5
    target[bad[wrong // 2 :]] += [4.0, -3.0, 2.0]
    found = align_cameras_robustly(rotations, centers, target_rotations, target)
    error = np.linalg.norm(found(centers) - truth(centers), axis=1)
    assert error.max() < 0.01
    good = np.setdiff1d(np.arange(count), bad)
    ideal = align_cameras(rotations[good], centers[good], target_rotations[good], target[good])
    assert np.linalg.norm(ideal(centers) - found(centers), axis=1).max() < 0.003
    plain = align_cameras(rotations, centers, target_rotations, target)
    assert np.linalg.norm(plain(centers) - truth(centers), axis=1).max() > 0.1


def test_the_same_cameras_give_the_same_bytes() -> None:
    rng = np.random.default_rng(4)
    cameras = moved(random_similarity(rng), *random_cameras(rng, 200))
    first, second = align_cameras_robustly(*cameras), align_cameras_robustly(*cameras)
    assert first.scale == second.scale
    assert first.rotation.tobytes() == second.rotation.tobytes()


@pytest.mark.parametrize("align", ALIGNERS)
def test_what_cannot_be_aligned_is_said(align) -> None:
    rotations, centers = random_cameras(np.random.default_rng(0), 6)
    with pytest.raises(StageFailure) as caught:
        align(rotations[:1], centers[:1], rotations[:1], centers[:1])
    assert caught.value.code == "too-few-cameras"
    with pytest.raises(StageFailure) as caught:
        align(rotations, np.ones((6, 3)), rotations, centers)
    assert caught.value.code == "degenerate-alignment"


def test_a_transformed_scene_looks_the_same() -> None:
    rng = np.random.default_rng(6)
    similarity = random_similarity(rng)
    rotations = matrix_from_vector(0.2 * rng.normal(size=(3, 3)))
    points = rng.normal(size=(8, 3)) + np.array([0.0, 0.0, 6.0])
    empty = np.empty(0)
    scene = Scene(
        cameras=(Camera("RADIAL", 640, 480, (500.0, 320.0, 240.0, -0.1, 0.02)),),
        names=("a", "b", "c"),
        camera_of=np.zeros(3),
        rotations=rotations,
        translations=0.2 * rng.normal(size=(3, 3)),
        points=points,
        colors=np.zeros((8, 3)),
        errors=np.zeros(8),
        obs_photo=empty,
        obs_point=empty,
        obs_xy=empty,
        obs_keypoint=empty,
    )
    moved_scene = transform_scene(scene, similarity)
    np.testing.assert_allclose(moved_scene.centers, similarity(scene.centers), atol=1e-12)
    assert angle_between(moved_scene.rotations[0], scene.rotations[0]) > 0.01
    for photo in range(3):
        before, after = (
            project(s.camera(0), s.points @ s.rotations[photo].T + s.translations[photo]) for s in (scene, moved_scene)
        )
        np.testing.assert_allclose(after, before, atol=1e-9)
