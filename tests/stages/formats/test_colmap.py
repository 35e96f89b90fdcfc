"""COLMAP models against COLMAP itself, and what is refused."""

from __future__ import annotations

from pathlib import Path

import cv2  # noqa: F401  (before pycolmap: it brings the zlib that pycolmap's PNG writer needs)
import numpy as np
import pycolmap
import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.formats.colmap import read_colmap, write_colmap
from diptych.stages.scene import CAMERA_MODELS, Camera, Scene

PARAMS = {"fx": 900.0, "fy": 910.0, "f": 905.0, "cx": 320.5, "cy": 241.0}
NAMES = ("b side.jpg", "a/Фасад 東.png", "c.jpg")


def model(*, models: tuple[str, ...] = tuple(CAMERA_MODELS)) -> Scene:
    """Three photos, four points and their observations, one of them without an error."""
    rng = np.random.default_rng(7)
    rotations, _ = np.linalg.qr(rng.normal(size=(3, 3, 3)))
    rotations *= np.sign(np.linalg.det(rotations))[:, None, None]
    return Scene(
        cameras=tuple(Camera(name, 640, 480, [PARAMS.get(p, 0.01) for p in CAMERA_MODELS[name]]) for name in models),  # type: ignore[arg-type]
        names=NAMES,
        camera_of=np.array([1, 0, 1]) % len(models),
        rotations=rotations,
        translations=rng.normal(size=(3, 3)),
        points=rng.normal(size=(4, 3)),
        colors=rng.integers(0, 256, (4, 3)),
        errors=np.array([0.5, np.nan, 0.25, 1.5]),
        obs_photo=np.array([2, 0, 1, 0, 1, 2, 0]),
        obs_point=np.array([0, 0, 1, 1, 2, 2, 3]),
        obs_xy=rng.uniform(0, 480, (7, 2)),
        obs_keypoint=np.array([40, 7, 12, 3, 11, 41, 5]),
    )


@pytest.mark.parametrize("binary", [True, False])
def test_pycolmap_reads_what_we_write(tmp_path: Path, binary: bool) -> None:
    scene = model()
    write_colmap(scene, tmp_path, binary=binary)
    theirs = pycolmap.Reconstruction(str(tmp_path))
    assert [camera.model.name for _, camera in sorted(theirs.cameras.items())] == list(CAMERA_MODELS)
    for number, camera in theirs.cameras.items():
        assert tuple(camera.params) == scene.cameras[number - 1].params
        assert (camera.width, camera.height) == (640, 480)
    assert sorted(theirs.reg_image_ids()) == [1, 2, 3]
    for photo in range(3):
        image = theirs.images[photo + 1]
        # COLMAP's own reader of text ends a name at its first space.
        assert image.name == (NAMES[photo] if binary else NAMES[photo].split(" ")[0])
        assert image.camera_id == scene.camera_of[photo] + 1
        pose = image.cam_from_world()
        np.testing.assert_allclose(pose.rotation.matrix(), scene.rotations[photo], atol=1e-15)
        np.testing.assert_array_equal(pose.translation, scene.translations[photo])
    assert sorted(theirs.points3D) == [1, 2, 3, 4]
    for number, point in theirs.points3D.items():
        np.testing.assert_array_equal(point.xyz, scene.points[number - 1])
        np.testing.assert_array_equal(point.color, scene.colors[number - 1])
        assert point.error == np.nan_to_num(scene.errors[number - 1], nan=-1.0)
        track = [(e.image_id - 1, theirs.images[e.image_id].points2D[e.point2D_idx]) for e in point.track.elements]
        of_point = scene.obs_point == number - 1
        assert [photo for photo, _ in track] == scene.obs_photo[of_point].tolist()
        np.testing.assert_array_equal([keypoint.xy for _, keypoint in track], scene.obs_xy[of_point])
        assert {keypoint.point3D_id for _, keypoint in track} == {number}


@pytest.mark.parametrize("binary", [True, False])
def test_we_read_what_pycolmap_writes(tmp_path: Path, binary: bool) -> None:
    options = pycolmap.SyntheticDatasetOptions()
    options.num_points3D, options.num_frames_per_rig, options.num_points2D_without_point3D = 30, 3, 5
    theirs = pycolmap.synthesize_dataset(options)
    (theirs.write_binary if binary else theirs.write_text)(str(tmp_path))
    assert (tmp_path / ("rigs.bin" if binary else "rigs.txt")).exists()
    scene = read_colmap(tmp_path)
    images = {image.name: image for image in theirs.images.values()}
    assert sorted(scene.names) == sorted(images)
    for photo, name in enumerate(scene.names):
        pose = images[name].cam_from_world()
        np.testing.assert_allclose(scene.rotations[photo], pose.rotation.matrix(), atol=1e-14)
        np.testing.assert_allclose(scene.translations[photo], pose.translation, atol=1e-14)
        assert scene.camera(photo).params == tuple(theirs.cameras[images[name].camera_id].params)
        seen = scene.obs_photo == photo
        for xy, point, keypoint in zip(
            scene.obs_xy[seen], scene.obs_point[seen], scene.obs_keypoint[seen], strict=True
        ):
            measured = images[name].points2D[keypoint]
            np.testing.assert_allclose(xy, measured.xy, atol=1e-12)
            np.testing.assert_allclose(scene.points[point], theirs.points3D[measured.point3D_id].xyz, atol=1e-14)
    assert len(scene.obs_xy) == theirs.compute_num_observations()


