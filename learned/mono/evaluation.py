"""The split of the photos, the baselines, and the errors of predictors on held-out photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.optimize import least_squares

from .aligned_network import AlignedDepth, residuals
from .network import MonoDepth
from .views import SparseView
from .weights import Part, PointErrors, Predictor

SPLIT_PATTERN: tuple[Part, ...] = ("train", "test", "train", "validation", "train")
"""The parts of consecutive photos, repeated: held-out photos lie between training photos."""

_WITHIN = 0.05, 0.10, 0.25

ERROR_FLOOR = 0.01
"""Smaller errors of log-depth are weighted quadratically."""

DepthPredictor = Callable[[SparseView], np.ndarray]
"""Predicts the depths (N,) of the points of a view."""


def split_photos(photos: Iterable[int], split: int) -> dict[Part, list[int]]:
    """The photos of each part, the pattern shifted by ``split`` places."""
    parts: dict[Part, list[int]] = {part: [] for part in ("train", "validation", "test")}
    for place, photo in enumerate(photos):
        parts[SPLIT_PATTERN[(place + split) % len(SPLIT_PATTERN)]].append(photo)
    return parts


def constant_baseline(train: Sequence[SparseView]) -> DepthPredictor:
    """The same depth everywhere: the median over the points of all views."""
    depth = weighted_median(*pool_views([each.depth for each in train]))
    return lambda view: np.full(len(view.depth), depth)


def plane_baseline(train: Sequence[SparseView]) -> DepthPredictor:
    """Inverse depth affine in the pixel's position, as on a plane, with the least mean error of log-depth."""
    depth, share = pool_views([each.depth for each in train])
    position = np.concatenate([_position(each) for each in train])
    farthest = 1 / depth.max()

    def residual(affine: np.ndarray) -> np.ndarray:
        error = np.abs(np.log(np.maximum(position @ affine, farthest) * depth))
        # least_squares sums squares: the root makes it a sum of absolute errors, rounded off near zero.
        return np.sqrt(share * (np.sqrt(error**2 + ERROR_FLOOR**2) - ERROR_FLOOR))

    start = [1 / weighted_median(depth, share), 0.0, 0.0]
    affine = least_squares(residual, start, x_scale=start[0]).x
    return lambda view: 1 / np.maximum(_position(view) @ affine, farthest)


def network_predictor(network: MonoDepth | AlignedDepth) -> DepthPredictor:
    """The predictions of a network."""
    return lambda view: view.depth * np.exp(residuals(network, view)[0])


def point_errors(
    predictors: dict[Predictor, DepthPredictor], parts: dict[Part, list[SparseView]]
) -> tuple[PointErrors, ...]:
    """The errors of every predictor on every part, each the mean over the views of the part."""
    return tuple(
        _errors(predictor, part, [(depths(view), view.depth) for view in views])
        for predictor, depths in predictors.items()
        for part, views in parts.items()
    )


def _errors(predictor: Predictor, part: Part, of_views: list[tuple[np.ndarray, np.ndarray]]) -> PointErrors:
    """The errors of one predictor from the (predicted, true) depths of each view."""
    errors = [np.abs(depth / true - 1) for depth, true in of_views]
    five, ten, quarter = (float(np.mean([np.mean(each <= limit) for each in errors])) for limit in _WITHIN)
    median, mean = (float(np.mean([of(each) for each in errors])) for of in (np.median, np.mean))
    scaled = [np.median(np.abs(depth / np.median(depth) * np.median(true) / true - 1)) for depth, true in of_views]
    points = sum(map(len, errors))
    return PointErrors(predictor, part, points, median, mean, (five, ten, quarter), float(np.mean(scaled)))


def pool_views(of_views: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The values of all views concatenated, and weights that make every view count the same."""
    return np.concatenate(of_views), np.concatenate([np.full(len(each), 1 / len(each)) for each in of_views])


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """The value that halves the total weight."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative, cumulative[-1] / 2)])


def _position(view: SparseView) -> np.ndarray:
    """(1, x, y) of every point, x and y from -1 to 1 over the view, shape (N, 3)."""
    height, width = view.scaled.image.shape[:2]
    return np.column_stack([np.ones(len(view.xy)), 2 * view.xy / [width, height] - 1])
