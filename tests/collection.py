"""A synthetic collection for mappers: features and verified pairs of cameras whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from diptych.stages.matching.tracks import UnionFindTracks
from diptych.stages.scene import Camera, Features, Pairs, Photos, Scene, Tracks, TwoView

CALIBRATED = Camera(model="SIMPLE_RADIAL", width=1000, height=800, params=(900, 500, 400, 0.0), focal="calibrated")


@dataclass(frozen=True, eq=False)
class Collection:
    """What a mapper takes, and the truth it should find."""

    photos: Photos
    features: tuple[Features, ...]
    pairs: Pairs
    two_views: tuple[TwoView, ...]
    tracks: Tracks
    truth: Scene


def collection(
    seed: int = 0,
    *,
    groups: tuple[int, ...] = (9,),
    points: int = 500,
    noise: float = 0.5,
    false_matches: float = 0.05,
    prior: Camera = CALIBRATED,
) -> Collection:
    """Photos on arcs around balls of points; every group of photos sees a ball of its own.

    Args:
        groups: photos in each group; photos of different groups share nothing.
        points: of each group.
        noise: standard deviation of the keypoints in pixels.
        false_matches: share of matches between keypoints that show different points.
        prior: the camera the mapper is told; the true one is :data:`CALIBRATED`.
    """
    rng = np.random.default_rng(seed)
    group_of = np.repeat(np.arange(len(groups)), groups)
    count = len(group_of)
    angle = np.concatenate([np.linspace(-0.12, 0.12, n) * n for n in groups])
    zero, one = np.zeros(count), np.ones(count)
    rotations = np.stack(
        [np.cos(angle), zero, -np.sin(angle), zero, one, zero, np.sin(angle), zero, np.cos(angle)], axis=1
    ).reshape(-1, 3, 3)
    translations = np.tile([0.0, 0.0, 5.0], (count, 1)) + rng.normal(0, 0.2, (count, 3))
    world = rng.uniform(-1.2, 1.2, (len(groups), points, 3))

    order = [rng.permutation(points) for _ in range(count)]
    features, visible = [], []
    for photo in range(count):
        local = world[group_of[photo]][order[photo]] @ rotations[photo].T + translations[photo]
        xy = local[:, :2] / local[:, 2:] * 900 + [500, 400] + rng.normal(0, noise, (points, 2))
        visible.append(((xy > 0) & (xy < [1000, 800])).all(axis=1))
        flat = np.ones(points)
        features.append(
            Features(
                xy=xy,
                scale=flat,
                angle=flat,
                score=flat,
                color=np.full((points, 3), [10, 20, 30]),
                descriptors=np.zeros((points, 8), np.uint8),
                kind="synthetic",
            )
        )
    indices = [(i, j) for i in range(count) for j in range(i + 1, count)]
    two_views = []
    for i, j in indices:
        matches = np.empty((0, 2), int)
        if group_of[i] == group_of[j]:
            place = np.argsort(order[j])[order[i]]
            first = np.flatnonzero(visible[i] & visible[j][place])
            second = place[first]
            false = rng.random(len(first)) < false_matches
            second[false] = np.roll(second[false], 1)
            matches = np.stack([first, second], axis=1)
        rotation = rotations[j] @ rotations[i].T
        translation = translations[j] - rotation @ translations[i]
        two_views.append(
            TwoView(
                kind="calibrated" if len(matches) > 30 else "none",
                matches=matches if len(matches) > 30 else np.empty((0, 2)),
                rotation=rotation,
                translation=translation / np.linalg.norm(translation),
                fundamental=np.zeros((3, 3)),
                homography=np.zeros((3, 3)),
                angle=float(np.degrees(abs(angle[j] - angle[i]))),
            )
        )
    names = tuple(f"{photo:03d}.jpg" for photo in range(count))
    photos = Photos(names=names, cameras=(prior,), camera_of=np.zeros(count), gps=np.full((count, 3), np.nan))
    pairs = Pairs(indices=np.array(indices))
    tracks = UnionFindTracks().run(features=tuple(features), pairs=pairs, two_views=tuple(two_views))
    empty = np.empty(0)
    truth = Scene(
        cameras=(CALIBRATED,),
        names=names,
        camera_of=np.zeros(count),
        rotations=rotations,
        translations=translations,
        points=empty,
        colors=empty,
        errors=empty,
        obs_photo=empty,
        obs_point=empty,
        obs_xy=empty,
        obs_keypoint=empty,
    )
    return Collection(photos, tuple(features), pairs, tuple(two_views), tracks, truth)
