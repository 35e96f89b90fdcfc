"""A crop is what a rolled, mirrored and zoomed camera in the same place would see."""

from __future__ import annotations

import numpy as np
import torch
from diptych.learned.mono.augmentation import Crop, random_crop
from diptych.learned.mono.views import sample_at

from .world import world


def drawn(count: int = 8) -> list[Crop]:
    view = world(1).sparse_view(0)
    return [random_crop(view, (96, 64), np.random.default_rng(seed)) for seed in range(count)]


def test_points_keep_their_depth_and_lie_where_they_look() -> None:
    view = world(1).sparse_view(0)
    true = np.log(view.depth)
    rays = np.linalg.solve(view.scaled.matrix, np.column_stack([view.xy, np.ones(len(view.xy))]).T)[:2].T
    for each in drawn():
        assert len(each.log_depth) > 20
        which = np.abs(each.log_depth.numpy()[:, None] - true).argmin(axis=1)
        inside = ((each.xy > 1) & (each.xy < torch.tensor([95, 63]))).all(dim=1)
        looked = torch.stack([sample_at(axis, each.xy) for axis in each.view_rays], dim=1)
        assert np.abs(looked.numpy() - rays[which])[inside].max() < 1e-4


def test_both_cameras_see_a_pixel_at_the_same_angle_to_their_axis() -> None:
    for each in drawn():
        assert torch.allclose(each.rays.norm(dim=0), each.view_rays.norm(dim=0), atol=1e-5)


def test_some_are_mirrored_and_some_are_not() -> None:
    signs = {float(torch.sign((each.rays[0] * each.view_rays[0]).sum())) for each in drawn(16)}
    assert signs == {-1.0, 1.0}


def test_the_image_shows_what_the_view_shows_there() -> None:
    view = world(1).views[0]
    gray = torch.from_numpy(view.image.mean(axis=2).astype(np.float32) / 255)
    for each in drawn():
        matrix = torch.from_numpy(view.camera.matrix.astype(np.float32))
        xy = torch.einsum("ij,jhw->hwi", matrix[:2, :2], each.view_rays) + matrix[:2, 2]
        there = sample_at(gray, xy.reshape(-1, 2)).reshape(each.valid.shape)
        assert each.valid.float().mean() > 0.5
        assert (there - each.image.mean(dim=0)).abs()[each.valid].mean() < 0.02
