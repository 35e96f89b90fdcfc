"""Random scenes written and read again, through every format that holds a scene."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.formats.bundler import read_bundler, write_bundler
from diptych.stages.formats.colmap import read_colmap, write_colmap
from diptych.stages.formats.nerfstudio import read_nerfstudio, write_nerfstudio
from diptych.stages.geometry.rotations import matrix_from_quaternion
from diptych.stages.scene import CAMERA_MODELS, Camera, Scene
from hypothesis import given, settings
from hypothesis import strategies as st

coordinates = st.floats(-1e6, 1e6, allow_subnormal=False)
letters = st.characters(min_codepoint=33, exclude_characters="/", exclude_categories=("C", "Z"))
names = st.builds("{} {}.jpg".format, st.text(letters, min_size=1, max_size=8), st.integers(0, 99))


@st.composite
def cameras(draw: st.DrawFn, models: tuple[str, ...]) -> Camera:
    model = draw(st.sampled_from(models))
    width, height = draw(st.integers(1, 9000)), draw(st.integers(1, 9000))
    focal, small = st.floats(1.0, 1e5), st.floats(-0.5, 0.5, allow_subnormal=False)
    center = {"cx": st.just(width / 2), "cy": st.just(height / 2)}
    params = [draw(center.get(name, focal if name.startswith("f") else small)) for name in CAMERA_MODELS[model]]
    return Camera(model, width, height, tuple(params), "calibrated")


@st.composite
def scenes(draw: st.DrawFn, models: tuple[str, ...] = tuple(CAMERA_MODELS)) -> Scene:
    """Scenes as COLMAP lists them: the keypoints of each photo numbered without gaps."""
    photos, points = draw(st.lists(names, unique=True, max_size=4)), draw(st.integers(0, 6))
    n = len(photos)
    some = tuple(draw(st.lists(cameras(models), unique=True, min_size=min(n, 1), max_size=n)))

    def floats(*shape: int) -> np.ndarray:
        return draw(arrays.arrays(np.float64, shape, elements=coordinates))

    quaternions = floats(n, 4)
    quaternions[np.linalg.norm(quaternions, axis=1) < 1e-3] = [1.0, 0.0, 0.0, 0.0]
    seen = draw(st.lists(st.sampled_from(range(n)), max_size=12)) if n and points else []
    keypoint = np.array([seen[:at].count(photo) for at, photo in enumerate(seen)], int)
    return Scene(
        cameras=some,
        names=tuple(photos),
        camera_of=np.arange(n) % max(len(some), 1),
        rotations=matrix_from_quaternion(quaternions),
        translations=floats(n, 3),
        points=floats(points, 3),
        colors=draw(arrays.arrays(np.uint8, (points, 3))),
        errors=np.where(np.arange(points) % 3 == 2, np.nan, np.abs(floats(points))),
        obs_photo=seen,  # type: ignore[arg-type]
        obs_point=np.sort(draw(arrays.arrays(np.int32, len(seen), elements=st.integers(0, max(points - 1, 0))))),
        obs_xy=floats(len(seen), 2),
        obs_keypoint=keypoint,
    )


def assert_same_photos(actual: Scene, expected: Scene) -> None:
    assert actual.names == expected.names
    for photo in range(len(expected.names)):
        assert actual.camera(photo) == expected.camera(photo)
    np.testing.assert_allclose(actual.rotations, expected.rotations, rtol=0, atol=5e-15)
    scale = 1.0 + np.abs(expected.translations).max(initial=0.0)
    np.testing.assert_allclose(actual.translations, expected.translations, rtol=0, atol=1e-14 * scale)


@given(scene=scenes(), binary=st.booleans())
@settings(max_examples=60, deadline=None)
def test_colmap_keeps_everything_to_the_bit(scene: Scene, binary: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_colmap(scene, folder, binary=binary)
        again = read_colmap(folder)
        poses = read_colmap(folder, poses_only=True)
    assert again.cameras == scene.cameras
    assert_same_photos(again, scene)
    for name in ("camera_of", "translations", "points", "colors", "errors", "obs_photo", "obs_point", "obs_xy"):
        np.testing.assert_array_equal(getattr(again, name), getattr(scene, name), err_msg=name)
    np.testing.assert_array_equal(again.obs_keypoint, scene.obs_keypoint)
    np.testing.assert_array_equal(poses.rotations, again.rotations)
    assert len(poses.points) == len(poses.obs_xy) == 0


@given(scene=scenes())
@settings(max_examples=40, deadline=None)
def test_nerfstudio_keeps_photos_and_points(scene: Scene) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "transforms.json"
        write_nerfstudio(scene, path)
        again = read_nerfstudio(path)
    assert_same_photos(again, scene)
    np.testing.assert_array_equal(again.points, scene.points)
    np.testing.assert_array_equal(again.colors, scene.colors)


@given(scene=scenes(("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL")))
@settings(max_examples=40, deadline=None)
def test_bundler_keeps_poses_points_and_observations(scene: Scene) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.out"
        write_bundler(scene, path)
        again = read_bundler(path)
    assert again.names == scene.names
    for name in ("rotations", "points", "colors", "obs_photo", "obs_point", "obs_keypoint"):
        np.testing.assert_array_equal(getattr(again, name), getattr(scene, name), err_msg=name)
    np.testing.assert_array_equal(again.translations, scene.translations)
    for photo in range(len(scene.names)):
        ours, theirs = scene.camera(photo), again.camera(photo)
        assert theirs.focal_lengths == ours.focal_lengths
        assert theirs.params[3:] == (*ours.params[3:], 0.0, 0.0)[:2]
        seen = scene.obs_photo == photo
        np.testing.assert_allclose(
            again.obs_xy[seen] - theirs.principal_point, scene.obs_xy[seen] - ours.principal_point, atol=1e-9
        )


@pytest.mark.parametrize("model", ["OPENCV_FISHEYE", "OPENCV"])
def test_bundler_refuses_what_it_cannot_state(model: str, tmp_path: Path) -> None:
    camera = Camera(model, 100, 80, (90.0, 90.0, 50.0, 40.0, 0.0, 0.0, 0.1, 0.0))
    empty = np.empty(0)
    scene = Scene((camera,), (), empty, empty, empty, empty, empty, empty, empty, empty, empty, empty)
    with pytest.raises(StageFailure, match=model) as caught:
        write_bundler(scene, tmp_path / "bundle.out")
    assert caught.value.code == "camera-model"
