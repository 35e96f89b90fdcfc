"""What the sample scenes are made of: shapes, free forms, plants, flights, and one whole scene. No path tracer here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from diptych.stages.images.containers import read_container
from diptych.stages.images.exif import focal_in_pixels, read_exif
from rendering import photo
from rendering.camera_path import Lens, flight
from rendering.modeling import plants
from rendering.modeling.freeform import blended, boxed, capsule, carved, ellipsoid, mirrored, surface_net
from rendering.modeling.masonry import courses, cut
from rendering.modeling.meshes import Mesh, Plane, panel, relief
from rendering.modeling.shapes import arched, prism
from rendering.scenes import room, village_ground

WALL = Plane((-2.0, 0.0, 0.0), (1, 0, 0), (0, 0, 1), 4.0, 3.0)


def volume(mesh: Mesh) -> float:
    """Of a closed mesh; negative if it is inside out."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return float(np.einsum("ni,ni->n", a, np.cross(b, c)).sum() / 6)


def normals(mesh: Mesh) -> np.ndarray:
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def test_a_surface_net_is_a_closed_surface_where_the_field_is_zero() -> None:
    radii = np.array([0.5, 0.4, 0.3])
    mesh = surface_net(ellipsoid((0.1, 0, 0), radii.tolist()), (-0.6, -0.6, -0.6), (0.8, 0.6, 0.6), 0.02)
    on = np.linalg.norm((mesh.vertices - (0.1, 0, 0)) / radii, axis=1)
    assert np.abs(on - 1).max() < 0.01
    assert volume(mesh) == pytest.approx(4 / 3 * np.pi * radii.prod(), rel=0.01)
    edges = np.concatenate([mesh.faces[:, [i, j]] for i, j in ((0, 1), (1, 2), (2, 0))])
    there, back = ({tuple(edge) for edge in ends.tolist()} for ends in (edges, edges[:, ::-1]))
    assert len(there) == len(edges) and there == back


def test_pieces_are_joined_smoothly_and_carved() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (2000, 3))
    a, b = ellipsoid((-0.3, 0, 0), (0.3, 0.3, 0.3)), capsule((0.1, 0, 0), (0.6, 0, 0), 0.2, 0.1)
    both, sharp = blended([a, b], 0.1)(points), np.minimum(a(points), b(points))
    apart = np.abs(a(points) - b(points)) > 0.1
    np.testing.assert_allclose(both[apart], sharp[apart])
    assert ((both <= sharp + 1e-12) & (both >= sharp - 0.026)).all() and (both < sharp - 0.01).any()
    np.testing.assert_allclose(mirrored(b)(points), mirrored(b)(points * (-1, 1, 1)))
    rest = carved(a, b, 1e-6)(points)
    np.testing.assert_array_equal(rest < 0, (a(points) < 0) & (b(points) > 0))


def test_a_texture_is_laid_on_in_metres() -> None:
    mesh = surface_net(ellipsoid((0, 0, 0), (0.3, 0.3, 0.3)), (-0.4,) * 3, (0.4,) * 3, 0.05)
    laid = boxed(mesh, 0.5)
    np.testing.assert_allclose(laid.vertices[laid.faces], mesh.vertices[mesh.faces])
    in_space, on_texture = (
        np.linalg.norm(x[laid.faces[:, 0]] - x[laid.faces[:, 1]], axis=1) for x in (laid.vertices, 0.5 * laid.uv)
    )
    # Seen along the steepest axis an edge is at most so much shorter.
    assert (on_texture <= in_space + 1e-9).all() and np.median(on_texture / in_space) > 0.7


def test_stones_are_cut_around_openings() -> None:
    stones = courses(np.random.default_rng(1), (4.0, 3.0), (0.2, 0.3), (0.3, 0.6), 0.01)
    holes = [(1.0, 0.0, 1.8, 2.0), (2.5, 1.0, 3.2, 2.2)]
    left = cut(stones, holes, 0.0)

    def area(rectangles: np.ndarray) -> float:
        return float((rectangles[:, 2:] - rectangles[:, :2]).prod(axis=1).sum())

    gone = 0.0
    for u0, v0, u1, v1 in holes:
        inside = np.clip(stones, (u0, v0, u0, v0), (u1, v1, u1, v1))
        gone += area(inside)
        overlap = np.clip(left, (u0, v0, u0, v0), (u1, v1, u1, v1))
        assert area(overlap) == pytest.approx(0, abs=1e-9)
    assert area(left) == pytest.approx(area(stones) - gone)
    assert ((cut(stones, holes, 0.08)[:, 2:] - cut(stones, holes, 0.08)[:, :2]) > 0.08).all()


def test_prisms_stand_on_their_plane_and_face_outwards() -> None:
    outline = np.array([[0.5, 0.5], [2.0, 0.5], [2.0, 1.5], [1.2, 2.0], [0.5, 1.5]])
    mesh = prism(WALL, outline, 0.25)
    assert mesh.vertices[:, 1].min() == pytest.approx(-0.25) and mesh.vertices[:, 1].max() == pytest.approx(0)
    center = WALL.at(np.array([1.25]), np.array([1.2]), 0.1)[0]
    middles = mesh.vertices[mesh.faces].mean(axis=1)
    assert (np.einsum("ni,ni->n", normals(mesh), middles - center) > 0).all()


