from __future__ import annotations

import numpy as np
import pytest
import torch
from diptych.learned.synthetic.shapes import NO_HIT, Box, Relief, Revolution, Shape
from diptych.stages.geometry.rotations import matrix_from_vector
from torch import Tensor

TURN = matrix_from_vector(np.array([0.3, -0.5, 0.8]))
CENTER = np.array([0.2, -0.1, 0.3])
SIZE = np.array([0.5, 0.3, 0.8])


def heights() -> Tensor:
    at = torch.arange(32) / 32 * 2 * torch.pi
    return 0.4 * torch.sin(at)[:, None] + 0.4 * torch.cos(2 * at)


def all_shapes() -> list[Shape]:
    profiles = [(1.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.25, -0.5, 0.25), (1.0, 0.0, -0.5), (0.4, 0.0, 0.6)]
    return [
        Box(TURN, CENTER, SIZE),
        *(Revolution(TURN, CENTER, SIZE, profile=profile) for profile in profiles),
        Relief(TURN, CENTER, SIZE, heights=heights(), tiles=(1.5, 1.0)),
    ]


def rays(count: int = 4000) -> tuple[tuple[float, float, float], Tensor]:
    generator = torch.Generator().manual_seed(1)
    origin = (1.5, -1.0, -2.0)
    target = torch.tensor(CENTER, dtype=torch.float32)[:, None] + torch.randn(3, count, generator=generator) * 0.5
    return origin, target - torch.tensor(origin)[:, None]


def inside(shape: Shape, local: np.ndarray) -> np.ndarray:
    """Whether points in local units (3, N) lie within the solid, by its definition."""
    x, y, z = local
    cube = np.abs(local).max(axis=0) <= 1
    if isinstance(shape, Revolution):
        a, b, c = shape.profile
        return (np.abs(z) <= 1) & (x * x + y * y <= a + b * z + c * z * z)
    if isinstance(shape, Relief):
        return cube & (z <= shape.height(torch.tensor(x).float(), torch.tensor(y).float()).numpy())
    return cube


@pytest.mark.parametrize("shape", all_shapes(), ids=lambda shape: f"{type(shape).__name__}")
def test_the_first_hit_is_where_the_ray_enters_the_solid(shape: Shape) -> None:
    """Against the definition of the solid, sampled finely along each ray in double precision."""
    origin, direction = rays(400)
    t = shape.intersect(origin, (direction[0], direction[1], direction[2])).double().numpy()
    steps = np.linspace(0.0, 3.0, 3001)
    start = (np.array(origin) - shape.center) @ shape.rotation / shape.size
    slope = direction.double().numpy().T @ shape.rotation / shape.size
    within = np.stack([inside(shape, (start + step * slope).T) for step in steps])
    expected = np.where(within.any(axis=0), steps[within.argmax(axis=0)], np.inf)
    # A relief's crest may pass unseen between two steps of its march, a grazed rim between two samples of this test.
    missed = np.isinf(t) & np.isinf(expected)
    agree = missed | np.isclose(t, expected, rtol=0, atol=2e-3)
    assert np.isfinite(expected).mean() > 0.1
    assert agree.mean() > 0.98


@pytest.mark.parametrize("shape", all_shapes(), ids=lambda shape: f"{type(shape).__name__}")
def test_hits_lie_on_the_surface(shape: Shape) -> None:
    origin, direction = rays()
    t = shape.intersect(origin, (direction[0], direction[1], direction[2]))
    hit = t < NO_HIT
    point = torch.tensor(origin)[:, None] + t[hit] * direction[:, hit]
    normal = shape.rotation @ shape.normal(shape.local((point[0], point[1], point[2]))).numpy()
    normal /= np.linalg.norm(normal, axis=0)
    for side, expected in ((1e-4, False), (-1e-4, True)):
        moved = (point.double().numpy() + side * normal).T - shape.center
        assert (inside(shape, (moved @ shape.rotation / shape.size).T) == expected).mean() > 0.98


def test_one_origin_and_many_directions_or_the_other_way_round() -> None:
    origin, direction = rays(40)
    many = torch.tensor(origin)[:, None].expand(3, 40).clone()
    for shape in all_shapes():
        t = shape.intersect(origin, (direction[0], direction[1], direction[2]))
        each = torch.cat(
            [
                shape.intersect((x, y, z), (float(d[0]), float(d[1]), float(d[2])))
                for (x, y, z), d in zip(many.T[:, :, None], direction.T, strict=True)
            ]
        )
        same = (t == each) | ((t - each).abs() < 1e-3)
        assert same.float().mean() > 0.95


def test_a_room_is_seen_from_inside() -> None:
    room = Box(np.eye(3), np.zeros(3), np.array([2.0, 3.0, 4.0]))
    t = room.intersect((0.5, 0.0, 0.0), (torch.tensor([1.0, 0.0]), torch.tensor([0.0, -2.0]), torch.tensor([0.0, 0.0])))
    torch.testing.assert_close(t, torch.tensor([1.5, 1.5]))


def test_a_thin_rod_far_away_keeps_its_precision() -> None:
    rod = Revolution(np.eye(3), np.array([0.0, 0.0, 5.0]), np.array([0.004, 0.004, 1.0]), profile=(1.0, 0.0, 0.0))
    turned = Revolution(matrix_from_vector(np.array([np.pi / 2, 0, 0])), rod.center, rod.size, profile=rod.profile)
    t = turned.intersect((0.0, 0.0, 0.0), (torch.tensor([0.0]), torch.tensor([0.0]), torch.tensor([1.0])))
    torch.testing.assert_close(t, torch.tensor([4.996]), atol=2e-6, rtol=0)
