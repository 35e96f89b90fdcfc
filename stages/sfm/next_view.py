"""Choice of views: the pair to start a model from, and the photo to register next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..scene import Pairs, TwoView

_KIND_WEIGHT = {"calibrated": 1.0, "planar": 0.3, "small_baseline": 0.05}


def initial_pairs(pairs: Pairs, two_views: Sequence[TwoView], usable: np.ndarray, full_angle: float) -> list[int]:
    """Pairs to start a model from, best first, as indices into ``pairs``.

    The score is the number of verified matches, reduced below ``full_angle`` degrees of triangulation angle, where
    depth is uncertain, and for planes, whose pose is ambiguous.

    Args:
        usable: photos that may take part, shape (N,).
    """
    scores = np.array(
        [
            len(view) * min(view.angle / full_angle, 1.0) * _KIND_WEIGHT.get(view.kind, 0.0)
            if view.has_pose and usable[pair].all()
            else 0.0
            for pair, view in zip(pairs.indices, two_views, strict=True)
        ]
    )
    order = np.argsort(-scores, kind="stable")
    return [int(pair) for pair in order if scores[pair] > 0]


def visibility_scores(photo: np.ndarray, xy: np.ndarray, sizes: np.ndarray, levels: int = 6) -> np.ndarray:
    """How well each photo's visible points are spread over it, shape (N,).

    A pyramid of grids over the photo counts occupied cells, finer levels weighing more (Schönberger and Frahm 2016).

    Args:
        photo: photo of each keypoint that shows a known point, shape (M,).
        xy: pixel position of that keypoint, shape (M, 2).
        sizes: width and height of every photo, shape (N, 2).
    """
    score = np.zeros(len(sizes))
    position = np.clip(xy / sizes[photo], 0.0, 1.0 - 1e-9)
    for level in range(1, levels + 1):
        cells = 1 << level
        column, row = (position * cells).astype(np.int64).T
        occupied = np.unique((photo.astype(np.int64) * cells + row) * cells + column)
        score += cells * np.bincount(occupied // cells**2, minlength=len(sizes))
    return score
