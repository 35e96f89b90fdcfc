"""COLMAP's dense folder: what is in it, where, and that COLMAP's own fusion takes it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2  # before pycolmap: it brings the zlib that pycolmap's PNG writer needs
import numpy as np
import pycolmap
import pytest
from diptych.stages.dense import DepthMap, Neighbors, Reason, View
from diptych.stages.formats.colmap import read_colmap
from diptych.stages.formats.colmap_dense import pinhole_scene, read_colmap_map, write_colmap_dense, write_colmap_map
from diptych.stages.geometry.projection import project
from diptych.stages.scene import Camera, Scene
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tests.synthetic_views import synthetic_views

DISTORTED = Camera("OPENCV", 200, 150, (230.0, 228.0, 101.0, 74.0, -0.12, 0.02, 1e-3, -2e-3))


@given(values=arrays(np.float32, array_shapes(min_dims=2, max_dims=2), elements=st.floats(width=32)))
def test_maps_come_back(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("maps") / "d.bin"
    for each in (values, np.stack([values, -values, values + 1], axis=-1)):
        write_colmap_map(path, each)
        np.testing.assert_array_equal(read_colmap_map(path), each)


def test_a_map_lies_in_its_file_column_first_in_the_order_width_height_channel(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    write_colmap_map(tmp_path / "n.bin", values)
    head, data = (tmp_path / "n.bin").read_bytes()[:6], (tmp_path / "n.bin").read_bytes()[6:]
    assert head == b"4&2&3&"
    theirs = np.frombuffer(data, "<f4").reshape((4, 2, 3), order="F")
    np.testing.assert_array_equal(theirs.transpose(1, 0, 2), values)


@pytest.mark.parametrize("data", [b"", b"4&2&", b"4&2&1&" + bytes(31), b"a&b&c&" + bytes(4)])
def test_what_is_no_map_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "d.bin").write_bytes(data)
    with pytest.raises(ValueError, match=r"d\.bin: expected a map"):
        read_colmap_map(tmp_path / "d.bin")


def world(names: tuple[str, ...]) -> tuple[Scene, dict[str, View], dict[str, DepthMap]]:
    """Views with their true depth and normals, and 400 points on the surfaces, seen through a distorting lens."""
    seen, true = synthetic_views(len(names), (160, 120))
    points = np.concatenate([_surface(view, depth)[::97, ::83].reshape(-1, 3) for view, depth in zip(seen, true)])[:400]  # noqa: B905
    n, p = len(names), len(points)
    xy = np.stack([project(DISTORTED, points @ view.rotation.T + view.translation) for view in seen], axis=1)
    scene = Scene(
        cameras=(DISTORTED,),
        names=names,
        camera_of=np.zeros(n),
        rotations=np.stack([view.rotation for view in seen]),
        translations=np.stack([view.translation for view in seen]),
        points=points,
        colors=np.zeros((p, 3)),
        errors=np.zeros(p),
        obs_photo=np.tile(np.arange(n), p),
        obs_point=np.repeat(np.arange(p), n),
        obs_xy=xy.reshape(-1, 2),
        obs_keypoint=np.repeat(np.arange(p), n),
    )
    depths = {}
    for name, view, depth in zip(names, seen, true, strict=True):
        at = (_surface(view, depth) @ view.rotation.T) + view.translation
        normal = np.cross(np.gradient(at, axis=1), np.gradient(at, axis=0))
        normal /= -np.sign((normal * at).sum(axis=-1, keepdims=True)) * np.linalg.norm(normal, axis=-1, keepdims=True)
        found = np.full(depth.shape, Reason.FOUND)
        depths[name] = DepthMap(depth, normal, np.ones(depth.shape), found)
    return scene, dict(zip(names, seen, strict=True)), depths


def _surface(view: View, depth: np.ndarray) -> np.ndarray:
    """The points of a depth map in the world, shape (H, W, 3)."""
    height, width = depth.shape
    pixels = np.stack([*np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), np.ones(depth.shape)], axis=-1)
    return (depth[..., None] * (pixels @ np.linalg.inv(view.camera.matrix).T) - view.translation) @ view.rotation


def test_observations_stand_where_the_pinhole_camera_shows_their_points() -> None:
    scene, views, _ = world(("a.png", "b.png", "c.png"))
    kept = {name: views[name].camera for name in ("a.png", "c.png")}
    part = pinhole_scene(scene, kept)
    assert part.names == ("a.png", "c.png") and len(part.cameras) == 1 and len(part.obs_photo) == 2 * len(scene.points)
    for i, name in enumerate(part.names):
        mine = part.obs_photo == i
        at = part.points[part.obs_point[mine]] @ part.rotations[i].T + part.translations[i]
        np.testing.assert_allclose(part.obs_xy[mine], project(kept[name], at), atol=1e-8)


def test_points_that_no_kept_photo_sees_go(tmp_path: Path) -> None:
    scene, views, _ = world(("a.png", "b.png"))
    only_b = (scene.obs_photo == 1) | (scene.obs_point % 2 == 0)
    names = ("obs_photo", "obs_point", "obs_xy", "obs_keypoint")
    scene = dataclasses.replace(scene, **{name: getattr(scene, name)[only_b] for name in names})
    part = pinhole_scene(scene, {"a.png": views["a.png"].camera})
    np.testing.assert_array_equal(part.points, scene.points[::2])
    assert set(part.obs_photo) == {0}
    assert pinhole_scene(scene, {}).names == ()


def test_folder_holds_what_can_be_gone_on_from(tmp_path: Path) -> None:
    names = ("a.png", "left/b.jpg", "c.png", "d.png")
    scene, views, depths = world(names)
    blind = dataclasses.replace(views["c.png"], near=0.0, far=0.0, missing="It sees nothing.")
    views["c.png"] = blind
    depths["c.png"] = DepthMap.empty(blind, blind.missing)
    depths["d.png"] = DepthMap.empty(views["d.png"], "It is dark.")
    neighbors = Neighbors([0, 2, 4, 4, 5], [1, 2, 3, 0, 0], np.ones(5), np.ones(5), np.ones(4), np.ones(4), ("",) * 4)  # type: ignore[arg-type]
    write_colmap_dense(tmp_path / "dense", scene, views, depths, neighbors)

    files = {path.relative_to(tmp_path / "dense").as_posix() for path in (tmp_path / "dense").rglob("*.*")}
    assert files == {
        *(f"sparse/{stem}.bin" for stem in ("cameras", "images", "points3D")),
        "images/a.png",
        "images/left/b.jpg",
        "images/d.png",
        "stereo/patch-match.cfg",
        "stereo/fusion.cfg",
        *(f"stereo/{kind}_maps/{n}.geometric.bin" for kind in ("depth", "normal") for n in ("a.png", "left/b.jpg")),
    }
    assert (tmp_path / "dense/stereo/fusion.cfg").read_text() == "a.png\nleft/b.jpg\n"
    # The neighbor that is missing is not looked for.
    told = (tmp_path / "dense/stereo/patch-match.cfg").read_text()
    assert told == "a.png\nleft/b.jpg\nleft/b.jpg\nd.png, a.png\nd.png\na.png\n"
    model = read_colmap(tmp_path / "dense/sparse")
    assert model.names == ("a.png", "left/b.jpg", "d.png") and {camera.model for camera in model.cameras} == {"PINHOLE"}
    picture = cv2.imread(str(tmp_path / "dense/images/a.png"))
    assert picture is not None
    np.testing.assert_array_equal(picture[..., ::-1], views["a.png"].image)
    depth = read_colmap_map(tmp_path / "dense/stereo/depth_maps/left/b.jpg.geometric.bin")
    np.testing.assert_array_equal(depth, depths["left/b.jpg"].depth)


def test_colmap_fuses_it_to_points_on_the_surfaces(tmp_path: Path) -> None:
    names = ("a.png", "b.png", "c.png", "d.png")
    scene, views, depths = world(names)
    write_colmap_dense(tmp_path / "dense", scene, views, depths)
    options = pycolmap.StereoFusionOptions()
    options.num_threads, options.min_num_pixels = 1, 3
    pycolmap.logging.minloglevel = pycolmap.logging.ERROR.value
    fused = pycolmap.stereo_fusion(tmp_path / "fused.ply", tmp_path / "dense", options=options, output_type="PLY")
    points = np.array([point.xyz for point in fused.points3D.values()])
    assert len(points) > 0.5 * 160 * 120
    view, depth = views["b.png"], depths["b.png"].depth
    at = points @ view.rotation.T + view.translation
    x, y = np.floor(project(view.camera, at)).astype(int).T
    inside = (x >= 0) & (x < 160) & (y >= 0) & (y < 120)
    off = np.abs(at[inside, 2] / depth[y[inside], x[inside]] - 1)
    # What is hidden from this view by the sphere cannot agree with its depth.
    assert inside.mean() > 0.8 and np.median(off) < 0.002 and (off < 0.02).mean() > 0.9
