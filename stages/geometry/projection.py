"""Projection and its inverse for every camera model, with derivatives.

All models are special cases of two: the radial-tangential one of Brown (1971) and the equidistant fisheye of Kannala
and Brandt (2006), both with eight *canonical* parameters ``(fx, fy, cx, cy, d1, d2, d3, d4)``. A model's own
parameters are a linear selection of these (:func:`expansion`), so its derivatives follow by the chain rule.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numba import njit

from ..scene import CAMERA_MODELS, Camera

_CANONICAL_OF = {
    "f": (0, 1),
    "fx": (0,),
    "fy": (1,),
    "cx": (2,),
    "cy": (3,),
    "k": (4,),
    "k1": (4,),
    "k2": (5,),
    "p1": (6,),
    "p2": (7,),
    "k3": (6,),
    "k4": (7,),
}

_NEWTON_STEPS = 50
_NEWTON_TOLERANCE = 1e-15  # in normalized units, about 1e-12 px
_WIDEST_ANGLE = 0.5 * math.pi - 1e-6


@functools.cache
def expansion(model: str) -> np.ndarray:
    """The matrix that makes canonical parameters of a model's own, shape (8, number of parameters)."""
    names = CAMERA_MODELS[model]
    matrix = np.zeros((8, len(names)))
    for column, name in enumerate(names):
        matrix[_CANONICAL_OF[name], column] = 1.0
    matrix.setflags(write=False)
    return matrix


def is_fisheye(camera: Camera) -> bool:
    """Whether the camera's canonical form is the fisheye one."""
    return camera.model == "OPENCV_FISHEYE"


def canonical_params(camera: Camera) -> np.ndarray:
    """(fx, fy, cx, cy, d1, d2, d3, d4) of a camera; the last four are (k1, k2, p1, p2), or k1 to k4 of a fisheye."""
    return expansion(camera.model) @ np.array(camera.params)


def project(camera: Camera, points_cam: np.ndarray) -> np.ndarray:
    """Pixels of points given in the camera's frame, shape (N, 3) to (N, 2).

    A point that is not in front of the camera (z <= 0) has no pixel and gets (inf, inf): beyond any
    threshold, and never NaN.
    """
    xy = np.empty((len(points_cam), 2))
    _project(is_fisheye(camera), canonical_params(camera), _floats(points_cam), xy)
    return xy


