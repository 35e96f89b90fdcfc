"""Choice of the pairs of photos to match."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from scipy.spatial import KDTree

from ..failure import StageFailure
from ..scene import Features, Pairs, Photos
from ..stage import Context, Stage
from .retrieval import global_descriptors, most_similar

_EQUATOR, _FLATTENING = 6_378_137.0, 1 / 298.257223563
"""WGS 84: radius in meters and flattening of the Earth."""


class Exhaustive(Stage):
    """Every photo with every other; for up to a few hundred photos."""

    slot = "pairs"

    def run(self, photos: Photos) -> Pairs:
        """All n (n - 1) / 2 pairs."""
        return _pairs(np.argwhere(np.triu(np.ones((len(photos), len(photos)), bool), 1)))


class Sequential(Stage):
    """Every photo with its neighbors in a sequence, and with similar photos elsewhere in it, which close loops.

    The sequence is that of the names, where numbers count by value: ``9.jpg`` comes before ``10.jpg``.

    Attributes:
        overlap: how many of the following photos each is matched with.
        quadratic: match also with the photos 2, 4, 8, ... places ahead, ``overlap`` of them, as COLMAP does; this
            bridges stretches of bad photos.
        loops: number of similar photos outside the overlap to match each with, found by :class:`Retrieval`; 0 for none.
    """

    slot = "pairs"
    papers = ("jegou2010", "arandjelovic2013", "sculley2010")

    overlap: int = 10
    quadratic: bool = True
    loops: int = 5

    def run(self, photos: Photos, features: tuple[Features, ...], rng: np.random.Generator) -> Pairs:
        """The pairs of the sequence and its loops."""
        order = natural_order(photos.names)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        steps = {*range(1, self.overlap + 1), *(2**power for power in range(self.overlap if self.quadratic else 0))}
        found = _steps_apart(order, [step for step in steps if step < len(order)])
        if self.loops:
            near = np.abs(place[:, None] - place) <= self.overlap
            found = np.concatenate([found, most_similar(global_descriptors(features, rng), self.loops, near)])
        return _pairs(found)


class Retrieval(Stage):
    """Every photo with the most similar ones, by VLAD (Jégou et al. 2010; Arandjelović and Zisserman 2013).

    A pair is taken if either photo is among those most similar to the other.

    Attributes:
        neighbors: how many photos each is matched with at least.
    """

    slot = "pairs"
    papers = ("jegou2010", "arandjelovic2013", "sculley2010")

    neighbors: int = 20

    def run(self, features: tuple[Features, ...], rng: np.random.Generator) -> Pairs:
        """The pairs of similar photos."""
        return _pairs(most_similar(global_descriptors(features, rng), self.neighbors))


class Spatial(Stage):
    """Every photo with those taken nearest to it, by GPS.

    Heights are ignored, because receivers measure them tens of meters wrong. Of photos at the same place those next in
    name order are taken. A photo without a position is matched with those that follow it in name order.

    Attributes:
        neighbors: how many photos each is matched with at least, where there are so many within the distance.
        max_distance: photos farther apart, in meters, are not matched.
    """

    slot = "pairs"
    libraries = ("numpy", "scipy")

    neighbors: int = 20
    max_distance: float = 100.0

    def run(self, photos: Photos, context: Context) -> Pairs:
        """Pairs of photos near each other.

        Raises:
            StageFailure: ``no-gps`` when no photo has a position.
        """
        placed = np.all(np.isfinite(photos.gps[:, :2]), axis=1)
        if not placed.any():
            raise StageFailure(
                "no-gps",
                "No photo has a GPS position.",
                hint="Choose the pairs exhaustively, in sequence or by retrieval.",
                photos=len(photos),
            )
        order = natural_order(photos.names)
        found = self._near(photos.gps, np.flatnonzero(placed), order)
        if not placed.all():
            unplaced = int((~placed).sum())
            context.warn(
                f"{unplaced} of {len(photos)} photos {'has' if unplaced == 1 else 'have'} no GPS position; each is "
                f"matched with the {self.neighbors} before and after it by name instead."
            )
            following = _steps_apart(order, range(1, min(self.neighbors + 1, len(order))))
            found = np.concatenate([found, following[~np.all(placed[following], axis=1)]])
        pairs = _pairs(found)
        alone = len(photos) - len(np.unique(pairs.indices))
        if alone:
            subject, verb = ("1 photo lies", "is") if alone == 1 else (f"{alone} photos lie", "are")
            context.warn(f"{subject} more than {self.max_distance:g} m from every other and {verb} not matched.")
        return pairs

    def _near(self, gps: np.ndarray, placed: np.ndarray, order: np.ndarray) -> np.ndarray:
        rank = np.empty(len(order))
        rank[order] = np.arange(len(order))
        # A fourth dimension, one micrometer a photo, orders photos at the same place.
        where = np.column_stack([earth_centered(gps[placed, 0], gps[placed, 1]), 1e-6 * rank[placed]])
        count = min(self.neighbors + 1, len(placed))
        distance, nearest = KDTree(where).query(where, k=count, distance_upper_bound=self.max_distance)
        within = np.isfinite(distance).reshape(len(placed), count)
        row, _ = np.nonzero(within)
        return placed[np.stack([row, np.reshape(nearest, within.shape)[within]], axis=1)]


def natural_order(names: Sequence[str]) -> np.ndarray:
    """Indices that sort names with the numbers in them by value, shape (N,)."""

    def key(index: int) -> tuple[list[str | int], str]:
        # Splitting at a group gives text and digits alternately, so that numbers are compared with numbers.
        parts = re.split(r"(\d+)", names[index])
        return [int(part) if place % 2 else part for place, part in enumerate(parts)], names[index]

    return np.array(sorted(range(len(names)), key=key), np.int64)


def earth_centered(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Positions on the WGS 84 ellipsoid in earth-centered, earth-fixed meters, from degrees, shape (N, 3)."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    squeeze = (1 - _FLATTENING) ** 2
    vertical = _EQUATOR / np.sqrt(np.cos(lat) ** 2 + squeeze * np.sin(lat) ** 2)
    across = vertical * np.cos(lat)
    return np.column_stack([across * np.cos(lon), across * np.sin(lon), squeeze * vertical * np.sin(lat)])


def _steps_apart(order: np.ndarray, steps: Sequence[int]) -> np.ndarray:
    """Photos so many places apart in an order, shape (M, 2)."""
    parts = [np.stack([order[:-step], order[step:]], axis=1) for step in steps]
    return np.concatenate([np.empty((0, 2), np.int64), *parts])


def _pairs(found: np.ndarray) -> Pairs:
    """Each pair once, smaller index first, sorted; without pairs of a photo with itself."""
    ordered = np.sort(found, axis=1)
    return Pairs(np.unique(ordered[ordered[:, 0] < ordered[:, 1]], axis=0))
