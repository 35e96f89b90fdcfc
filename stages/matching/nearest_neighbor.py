"""Matching of descriptors by nearest neighbors.

Squared distances between ``uint8`` descriptors are whole numbers below 2^24. Every way to compute them here (integer or
single precision, any tile size, number of threads or device) is exact, so all give the same matches, byte for byte.

Torch is imported only when it is needed, because that takes a second.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from llvmlite import binding
from numba import njit

from ..failure import StageFailure
from ..scene import Features, Matches, Pair
from ..stage import Context, Stage

_TILE = 512, 2048
"""Rows and columns of a tile of products: 4 MB, which fit into a core's share of the cache."""

_ROWS_ON_DEVICE = 4096


class NearestNeighbor(Stage):
    """Exact mutual nearest neighbors that pass the ratio test of Lowe (2004) in both directions.

    Args:
        ratio: the nearest neighbor must be closer than this times the second nearest.
        max_distance: largest distance of two descriptors of unit length; 0 are equal ones, 1.41 orthogonal ones.
    """

    slot = "matches"
    papers = ("lowe2004",)
    libraries = ("numpy", "numba", "torch")

    ratio: float = 0.8
    max_distance: float = 0.7

    def run(self, features: Pair[Features], context: Context) -> Matches:
        """Matches, the most similar first.

        Raises:
            StageFailure: ``different-descriptors``.
        """
        first, second = comparable(features)
        if min(len(first), len(second)) < 2:
            return Matches(np.empty((0, 2), np.int32), np.empty(0, np.float32))
        if context.device == "cpu":
            nearest, of_rows, of_columns = search_in_tiles(first, second, threads=context.threads)
        else:
            nearest, of_rows, of_columns = _search_by_torch(first, second, context.device)
        return sorted_matches(
            first, second, mutual_matches(nearest, of_rows, of_columns, self.ratio), self.max_distance
        )


class Flann(Stage):
    """Approximate nearest neighbors by a forest of randomized k-d trees (Muja and Lowe 2009), mutual and ratio-tested.

    For photos with very many keypoints: its time grows with n log n instead of n squared, but it does not find all
    matches. The forest is drawn from OpenCV's random numbers with a fixed seed.

    Args:
        ratio, max_distance: as in :class:`NearestNeighbor`.
        trees: number of trees; with more, more of the true neighbors are found.
        checks: leaves visited per keypoint; with more, more are found, in more time.
    """

    slot = "matches"
    papers = ("muja2009", "lowe2004")
    libraries = ("numpy", "opencv-contrib-python")

    ratio: float = 0.8
    max_distance: float = 0.7
    trees: int = 4
    checks: int = 64

    def run(self, features: Pair[Features], context: Context) -> Matches:
        """Matches, the most similar first.

        Raises:
            StageFailure: ``different-descriptors``.
        """
        first, second = comparable(features)
        if min(len(first), len(second)) < 2:
            return Matches(np.empty((0, 2), np.int32), np.empty(0, np.float32))
        forward, backward = self._nearest(first, second), self._nearest(second, first)
        rows = np.arange(len(first))
        mutual = (forward >= 0) & (backward[forward] == rows)
        indices = np.column_stack([rows[mutual], forward[mutual]])
        return sorted_matches(first, second, indices, self.max_distance)

    def _nearest(self, queries: np.ndarray, base: np.ndarray) -> np.ndarray:
        """For each query, the index of its nearest of ``base`` if it passes the ratio test, else -1."""
        index = cv2.flann.Index()
        cv2.setRNGSeed(0)
        index.build(base.astype(np.float32), {"algorithm": 1, "trees": self.trees})
        found, squared = index.knnSearch(queries.astype(np.float32), 2, params={"checks": self.checks})
        return np.where(squared[:, 0] < self.ratio**2 * squared[:, 1], found[:, 0], -1)


def comparable(features: Pair[Features]) -> tuple[np.ndarray, np.ndarray]:
    """The descriptors of both photos, checked to be of one kind.

    Raises:
        StageFailure: ``different-descriptors``.
    """
    first, second = features.first, features.second
    forms = [(each.descriptors.dtype, each.descriptors.shape[1]) for each in (first, second) if len(each)]
    if first.kind != second.kind or len(set(forms)) > 1:
        raise StageFailure(
            "different-descriptors",
            f"Descriptors of kind {first.kind} cannot be matched with those of kind {second.kind}.",
            hint="Use one features stage for all photos.",
            forms=[f"{dtype} x {length}" for dtype, length in forms],
        )
    return first.descriptors, second.descriptors


def sorted_matches(first: np.ndarray, second: np.ndarray, indices: np.ndarray, max_distance: float) -> Matches:
    """Matches of given keypoints, the most similar first, without those farther apart than ``max_distance``."""
    a, b = first[indices[:, 0]].astype(np.float64), second[indices[:, 1]].astype(np.float64)
    length = np.sqrt(np.einsum("nd,nd->n", a, a) * np.einsum("nd,nd->n", b, b))
    similarity = np.einsum("nd,nd->n", a, b) / np.maximum(length, 1e-12)
    near = np.flatnonzero(2 - 2 * similarity <= max_distance**2)
    order = near[np.argsort(-similarity[near], kind="stable")]
    return Matches(indices[order], similarity[order])


Exclude = Callable[[np.ndarray, slice, slice], None]

EXCLUDED = -(2**28)
"""A product less than any true one, which makes the distance of an excluded pair larger than any true one."""

