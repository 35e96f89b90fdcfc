"""Readers of the truth: layouts written by hand, and real data sets held against their own photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from diptych.stages.failure import StageFailure
from diptych.stages.formats.bundler import write_bundler
from diptych.stages.formats.colmap import write_colmap
from diptych.stages.formats.nerfstudio import write_nerfstudio
from diptych.stages.formats.truth.cameras import decompose, read_truth
from diptych.stages.geometry.projection import project
from diptych.stages.geometry.rotations import cross_matrix, matrix_from_vector
from diptych.stages.scene import Camera, Scene
from PIL import Image

K = np.array([[500.0, 0.0, 310.0], [0.0, 510.0, 236.0], [0.0, 0.0, 1.0]])
HALF = np.array([[0.0, 0.0, 0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])
R = matrix_from_vector(np.array([[0.1, -0.2, 0.3], [0.0, 0.5, 0.0], [-0.4, 0.1, 0.0]]))
T = np.array([[0.1, 0.2, 3.0], [-1.0, 0.0, 2.5], [0.5, -0.5, 4.0]])
NAMES = ("a 1.jpg", "b.jpg", "ц.jpg")


def text(*arrays: np.ndarray) -> str:
    return " ".join(f"{value:.17g}" for array in arrays for value in np.ravel(array))


def strecha(folder: Path) -> None:
    for name, rotation, translation in zip(NAMES, R, T, strict=True):
        parts = K + HALF, np.zeros(3), rotation.T, -rotation.T @ translation, np.array([640, 480])
        (folder / f"{name}.camera").write_text(text(*parts))


def middlebury(folder: Path) -> None:
    lines = [f"{name.replace(' ', '')} {text(K, r, t)}" for name, r, t in zip(NAMES, R, T, strict=True)]
    (folder / "scene_par.txt").write_text("\n".join(["3", *lines, ""]))
    (folder / "scene_ang.txt").write_text("1 2 a.png\n")


def olsson(folder: Path) -> None:
    projections, names = np.empty((1, 3), object), np.empty((3, 1), object)
    for photo, factor in enumerate((1.0, -2.0, 0.5)):
        projections[0, photo] = factor * K @ np.column_stack([R[photo], T[photo]])
        names[photo, 0] = {"name": NAMES[photo]}
    scipy.io.savemat(
        folder / "data.mat", {"P": projections, "imnames": names, "U": np.array([[4.0, 1], [6, 0], [8, -1], [2, 1]])}
    )


def arrays(folder: Path) -> None:
    np.savez(folder / "depth.npz", a=np.zeros(3))
    np.savez(folder / "views.npz", names=np.array(NAMES), K=np.stack([K] * 3), R=R, t=T, size=np.array([640, 480]))


def scene(prefix: str = "") -> Scene:
    nothing = np.empty(0)
    return Scene(
        cameras=(Camera("PINHOLE", 640, 480, (500.0, 510.0, 310.5, 236.5), "calibrated"),),
        names=tuple(prefix + name for name in NAMES),
        camera_of=np.zeros(3),
        rotations=R,
        translations=T,
        points=nothing,
        colors=nothing,
        errors=nothing,
        obs_photo=nothing,
        obs_point=nothing,
        obs_xy=nothing,
        obs_keypoint=nothing,
    )


WRITERS = {
    "strecha": strecha,
    "middlebury": middlebury,
    "olsson": olsson,
    "arrays": arrays,
    "colmap": lambda folder: write_colmap(scene(), folder),
    "colmap text": lambda folder: write_colmap(scene("dslr_images_undistorted/"), folder, binary=False),
    "nerfstudio": lambda folder: write_nerfstudio(scene("./images/"), folder / "transforms.json"),
}


@pytest.mark.parametrize("layout", WRITERS)
@pytest.mark.parametrize("inside", [".", "gt", "dslr_calibration_undistorted"])
def test_every_layout_gives_the_same_cameras(tmp_path: Path, layout: str, inside: str) -> None:
    folder = tmp_path / inside
    folder.mkdir(exist_ok=True)
    WRITERS[layout](folder)
    for name in NAMES:
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.new("L", (640, 480)).save(tmp_path / "images" / name.replace(" ", "" if layout == "middlebury" else " "))
    truth = read_truth(tmp_path)
    assert truth.names == (("a1.jpg", *NAMES[1:]) if layout == "middlebury" else NAMES)
    for photo in range(3):
        camera = truth.camera(photo)
        assert (camera.model, camera.width, camera.height, camera.focal) == ("PINHOLE", 640, 480, "calibrated")
        np.testing.assert_allclose(camera.params, [500.0, 510.0, 310.5, 236.5], atol=1e-9)
    np.testing.assert_allclose(truth.rotations, R, atol=1e-12)
    np.testing.assert_allclose(truth.translations, T, atol=1e-12)
    if layout == "olsson":
        np.testing.assert_array_equal(truth.points, [[2.0, 3.0, 4.0], [1.0, 0.0, -1.0]])


def test_a_file_may_be_named_itself(tmp_path: Path) -> None:
    arrays(tmp_path)
    assert read_truth(tmp_path / "views.npz").names == NAMES
    with pytest.raises(StageFailure) as caught:
        read_truth(tmp_path / "depth.npz")
    assert caught.value.code == "unknown-truth"


def test_bundler_is_truth_too(tmp_path: Path) -> None:
    nothing = np.empty(0)
    square = Scene(
        (Camera("SIMPLE_PINHOLE", 640, 480, (500.0, 320.0, 240.0)),),
        NAMES,
        np.zeros(3),
        R,
        T,
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
    )
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "nohup.out").write_text("a log")
    write_bundler(square, tmp_path / "bundle" / "bundle.out")
    truth = read_truth(tmp_path)
    assert truth.names == NAMES
    np.testing.assert_allclose(truth.rotations, R, atol=1e-14)


def test_names_in_folders_stay_where_files_are_named_alike(tmp_path: Path) -> None:
    write_colmap(replace(scene(), names=("left/1.jpg", "right/1.jpg", "right/2.jpg")), tmp_path)
    assert read_truth(tmp_path).names == ("left/1.jpg", "right/1.jpg", "right/2.jpg")


def test_unknown_and_damaged_truth_is_said(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "not there"):
        with pytest.raises(StageFailure) as caught:
            read_truth(path)
        assert caught.value.code == "unknown-truth"
    (tmp_path / "0000.jpg.camera").write_text("1 2 3")
    with pytest.raises(StageFailure) as caught:
        read_truth(tmp_path)
    assert caught.value.code == "damaged-truth"


def test_projection_matrices_of_any_scale_and_sign_are_taken_apart() -> None:
    rng = np.random.default_rng(0)
    calibrations = np.triu(rng.uniform(0.5, 2.0, (20, 3, 3)))
    calibrations /= calibrations[:, 2:, 2:]
    rotations, translations = matrix_from_vector(rng.normal(size=(20, 3))), rng.normal(size=(20, 3))
    projections = calibrations @ np.concatenate([rotations, translations[..., None]], axis=2)
    found = decompose(projections * rng.uniform(-3, 3, (20, 1, 1)))
    for actual, expected in zip(found, (calibrations, rotations, translations), strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-11)


def sift(path: Path, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints in pixels of the whole photo, centers at 0.5, and RootSIFT descriptors."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    detector = cv2.SIFT_create(2000, contrastThreshold=0.01, enable_precise_upscale=True)  # type: ignore[attr-defined]
    keypoints, descriptors = detector.detectAndCompute(image, None)
    xy = (np.array([keypoint.pt for keypoint in keypoints]) + 0.5) / scale
    return xy, np.sqrt(descriptors / descriptors.sum(axis=1, keepdims=True))


def matched(paths: list[Path], scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Mutual nearest neighbors between two photos that pass the ratio test, in homogeneous pixels (M, 3)."""
    (xy, descriptors), (xy2, descriptors2) = (sift(path, scale) for path in paths)
    similarity = descriptors @ descriptors2.T
    best, back = similarity.argmax(axis=1), similarity.argmax(axis=0)
    first, second = np.partition(np.arccos(np.clip(similarity, -1, 1)), 1, axis=1)[:, :2].T
    kept = (back[best] == np.arange(len(best))) & (first < 0.8 * second)
    p, q = (np.column_stack([a, np.ones(len(a))]) for a in (xy[kept], xy2[best[kept]]))
    return p, q


