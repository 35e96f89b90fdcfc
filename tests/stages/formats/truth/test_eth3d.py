"""ETH3D's layout, made small: distorted depth maps, and scans with their alignment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pycolmap
import pytest
from diptych.stages.failure import StageFailure
from diptych.stages.formats.colmap import write_colmap
from diptych.stages.formats.ply import write_ply
from diptych.stages.formats.truth.dense import read_dense_truth
from diptych.stages.formats.truth.eth3d import read_scans, thin_prism_fisheye
from diptych.stages.geometry.rotations import matrix_from_vector
from diptych.stages.scene import Camera, Scene

PARAMS = (95.0, 96.0, 61.0, 39.5, 0.08, -0.03, 0.001, -0.0005, 0.01, -0.004, 0.0007, -0.0003)
WIDTH, HEIGHT = 124, 80
PLANE = 3.0


def layout(root: Path, *, distorted: bool = True) -> Camera:
    """A photo that looks at the plane z = 3 + 0.5 x of its own frame; gives the undistorted camera."""
    camera = Camera("PINHOLE", 110, 72, (90.0, 90.0, 54.0, 35.0), "calibrated")
    nothing = np.empty(0)
    scene = Scene(
        cameras=(camera,),
        names=("dslr_images_undistorted/DSC_1.JPG",),
        camera_of=np.zeros(1),
        rotations=matrix_from_vector(np.array([[0.1, -0.4, 0.2]])),
        translations=np.array([[0.3, 0.1, -2.0]]),
        points=nothing,
        colors=nothing,
        errors=nothing,
        obs_photo=nothing,
        obs_point=nothing,
        obs_xy=nothing,
        obs_keypoint=nothing,
    )
    write_colmap(scene, root / "dslr_calibration_undistorted", binary=False)
    (root / "dslr_calibration_jpg").mkdir()
    (root / "dslr_calibration_jpg" / "cameras.txt").write_text(
        f"# Camera list\n7 THIN_PRISM_FISHEYE {WIDTH} {HEIGHT} {' '.join(map(str, PARAMS))}\n"
    )
    (root / "dslr_calibration_jpg" / "images.txt").write_text(
        "# Image list\n3 1 0 0 0 0 0 0 7 dslr_images/DSC_1.JPG\n10.5 20.5 -1\n"
    )
    if distorted:
        y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
        model = pycolmap.Camera(model="THIN_PRISM_FISHEYE", width=WIDTH, height=HEIGHT, params=PARAMS)
        rays = np.asarray(model.cam_from_img(np.stack([x.ravel(), y.ravel()], axis=1)))
        slope = rays[:, 0].reshape(HEIGHT, WIDTH)
        depth = np.where(y < 6, np.inf, PLANE / (1 - 0.5 * slope))
    else:
        depth = np.full((camera.height, camera.width), PLANE)
    maps = root / "ground_truth_depth" / "dslr_images"
    maps.mkdir(parents=True)
    depth.astype("<f4").tofile(maps / "DSC_1.JPG")
    return camera


def test_the_camera_model_is_colmaps() -> None:
    rays = np.concatenate([np.random.default_rng(0).uniform(-1, 1, (200, 2)), np.ones((200, 1))], axis=1)
    rays[0, :2] = 0
    model = pycolmap.Camera(model="THIN_PRISM_FISHEYE", width=WIDTH, height=HEIGHT, params=PARAMS)
    expected = np.asarray(model.img_from_cam(rays))
    np.testing.assert_allclose(thin_prism_fisheye(np.array(PARAMS), rays), expected, atol=1e-9)


def test_depth_of_the_distorted_photo_comes_to_the_undistorted_pixels(tmp_path: Path) -> None:
    camera = layout(tmp_path)
    (view,) = read_dense_truth(tmp_path).views
    assert view.name == "DSC_1.JPG"
    depth = view.depth
    assert depth.shape == (camera.height, camera.width)
    x = np.arange(camera.width) + 0.5
    true = np.broadcast_to(PLANE / (1 - 0.5 * (x - 54.0) / 90.0), depth.shape)
    known = depth > 0
    assert 0.7 < known.mean() < 1.0 and not known[0].all()
    # The nearest pixel lies up to 0.7 px away, where the plane is up to 1 % deeper or nearer.
    error = np.abs(depth[known] / true[known] - 1)
    assert error.max() < 0.01 and np.median(error) > 1e-4


def test_depth_of_the_undistorted_size_is_taken_as_it_is(tmp_path: Path) -> None:
    layout(tmp_path, distorted=False)
    assert (read_dense_truth(tmp_path).views[0].depth == PLANE).all()


def test_depth_of_neither_size_is_damaged(tmp_path: Path) -> None:
    layout(tmp_path)
    np.zeros(77, "<f4").tofile(tmp_path / "ground_truth_depth" / "dslr_images" / "DSC_1.JPG")
    view = read_dense_truth(tmp_path).views[0]
    with pytest.raises(StageFailure) as failure:
        _ = view.depth
    assert failure.value.code == "damaged-truth" and "DSC_1.JPG" in str(failure.value.facts)


def test_scans_are_brought_together(tmp_path: Path) -> None:
    layout(tmp_path)
    scans, entries, expected = tmp_path / "dslr_scan_eval", "", []
    scans.mkdir()
    rng = np.random.default_rng(2)
    for number in (1, 2):
        local = rng.uniform(-3, 3, (50, 3)).astype(np.float32)
        write_ply(scans / f"scan{number}.ply", local)
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = matrix_from_vector(rng.uniform(-1, 1, 3)), rng.uniform(-5, 5, 3)
        rows = "\n".join(" ".join(map(repr, map(float, row))) + " " for row in matrix)
        entries += (
            f'<MLMesh label="scan{number}.ply" filename="scan{number}.ply"><MLMatrix44>\n{rows}\n</MLMatrix44></MLMesh>'
        )
        expected.append(local @ matrix[:3, :3].T + matrix[:3, 3])
    (scans / "scan_alignment.mlp").write_text(
        f"<!DOCTYPE MeshLabDocument>\n<MeshLabProject><MeshGroup>{entries}</MeshGroup></MeshLabProject>\n"
    )
    surface = read_dense_truth(tmp_path).surface
    assert isinstance(surface, np.ndarray)
    np.testing.assert_allclose(surface, np.concatenate(expected), atol=1e-5)
    (scans / "scan_alignment.mlp").write_text("<MeshLabProject/>")
    with pytest.raises(ValueError, match="no scan"):
        read_scans(scans / "scan_alignment.mlp")
