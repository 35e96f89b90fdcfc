"""Which photos a network learns from, how far off it is on the others, and what it has to beat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.optimize import least_squares

from .fitted import FittedDepth
from .glimpses import Sighted
from .network import MonoDepth
from .reading import residuals
from .weights import Part, PointErrors, Predictor

PATTERN: tuple[Part, ...] = ("train", "test", "train", "validation", "train")
"""What the photos are used for, over and over in their order: those of one part lie between those of another."""

WITHIN = 0.05, 0.10, 0.25

ROUNDED = 0.01
"""Errors of log-depth smaller than this count by their square."""

Depths = Callable[[Sighted], np.ndarray]
"""The depths that a predictor gives to the points of a view."""


def divided(photos: Iterable[int], split: int) -> dict[Part, list[int]]:
    """The photos of each part, the pattern begun so many places on."""
    parts: dict[Part, list[int]] = {part: [] for part in ("train", "validation", "test")}
    for place, photo in enumerate(photos):
        parts[PATTERN[(place + split) % len(PATTERN)]].append(photo)
    return parts


def constant(train: Sequence[Sighted]) -> Depths:
    """The same depth everywhere: the median of the points of all views."""
    depth = weighted_median(*pooled([each.depth for each in train]))
    return lambda sighted: np.full(len(sighted.depth), depth)


def plane(train: Sequence[Sighted]) -> Depths:
    """Inverse depth affine in the pixel's position, as on a plane, with the least mean error of log-depth."""
    depth, share = pooled([each.depth for each in train])
    position = np.concatenate([_position(each) for each in train])
    farthest = 1 / depth.max()

    def residual(affine: np.ndarray) -> np.ndarray:
        error = np.abs(np.log(np.maximum(position @ affine, farthest) * depth))
        # Squares are summed, so the root makes it a sum of absolute errors; rounded off near zero.
        return np.sqrt(share * (np.sqrt(error**2 + ROUNDED**2) - ROUNDED))

    start = [1 / weighted_median(depth, share), 0.0, 0.0]
    affine = least_squares(residual, start, x_scale=start[0]).x
    return lambda sighted: 1 / np.maximum(_position(sighted) @ affine, farthest)


def read_by(network: MonoDepth | FittedDepth) -> Depths:
    """What a network reads out of the image."""
    return lambda sighted: sighted.depth * np.exp(residuals(network, sighted)[0])


def errors_of(predictors: dict[Predictor, Depths], parts: dict[Part, list[Sighted]]) -> tuple[PointErrors, ...]:
    """The errors of every predictor on every part, each the mean over the views of the part."""
    return tuple(
        _errors(predictor, part, [(depths(view), view.depth) for view in views])
        for predictor, depths in predictors.items()
        for part, views in parts.items()
    )


def _errors(predictor: Predictor, part: Part, of_views: list[tuple[np.ndarray, np.ndarray]]) -> PointErrors:
    """What predicted and true depths say of a predictor."""
    errors = [np.abs(depth / true - 1) for depth, true in of_views]
    five, ten, quarter = (float(np.mean([np.mean(each <= limit) for each in errors])) for limit in WITHIN)
    median, mean = (float(np.mean([of(each) for each in errors])) for of in (np.median, np.mean))
    scaled = [np.median(np.abs(depth / np.median(depth) * np.median(true) / true - 1)) for depth, true in of_views]
    points = sum(map(len, errors))
    return PointErrors(predictor, part, points, median, mean, (five, ten, quarter), float(np.mean(scaled)))


def pooled(of_views: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What views say of their points behind each other, and weights by which every view counts the same."""
    return np.concatenate(of_views), np.concatenate([np.full(len(each), 1 / len(each)) for each in of_views])


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """The value below and above which lies the same weight."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def _position(sighted: Sighted) -> np.ndarray:
    """(1, x, y) of every point, x and y from -1 to 1 over the view, shape (N, 3)."""
    height, width = sighted.picture.image.shape[:2]
    return np.column_stack([np.ones(len(sighted.xy)), 2 * sighted.xy / [width, height] - 1])
