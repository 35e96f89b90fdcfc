"""Depth by PatchMatch: slanted planes that spread from pixel to pixel where they match the neighbors best."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ...dense import Around, DepthMap, View
from ...geometry.slanted_planes import enlarge, fill, parts, planes_from
from ...stage import Context, Sizes, Stage
from ...threads import Chunks
from .arrays import MAX_COST, Field, Patch, Search
from .confidence import PlaneScores, depth_map
from .matching_cost import score_planes
from .pyramid import Level
from .sweep import sweep

_BANDS = 32
"""Bands of rows that threads share; more than threads, for even loads."""

_COARSEST = 160
"""Pixels: the longer side of the coarsest level is at least this long, and less than twice as long."""

_CONTRAST, _NOISE = 18.0, 0.25
"""Gray values: see :class:`~diptych.stages.mvs.patchmatch.arrays.Patch`."""

_SAME = 0.1
"""Pixels: of hypotheses that differ by less in every source only one is compared."""

_GOOD_COST = 0.5
"""A source with a lower matching cost counts as seeing a pixel."""

_FIRST_STEP, _STEP = 4.0, 0.5
"""Pixels of parallax by which the first sweep moves hypotheses at most, at the coarsest size and at the others; each
further sweep of a size moves them by half as much."""

_TILT = 0.3
"""Standard deviation of the slopes that are drawn at first: 1 is a plane at 45 degrees."""

_MAX_ROUND_TRIP = 3.0
"""Pixels: larger round-trip errors count as this one."""


class PatchMatch(Stage):
    """Find for every pixel the slanted plane through which its surroundings look most alike in the neighbors.

    Multi-view PatchMatch stereo (Bleyer et al. 2011; Galliani et al. 2015) with weights for each pixel and source
    (Zheng et al. 2014; Schönberger et al. 2016), candidates chosen from regions on a checkerboard and coarse to fine
    (Xu and Tao 2019, ACMM). Patches are compared by bilaterally weighted normalized cross-correlation.

    Without depth maps it searches from the coarsest level of the view to the finest. With depth maps it starts from
    this view's at the finest level, and adds to the cost the round-trip error through those of the neighbors. So a
    second node of this stage makes the depth maps of the first consistent, and any other stage of the slot can come
    first. A view whose map is empty is searched as without.

    Args:
        sources: most neighbors to compare with; time grows with it.
        spacing: distance in pixels between the 7x7 pixels of a patch. 1 follows edges, 2 needs less texture.
        coarse_sweeps: sweeps over all pixels at each coarser level.
        sweeps: sweeps at the finest level.
        consistency: cost per pixel of round-trip error through the neighbors' depth maps, added to the matching cost of
            0 to 2.
        min_confidence: less confident pixels get a reason instead of a depth.
    """

    slot = "depths"
    papers = ("bleyer2011", "galliani2015", "zheng2014", "schoenberger2016mvs", "xu2019")
    libraries = ("numpy", "numba", "opencv-contrib-python", "torch")
    differs_by_device = True

    sources: int = 7
    spacing: int = 1
    coarse_sweeps: int = 4
    sweeps: int = 1
    consistency: float = 0.2
    min_confidence: float = 0.1

    def footprint(self, sizes: Sizes) -> int:
        """Gray values, planes and their costs by source, as measured."""
        return sizes.pixels * (160 + 20 * (1 + min(sizes.neighbors, self.sources)))

    def run(
        self, views: Around[View], rng: np.random.Generator, context: Context, depths: Around[DepthMap] | None = None
    ) -> DepthMap:
        """The depth map of the reference."""
        view = views.reference
        usable = [i for i, source in enumerate(views.sources) if not source.missing][: self.sources]
        if view.missing or not usable or not view.mask.any():
            return DepthMap.empty(view, view.missing or ("is masked everywhere" if usable else "has no neighbors"))
        sources = [views.sources[i] for i in usable]
        with _Sweeper(self, view, int(rng.integers(1 << 31)), context) as sweeper:
            if depths is None or not depths.reference.depth.any():
                halvings = max(0, int(np.log2(max(view.mask.shape) / _COARSEST)))
                coarsest, *finer = (Level.of(view, sources, h) for h in range(halvings, -1, -1))
                finest = finer[-1] if finer else coarsest
                schedule = [(coarsest, self.coarse_sweeps, True)]
                schedule += [(level, self.coarse_sweeps, False) for level in finer[:-1]]
                found = sweeper.hypotheses(_random_planes(coarsest, view, rng), coarsest)
            else:
                finest = Level.of(view, sources, 0, [depths.sources[i].depth for i in usable])
                schedule = []
                start = sweeper.with_costs(_planes_of(depths.reference, finest, view), finest)
                found = sweeper.hypotheses(start, finest)
            sweeper.run(found, [*schedule, (finest, self.sweeps, False)])
            scores = sweeper.scores(found)
        return depth_map(view, found.planes(), scores, self.min_confidence)


class _Hypotheses(Protocol):
    """A plane for every pixel of a level, searched on the CPU or on another device."""

    level: Level

    def enlarge(self, level: Level) -> None:
        """Go on at the next finer level: each pixel takes the plane of the coarser pixel that it lies in."""
        ...

    def sweep(self, parity: int, search: Search) -> None:
        """Search once at every pixel of one color, 0 or 1."""
        ...

    def scores(self, search: Search) -> PlaneScores:
        """Compare the plane of every pixel with each source."""
        ...

    def planes(self) -> np.ndarray:
        """The planes, shape (H, W, 3)."""
        ...


class _OnThreads:
    """Hypotheses that compiled kernels search, with bands of rows on several threads."""

    def __init__(self, field: Field, level: Level, patch: Patch, chunks: Chunks) -> None:
        self.level, self._field, self._patch, self._chunks = level, field, patch, chunks

    def enlarge(self, level: Level) -> None:
        self.level, self._field = level, _enlarged(self._field, level)

    def sweep(self, parity: int, search: Search) -> None:
        self._chunks.run(sweep, self._edges(), parity, self._field, self.level.sources, self._patch, search)

    def scores(self, search: Search) -> PlaneScores:
        size, count = self.level.gray.shape, len(self.level.sources.start)
        with_depth = count if self.level.sources.inverse.size else 0
        scores = PlaneScores(
            texture=np.zeros(size, np.float32),
            parallax=np.zeros(size, np.float32),
            cost=np.full((*size, count), MAX_COST, np.float32),
            round_trip=np.full((*size, with_depth), search.max_round_trip, np.float32),
        )
        self._chunks.run(score_planes, self._edges(), self._field, self.level.sources, self._patch, search, scores)
        return scores

    def planes(self) -> np.ndarray:
        return self._field.planes

    def _edges(self) -> np.ndarray:
        return len(self.level.gray) * np.arange(_BANDS + 1) // _BANDS


class _Sweeper:
    """Run sweeps over levels, on the CPU or on another device."""

    def __init__(self, stage: PatchMatch, view: View, seed: int, context: Context) -> None:
        self._stage, self._view, self._seed, self._context = stage, view, seed, context
        self._patch = _patch(stage.spacing)
        self._chunks = Chunks(_BANDS, context.threads)
        self._done = 0

    def __enter__(self) -> _Sweeper:
        return self

    def __exit__(self, *_: object) -> None:
        self._chunks.close()

    def hypotheses(self, field: Field, level: Level) -> _Hypotheses:
        """Put the field on the device of the run; torch is imported only for other devices than the CPU."""
        if self._context.device == "cpu":
            return _OnThreads(field, level, self._patch, self._chunks)
        from .torch import OnDevice

        return OnDevice(field, level, self._patch, self._context.device)

    def run(self, found: _Hypotheses, schedule: list[tuple[Level, int, bool]]) -> None:
        """Run each (level, sweeps, sample_full_range) in turn."""
        total = sum(sweeps for _, sweeps, _ in schedule)
        for level, sweeps, sample_full_range in schedule:
            if found.level is not level:
                found.enlarge(level)
            for number in range(sweeps):
                search = self._search(number, sample_full_range)
                for parity in (0, 1):
                    found.sweep(parity, search)
                self._done += 1
                self._context.progress(self._done, total)

    def scores(self, found: _Hypotheses) -> PlaneScores:
        """Compare the plane of every pixel with each source."""
        return found.scores(self._search(0, sample_full_range=False))

    def with_costs(self, field: Field, level: Level) -> Field:
        """The field with the costs of its planes, and the visibility of each source that follows from them."""
        cost = self.scores(self.hypotheses(field, level)).cost
        weight = np.exp(-(cost**2) / 0.18) + 1e-6
        mean = (weight * cost).sum(axis=2) / weight.sum(axis=2)
        return field._replace(cost=_unless_masked(mean, level), visible=weight / weight.max(axis=2, keepdims=True))

    def _search(self, number: int, sample_full_range: bool) -> Search:
        return Search(
            seed=np.uint32(self._seed + self._done),
            good_cost=np.float32(_GOOD_COST),
            step=np.float32((_FIRST_STEP if sample_full_range else _STEP) / 2**number),
            sample_full_range=sample_full_range,
            min_inverse=np.float32(1 / self._view.far),
            max_inverse=np.float32(1 / self._view.near),
            same=np.float32(_SAME),
            consistency=np.float32(self._stage.consistency),
            max_round_trip=np.float32(_MAX_ROUND_TRIP),
            all_sources=sample_full_range and number < 2,
        )


def _patch(spacing: int) -> Patch:
    """The 7x7 pixels without the center."""
    dy, dx = np.delete(np.mgrid[-3:4, -3:4].reshape(2, -1), 24, axis=1).astype(np.float32)
    weight = np.exp(-(dx**2 + dy**2) / np.float32(18))
    return Patch(dx * spacing, dy * spacing, weight, np.float32(3 * spacing), np.float32(_CONTRAST), np.float32(_NOISE))


def _unless_masked(cost: np.ndarray, level: Level) -> np.ndarray:
    return np.where(level.mask, cost, np.inf).astype(np.float32)


def _random_planes(level: Level, view: View, rng: np.random.Generator) -> Field:
    """Planes with depths drawn evenly over the inverse range, and normally distributed slopes."""
    shape, count = level.gray.shape, len(level.sources.start)
    planes = np.empty((*shape, 3), np.float32)
    planes[..., 0] = rng.uniform(1 / view.far, 1 / view.near, shape)
    tilt = rng.normal(0.0, _TILT, (*shape, 2)) / level.camera.focal_lengths
    planes[..., 1:] = planes[..., :1] * tilt
    cost = _unless_masked(np.full(shape, MAX_COST), level)
    return Field(level.gray, level.mask, planes, cost, np.zeros((*shape, count), np.float32))


def _enlarged(field: Field, level: Level) -> Field:
    """The field of one level at the next finer one."""
    (height, width), coarse = level.gray.shape, field.gray.shape
    of_rows, of_columns = parts(height, coarse[0])[:, None], parts(width, coarse[1])
    return Field(
        level.gray,
        level.mask,
        enlarge(field.planes, height, width),
        _unless_masked(field.cost[of_rows, of_columns], level),
        field.visible[of_rows, of_columns],
    )


def _planes_of(depth_map: DepthMap, level: Level, view: View) -> Field:
    """The planes of a depth map; a pixel without depth takes the plane of the nearest pixel with one."""
    known = depth_map.depth > 0
    planes = planes_from(depth_map.depth, depth_map.normal, view.camera)
    if not known.all():
        planes = fill(planes, known)
    planes[..., 0] = planes[..., 0].clip(1 / view.far, 1 / view.near)
    empty = np.zeros((*known.shape, len(level.sources.start)), np.float32)
    return Field(level.gray, level.mask, planes.astype(np.float32), np.zeros(known.shape, np.float32), empty)