def test_reliefs_stand_out_as_far_as_they_are_carved_and_arches_bend_them() -> None:
    lift = np.random.default_rng(3).uniform(0, 0.1, (5, 9))
    mesh = relief(WALL, lift, (0.5, 1.0, 2.5, 2.0))
    np.testing.assert_allclose(-mesh.vertices[:, 1], lift.ravel())
    assert (normals(relief(WALL, 0 * lift))[:, 1] < 0).all()
    flat = Plane((0, 0, 0), (1, 0, 0), (0, 0, 1), 3.0, 0.4)
    bent = arched(panel(flat), radius=1.0, length=3.0)
    np.testing.assert_allclose(np.sort(np.hypot(*bent.vertices[:, [0, 2]].T)), [1.0, 1.0, 1.4, 1.4])
    assert bent.vertices[:, 2].min() > -1e-9


def test_a_flight_keeps_its_height_tilt_and_grid() -> None:
    views = flight(np.random.default_rng(0), Lens(), (0.0, 10.0, 20.0), (0.0, 15.0), altitude=60.0, tilt=24.0, sway=0.1)
    centers = -np.einsum("nji,nj->ni", views.rotations, views.translations)
    np.testing.assert_allclose(np.linalg.det(views.rotations), 1)
    np.testing.assert_allclose(centers[:, 2], 60, atol=0.5)
    # To and fro: neighboring photos of the list are neighbors in the air.
    assert np.linalg.norm(np.diff(centers, axis=0), axis=1).max() < 16
    off_plumb = np.degrees(np.arccos(-views.rotations[:, 2, 2]))
    np.testing.assert_allclose(off_plumb, 24, atol=1)


@pytest.mark.parametrize("size", [(960, 640), (640, 480), (480, 640)])
def test_exif_knows_the_focal_length_at_every_proportion(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    photo.save(tmp_path / "a.jpg", np.zeros((height, width, 3), np.uint8), Lens(), 0)
    container = read_container((tmp_path / "a.jpg").read_bytes())
    focal = focal_in_pixels(read_exif(container.exif), *container.size)
    assert focal == pytest.approx(Lens().focal * width, rel=0.02)


def test_plants_grow_where_they_should() -> None:
    rng = np.random.default_rng(4)
    wood, crown = plants.tree(rng, height=8.0, crown=2.5, leaf=0.3, count=500)
    assert len(crown.faces) == 4 * 500
    assert np.abs(crown.vertices[:, :2]).max() < 2.5 * 2 and 8 < crown.vertices[:, 2].max() < 12
    assert wood.vertices[:, 2].min() > -0.5
    _, needles = plants.conifer(rng, height=10.0, spread=2.0, leaf=0.3, count=800)
    low, high = (
        np.hypot(*needles.vertices[part][:, :2].T).max()
        for part in (needles.vertices[:, 2] < 4, needles.vertices[:, 2] > 8)
    )
    assert low > 2 * high
    path = np.array([[0.0, 0, 0], [4, 0, 0], [4, 3, 0]])
    clipped = plants.hedge(rng, path, width=0.6, height=1.2, leaf=0.05, density=200)
    assert len(clipped.faces) == 4 * 1400
    assert clipped.vertices[:, 2].max() < 1.3 and clipped.vertices[:, 0].max() < 4.4
    assert np.isfinite(plants.fern(rng, 7, 0.5).vertices).all()
    assert plants.tuft(rng, 12, 0.3).vertices[:, 2].max() < 0.4


def test_houses_of_the_village_keep_off_each_other_and_the_roads() -> None:
    rng = np.random.default_rng(5)
    ground = village_ground.terrain(rng)
    homes = village_ground.plots(rng, ground)
    places = np.array([home[:2] for home in homes])
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e9 * np.eye(len(homes))
    assert len(homes) > 20 and apart.min() > 8.5
    for path, half in ground.roads:
        nearest = np.linalg.norm(places[:, None] - path[None], axis=2).min(axis=1)
        assert (nearest > half + 3.0).all()
    corner = np.array([[village_ground.HALF, -village_ground.HALF]])
    assert ground.at(corner)[0] == pytest.approx(ground.heights[0, -1])


def test_a_scene_is_whole_and_the_same_each_time() -> None:
    scene, again = room.build(), room.build()
    assert 8 <= len(scene.views) <= 12
    centers = -np.einsum("nji,nj->ni", scene.views.rotations, scene.views.translations)
    assert (np.abs(centers[:, 0]) < room.HALF_WIDTH).all() and (centers[:, 2] < room.HIGH).all()
    assert len({part.name for part in scene.parts}) == len(scene.parts)
    for part, same in zip(scene.parts, again.parts, strict=True):
        assert np.isfinite(part.mesh.vertices).all() and np.isfinite(part.mesh.uv).all()
        assert part.mesh.faces.min() >= 0 and part.mesh.faces.max() < len(part.mesh.vertices)
        assert part.material.texture.dtype == np.uint8 and part.material.texture.shape[2] == 3
        np.testing.assert_array_equal(part.mesh.vertices, same.mesh.vertices)
        np.testing.assert_array_equal(part.material.texture, same.material.texture)
