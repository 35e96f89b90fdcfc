"""Depth by PatchMatch: slanted planes, passed on from pixel to pixel, that make the neighbors look like the view."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ...dense import Around, DepthMap, View
from ...geometry.slanted_planes import enlarge, fill, parts, planes_from
from ...stage import Context, Sizes, Stage
from ...threads import Chunks
from ..pyramid import Level
from .confidence import Judgement, depth_map
from .kernels import WORST, Field, Patch, Search, judge, sweep

_BANDS = 32
"""Bands of rows that threads share; more than threads, for even loads."""

_COARSEST = 160
"""The search begins where the longer side of the view is at least so many pixels long, and not twice as many."""

_CONTRAST, _NOISE = 18.0, 0.25
"""Gray values: see :class:`~diptych.stages.mvs.patchmatch.kernels.Patch`."""

_SAME = 0.1
"""Pixels: hypotheses that differ by less in every source are not compared twice."""

_STRICT = 0.5
"""A source with less mismatch than this counts as seeing a pixel."""

_FIRST_STEP, _STEP = 4.0, 0.5
"""Pixels of parallax by which the first sweep moves hypotheses at most, at the coarsest size and at the others; each
further sweep of a size moves them by half as much."""

_TILT = 0.3
"""Spread of the slopes that are drawn at first: 1 is a plane at 45 degrees."""

_FARTHEST_MISS = 3.0
"""Pixels: a point that comes back farther from where it started has no way back."""


class PatchMatch(Stage):
    """Search for every pixel the slanted plane through which the neighbors look most like the view around it.

    Multi-view PatchMatch stereo (Bleyer et al. 2011; Galliani et al. 2015) with weights for each pixel and source
    (Zheng et al. 2014; Schönberger et al. 2016), candidates chosen from regions on a checkerboard and coarse to fine
    (Xu and Tao 2019, ACMM). Patches are compared by bilaterally weighted normalized cross-correlation.

    Without depth maps to start from it searches from the coarsest size of the view to the finest. With them it starts
    from those of this view, at the finest size, and holds to those of the neighbors: a point must find its way back
    through them. So a second node of this stage makes the depth maps of the first consistent, and any other stage of
    the slot can come first. A view whose map is empty is searched as without.

    Args:
        sources: most neighbors to compare with; time grows with it.
        spacing: pixels between those of the 7x7 pixels of a patch. 1 follows edges, 2 needs less texture.
        coarse_sweeps: how often all pixels are searched at each of the coarser sizes.
        sweeps: how often at the finest.
        consistency: what a pixel of distance, there and back through the neighbors' depth maps, costs beside the
            mismatch of 0 to 2.
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
        """Gray values, planes and what each source says of them, as measured."""
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
                turns = [(coarsest, self.coarse_sweeps, True)]
                turns += [(level, self.coarse_sweeps, False) for level in finer[:-1]]
                found = sweeper.hold(_drawn(coarsest, view, rng), coarsest)
            else:
                finest = Level.of(view, sources, 0, [depths.sources[i].depth for i in usable])
                turns = []
                found = sweeper.hold(sweeper.weighed(_begun(finest, view, depths.reference), finest), finest)
            sweeper.run(found, [*turns, (finest, self.sweeps, False)])
            judgement = sweeper.judge(found)
        return depth_map(view, found.planes(), judgement, self.min_confidence)


class _Hypotheses(Protocol):
    """A plane for every pixel of a level, and how to search for better ones, wherever the arrays live."""

    level: Level

    def enlarge(self, level: Level) -> None:
        """Go on at the next size: each pixel takes what was found for the pixel it is a part of."""
        ...

    def sweep(self, parity: int, search: Search) -> None:
        """Search once at every pixel of one color, 0 or 1."""
        ...

    def judge(self, search: Search) -> Judgement:
        """What each source says of the plane of every pixel."""
        ...

    def planes(self) -> np.ndarray:
        """What was found, shape (H, W, 3)."""
        ...


