"""What the kernels of PatchMatch read and write: the patch that is compared, the source views, the field of planes.

A hypothesis at pixel (x, y) is a plane given as inverse depth: ``w`` at the pixel's center and its slopes ``wx`` and
``wy`` per pixel. Inverse depth is affine in the pixel on a plane, so a neighbor takes a hypothesis over by
``w + wx * dx + wy * dy``, and pixel (x, y) lies in a source view at ``A (x, y, 1) + b w``, up to scale.

Here the center of the first pixel is (0, 0), as array indices count.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SAMPLES = 48
"""Pixels of a patch: three registers of 16 numbers, and known when the kernel is compiled, so its loop is unrolled."""

MAX_COST = 2.0
"""The matching cost where nothing correlates, or where a source does not see the pixel; the best is 0."""

CANDIDATES = 9
"""The pixel's own hypothesis, and one from each of eight regions around it."""

PERTURBATIONS = 5
"""Changes of the best candidate that are tried."""

RETRY_PERIOD = 8
"""A source that neither the pixel nor its four neighbors use is still tried at one pixel in so many."""


class Patch(NamedTuple):
    """The pixels around one that are compared.

    Attributes:
        dx, dy: offsets from the center, shape (SAMPLES,).
        weight: by distance from the center, shape (SAMPLES,).
        radius: in pixels.
        contrast: difference in gray values from the center at which the weight of a pixel falls to 1/e.
        noise: variance of the gray values that is not texture.
    """

    dx: np.ndarray
    dy: np.ndarray
    weight: np.ndarray
    radius: np.float32
    contrast: np.float32
    noise: np.float32


class Window(NamedTuple):
    """The patch around one pixel of the reference, filled anew for each.

    Attributes:
        patch: the pixels.
        weight: bilateral weights, sum 1, shape (SAMPLES,).
        deviation: weighted deviations of the gray values from their mean, shape (SAMPLES,).
    """

    patch: Patch
    weight: np.ndarray
    deviation: np.ndarray


class Sources(NamedTuple):
    """The source views, one after the other in flat arrays of T pixels.

    Attributes:
        texels: the gray values of a pixel and of those to its right, below and both, a byte each, shape (T,).
        allowed: whether a pixel may be used, shape (T,).
        inverse: inverse depth, 0 where unknown; empty if the sources have no depth maps, shape (T,) or (0,).
        start: index of the first pixel of each source, shape (N,).
        width, height: size of each, shape (N,).
        there, there_shift: A and b from the reference to the source, shapes (N, 9) and (N, 3).
        back, back_shift: the same from the source to the reference.
    """

    texels: np.ndarray
    allowed: np.ndarray
    inverse: np.ndarray
    start: np.ndarray
    width: np.ndarray
    height: np.ndarray
    there: np.ndarray
    there_shift: np.ndarray
    back: np.ndarray
    back_shift: np.ndarray


class Field(NamedTuple):
    """The reference, and the hypothesis at each of its pixels.

    Attributes:
        gray: shape (H, W).
        mask: whether a depth is wanted, shape (H, W).
        planes: w, wx and wy, shape (H, W, 3).
        cost: of the hypothesis, shape (H, W).
        visible: confidence that each source sees the pixel, 0 to 1, shape (H, W, N).
    """

    gray: np.ndarray
    mask: np.ndarray
    planes: np.ndarray
    cost: np.ndarray
    visible: np.ndarray


class Search(NamedTuple):
    """Parameters of one sweep.

    Attributes:
        seed: of its random numbers.
        good_cost: a source with a lower cost counts as seeing the pixel.
        step: largest change of a hypothesis, in pixels in the source views.
        sample_full_range: whether depths are also drawn from the whole range.
        min_inverse, max_inverse: range of inverse depth.
        same: two hypotheses that differ by less, in pixels in the source views, are one.
        consistency: cost per pixel of round-trip error through the depth map of a source.
        max_round_trip: larger round-trip errors, in pixels, are cut to this one.
        all_sources: whether every source is tried at every pixel.
    """

    seed: np.uint32
    good_cost: np.float32
    step: np.float32
    sample_full_range: bool
    min_inverse: np.float32
    max_inverse: np.float32
    same: np.float32
    consistency: np.float32
    max_round_trip: np.float32
    all_sources: bool


def _regions() -> tuple[np.ndarray, np.ndarray]:
    """Offsets of the pixels of each of eight regions, all of the other color of the checkerboard (Xu and Tao 2019)."""
    near = [(0, 1), (-1, 2), (1, 2), (-2, 3), (2, 3), (-3, 4), (3, 4)]
    far = [(0, step) for step in range(3, 25, 2)]
    turns = ((1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, 1, 0))
    places = [[(a * x + b * y, c * x + d * y) for x, y in area] for a, b, c, d in turns for area in (near, far)]
    table = np.zeros((len(places), len(far), 2), np.int32)
    for row, area in zip(table, places, strict=True):
        row[: len(area)] = area
    return table, np.array([len(area) for area in places], np.int32)


PLACES, COUNTS = _regions()
