"""Fit the affine alignment of a pretrained network to the interpolated sparse depths of the training views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch

from .aligned_network import AlignedDepth, predict_log_depth
from .evaluation import ERROR_FLOOR, pool_views, weighted_median
from .network import MonoDepth
from .views import SparseView

_Samples: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Of the pixels between points: predicted log-depth and y of the ray (N, 2), and interpolated log-depth (N,)."""

_IDENTITY = np.array([1.0, 0.0])
"""Contrast and slope that leave the prediction unchanged."""

_ITERATIONS = 40
"""Of reweighted least squares."""

_MIN_SINGULAR_VALUE = 1e-4
"""Where the predictions vary less than this share of the rays, they do not determine the contrast."""


def fit_alignment(network: MonoDepth, train: Sequence[SparseView]) -> AlignedDepth:
    """The network with the contrast and slope of least mean error of log-depth within the views, and a scale.

    Each view has a free offset, since the prediction contains the shape, not the distance of the camera; the aligned
    network predicts no distance. Views count the same, and in them every pixel between points: the density of points
    follows the texture, not the shape.
    """
    shape = AlignedDepth(network, distance=0.0).eval()
    samples = [_samples(shape, view) for view in train]
    affine = _least_absolute_deviations(samples)
    contrast, slope = affine.tolist()
    return AlignedDepth(network, contrast, slope, _scale(samples, affine), distance=0.0).eval()


def fit_scale(network: MonoDepth, train: Sequence[SparseView]) -> AlignedDepth:
    """The network with the scale at which the median ratio of its depths to the interpolated ones is 1."""
    return AlignedDepth(network, scale=_scale([_samples(network, view) for view in train], _IDENTITY)).eval()


def _scale(samples: Sequence[_Samples], affine: np.ndarray) -> float:
    return math.exp(-weighted_median(*pool_views([columns @ affine - log_depth for columns, log_depth in samples])))


def _samples(network: MonoDepth | AlignedDepth, view: SparseView) -> _Samples:
    _, rays = view.scaled.tensors()
    columns = torch.stack([predict_log_depth(network, view.scaled)[0], rays[0, 1]], dim=-1).double().numpy()
    known = np.isfinite(view.dense_log_depth)
    return columns[known], view.dense_log_depth[known]


def _least_absolute_deviations(samples: Sequence[_Samples]) -> np.ndarray:
    """Contrast and slope by iteratively reweighted least squares; what the views do not determine stays as it is."""
    affine = _IDENTITY
    for _ in range(_ITERATIONS):
        products = np.zeros((3, 3))
        for columns, log_depth in samples:
            left = log_depth - columns @ affine
            weight = 1 / (len(left) * np.maximum(np.abs(left - np.median(left)), ERROR_FLOOR))
            both = np.column_stack([columns, log_depth - columns @ _IDENTITY])
            both -= np.average(both, axis=0, weights=weight)
            products += both.T @ (weight[:, None] * both)
        affine = _IDENTITY + np.linalg.lstsq(products[:2, :2], products[:2, 2], rcond=_MIN_SINGULAR_VALUE**2)[0]
    return affine
