"""Bundle adjustment on synthetic scenes whose truth and noise are known."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.formats.bal import read_bal
from diptych.stages.geometry.projection import project
from diptych.stages.geometry.rotations import angle_between, matrix_from_vector, vector_from_matrix
from diptych.stages.scene import Camera, Scene, Sparse
from diptych.stages.sfm import bundle_problem
from diptych.stages.sfm.bundle import BundleAdjustment, adjust, covariances, point_errors, reprojection_errors
from diptych.stages.sfm.bundle_options import BundleOptions, Loss, Solver
from diptych.stages.stage import Context

RADIAL = Camera("SIMPLE_RADIAL", 1000, 1000, (1000.0, 500.0, 500.0, -0.05))
FISHEYE = Camera("OPENCV_FISHEYE", 1000, 1000, (600.0, 610.0, 500.0, 490.0, 0.02, -0.01, 0.0, 0.0))
FOUR = (
    Camera("PINHOLE", 1000, 1000, (1000.0, 1010.0, 500.0, 490.0)),
    Camera("RADIAL", 1000, 1000, (900.0, 510.0, 500.0, -0.1, 0.02)),
    Camera("OPENCV", 1000, 1000, (950.0, 940.0, 500.0, 500.0, -0.1, 0.02, 0.001, -0.001)),
    FISHEYE,
)
SOLVERS = get_args(Solver)
LOSSES = get_args(Loss)
both_solvers = pytest.mark.parametrize("solver", SOLVERS)


def make_scene(
    photos: int = 6, points: int = 150, *, cameras: tuple[Camera, ...] = (RADIAL,), noise: float = 0.5, seed: int = 0
) -> Scene:
    """Cameras on an arc about a cloud of points, each seen by most of them, measured with Gaussian noise."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(-0.7, 0.7, photos)
    centers = np.column_stack([5 * np.sin(angle), 0.5 * np.cos(5 * angle), -5 * np.cos(angle)])
    forward = -centers / np.linalg.norm(centers, axis=1, keepdims=True)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    rotations = np.stack([right, np.cross(forward, right), forward], axis=1)
    translations = -np.einsum("nij,nj->ni", rotations, centers)
    positions = rng.uniform(-1.3, 1.3, (points, 3))
    visible = rng.random((points, photos)) < 0.8
    visible[:, :2] = True
    obs_point, obs_photo = np.nonzero(visible)
    camera_of = np.arange(photos) % len(cameras)
    xy = np.empty((len(obs_point), 2))
    for photo in range(photos):
        mine = obs_photo == photo
        seen = positions[obs_point[mine]] @ rotations[photo].T + translations[photo]
        xy[mine] = project(cameras[camera_of[photo]], seen)
    return Scene(
        cameras,
        tuple(f"{photo}.jpg" for photo in range(photos)),
        camera_of,
        rotations,
        translations,
        positions,
        np.zeros((points, 3)),
        np.full(points, np.nan),
        obs_photo,
        obs_point,
        xy + noise * rng.normal(size=xy.shape),
        np.full(len(xy), -1),
    )


def disturb(scene: Scene, amount: float = 0.01, seed: int = 1) -> Scene:
    rng = np.random.default_rng(seed)
    return dataclasses.replace(
        scene,
        rotations=matrix_from_vector(amount * 0.3 * rng.normal(size=(len(scene.names), 3))) @ scene.rotations,
        translations=scene.translations + amount * rng.normal(size=scene.translations.shape),
        points=scene.points + amount * rng.normal(size=scene.points.shape),
    )


def same_bytes(first: Scene, second: Scene) -> bool:
    return pickle.dumps(first) == pickle.dumps(second)


