"""Residuals of a scene's observations and their derivatives, and robust losses: the inner loops of bundle adjustment.

Observations are sorted by point. A kernel works on a range of *chunks* of points; sums over photos go to one partial
sum per chunk, which the caller adds up in order. So the number of threads never changes a result.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from .projection import distort, pixel_derivatives

LOSSES = ("linear", "soft_l1", "huber", "cauchy")
_MIN_DEPTH = 1e-9  # relative to the distance from the axis; nearer to the plane z = 0 a projection would overflow


class Observations(NamedTuple):
    """What the photos observe, sorted by point and cut into chunks of points.

    Attributes:
        bounds: first point of each chunk, and the end, shape (Q + 1,).
        start: first observation of each point, and the end, shape (P + 1,).
        photo: photo of each observation, shape (M,).
        xy: pixel of each observation, shape (M, 2).
        camera_of: camera of each photo, shape (N,).
    """

    bounds: np.ndarray
    start: np.ndarray
    photo: np.ndarray
    xy: np.ndarray
    camera_of: np.ndarray


class Parameters(NamedTuple):
    """What bundle adjustment estimates.

    Attributes:
        rotations, translations: ``cam_from_world`` of each photo, shapes (N, 3, 3) and (N, 3).
        points: shape (P, 3).
        canonical: canonical parameters of each camera, shape (C, 8); see :mod:`diptych.stages.geometry.projection`.
    """

    rotations: np.ndarray
    translations: np.ndarray
    points: np.ndarray
    canonical: np.ndarray


class CameraModels(NamedTuple):
    """How the cameras project, and which of their parameters are refined.

    Attributes:
        fisheye: which cameras are fisheyes, shape (C,).
        width: number of refined parameters of each camera, shape (C,).
        expansion: derivative of the canonical parameters by the refined ones, shape (C, 8, K).
    """

    fisheye: np.ndarray
    width: np.ndarray
    expansion: np.ndarray


class Jacobian(NamedTuple):
    """Derivatives of the residuals, in the parts that the Jacobian is made of.

    The row of an observation is ``Jx (w x y + t) + Ji c + Jx R p`` for a rotation ``w`` and translation ``t`` of its
    photo, its camera's refined parameters ``c`` and its point ``p``.

    Attributes:
        jx: derivative by the point in the camera's frame, shape (M, 2, 3).
        rotated: ``y = R X``, the point rotated into the camera's frame, shape (M, 3).
        ji: derivative by the refined intrinsics, shape (M, 2, K).
    """

    jx: np.ndarray
    rotated: np.ndarray
    ji: np.ndarray


@njit(nogil=True, cache=True)
def _robust(loss: int, s: float) -> tuple[float, float]:
    """rho'(s) and ``rho(s) - s rho'(s)``, without cancellation, for the loss of that index in :data:`LOSSES`."""
    if loss == 1:
        v = math.sqrt(1.0 + s)
        return 1.0 / v, (v - 1.0) * (v - 1.0) / v
    if loss == 2 and s > 1.0:
        v = math.sqrt(s)
        return 1.0 / v, v - 1.0
    if loss == 3:
        return 1.0 / (1.0 + s), math.log1p(s) - s / (1.0 + s)
    return 1.0, 0.0


@njit(nogil=True, cache=True, inline="always")
def _away_from_zero(x0: float, x1: float, x2: float) -> float:
    """Behind the camera the projection goes on smoothly; only the plane z = 0 itself is kept away from."""
    least = _MIN_DEPTH * (abs(x0) + abs(x1)) + 1e-300
    return x2 if abs(x2) >= least else math.copysign(least, x2)


@njit(nogil=True, cache=True)
def linearize(
    first: int,
    last: int,
    observations: Observations,
    parameters: Parameters,
    cameras: CameraModels,
    loss: int,
    scale: float,
    residuals: np.ndarray,
    jacobian: Jacobian,
    slack: np.ndarray,
) -> None:
    """Residuals and derivatives of the observations of chunks ``first`` to ``last``.

    With a robust loss rho of the residuals' lengths, residuals and derivatives are scaled by ``sqrt(rho')``. Then J'r
    is the exact gradient of the cost and J'J its reweighted approximation; what half the sum of squares lacks to the
    cost is returned in ``slack``.

    Args:
        observations, parameters, cameras: :class:`Observations`, :class:`Parameters` and :class:`CameraModels`.
        loss, scale: index into :data:`LOSSES`, and the loss's scale in pixels.
        residuals, jacobian: outputs, shape (M, 2) and a :class:`Jacobian`.
        slack: output, the sum of ``rho - s rho'`` of each chunk, shape (Q,).
    """
    bounds, start, photo, xy, camera_of = observations
    rotations, translations, points, canonical = parameters
    fisheye, width, expansion = cameras
    jx, rotated, ji = jacobian
    weight = 1.0 / (scale * scale)
    for chunk in range(first, last):
        lacking = 0.0
        for point in range(bounds[chunk], bounds[chunk + 1]):
            px, py, pz = points[point, 0], points[point, 1], points[point, 2]
            for i in range(start[point], start[point + 1]):
                n = photo[i]
                camera = camera_of[n]
                c = canonical[camera]
                y0 = rotations[n, 0, 0] * px + rotations[n, 0, 1] * py + rotations[n, 0, 2] * pz
                y1 = rotations[n, 1, 0] * px + rotations[n, 1, 1] * py + rotations[n, 1, 2] * pz
                y2 = rotations[n, 2, 0] * px + rotations[n, 2, 1] * py + rotations[n, 2, 2] * pz
                x0, x1, x2 = y0 + translations[n, 0], y1 + translations[n, 1], y2 + translations[n, 2]
                w = 1.0 / _away_from_zero(x0, x1, x2)
                a, b = x0 * w, x1 * w
                distorted = distort(fisheye[camera], c, a, b)  # pyright: ignore[reportArgumentType] (an element)
                u_point, v_point, u_params, v_params = pixel_derivatives(c, a, b, w, distorted)
                ru = c[0] * distorted[0] + c[2] - xy[i, 0]
                rv = c[1] * distorted[1] + c[3] - xy[i, 1]
                h = 1.0
                if loss != 0:
                    slope, missing = _robust(loss, (ru * ru + rv * rv) * weight)
                    h = math.sqrt(slope)
                    lacking += missing
                residuals[i, 0], residuals[i, 1] = h * ru, h * rv
                rotated[i, 0], rotated[i, 1], rotated[i, 2] = y0, y1, y2
                for k in range(3):
                    jx[i, 0, k], jx[i, 1, k] = h * u_point[k], h * v_point[k]
                for k in range(width[camera]):
                    du, dv = 0.0, 0.0
                    for j in range(8):
                        du += u_params[j] * expansion[camera, j, k]
                        dv += v_params[j] * expansion[camera, j, k]
                    ji[i, 0, k], ji[i, 1, k] = h * du, h * dv
        slack[chunk] = lacking * scale * scale


@njit(nogil=True, cache=True)
def reprojection_lengths(
    photo: np.ndarray,
    point: np.ndarray,
    xy: np.ndarray,
    camera_of: np.ndarray,
    parameters: Parameters,
    fisheye: np.ndarray,
    infinite_behind: bool,
    lengths: np.ndarray,
) -> None:
    """Distance in pixels of each observation from its projection, shape (M,).

    Args:
        photo, point, xy: of each observation, shapes (M,), (M,) and (M, 2).
        camera_of, fisheye: camera of each photo (N,), and which cameras are fisheyes (C,).
        parameters: :class:`Parameters`.
        infinite_behind: whether points behind the camera get infinity; else the projection is continued smoothly.
        lengths: output, shape (M,).
    """
    rotations, translations, points, canonical = parameters
    for i in range(len(photo)):
        n, p = photo[i], point[i]
        camera = camera_of[n]
        c = canonical[camera]
        px, py, pz = points[p, 0], points[p, 1], points[p, 2]
        x0 = rotations[n, 0, 0] * px + rotations[n, 0, 1] * py + rotations[n, 0, 2] * pz + translations[n, 0]
        x1 = rotations[n, 1, 0] * px + rotations[n, 1, 1] * py + rotations[n, 1, 2] * pz + translations[n, 1]
        x2 = rotations[n, 2, 0] * px + rotations[n, 2, 1] * py + rotations[n, 2, 2] * pz + translations[n, 2]
        if infinite_behind and not x2 > 0.0:
            lengths[i] = np.inf
            continue
        x2 = _away_from_zero(x0, x1, x2)
        distorted = distort(fisheye[camera], c, x0 / x2, x1 / x2)  # pyright: ignore[reportArgumentType] (an element)
        lengths[i] = math.hypot(c[0] * distorted[0] + c[2] - xy[i, 0], c[1] * distorted[1] + c[3] - xy[i, 1])
