"""A small world with a sparse model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diptych.learned.mono.learning import MonoLearning
from diptych.learned.mono.network import MonoDepth
from diptych.learned.mono.views import ScaledImage, SparseView
from diptych.learned.mono.weights import MonoWeights
from diptych.learned.weights.files import save
from diptych.stages.dense import Neighbors, View
from diptych.stages.scene import Photos, Scene, Sparse
from diptych.stages.stage import Context

from tests.synthetic_views import synthetic_views


@dataclass(frozen=True, eq=False)
class World:
    """Views, their true depths, and the inputs of MonoLearning."""

    views: list[View]
    depths: list[np.ndarray]
    photos: Photos
    sparse: Sparse
    neighbors: Neighbors

    def learn(self, stage: MonoLearning, threads: int = 1) -> MonoWeights:
        """Run a stage of fine-tuning."""
        given = self.views, self.sparse, self.photos, self.neighbors
        return stage.run(*given, rng=np.random.default_rng(0), context=Context(threads=threads))

    def sparse_view(self, photo: int, size: int = 1000) -> SparseView:
        """A view with the points of the model that it sees."""
        view, scene = self.views[photo], self.sparse.scene
        points = scene.points[scene.obs_point[scene.obs_photo == photo]] @ view.rotation.T + view.translation
        scaled = ScaledImage.of(view, size)
        xy = points / points[:, 2:] @ scaled.matrix.T
        return SparseView(scaled, xy[:, :2], points[:, 2], view.rotation, view.translation)


def world(count: int = 9, size: tuple[int, int] = (96, 72), points: int = 80) -> World:
    """Views in a row, each of which sees so many points at random pixels, exactly."""
    views, depths = synthetic_views(count, size, baseline=0.3)
    rng = np.random.default_rng(0)
    found, xy = [], []
    for view, depth in zip(views, depths, strict=True):
        u, v = rng.integers(0, size[0], points), rng.integers(0, size[1], points)
        pixels = np.stack([u + 0.5, v + 0.5, np.ones(points)])
        local = (np.linalg.inv(view.camera.matrix) @ pixels * depth[v, u]).T
        found.append((local - view.translation) @ view.rotation)
        xy.append(pixels[:2].T)
    total = count * points
    names = tuple(f"{i}.png" for i in range(count))
    scene = Scene(
        cameras=(views[0].camera,),
        names=names,
        camera_of=np.zeros(count),
        rotations=np.stack([view.rotation for view in views]),
        translations=np.stack([view.translation for view in views]),
        points=np.concatenate(found),
        colors=np.zeros((total, 3)),
        errors=np.zeros(total),
        obs_photo=np.repeat(np.arange(count), points),
        obs_point=np.arange(total),
        obs_xy=np.concatenate(xy),
        obs_keypoint=np.full(total, -1),
    )
    photos = Photos(names, (views[0].camera,), np.zeros(count), np.full((count, 3), np.nan))
    beside = [[j for j in (i - 1, i + 1, i - 2, i + 2) if 0 <= j < count] for i in range(count)]
    rows = np.concatenate(beside)
    neighbors = Neighbors(
        np.cumsum([0, *map(len, beside)]),
        rows,
        np.full(len(rows), points),
        np.full(len(rows), 3.0),
        np.full(count, 2.0),
        np.full(count, 20.0),
        ("",) * count,
    )
    return World(views, depths, photos, Sparse((scene,)), neighbors)


def fresh_weights(path: Path, seed: int = 0) -> str:
    """An untrained network, as a file."""
    torch.manual_seed(seed)
    save(MonoDepth(), path)
    return str(path)