Search = tuple[np.ndarray, np.ndarray, np.ndarray]
"""The nearest column of each row, and the two least squared distances of each row (2, N) and each column (2, M)."""


def mutual_matches(nearest: np.ndarray, of_rows: np.ndarray, of_columns: np.ndarray, ratio: float) -> np.ndarray:
    """Rows and columns that are mutual nearest neighbors and pass the ratio test both ways, shape (M, 2)."""
    least, runner_up = of_rows[0], np.minimum(of_rows[1], of_columns[1, nearest])
    mutual = least == of_columns[0, nearest]
    chosen = np.flatnonzero(mutual & (least < ratio**2 * runner_up))
    return np.column_stack([chosen, nearest[chosen]])


def search_in_tiles(first: np.ndarray, second: np.ndarray, exclude: Exclude | None = None, threads: int = 1) -> Search:
    """Search on the CPU, tile by tile of the matrix of products, each while it is in the cache.

    Args:
        exclude: called with each tile of products and its rows and columns, to write :data:`EXCLUDED` where a pair
            must not be matched.
        threads: how many threads multiply.
    """
    import torch

    torch.set_num_threads(threads)
    a, b, form = (_as_signed_bytes if first.dtype == np.uint8 and _has_byte_products() else _as_floats)(first, second)
    squares = [np.einsum("nd,nd->n", each, each, dtype=form) for each in (a, b)]
    far = np.iinfo(np.int32).max if form == np.int32 else np.float32(np.inf)
    nearest = np.zeros(len(a), np.int32)
    of_rows, of_columns = np.full((2, len(a)), far, form), np.full((2, len(b)), far, form)
    products: Any = torch
    multiply = products._int_mm if form == np.int32 else torch.mm
    a, b = torch.from_numpy(a), torch.from_numpy(b).T
    height, width = _TILE
    for top in range(0, len(first), height):
        down = slice(top, top + height)
        for left in range(0, len(second), width):
            across = slice(left, left + width)
            tile = multiply(a[down], b[:, across]).numpy()
            if exclude:
                exclude(tile, down, across)
            _sweep(
                tile,
                squares[0][down],
                squares[1][across],
                left,
                far,
                nearest[down],
                of_rows[0, down],
                of_rows[1, down],
                of_columns[0, across],
                of_columns[1, across],
            )
    return nearest, of_rows, of_columns


def _search_by_torch(first: np.ndarray, second: np.ndarray, device: str) -> Search:
    """Search on a graphics card, a block of rows at a time."""
    import torch

    a, b = (torch.from_numpy(each.astype(np.float32)).to(device) for each in (first, second))
    squares = (b * b).sum(1)
    of_columns = torch.full((2, len(b)), torch.inf, device=device)
    found: list[tuple[torch.Tensor, torch.Tensor]] = []
    for rows in a.split(_ROWS_ON_DEVICE):
        distances = (rows * rows).sum(1)[:, None] + squares - 2 * (rows @ b.T)
        of_rows, nearest = distances.topk(2, dim=1, largest=False)
        found.append((nearest[:, 0], of_rows.T))
        both = torch.cat([of_columns, distances.topk(min(2, len(rows)), dim=0, largest=False)[0]])
        of_columns = both.topk(2, dim=0, largest=False)[0]
    nearest, of_rows = (torch.cat(each, dim=-1).cpu().numpy() for each in zip(*found, strict=True))
    return nearest, of_rows, of_columns.cpu().numpy()


@functools.cache
def _has_byte_products() -> bool:
    """Whether this CPU multiplies bytes exactly and fast: without these instructions products saturate or are slow."""
    import torch

    features = binding.get_host_cpu_features()
    return torch.backends.mkldnn.is_available() and bool(features.get("avx512vnni") or features.get("avxvnni"))


def _as_signed_bytes(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, type]:
    """Both shifted by 128, which does not change their distances."""
    return (first ^ 128).view(np.int8), (second ^ 128).view(np.int8), np.int32


def _as_floats(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, type]:
    return first.astype(np.float32), second.astype(np.float32), np.float32


@njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})
def _sweep(
    products: np.ndarray,
    squares_a: np.ndarray,
    squares_b: np.ndarray,
    left: int,
    far: int | np.float32,
    nearest: np.ndarray,
    row: np.ndarray,
    row_2: np.ndarray,
    column: np.ndarray,
    column_2: np.ndarray,
) -> None:
    """Update the least (row, column) and second least squared distances (row_2, column_2) with a tile of products a b.

    |a - b|^2 = |a|^2 + |b|^2 - 2 a b. Each inner loop is one that the compiler turns into vector instructions.
    """
    distances = np.empty_like(squares_b)
    for r in range(len(products)):
        product, square = products[r], squares_a[r]
        for c in range(len(distances)):
            distances[c] = square + squares_b[c] - product[c] - product[c]
        for c in range(len(distances)):
            worse = max(distances[c], column[c])
            column[c] = min(distances[c], column[c])
            column_2[c] = min(column_2[c], worse)
        least = far
        for c in range(len(distances)):
            least = min(least, distances[c])
        if least >= row_2[r]:
            continue
        at = 0
        while at + 1 < len(distances) and distances[at] != least:
            at += 1
        distances[at] = far
        runner_up = far
        for c in range(len(distances)):
            runner_up = min(runner_up, distances[c])
        if least < row[r]:
            row_2[r] = min(row[r], runner_up)
            row[r], nearest[r] = least, left + at
        else:
            row_2[r] = least