def epipolar_errors(truth: Scene, i: int, j: int, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Symmetric distance of matches between photos i and j from their true epipolar lines in pixels."""
    rotation = truth.rotations[j] @ truth.rotations[i].T
    essential = cross_matrix(truth.translations[j] - rotation @ truth.translations[i]) @ rotation
    inverse, inverse2 = (np.linalg.inv(truth.camera(photo).matrix) for photo in (i, j))
    fundamental = inverse2.T @ essential @ inverse
    lines, lines2 = p @ fundamental.T, q @ fundamental
    offset = np.abs(np.sum(q * lines, axis=1))
    return 0.5 * offset * (1 / np.hypot(*lines.T[:2]) + 1 / np.hypot(*lines2.T[:2]))


@pytest.mark.parametrize(
    ("name", "pair", "scale", "least", "median"),
    [
        ("strecha_fountain-P11", (4, 5), 0.375, 200, 0.45),
        ("strecha_Herz-Jesus-P8", (3, 4), 0.375, 200, 0.45),
        ("lund_door", (4, 5), 0.5, 200, 0.35),
        ("middlebury_templeRing", (10, 11), 1.0, 100, 0.25),
        ("dtu_scan24", (14, 15), 0.5, 100, 0.5),
        ("hololens_office", (3, 4), 1.0, 50, 0.9),
    ],
)
def test_true_cameras_fit_their_photos(
    shared_data: Path, name: str, pair: tuple[int, int], scale: float, least: int, median: float
) -> None:
    truth = read_truth(shared_data / name)
    p, q = matched([shared_data / name / "images" / truth.names[photo] for photo in pair], scale)
    errors = epipolar_errors(truth, *pair, p, q)
    close = errors[errors < 2.0]
    assert len(close) > least
    assert len(close) > 0.6 * len(errors)
    assert np.median(close) < median
    # With one camera turned by a degree the same matches do not fit: the check can fail.
    rotations = truth.rotations.copy()
    rotations[pair[1]] = matrix_from_vector(np.radians([1.0, 0.7, 0.0])) @ rotations[pair[1]]
    wrong = epipolar_errors(replace(truth, rotations=rotations), *pair, p, q)
    assert np.mean(wrong < 2.0) < 0.5


def test_olssons_points_project_onto_his_keypoints(shared_data: Path) -> None:
    truth = read_truth(shared_data / "lund_door")
    data = scipy.io.loadmat(shared_data / "lund_door/gt/data.mat", squeeze_me=True, struct_as_record=False)
    assert (truth.camera(0).width, truth.camera(0).height) == (1296, 1936)
    for photo in (0, 7):
        measured = data["u_uncalib"].points[photo][:2].T + 0.5
        seen = truth.points[data["u_uncalib"].index[photo].astype(int) - 1]
        xy = project(truth.camera(photo), seen @ truth.rotations[photo].T + truth.translations[photo])
        error = np.linalg.norm(xy - measured, axis=1)
        assert 0.1 < np.median(error) < 0.35