@both_solvers
def test_recovers_poses_and_intrinsics(solver: Solver) -> None:
    truth = make_scene(noise=0.3)
    wrong = dataclasses.replace(RADIAL, params=(1040.0, 500.0, 500.0, 0.0))
    start = dataclasses.replace(disturb(truth), cameras=(wrong,))
    fixed = [0, 5]
    start = dataclasses.replace(
        start,
        rotations=np.where(np.isin(np.arange(6), fixed)[:, None, None], truth.rotations, start.rotations),
        translations=np.where(np.isin(np.arange(6), fixed)[:, None], truth.translations, start.translations),
    )
    found, report = adjust(start, BundleOptions(solver=solver), fixed_photos=np.array(fixed))
    errors = angle_between(found.rotations, truth.rotations)[1:5]
    assert 1e-6 < errors.mean() < 8e-4
    assert 1e-5 < np.linalg.norm(found.centers - truth.centers, axis=1)[1:5].mean() < 6e-3
    np.testing.assert_allclose(found.cameras[0].params, RADIAL.params, rtol=2e-3, atol=2e-3)
    assert report.rms_after < 0.5 < report.rms_before
    assert report.cost_after < report.cost_before


@both_solvers
@pytest.mark.parametrize("cameras", [FOUR, (RADIAL,)], ids=["four-models", "shared"])
def test_chi_square_is_one(solver: Solver, cameras: tuple[Camera, ...]) -> None:
    scene = make_scene(8, 300, cameras=cameras, noise=0.5)
    adjusted, report = adjust(disturb(scene, 0.003), BundleOptions(solver=solver, tolerance=1e-9))
    refined = sum(len(camera.params) - 2 for camera in cameras)
    unknowns = 8 * 6 - 7 + 300 * 3 + refined
    freedom = 2 * len(scene.obs_xy) - unknowns
    assert 2 * report.cost_after / 0.5**2 / freedom == pytest.approx(1, abs=4 * np.sqrt(2 / freedom))
    assert report.cost_after == pytest.approx(0.5 * (reprojection_errors(adjusted) ** 2).sum())
    np.testing.assert_array_equal(adjusted.errors, point_errors(adjusted))


@pytest.mark.parametrize("loss", LOSSES)
def test_scipy_and_ceres_agree(loss: Loss) -> None:
    scene = make_scene(noise=0.5)
    rng = np.random.default_rng(3)
    xy = scene.obs_xy + (rng.random(len(scene.obs_xy)) < 0.05)[:, None] * rng.normal(scale=20, size=scene.obs_xy.shape)
    start = disturb(dataclasses.replace(scene, obs_xy=xy), 0.002)
    costs = [
        adjust(start, BundleOptions(solver=solver, loss=loss, tolerance=1e-10, max_iterations=300))[1].cost_after
        for solver in SOLVERS
    ]
    assert costs[0] == pytest.approx(costs[1], rel=1e-6)


@both_solvers
@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "linear"])
def test_robust_losses_resist_outliers(solver: Solver, loss: Loss) -> None:
    truth = make_scene(noise=0.3)
    rng = np.random.default_rng(3)
    outliers = rng.random(len(truth.obs_xy)) < 0.05
    xy = truth.obs_xy + outliers[:, None] * rng.normal(scale=30, size=truth.obs_xy.shape)
    start = disturb(dataclasses.replace(truth, obs_xy=xy), 0.002)

    def error(loss: Loss) -> float:
        options = BundleOptions(solver=solver, loss=loss, refine=(), tolerance=1e-8)
        found, _ = adjust(start, options, fixed_photos=np.array([0, 5]))
        return float(np.median(reprojection_errors(found)[~outliers]))

    assert error(loss) < 0.5 * error("linear")