class _OnThreads:
    """Hypotheses that compiled kernels search, bands of rows on several threads."""

    def __init__(self, field: Field, level: Level, patch: Patch, chunks: Chunks) -> None:
        self.level, self._field, self._patch, self._chunks = level, field, patch, chunks

    def enlarge(self, level: Level) -> None:
        self.level, self._field = level, _enlarged(self._field, level)

    def sweep(self, parity: int, search: Search) -> None:
        self._chunks.run(sweep, self._edges(), parity, self._field, self.level.sources, self._patch, search)

    def judge(self, search: Search) -> Judgement:
        size, count = self.level.gray.shape, len(self.level.sources.start)
        texture, parallax = np.zeros(size, np.float32), np.zeros(size, np.float32)
        mismatch = np.full((*size, count), WORST, np.float32)
        miss = np.full((*size, count if self.level.sources.inverse.size else 0), search.farthest_miss, np.float32)
        given = (self._field, self.level.sources, self._patch, search)
        self._chunks.run(judge, self._edges(), *given, texture, parallax, mismatch, miss)
        return Judgement(texture, parallax, mismatch, miss if miss.size else None)

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

    def hold(self, field: Field, level: Level) -> _Hypotheses:
        """The field, where it is searched; torch is imported only for other devices than the CPU."""
        if self._context.device == "cpu":
            return _OnThreads(field, level, self._patch, self._chunks)
        from .torch import OnDevice

        return OnDevice(field, level, self._patch, self._context.device)

    def run(self, found: _Hypotheses, turns: list[tuple[Level, int, bool]]) -> None:
        """Search level by level: each with how often, and whether depths are drawn from the whole range too."""
        total = sum(times for _, times, _ in turns)
        for level, times, roam in turns:
            if found.level is not level:
                found.enlarge(level)
            for turn in range(times):
                search = self._search(turn, roam)
                for parity in (0, 1):
                    found.sweep(parity, search)
                self._done += 1
                self._context.progress(self._done, total)

    def judge(self, found: _Hypotheses) -> Judgement:
        """What each source says of what was found."""
        return found.judge(self._search(0, roam=False))

    def weighed(self, field: Field, level: Level) -> Field:
        """The field with the costs of its planes, and each source trusted as far as it agrees."""
        mismatch = self.judge(self.hold(field, level)).mismatch
        trust = np.exp(-(mismatch**2) / 0.18) + 1e-6
        cost = (trust * mismatch).sum(axis=2) / trust.sum(axis=2)
        return field._replace(cost=_unless_masked(cost, level), visible=trust / trust.max(axis=2, keepdims=True))

    def _search(self, turn: int, roam: bool) -> Search:
        return Search(
            seed=np.uint32(self._seed + self._done),
            strict=np.float32(_STRICT),
            step=np.float32((_FIRST_STEP if roam else _STEP) / 2**turn),
            roam=roam,
            nearest=np.float32(1 / self._view.near),
            farthest=np.float32(1 / self._view.far),
            same=np.float32(_SAME),
            consistency=np.float32(self._stage.consistency),
            farthest_miss=np.float32(_FARTHEST_MISS),
            everywhere=roam and turn < 2,
        )


def _patch(spacing: int) -> Patch:
    """Seven by seven pixels without the middle."""
    dy, dx = np.delete(np.mgrid[-3:4, -3:4].reshape(2, -1), 24, axis=1).astype(np.float32)
    weight = np.exp(-(dx**2 + dy**2) / np.float32(18))
    return Patch(dx * spacing, dy * spacing, weight, np.float32(3 * spacing), np.float32(_CONTRAST), np.float32(_NOISE))


def _unless_masked(cost: np.ndarray, level: Level) -> np.ndarray:
    return np.where(level.mask, cost, np.inf).astype(np.float32)


def _drawn(level: Level, view: View, rng: np.random.Generator) -> Field:
    """Planes drawn at random."""
    shape, count = level.gray.shape, len(level.sources.start)
    planes = np.empty((*shape, 3), np.float32)
    planes[..., 0] = rng.uniform(1 / view.far, 1 / view.near, shape)
    tilt = rng.normal(0.0, _TILT, (*shape, 2)) / level.camera.focal_lengths
    planes[..., 1:] = planes[..., :1] * tilt
    cost = _unless_masked(np.full(shape, WORST), level)
    return Field(level.gray, level.mask, planes, cost, np.zeros((*shape, count), np.float32))


def _enlarged(field: Field, level: Level) -> Field:
    """What was found at one size, at the next."""
    (height, width), coarse = level.gray.shape, field.gray.shape
    of_rows, of_columns = parts(height, coarse[0])[:, None], parts(width, coarse[1])
    return Field(
        level.gray,
        level.mask,
        enlarge(field.planes, height, width),
        _unless_masked(field.cost[of_rows, of_columns], level),
        field.visible[of_rows, of_columns],
    )


def _begun(level: Level, view: View, depth_map: DepthMap) -> Field:
    """The planes of a depth map; where it has none, those of the nearest pixel that has."""
    known = depth_map.depth > 0
    planes = planes_from(depth_map.depth, depth_map.normal, view.camera)
    if not known.all():
        planes = fill(planes, known)
    planes[..., 0] = planes[..., 0].clip(1 / view.far, 1 / view.near)
    empty = np.zeros((*known.shape, len(level.sources.start)), np.float32)
    return Field(level.gray, level.mask, planes.astype(np.float32), np.zeros(known.shape, np.float32), empty)
