"""The texture of a known ball: every point of the surface has the color that the ball has there."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
from diptych.stages.dense import Mesh, View
from diptych.stages.failure import StageFailure
from diptych.stages.peers.open3d import open3d
from diptych.stages.surface.meshing import vertex_normals
from diptych.stages.surface.texturing import TextureAtlas

from tests.ball import around_a_ball, color_of

GRAY = 99


def ball(divisions: int = 12) -> Mesh:
    """A ball of triangles whose vertices are all gray."""
    made = open3d.geometry.TriangleMesh.create_sphere(1.0, divisions)
    vertices, triangles = np.asarray(made.vertices), np.array(made.triangles)
    return Mesh(vertices, triangles, vertex_normals(vertices, triangles), np.full(vertices.shape, GRAY))


def painted(mesh: Mesh, weights: np.ndarray) -> np.ndarray:
    """The color of the texture inside every triangle, by barycentric weights (3,), shape (F, 3)."""
    height, width = mesh.texture.shape[:2]
    xy = np.einsum("c,fci->fi", weights, mesh.uv) * [width, height]
    column, row = np.floor(xy).astype(int).T
    return mesh.texture[row, column].astype(float)


def surface(mesh: Mesh, weights: np.ndarray) -> np.ndarray:
    return np.einsum("c,fci->fi", weights, mesh.vertices[mesh.triangles])


def views(front: bool = False) -> list[View]:
    return around_a_ball(count=16, side=120, front=front)[0]


@pytest.mark.parametrize("size", [4096, 96])
def test_every_point_has_its_color(size: int) -> None:
    mesh = TextureAtlas(size=size).run(ball(), views())
    assert mesh.is_textured and max(mesh.texture.shape) <= size
    assert (mesh.uv >= 0).all() and (mesh.uv <= 1).all()
    rng = np.random.default_rng(0)
    for weights in (np.full(3, 1 / 3), *rng.dirichlet(np.ones(3), 5), np.array([0.98, 0.01, 0.01])):
        wrong = np.abs(painted(mesh, weights) - color_of(surface(mesh, weights)))
        # The ball of triangles lies up to 0.02 inside of the one that was seen.
        assert wrong.mean() < 4 and wrong.max() < 25


def test_the_view_from_ahead_is_taken_and_charts_are_few() -> None:
    seen = views()
    marked = [dataclasses.replace(view, image=np.full(view.image.shape, 10 * index)) for index, view in enumerate(seen)]
    mesh = TextureAtlas().run(ball(), marked)
    middle = surface(mesh, np.full(3, 1 / 3))
    chosen = painted(mesh, np.full(3, 1 / 3))[:, 0] / 10
    assert (chosen == np.rint(chosen)).all()
    toward = np.stack([view.center / np.linalg.norm(view.center) for view in seen])
    unit = middle / np.linalg.norm(middle, axis=1, keepdims=True)
    cosine = (unit * toward[chosen.astype(int)]).sum(axis=1)
    best = (unit @ toward.T).max(axis=1)
    assert (cosine > best - 0.25).all() and np.median(best - cosine) < 0.02


def test_what_no_photo_shows_keeps_the_color_of_its_vertices() -> None:
    mesh = TextureAtlas().run(ball(), views(front=True))
    middle = np.full(3, 1 / 3)
    colors, z = painted(mesh, middle), surface(mesh, middle)[:, 2]
    assert (colors[z > 0.7] == GRAY).all()
    assert (np.abs(colors[z < -0.7] - GRAY).max(axis=1) > 5).all()


def test_hidden_triangles_are_not_painted_with_what_hides_them() -> None:
    inner, outer = ball(), ball()
    count = len(inner.vertices)
    both = Mesh(
        vertices=np.concatenate([0.5 * inner.vertices, outer.vertices]),
        triangles=np.concatenate([inner.triangles, count + outer.triangles]),
        normals=np.concatenate([inner.normals, outer.normals]),
        colors=np.concatenate([inner.colors, outer.colors]),
    )
    mesh = TextureAtlas().run(both, views())
    colors = painted(mesh, np.full(3, 1 / 3))
    faces = len(inner.triangles)
    assert (colors[:faces] == GRAY).all() and (np.abs(colors[faces:] - GRAY).max(axis=1) > 5).all()


def test_masked_pixels_paint_nothing() -> None:
    hidden = [dataclasses.replace(view, mask=np.zeros(view.mask.shape)) for view in views()]
    with pytest.raises(StageFailure) as failure:
        TextureAtlas().run(ball(), hidden)
    assert failure.value.code == "unseen-mesh" and failure.value.hint


def test_simplifies_large_meshes() -> None:
    mesh = TextureAtlas(max_triangles=300).run(ball(40), views())
    assert 200 < len(mesh.triangles) <= 300
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - 1).max() < 0.1
    assert (np.einsum("vi,vi->v", mesh.normals, mesh.vertices) > 0.8).all()


def test_too_small_a_texture_is_said() -> None:
    with pytest.raises(StageFailure) as failure:
        TextureAtlas(size=8).run(ball(), views(front=True))
    assert failure.value.code == "texture-too-small"


def test_same_input_same_bytes_and_survives_pickling() -> None:
    stage = TextureAtlas(max_triangles=1000)
    once, again = (each.run(ball(30), views()) for each in (stage, pickle.loads(pickle.dumps(stage))))
    for field in dataclasses.fields(once):
        assert getattr(once, field.name).tobytes() == getattr(again, field.name).tobytes(), field.name