def test_order_of_the_file_does_not_matter(tmp_path: Path) -> None:
    """Image and point ids need not ascend, nor follow the names."""
    (tmp_path / "cameras.txt").write_text("9 PINHOLE 64 48 50 51 32 24\n3 SIMPLE_PINHOLE 10 10 9 5 5\n")
    (tmp_path / "images.txt").write_text(
        "# a comment\n\n7 1 0 0 0 1 2 3 9 a.jpg\n1 2 55 3 4 -1 5 6 8\n2 1 0 0 0 4 5 6 3 b.jpg\n7 8 8\n"
        "5 1 0 0 0 0 0 0 3 c\n\n"
    )
    (tmp_path / "points3D.txt").write_text("55 1 1 1 9 9 9 0.5 7 0\n8 2 2 2 8 8 8 -1 7 2 2 0\n")
    scene = read_colmap(tmp_path)
    assert scene.names == ("b.jpg", "c", "a.jpg")
    assert [scene.camera(photo).model for photo in range(3)] == ["SIMPLE_PINHOLE", "SIMPLE_PINHOLE", "PINHOLE"]
    np.testing.assert_array_equal(scene.points[:, 0], [2, 1])
    np.testing.assert_array_equal(scene.errors, [np.nan, 0.5])
    np.testing.assert_array_equal(scene.obs_photo, [2, 0, 2])
    np.testing.assert_array_equal(scene.obs_point, [0, 0, 1])
    np.testing.assert_array_equal(scene.obs_xy, [[5, 6], [7, 8], [1, 2]])
    np.testing.assert_array_equal(scene.obs_keypoint, [2, 0, 0])


def test_the_same_scene_gives_the_same_bytes_and_replaces_what_was_there(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    pycolmap.synthesize_dataset(pycolmap.SyntheticDatasetOptions()).write_text(_made(second))
    (second / "notes.txt").write_text("mine")
    for folder in (first, second):
        write_colmap(model(), folder)
    assert sorted(path.name for path in first.iterdir()) == ["cameras.bin", "images.bin", "points3D.bin"]
    assert sorted(path.name for path in second.iterdir()) == ["cameras.bin", "images.bin", "notes.txt", "points3D.bin"]
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def _made(folder: Path) -> str:
    folder.mkdir()
    return str(folder)


def test_a_foreign_camera_model_is_named_and_still_gives_poses(tmp_path: Path) -> None:
    theirs = pycolmap.synthesize_dataset(pycolmap.SyntheticDatasetOptions())
    for camera in theirs.cameras.values():
        camera.model = pycolmap.CameraModelId.THIN_PRISM_FISHEYE
        camera.params = [500.0, 510.0, 320.0, 240.0, *[0.01] * 8]
    theirs.write(str(tmp_path))
    with pytest.raises(StageFailure, match="THIN_PRISM_FISHEYE") as caught:
        read_colmap(tmp_path)
    assert caught.value.code == "camera-model"
    scene = read_colmap(tmp_path, poses_only=True)
    assert scene.cameras[0].model == "PINHOLE"
    assert scene.cameras[0].params == (500.0, 510.0, 320.0, 240.0)
    assert len(scene.names) == len(theirs.images)


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin", "points3D.bin"])
def test_a_truncated_or_missing_file_is_said(tmp_path: Path, name: str) -> None:
    write_colmap(model(), tmp_path)
    whole = (tmp_path / name).read_bytes()
    for size in (0, 5, len(whole) // 2, len(whole) - 1):
        (tmp_path / name).write_bytes(whole[:size])
        with pytest.raises(StageFailure) as caught:
            read_colmap(tmp_path)
        assert caught.value.code == "damaged-model", size
    (tmp_path / name).unlink()
    with pytest.raises(StageFailure) as caught:
        read_colmap(tmp_path)
    assert caught.value.code == "no-model"


def test_files_that_do_not_belong_together_are_said(tmp_path: Path) -> None:
    write_colmap(model(), tmp_path / "one")
    write_colmap(model(models=("PINHOLE",)), tmp_path / "other")
    (tmp_path / "one/cameras.bin").write_bytes((tmp_path / "other/cameras.bin").read_bytes())
    with pytest.raises(StageFailure, match="camera") as caught:
        read_colmap(tmp_path / "one")
    assert caught.value.code == "damaged-model"
