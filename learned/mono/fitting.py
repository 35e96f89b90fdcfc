"""How a network is set right for a scene, before it learns, by what lies between the points that the views see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch

from .fitted import FittedDepth
from .glimpses import Sighted
from .judgement import ROUNDED, pooled, weighted_median
from .network import MonoDepth
from .reading import read

_Seen: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Of the pixels between points: what a network reads and y of the direction, shape (N, 2), and log-depth (N,)."""

_AS_READ = np.array([1.0, 0.0])
"""Contrast and slope that leave what the network reads as it is."""

_ROUNDS = 40
"""Of reweighting."""

_SILENT = 1e-4
"""Where the predictions spread less than by this share of what the directions do, they leave the contrast open."""


def fitted(network: MonoDepth, train: Sequence[Sighted]) -> FittedDepth:
    """The network at the contrast and slope that leave the least mean error of log-depth within the views, and scaled.

    Within them, since what it knows is the shape, not how far away a photo was taken: of that it says nothing then.
    Views count the same, and in them every pixel between points: where points are found says more of the texture than
    of the shape.
    """
    shape = FittedDepth(network, distance=0.0).eval()
    seen = [_seen(shape, view) for view in train]
    line = _line(seen)
    contrast, slope = line.tolist()
    return FittedDepth(network, contrast, slope, _scale(seen, line), distance=0.0).eval()


def scaled(network: MonoDepth, train: Sequence[Sighted]) -> FittedDepth:
    """The network at a scale at which the median ratio of its depths to those between the points is 1."""
    return FittedDepth(network, scale=_scale([_seen(network, view) for view in train], _AS_READ)).eval()


def _scale(seen: Sequence[_Seen], line: np.ndarray) -> float:
    return math.exp(-weighted_median(*pooled([columns @ line - log_depth for columns, log_depth in seen])))


def _seen(network: MonoDepth | FittedDepth, view: Sighted) -> _Seen:
    """Of every pixel between points the log-depth that the network reads and y of its direction, and what it is."""
    _, rays = view.picture.tensors()
    columns = torch.stack([read(network, view.picture)[0], rays[0, 1]], dim=-1).double().numpy()
    known = np.isfinite(view.filled)
    return columns[known], view.filled[known]


def _line(seen: Sequence[_Seen]) -> np.ndarray:
    """Contrast and slope of least absolute deviations, every view with an offset of its own: reweighted least squares.

    What the views leave open stays as read.
    """
    line = _AS_READ
    for _ in range(_ROUNDS):
        products = np.zeros((3, 3))
        for columns, log_depth in seen:
            left = log_depth - columns @ line
            weight = 1 / (len(left) * np.maximum(np.abs(left - np.median(left)), ROUNDED))
            both = np.column_stack([columns, log_depth - columns @ _AS_READ])
            both -= np.average(both, axis=0, weights=weight)
            products += both.T @ (weight[:, None] * both)
        line = _AS_READ + np.linalg.lstsq(products[:2, :2], products[:2, 2], rcond=_SILENT**2)[0]
    return line