def test_robust_loss_finds_what_the_inliers_say() -> None:
    truth = make_scene(8, 300, noise=0.3)
    outliers = np.random.default_rng(3).random(len(truth.obs_xy)) < 0.05
    xy = truth.obs_xy + outliers[:, None] * 40.0
    start = disturb(dataclasses.replace(truth, obs_xy=xy), 0.002)
    allowed: dict[Loss, float] = {"cauchy": 0.5, "soft_l1": 0.7, "huber": 0.7, "linear": 40.0}
    for loss, worst in allowed.items():
        found, _ = adjust(start, BundleOptions(loss=loss, refine=()))
        errors = np.median(reprojection_errors(found)[~outliers])
        assert errors < worst
        assert loss != "linear" or errors > 1.0


@both_solvers
def test_fixed_parts_stay_to_the_bit(solver: Solver) -> None:
    cameras = (RADIAL, dataclasses.replace(RADIAL, focal="calibrated"))
    scene = disturb(make_scene(cameras=cameras))
    scene = dataclasses.replace(scene, points=np.where(np.arange(150)[:, None] < 5, -0.0, 1.0) * np.abs(scene.points))
    photos, points = np.array([True, False, False, True, False, False]), np.arange(5)
    found, _ = adjust(scene, BundleOptions(solver=solver), fixed_photos=photos, fixed_points=points)
    assert found.rotations[photos].tobytes() == scene.rotations[photos].tobytes()
    assert found.translations[photos].tobytes() == scene.translations[photos].tobytes()
    assert found.points[:5].tobytes() == scene.points[:5].tobytes()
    assert found.cameras[1] == scene.cameras[1]
    assert found.cameras[0] != scene.cameras[0]
    assert found.cameras[0].principal_point == scene.cameras[0].principal_point
    assert (found.rotations[~photos] != scene.rotations[~photos]).any(axis=(1, 2)).all()
    assert (found.points[5:] != scene.points[5:]).any(axis=1).all()


@both_solvers
@pytest.mark.parametrize("refine", [(), ("focal",), ("distortion",), ("focal", "principal_point", "distortion")])
def test_refines_only_what_is_asked(solver: Solver, refine: tuple) -> None:
    scene = disturb(make_scene(8, 200))
    (found,) = adjust(scene, BundleOptions(solver=solver, refine=refine))[0].cameras
    changed = [old != new for old, new in zip(RADIAL.params, found.params, strict=True)]
    assert changed == ["focal" in refine, *["principal_point" in refine] * 2, "distortion" in refine]


def test_gauge_is_held_and_the_optimum_does_not_depend_on_it() -> None:
    scene = disturb(make_scene())
    exact = BundleOptions(tolerance=1e-12)
    free, report = adjust(scene, exact)
    assert free.rotations[0].tobytes() == scene.rotations[0].tobytes()
    assert free.translations[0].tobytes() == scene.translations[0].tobytes()
    baseline = np.abs(scene.rotations[5] @ (scene.centers[5] - scene.centers[0]))
    assert free.translations[5, np.argmax(baseline)] == scene.translations[5, np.argmax(baseline)]
    for fixed in ({"fixed_photos": [2]}, {"fixed_points": [7]}, {"fixed_points": [7, 9]}):
        held: dict[str, Any] = {name: np.array(indices) for name, indices in fixed.items()}
        assert adjust(scene, exact, **held)[1].cost_after == pytest.approx(report.cost_after, rel=1e-9)
    # Three points or two photos leave no freedom, so holding wrong ones costs something.
    assert adjust(scene, exact, fixed_points=np.arange(3))[1].cost_after > 1.0001 * report.cost_after
    assert adjust(scene, exact, fixed_photos=np.arange(2))[1].cost_after > 1.0001 * report.cost_after


