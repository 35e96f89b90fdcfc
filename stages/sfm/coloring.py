"""Colors of points, from their keypoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ..scene import Features, Photos, Scene


def mean_colors(scene: Scene, photos: Photos, features: Sequence[Features]) -> Scene:
    """The scene with each point's color the mean over its keypoints; features are in the order of the photos."""
    index = {name: photo for photo, name in enumerate(photos.names)}
    start = np.concatenate([[0], np.cumsum([len(each) for each in features])])
    photo_of = np.array([index[name] for name in scene.names], np.int64)
    colors = np.concatenate([each.color for each in features])[start[photo_of[scene.obs_photo]] + scene.obs_keypoint]
    count = np.bincount(scene.obs_point, minlength=len(scene.points))
    total = np.stack([np.bincount(scene.obs_point, channel, len(scene.points)) for channel in colors.T], axis=1)
    return dataclasses.replace(scene, colors=np.round(total / np.maximum(count, 1)[:, None]))