def project_with_jacobians(camera: Camera, points_cam: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels (N, 2), their derivative by the point (N, 2, 3) and by the model's parameters (N, 2, K).

    A point with z <= 0 gets (inf, inf) and zero derivatives.
    """
    n = len(points_cam)
    xy, by_point, by_canonical = np.empty((n, 2)), np.zeros((n, 2, 3)), np.zeros((n, 2, 8))
    points = _floats(points_cam)
    _project_with_jacobians(is_fisheye(camera), canonical_params(camera), points, xy, by_point, by_canonical)
    return xy, by_point, by_canonical @ expansion(camera.model)


def undistort(camera: Camera, xy: np.ndarray) -> np.ndarray:
    """Normalized image coordinates (x/z, y/z) of pixels, without distortion, shape (N, 2) to (N, 2).

    Inverts the distortion by Newton's method, on the branch that begins at the axis: with strong distortion the
    radius rises to a maximum and falls beyond it, where it is invalid. A pixel outside the model's range gets the
    coordinates that project closest to it; a fisheye's angle stays below 90 degrees.
    """
    fisheye, c = is_fisheye(camera), canonical_params(camera)
    normalized = np.empty((len(xy), 2))
    _undistort(fisheye, c, _fold(fisheye, c), _floats(xy), normalized)
    return normalized


def unproject(camera: Camera, xy: np.ndarray) -> np.ndarray:
    """Rays of pixels in the camera's frame, scaled to z = 1, shape (N, 2) to (N, 3)."""
    return np.column_stack([undistort(camera, xy), np.ones(len(xy))])


def _fold(fisheye: bool, c: np.ndarray) -> float:
    """Where the radial polynomial stops rising: an angle for a fisheye, else a distance from the axis.

    The slope of r + d1 r^3 + d2 r^5 and so on is a polynomial of r squared. With reversed coefficients it is a
    polynomial of 1 / r^2 whose leading coefficient is 1, so that coefficients near 0 do no harm.
    """
    d = c[4:] if fisheye else c[4:6]
    inverse_squares = np.roots([1.0, *((3 + 2 * np.arange(len(d))) * d)])
    turns = inverse_squares.real[inverse_squares.imag == 0]
    widest = _WIDEST_ANGLE if fisheye else math.tan(_WIDEST_ANGLE)
    return 1 / math.sqrt(max(turns.max(initial=0.0), widest**-2))


def _floats(array: np.ndarray) -> np.ndarray:
    # Numba compiles a kernel again for read-only arrays: hand over writable ones only.
    return np.require(array, np.float64, ["C", "W"])


_Three = tuple[float, float, float]
_Four = tuple[float, float, float, float]
_Eight = tuple[float, float, float, float, float, float, float, float]
_Distorted = tuple[float, float, float, float, float, _Four, _Four]


@njit(nogil=True, cache=True, inline="always")
def _radial_tangential(d1: float, d2: float, d3: float, d4: float, a: float, b: float) -> _Distorted:
    """Distorted (a, b), its derivative by (a, b), and by (d1, d2, d3, d4): ``(x, y, xa, xb, yb, x1..x4, y1..y4)``.

    The derivative by (a, b) is symmetric.
    """
    aa, ab, bb = a * a, a * b, b * b
    r2 = aa + bb
    gain = 1.0 + r2 * (d1 + r2 * d2)
    slope = 2.0 * d1 + 4.0 * d2 * r2
    x = a * gain + 2.0 * d3 * ab + d4 * (r2 + 2.0 * aa)
    y = b * gain + 2.0 * d4 * ab + d3 * (r2 + 2.0 * bb)
    xa = gain + aa * slope + 2.0 * d3 * b + 6.0 * d4 * a
    xb = ab * slope + 2.0 * d3 * a + 2.0 * d4 * b
    yb = gain + bb * slope + 6.0 * d3 * b + 2.0 * d4 * a
    r4 = r2 * r2
    by_x = (a * r2, a * r4, 2.0 * ab, r2 + 2.0 * aa)
    by_y = (b * r2, b * r4, r2 + 2.0 * bb, 2.0 * ab)
    return x, y, xa, xb, yb, by_x, by_y


@njit(nogil=True, cache=True, inline="always")
def _fisheye(d1: float, d2: float, d3: float, d4: float, a: float, b: float) -> _Distorted:
    """The same as :func:`_radial_tangential` for the equidistant fisheye."""
    r2 = a * a + b * b
    if r2 < 1e-8:
        # Series about the axis: the quotients below lose their digits there.
        t2 = r2
        gain = 1.0 + (d1 - 1.0 / 3.0) * r2
        slope = 2.0 * (d1 - 1.0 / 3.0)
        scale = 1.0
    else:
        r = math.sqrt(r2)
        t = math.atan(r)
        t2 = t * t
        scale = t / r
        gain = scale * (1.0 + t2 * (d1 + t2 * (d2 + t2 * (d3 + t2 * d4))))
        rate = 1.0 + t2 * (3.0 * d1 + t2 * (5.0 * d2 + t2 * (7.0 * d3 + t2 * 9.0 * d4)))
        slope = (rate / (1.0 + r2) - gain) / r2
    s1 = scale * t2
    s2 = s1 * t2
    s3 = s2 * t2
    s4 = s3 * t2
    by_x = (a * s1, a * s2, a * s3, a * s4)
    by_y = (b * s1, b * s2, b * s3, b * s4)
    return a * gain, b * gain, gain + a * a * slope, a * b * slope, gain + b * b * slope, by_x, by_y


@njit(nogil=True, cache=True)
def distort(fisheye: bool, c: np.ndarray, a: float, b: float) -> _Distorted:
    """Distort normalized coordinates with canonical parameters ``c``; results as :func:`_radial_tangential`."""
    if fisheye:
        return _fisheye(c[4], c[5], c[6], c[7], a, b)
    return _radial_tangential(c[4], c[5], c[6], c[7], a, b)


@njit(nogil=True, cache=True)
def pixel_derivatives(
    c: np.ndarray, a: float, b: float, w: float, distorted: _Distorted
) -> tuple[_Three, _Three, _Eight, _Eight]:
    """Derivatives of a pixel by the point and by the canonical parameters.

    Args:
        c: canonical parameters.
        a, b: normalized coordinates of the point, and ``w`` its inverse depth.
        distorted: what :func:`distort` returned for (a, b).

    Returns:
        Two rows by the point (x, y, z) and two rows by the canonical parameters, one of each for u and for v.
    """
    x, y, xa, xb, yb, by_x, by_y = distorted
    fx, fy = c[0], c[1]
    ua, ub = fx * w * xa, fx * w * xb
    va, vb = fy * w * xb, fy * w * yb
    u_point = (ua, ub, -(ua * a + ub * b))
    v_point = (va, vb, -(va * a + vb * b))
    u_params = (x, 0.0, 1.0, 0.0, fx * by_x[0], fx * by_x[1], fx * by_x[2], fx * by_x[3])
    v_params = (0.0, y, 0.0, 1.0, fy * by_y[0], fy * by_y[1], fy * by_y[2], fy * by_y[3])
    return u_point, v_point, u_params, v_params


@njit(nogil=True, cache=True)
def _project(fisheye: bool, c: np.ndarray, points: np.ndarray, xy: np.ndarray) -> None:
    for i in range(len(points)):
        z = points[i, 2]
        if z > 0.0:
            distorted = distort(fisheye, c, points[i, 0] / z, points[i, 1] / z)
            xy[i, 0] = c[0] * distorted[0] + c[2]
            xy[i, 1] = c[1] * distorted[1] + c[3]
        else:
            xy[i, 0] = np.inf
            xy[i, 1] = np.inf


@njit(nogil=True, cache=True)
def _project_with_jacobians(
    fisheye: bool, c: np.ndarray, points: np.ndarray, xy: np.ndarray, by_point: np.ndarray, by_canonical: np.ndarray
) -> None:
    for i in range(len(points)):
        z = points[i, 2]
        if z > 0.0:
            a, b = points[i, 0] / z, points[i, 1] / z
            distorted = distort(fisheye, c, a, b)
            xy[i, 0] = c[0] * distorted[0] + c[2]
            xy[i, 1] = c[1] * distorted[1] + c[3]
            u_point, v_point, u_params, v_params = pixel_derivatives(c, a, b, 1.0 / z, distorted)
            for j in range(3):
                by_point[i, 0, j] = u_point[j]
                by_point[i, 1, j] = v_point[j]
            for j in range(8):
                by_canonical[i, 0, j] = u_params[j]
                by_canonical[i, 1, j] = v_params[j]
        else:
            xy[i, 0] = np.inf
            xy[i, 1] = np.inf


@njit(nogil=True, cache=True)
def _undistort(fisheye: bool, c: np.ndarray, fold: float, xy: np.ndarray, normalized: np.ndarray) -> None:
    for i in range(len(xy)):
        x, y = (xy[i, 0] - c[2]) / c[0], (xy[i, 1] - c[3]) / c[1]
        radius = math.sqrt(x * x + y * y)
        if radius < 1e-9:
            a, b = x, y
        elif fisheye:
            scale = math.tan(_invert_radial(c[4], c[5], c[6], c[7], fold, radius)) / radius
            a, b = scale * x, scale * y
        else:
            scale = _invert_radial(c[4], c[5], 0.0, 0.0, fold, radius) / radius
            a, b = scale * x, scale * y
            if c[6] != 0.0 or c[7] != 0.0:
                a, b = _invert_tangential(c, x, y, a, b)
        normalized[i, 0] = a
        normalized[i, 1] = b


@njit(nogil=True, cache=True)
def _invert_radial(d1: float, d2: float, d3: float, d4: float, fold: float, radius: float) -> float:
    """The r at or below the fold whose polynomial comes closest to a radius: Newton's method between two bounds."""
    low, high = 0.0, fold
    r = min(radius, fold)
    for _ in range(_NEWTON_STEPS):
        r2 = r * r
        excess = r * (1.0 + r2 * (d1 + r2 * (d2 + r2 * (d3 + r2 * d4)))) - radius
        slope = 1.0 + r2 * (3.0 * d1 + r2 * (5.0 * d2 + r2 * (7.0 * d3 + r2 * 9.0 * d4)))
        if excess > 0.0:
            high = r
        else:
            low = r
        previous = r
        r = r - excess / slope if slope > 0.0 else -1.0
        if not low <= r <= high:
            r = 0.5 * (low + high)
        if abs(r - previous) <= _NEWTON_TOLERANCE:
            break
    return r


@njit(nogil=True, cache=True)
def _invert_tangential(c: np.ndarray, x: float, y: float, a: float, b: float) -> tuple[float, float]:
    """Newton's method from where the radial part alone lies, with steps halved until they help.

    It stays on this side of the fold, where the determinant is positive; the start is moved there first.
    """
    distorted = distort(False, c, a, b)
    while _determinant(distorted) <= 0.0:
        a, b = 0.9 * a, 0.9 * b
        distorted = distort(False, c, a, b)
    ex, ey = distorted[0] - x, distorted[1] - y
    for _ in range(_NEWTON_STEPS):
        error = ex * ex + ey * ey
        if error <= _NEWTON_TOLERANCE**2:
            break
        xa, xb, yb = distorted[2], distorted[3], distorted[4]
        determinant = _determinant(distorted)
        da, db = (yb * ex - xb * ey) / determinant, (xa * ey - xb * ex) / determinant
        improved = False
        for _ in range(10):
            trial = distort(False, c, a - da, b - db)
            ex, ey = trial[0] - x, trial[1] - y
            if ex * ex + ey * ey < error and _determinant(trial) > 0.0:
                improved = True
                break
            da, db = 0.5 * da, 0.5 * db
        if not improved:
            break
        a, b, distorted = a - da, b - db, trial  # pyright: ignore[reportPossiblyUnboundVariable] (the loop runs)
    return a, b


@njit(nogil=True, cache=True, inline="always")
def _determinant(distorted: _Distorted) -> float:
    """Of the derivative of distorted by undistorted coordinates: negative beyond the fold."""
    return distorted[2] * distorted[4] - distorted[3] * distorted[3]