def test_points_only_and_poses_only() -> None:
    truth = make_scene(noise=0.0)
    everything = np.ones(6, bool)
    moved = dataclasses.replace(truth, points=disturb(truth).points)
    found, _ = adjust(moved, BundleOptions(refine=(), tolerance=1e-12), fixed_photos=everything)
    np.testing.assert_allclose(found.points, truth.points, atol=1e-6)
    moved = dataclasses.replace(disturb(truth), points=truth.points)
    found, _ = adjust(moved, BundleOptions(refine=(), tolerance=1e-12), fixed_points=np.ones(150, bool))
    np.testing.assert_allclose(found.rotations, truth.rotations, atol=1e-6)
    np.testing.assert_allclose(found.translations, truth.translations, atol=1e-6)
    found, report = adjust(moved, BundleOptions(refine=()), fixed_photos=everything, fixed_points=np.ones(150, bool))
    assert report.reason == "nothing-to-adjust"
    assert report.cost_before == report.cost_after > 0
    np.testing.assert_array_equal(found.points, moved.points)


def test_two_photos() -> None:
    truth = make_scene(2, 80, noise=0.2)
    found, report = adjust(disturb(truth, 0.003), BundleOptions(refine=()))
    assert report.rms_after < 0.3
    relative = [scene.rotations[1] @ scene.rotations[0].T for scene in (found, truth)]
    assert angle_between(*relative) < 5e-3


@both_solvers
def test_threads_do_not_change_a_byte(solver: Solver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_problem, "OBSERVATIONS_PER_CHUNK", 100)
    scene = disturb(make_scene(10, 400, cameras=(RADIAL, FISHEYE)))
    options = BundleOptions(solver=solver, loss="soft_l1")
    one, two, three = (adjust(scene, options, threads=threads) for threads in (1, 2, 3))
    assert same_bytes(one[0], two[0])
    assert same_bytes(one[0], three[0])
    assert one[1] == two[1] == three[1]


