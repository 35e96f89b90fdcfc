"""How a network is set right for a scene, before it learns, by the points that the views see."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from .fitted import FittedDepth
from .glimpses import Sighted
from .judgement import ROUNDED, pooled, weighted_median
from .network import MonoDepth
from .pictures import at_points
from .reading import residuals

_ROUNDS = 40
"""Of reweighting."""

_SILENT = 1e-4
"""Where the predictions spread less than by this share of what the directions do, they leave the contrast open."""


def fitted(network: MonoDepth, train: Sequence[Sighted]) -> FittedDepth:
    """The network at the contrast and slope that leave the least mean error of log-depth within the views, and scaled.

    Within them, since what it knows is the shape, not how far away a photo was taken. Views count the same, however
    many points they see.
    """
    columns = [_columns(network, view) for view in train]
    contrast, slope = _line(columns, [np.log(view.depth) for view in train]).tolist()
    return scaled(network, train, contrast, slope)


def scaled(network: MonoDepth, train: Sequence[Sighted], contrast: float = 1.0, slope: float = 0.0) -> FittedDepth:
    """The network at a scale at which the median ratio of its depths to those of the points is 1."""
    found = FittedDepth(network, contrast, slope).eval()
    ratio = weighted_median(*pooled([residuals(found, view)[0] for view in train]))
    return FittedDepth(network, contrast, slope, math.exp(-ratio)).eval()


def _columns(network: MonoDepth, view: Sighted) -> np.ndarray:
    """The log-depth that the network reads at each point, and y of its direction, shape (N, 2)."""
    _, rays = view.picture.tensors()
    y = at_points(rays[0, 1], torch.from_numpy(view.xy.astype(np.float32)))
    return np.column_stack([residuals(network, view)[0] + np.log(view.depth), y.numpy()])


def _line(columns: Sequence[np.ndarray], log_depths: Sequence[np.ndarray]) -> np.ndarray:
    """Contrast and slope of least absolute deviations, every view with an offset of its own: reweighted least squares.

    What the views leave open stays at the contrast 1 and the slope 0.
    """
    start = np.array([1.0, 0.0])
    line = start
    for _ in range(_ROUNDS):
        rows, rest = [], []
        for column, log_depth in zip(columns, log_depths, strict=True):
            left = log_depth - column @ line
            weight = 1 / (len(left) * np.maximum(np.abs(left - np.median(left)), ROUNDED))
            both = np.column_stack([column, log_depth - column @ start])
            both = np.sqrt(weight)[:, None] * (both - np.average(both, axis=0, weights=weight))
            rows.append(both[:, :2])
            rest.append(both[:, 2])
        line = start + np.linalg.lstsq(np.concatenate(rows), np.concatenate(rest), rcond=_SILENT)[0]
    return line
