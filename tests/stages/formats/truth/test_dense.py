"""Layouts of dense truth: each is known by its files, and what is none is refused with the list of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from diptych.stages.dense import Mesh
from diptych.stages.failure import StageFailure
from diptych.stages.formats.truth.dense import LAYOUTS, read_dense_truth
from diptych.stages.geometry.projection import unproject
from PIL import Image

SAMPLE = Path(__file__).resolve().parents[4] / "data_samples" / "courtyard"
SIZE = 12, 8


def cameras(folder: Path, names: list[str], file: str = "cameras.npz") -> None:
    k = np.tile(np.array([[10.0, 0, 5.5], [0, 10.0, 3.5], [0, 0, 1]]), (len(names), 1, 1))
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        folder / file,
        names=names,
        K=k,
        R=np.tile(np.eye(3), (len(names), 1, 1)),
        t=np.arange(3 * len(names)).reshape(-1, 3),
        size=SIZE,
    )


@pytest.mark.parametrize("path", [SAMPLE, SAMPLE / "truth"])
def test_a_rendered_sample(path: Path) -> None:
    truth = read_dense_truth(path)
    assert [view.name for view in truth.views] == [f"courtyard_{n:02d}.jpg" for n in range(1, 13)]
    view, mesh = truth.views[3], truth.surface
    assert isinstance(mesh, Mesh) and len(mesh.triangles) > 10_000
    rows, columns = (i[::997] for i in np.nonzero(view.depth))
    rays = unproject(view.camera, np.stack([columns, rows], axis=1) + 0.5)
    points = (rays * view.depth[rows, columns, None] - view.translation) @ view.rotation
    low, high = mesh.vertices.min(axis=0) - 0.01, mesh.vertices.max(axis=0) + 0.01
    assert ((points > low) & (points < high)).all()
    assert view.mask is None and truth.baseline == 0


def test_depth_in_millimeters(tmp_path: Path) -> None:
    cameras(tmp_path, ["a.png", "b.png"])
    (tmp_path / "depth").mkdir()
    depth = np.arange(96, dtype=np.uint16).reshape(8, 12) * 13
    Image.fromarray(depth).save(tmp_path / "depth" / "b.png")
    (view,) = read_dense_truth(tmp_path).views
    assert view.name == "b.png" and view.depth.dtype == np.float32
    np.testing.assert_allclose(view.depth, depth / 1000, rtol=1e-6)
    # The arrays count pixels from 0 at their centers.
    assert view.camera.principal_point == (6.0, 4.0)
    np.testing.assert_array_equal(view.translation, [3, 4, 5])


def test_masks_alone(tmp_path: Path) -> None:
    cameras(tmp_path, ["a.jpg"])
    (tmp_path / "mask").mkdir()
    mask = np.zeros((8, 12), np.uint8)
    mask[2:5, 3:9] = 255
    Image.fromarray(mask).save(tmp_path / "mask" / "a.png")
    (view,) = read_dense_truth(tmp_path).views
    assert view.mask is not None
    np.testing.assert_array_equal(view.mask, mask > 0)
    assert view.read_depth is None and not view.depth.any()


@pytest.mark.parametrize("file", ["cameras.npz", "../protocol/room.npz"])
def test_arrays_by_name(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "room"
    folder.mkdir()
    cameras(folder, ["a", "b"], file)
    depth = np.full((8, 12), 2.5, np.float32)
    depth[0, :4] = 0, np.nan, np.inf, -1
    np.savez(folder / "depth.npz", b=depth)
    (view,) = read_dense_truth(folder).views
    assert view.name == "b"
    assert not view.depth[0, :4].any() and (view.depth.ravel()[4:] == 2.5).all()


def test_a_folder_of_nothing_known_names_what_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(StageFailure) as failure:
        read_dense_truth(tmp_path)
    assert failure.value.code == "unknown-truth"
    assert all(what in failure.value.hint for what, _ in LAYOUTS)


def test_damage_is_said_in_a_sentence(tmp_path: Path) -> None:
    cameras(tmp_path, ["a.png"])
    (tmp_path / "depth").mkdir()
    (tmp_path / "depth" / "a.png").write_bytes(b"no image")
    view = read_dense_truth(tmp_path).views[0]
    with pytest.raises(StageFailure) as late:
        _ = view.depth
    Image.fromarray(np.ones((4, 4), np.uint16)).save(tmp_path / "depth" / "a.png")
    with pytest.raises(StageFailure) as size:
        _ = view.depth
    (tmp_path / "cameras.npz").write_bytes(b"no arrays")
    with pytest.raises(StageFailure) as early:
        read_dense_truth(tmp_path)
    assert {failure.value.code for failure in (late, size, early)} == {"damaged-truth"}


@pytest.mark.parametrize(
    ("name", "views", "known"), [("hololens_office", 31, 0.7), ("exact_scene8", 8, 0.9), ("dtu_scan24", 25, 0.0)]
)
def test_real_folders(shared_data: Path, name: str, views: int, known: float) -> None:
    truth = read_dense_truth(shared_data / name)
    assert len(truth.views) == views
    view = truth.views[0]
    share = (view.depth > 0).mean()
    assert share >= known and (share > 0) == (known > 0)
    assert (view.mask is not None) == (name == "dtu_scan24")