@pytest.mark.parametrize("cameras", [(RADIAL,), FOUR], ids=["shared", "four-models"])
def test_sparse_factor_agrees_with_dense(cameras: tuple[Camera, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene(12, 200, cameras=cameras)
    # Points seen by neighbors only: S has blocks that are zero.
    near = np.abs(scene.obs_photo - 1 - scene.obs_point % 10) < 4
    scene = dataclasses.replace(
        scene,
        obs_photo=scene.obs_photo[near],
        obs_point=scene.obs_point[near],
        obs_xy=scene.obs_xy[near],
        obs_keypoint=scene.obs_keypoint[near],
    )
    assert np.bincount(scene.obs_point).min() >= 2
    scene, options = disturb(scene, 0.002), BundleOptions(refine=("focal",), tolerance=1e-12)
    dense, report = adjust(scene, options)
    spread = covariances(dense, options)
    monkeypatch.setattr(bundle_problem, "DENSE_PHOTOS", 0)
    sparse, sparse_report = adjust(scene, options)
    assert sparse_report.cost_after == pytest.approx(report.cost_after, rel=1e-9)
    np.testing.assert_allclose(sparse.translations, dense.translations, atol=1e-5)
    for one, other in zip(spread, covariances(dense, options), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-12)


def test_covariances_agree_with_monte_carlo() -> None:
    noise, runs = 0.5, 150
    truth = make_scene(5, 60, noise=0.0)
    options = BundleOptions(refine=("focal",), tolerance=1e-10)
    poses, points = covariances(truth, options)
    rng = np.random.default_rng(5)
    rotations, translations, positions = [], [], []
    for _ in range(runs):
        noisy = dataclasses.replace(truth, obs_xy=truth.obs_xy + noise * rng.normal(size=truth.obs_xy.shape))
        found, _ = adjust(noisy, options)
        rotations.append(vector_from_matrix(found.rotations @ np.swapaxes(truth.rotations, 1, 2)))
        translations.append(found.translations - truth.translations)
        positions.append(found.points - truth.points)
    seen = np.concatenate([rotations, translations], axis=2).std(axis=0)
    told = noise * np.sqrt(np.diagonal(poses, axis1=1, axis2=2))
    np.testing.assert_allclose(seen[told == 0], 0, atol=1e-12)
    assert np.count_nonzero(told == 0) == 7
    band = 4.5 / np.sqrt(2 * runs)
    np.testing.assert_allclose(seen[told > 0] / told[told > 0], 1, atol=band)
    ratio = np.std(positions, axis=0) / (noise * np.sqrt(np.diagonal(points, axis1=1, axis2=2)))
    assert np.mean(ratio) == pytest.approx(1, abs=0.05)
    assert ratio.min() > 1 - band
    assert ratio.max() < 1 + band
    np.testing.assert_allclose(points, np.swapaxes(points, 1, 2), rtol=1e-6, atol=1e-12)


def test_errors_behind_the_camera_are_infinite_and_the_rest_goes_on() -> None:
    scene = make_scene()
    behind = scene.points.copy()
    behind[3] = 3 * scene.centers[2]
    scene = dataclasses.replace(scene, points=behind)
    errors = reprojection_errors(scene)
    assert np.isinf(errors[scene.obs_point == 3]).any()
    assert np.isfinite(errors[scene.obs_point != 3]).all()
    assert np.isinf(point_errors(scene)[3])
    found, report = adjust(scene, BundleOptions(loss="cauchy"))
    assert np.isfinite(report.cost_after)
    assert np.median(reprojection_errors(found)) < 1.0


def test_errors_match_the_projection() -> None:
    scene = make_scene(noise=0.7, cameras=FOUR)
    expected = np.empty(len(scene.obs_xy))
    for i, (photo, point) in enumerate(zip(scene.obs_photo, scene.obs_point, strict=True)):
        seen = scene.rotations[photo] @ scene.points[point] + scene.translations[photo]
        expected[i] = np.linalg.norm(project(scene.camera(photo), seen[None])[0] - scene.obs_xy[i])
    np.testing.assert_allclose(reprojection_errors(scene), expected, atol=1e-9)


@both_solvers
def test_failures_say_why(solver: Solver) -> None:
    scene, options = make_scene(), BundleOptions(solver=solver)

    def code(**changed: np.ndarray) -> str:
        with pytest.raises(StageFailure) as failure:
            adjust(dataclasses.replace(scene, **changed), options)
        return failure.value.code

    nan = scene.points.copy()
    nan[4, 1] = np.nan
    assert code(points=nan) == "not-finite"
    assert code(obs_xy=np.where(scene.obs_xy > 600, np.inf, scene.obs_xy)) == "not-finite"
    assert code(points=np.vstack([scene.points, [[0, 0, 0]]]), colors=np.zeros((151, 3)), errors=np.zeros(151)) == (
        "point-underdetermined"
    )
    assert code(obs_point=scene.obs_point[::-1]) == "unsorted-observations"
    nothing = {"obs_photo": [], "obs_point": [], "obs_xy": np.empty((0, 2)), "obs_keypoint": []}
    assert code(**{name: np.array(value) for name, value in nothing.items()}) == "no-observations"


@both_solvers
def test_stage_adjusts_every_model_and_survives_pickling(solver: Solver) -> None:
    models = (disturb(make_scene(seed=1)), disturb(make_scene(4, 60, seed=2)))
    stage = pickle.loads(pickle.dumps(BundleAdjustment(solver=solver, loss="huber")))
    before = Sparse(models=models, missing=(("x.jpg", "blurred"),))
    after = stage.run(before, Context(threads=2))
    assert after.missing == before.missing
    for old, new in zip(before.models, after.models, strict=True):
        assert new.names == old.names
        assert np.median(reprojection_errors(new)) < 0.2 * np.median(reprojection_errors(old))
        assert np.isfinite(new.errors).all()


def test_large_problem_reaches_the_known_optimum(shared_data: Path) -> None:
    scene = read_bal(shared_data / "bal/problem-16-22106-pre.txt")
    _, report = adjust(scene, threads=2)
    assert report.cost_before == pytest.approx(4.185660e6, rel=1e-6)
    assert report.cost_after <= 1.0001 * 1.803390e4
    assert report.evaluations <= 25
