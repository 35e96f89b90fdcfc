"""PatchMatch by torch: many pixels at once, for graphics cards.

The functions do what those of :mod:`diptych.stages.mvs.patchmatch.sweep` and
:mod:`diptych.stages.mvs.patchmatch.matching_cost` do, with the same random numbers and the same hypotheses in the same
order. Results differ by rounding, and where rounding decides between two hypotheses.

While one color is searched the other stands still, so pixels are taken in slabs, which bounds memory. Shapes are
of P pixels of a slab, N sources and T trials; a trial is a pixel, a plane through it and a source.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...geometry.slanted_planes import parts
from .arrays import CANDIDATES, COUNTS, MAX_COST, PERTURBATIONS, PLACES, RETRY_PERIOD, Field, Patch, Search, Sources
from .confidence import PlaneScores
from .pyramid import Level

_SLAB = 1 << 16
"""Pixels that are searched at once."""

_TRIALS = 1 << 17
"""Trials whose patches are compared at once; they take most of a peak memory of less than 1 GiB."""

_NEIGHBORS = (-1, 0), (1, 0), (0, -1), (0, 1)


class OnDevice:
    """The hypotheses of all pixels, kept on a torch device.

    Args:
        field: the initial planes.
        level: the first level.
        patch: the pixels that are compared.
        device: a torch device.
    """

    def __init__(self, field: Field, level: Level, patch: Patch, device: str) -> None:
        self._device = torch.device(device)
        self._planes = self._put(field.planes).view(-1, 3)
        self._cost = self._put(field.cost).view(-1)
        self._visible = self._put(field.visible).flatten(0, 1)
        self._patch = _Patch(*(self._put(np.asarray(each, np.float32)) for each in patch))
        self._set_level(level)

    def enlarge(self, level: Level) -> None:
        """Go on at the next finer level: each pixel takes the plane of the coarser pixel that it lies in."""
        fine, coarse = level.gray.shape, self._shape
        rows, columns = (parts(*sides) for sides in zip(fine, coarse, strict=True))
        of = self._put(rows[:, None] * coarse[1] + columns).view(-1)
        down, across = coarse[0] / fine[0], coarse[1] / fine[1]
        dy = (np.arange(fine[0]) + 0.5) * down - 0.5 - rows
        dx = (np.arange(fine[1]) + 0.5) * across - 0.5 - columns
        shift = self._put(np.stack(np.broadcast_arrays(dx, dy[:, None]), axis=-1, dtype=np.float32)).view(-1, 2)
        planes = self._planes[of]
        w = planes[:, :1] + (planes[:, 1:] * shift).sum(1, keepdim=True)
        slopes = planes[:, 1:] * self._put(np.array([across, down], np.float32))
        self._planes, self._cost, self._visible = torch.cat([w, slopes], 1), self._cost[of], self._visible[of]
        self._set_level(level)
        self._cost[~self._mask] = torch.inf

    def sweep(self, parity: int, search: Search) -> None:
        """Search once at every pixel of one color."""
        pixels = self._wanted()
        x, y = self._xy(pixels)
        for pixel in pixels[(x + y) % 2 == parity].split(_SLAB):
            parallax = _parallax_at(self._sources, self._xy(pixel).float(), self._planes[pixel, 0])
            seen = parallax > 0
            self._search(pixel[seen], parallax[seen], search)

    def scores(self, search: Search) -> PlaneScores:
        """Compare the plane of every pixel with each source."""
        size, count = len(self._planes), self._visible.shape[1]
        with_depth = count if len(self._sources.inverse) else 0
        texture, parallax = torch.zeros(2, size, device=self._device)
        cost = torch.full((size, count), MAX_COST, device=self._device)
        round_trip = torch.full((size, with_depth), float(search.max_round_trip), device=self._device)
        for pixel in self._wanted().split(_SLAB):
            windows, planes = self._windows(pixel), self._planes[pixel]
            texture[pixel] = windows.variance
            parallax[pixel] = _parallax_at(self._sources, windows.xy, planes[:, 0])
            everywhere = torch.ones(len(pixel), 1, count, dtype=torch.bool, device=self._device)
            costs, round_trips = self._compare(windows, planes[:, None], everywhere, search)
            cost[pixel], round_trip[pixel] = costs[:, 0], round_trips[:, 0, :with_depth]
        arrays = (each.view(*self._shape, *each.shape[1:]).cpu() for each in (texture, parallax, cost, round_trip))
        return PlaneScores(*(each.numpy() for each in arrays))

    def planes(self) -> np.ndarray:
        """The planes that were found, shape (H, W, 3)."""
        return self._planes.view(*self._shape, 3).cpu().numpy()

    def _put(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array, device=self._device)

    def _set_level(self, level: Level) -> None:
        self.level, self._shape = level, level.gray.shape
        self._gray, self._mask = self._put(level.gray).view(-1), self._put(level.mask).view(-1)
        self._sources = _Sources.of(level.sources, self._device)

    def _wanted(self) -> Tensor:
        return self._mask.nonzero()[:, 0]

    def _xy(self, pixel: Tensor) -> Tensor:
        return torch.stack([pixel % self._shape[1], pixel // self._shape[1]])

    def _moved(self, pixel: Tensor, by: Tensor) -> tuple[Tensor, Tensor]:
        """The pixels at offsets (K, 2) from each, 0 outside the image, and whether they lie inside; shapes (P, K)."""
        height, width = self._shape
        x, y = self._xy(pixel)[..., None] + by.T[:, None]
        inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        return torch.where(inside, y * width + x, 0), inside

    def _search(self, pixel: Tensor, parallax: Tensor, search: Search) -> None:
        """Search at some pixels of one color."""
        windows, consistency = self._windows(pixel), float(search.consistency)
        candidates, known = self._gather(pixel, search, parallax)
        tried, neighbors = self._views_to_try(pixel, search)
        costs, round_trips = self._compare(windows, candidates, known[..., None] & tried[:, None], search)
        visible, share = _choose_views(costs, known, tried, neighbors, float(search.good_cost))
        costs = (share[:, None] * (costs + consistency * round_trips)).sum(2)
        least, best = torch.where(known, costs, torch.inf).min(1)
        planes = candidates.take_along_dim(best[:, None, None], 1)[:, 0]
        for attempt in range(PERTURBATIONS if search.sample_full_range else PERTURBATIONS - 1):
            perturbed = self._perturb(pixel, planes, attempt, search, parallax)
            valid = (perturbed[:, 0] >= float(search.min_inverse)) & (perturbed[:, 0] <= float(search.max_inverse))
            wanted = valid[:, None, None] & (share > 0)[:, None]
            costs, round_trips = self._compare(windows, perturbed[:, None], wanted, search)
            cost = (share * (costs + consistency * round_trips)[:, 0]).sum(1)
            better = valid & (cost < least)
            least, planes = torch.where(better, cost, least), torch.where(better[:, None], perturbed, planes)
        self._planes[pixel], self._cost[pixel], self._visible[pixel] = planes, least, visible

    def _windows(self, pixel: Tensor) -> _Windows:
        height, width = self._shape
        patch, xy = self._patch, self._xy(pixel)
        column = (xy[0, :, None] + patch.dx.long()).clamp(0, width - 1)
        row = (xy[1, :, None] + patch.dy.long()).clamp(0, height - 1)
        value = self._gray[row * width + column]
        weight = patch.weight * torch.exp(-(value - self._gray[pixel, None]).abs() / patch.contrast)
        weight /= weight.sum(1, keepdim=True)
        deviation = value - (weight * value).sum(1, keepdim=True)
        return _Windows(xy.float(), weight, weight * deviation, (weight * deviation**2).sum(1))

    def _gather(self, pixel: Tensor, search: Search, parallax: Tensor) -> tuple[Tensor, Tensor]:
        """Candidates, shape (P, CANDIDATES, 3), and which of them are new and in range, shape (P, CANDIDATES)."""
        candidates = self._planes[pixel, None].repeat(1, CANDIDATES, 1)
        known = torch.zeros(candidates.shape[:2], dtype=torch.bool, device=self._device)
        known[:, 0] = True
        for q, (places, count) in enumerate(zip(PLACES, COUNTS, strict=True), start=1):
            others, inside = self._moved(pixel, self._put(places[:count]))
            least, at = torch.where(inside, self._cost[others], torch.inf).min(1)
            other = others.take_along_dim(at[:, None], 1)[:, 0]
            plane = self._planes[other]
            plane[:, 0] += (plane[:, 1:] * (self._xy(pixel) - self._xy(other)).T).sum(1)
            difference = (candidates[:, :q] - plane[:, None]).abs()
            difference = difference[..., 0] + (difference[..., 1] + difference[..., 2]) * self._patch.radius
            again = (known[:, :q] & (difference < float(search.same) / parallax[:, None])).any(1)
            within = (plane[:, 0] >= float(search.min_inverse)) & (plane[:, 0] <= float(search.max_inverse))
            candidates[:, q], known[:, q] = plane, (least < torch.inf) & within & ~again
        return candidates, known

    def _views_to_try(self, pixel: Tensor, search: Search) -> tuple[Tensor, Tensor]:
        """Whether to try each source, and its mean visibility over the four neighbors, both of shape (P, N)."""
        beside, inside = self._moved(pixel, torch.tensor(_NEIGHBORS, device=self._device))
        neighbors = torch.where(inside[..., None], self._visible[beside], 0).sum(1)
        neighbors /= inside.sum(1, keepdim=True).clamp(min=1)
        draws = 1000 + torch.arange(neighbors.shape[1], device=self._device)
        retry = random(search.seed, pixel[:, None], draws) < 1 / RETRY_PERIOD
        tried = retry | (neighbors + self._visible[pixel] > 0.05) | search.all_sources
        return tried | ~tried.any(dim=1, keepdim=True), neighbors

    def _perturb(self, pixel: Tensor, planes: Tensor, attempt: int, search: Search, parallax: Tensor) -> Tensor:
        drawn = random(search.seed, pixel[:, None], 4 * attempt + torch.arange(4, device=self._device))
        a, b, c = (2 * drawn[:, :3] - 1).T
        w, wx, wy = planes.T
        step = float(search.step) / parallax
        tilt = step / self._patch.radius
        if attempt == 0:
            perturbed = w + a * step, wx, wy
        elif attempt == 1:
            perturbed = w, wx + b * tilt, wy + c * tilt
        elif attempt == 2:
            perturbed = w + 0.5 * a * step, wx + 0.5 * b * tilt, wy + 0.5 * c * tilt
        elif attempt == 3:
            beside, inside = self._moved(pixel, torch.tensor(_NEIGHBORS, device=self._device))
            left, right, above, below = self._planes[beside, 0].T
            perturbed = torch.where(inside.all(1), w, 0), 0.5 * (right - left), 0.5 * (below - above)
        else:
            anew = float(search.min_inverse) + float(search.max_inverse - search.min_inverse) * drawn[:, 3]
            perturbed = anew, wx * anew / w, wy * anew / w
        return torch.stack(perturbed, 1)

    def _compare(self, windows: _Windows, planes: Tensor, wanted: Tensor, search: Search) -> tuple[Tensor, Tensor]:
        """Matching costs of planes (P, Q, 3) in the sources that are wanted (P, Q, N), and round-trip errors in pixels.

        Both are 0 elsewhere; the second is 0 everywhere if the sources have no depth maps.
        """
        costs, round_trips = torch.zeros(2, *wanted.shape, device=self._device)
        for trial in wanted.nonzero().split(_TRIALS):
            of, q, j = trial.T
            costs[of, q, j] = _matching_cost(self._sources, j, windows, of, planes[of, q], self._patch)
            if len(self._sources.inverse):
                largest = float(search.max_round_trip)
                round_trips[of, q, j] = _round_trip_error(
                    self._sources, j, windows.xy[:, of], planes[of, q, 0], largest
                )
        return costs, round_trips


class _Patch(NamedTuple):
    """:class:`~diptych.stages.mvs.patchmatch.arrays.Patch` on a device."""

    dx: Tensor
    dy: Tensor
    weight: Tensor
    radius: Tensor
    contrast: Tensor
    noise: Tensor


class _Windows(NamedTuple):
    """Pixels and the patch around each.

    Attributes:
        xy: position, shape (2, P).
        weight, deviation: of each pixel of the patch, shape (P, SAMPLES).
        variance: shape (P,).
    """

    xy: Tensor
    weight: Tensor
    deviation: Tensor
    variance: Tensor


class _Sources(NamedTuple):
    """:class:`~diptych.stages.mvs.patchmatch.arrays.Sources` on a device, with N as the last axis of all.

    Attributes:
        last: column and row of the last pixel, shape (2, N).
        there, there_shift, back, back_shift: shapes (3, 3, N) and (3, N).
    """

    texels: Tensor
    allowed: Tensor
    inverse: Tensor
    start: Tensor
    width: Tensor
    last: Tensor
    there: Tensor
    there_shift: Tensor
    back: Tensor
    back_shift: Tensor

    @staticmethod
    def of(sources: Sources, device: torch.device) -> _Sources:
        last = np.stack([sources.width, sources.height]).astype(np.float32) - 1
        arrays = (
            sources.texels.view(np.int32),
            sources.allowed,
            sources.inverse,
            sources.start,
            sources.width,
            last,
            sources.there.T.reshape(3, 3, -1),
            sources.there_shift.T,
            sources.back.T.reshape(3, 3, -1),
            sources.back_shift.T,
        )
        return _Sources(*(torch.tensor(array, device=device) for array in arrays))


def random(seed: np.uint32, pixel: Tensor, draw: Tensor) -> Tensor:
    """The random numbers of the compiled kernels; the arguments are broadcast."""
    x = _cut(pixel.new_tensor(int(seed)) * 0x9E3779B1 + pixel * 0x85EBCA77 + draw * 0xC2B2AE3D)
    x = _cut((x ^ x >> 16) * 0x7FEB352D)
    x = _cut((x ^ x >> 15) * 0x846CA68B)
    return ((x ^ x >> 16) >> 8).float() * (1 / 16777216)


def _cut(x: Tensor) -> Tensor:
    """The lowest 32 bits."""
    return x & 0xFFFFFFFF


def _project(a: Tensor, b: Tensor, xy: Tensor, w: Tensor) -> Tensor:
    """A (x, y, 1) + b w, shape (3, ...)."""
    return a[:, 0] * xy[0] + a[:, 1] * xy[1] + a[:, 2] + b * w


def _matching_cost(
    sources: _Sources, j: Tensor, windows: _Windows, of: Tensor, planes: Tensor, patch: _Patch
) -> Tensor:
    """1 - weighted normalized cross-correlation of each trial, shape (T,).

    Args:
        j: the source of each trial, shape (T,).
        of: its pixel, as an index into ``windows``, shape (T,).
        planes: its plane, shape (T, 3).
    """
    a, b, last, first = sources.there[..., j], sources.there_shift[:, j], sources.last[:, j], sources.start[j]
    middle = _project(a, b, windows.xy[:, of], planes[:, 0])
    across, down = a[:, 0] + b * planes[:, 1], a[:, 1] + b * planes[:, 2]
    z, place = middle[2], middle[:2] / middle[2]
    inside = (z > 0) & (z - (across[2].abs() + down[2].abs()) * patch.radius > 0.2 * z)
    inside &= ((place >= 0) & (place <= last)).all(0)
    column, row = torch.where(inside, place + 0.5, 0).long()
    inside &= sources.allowed[first + row * sources.width[j] + column]

    seen = inside.nonzero()[:, 0]
    x, y, z = (
        middle[i, seen, None] + across[i, seen, None] * patch.dx + down[i, seen, None] * patch.dy for i in range(3)
    )
    right, bottom = last[:, seen, None]
    column = torch.minimum((x / z).clamp(min=0), right)
    row = torch.minimum((y / z).clamp(min=0), bottom)
    left, top = column.long(), row.long()
    texels = sources.texels[first[seen, None] + top * sources.width[j[seen], None] + left]
    # The bytes of a texel are its pixel, that to the right, that below and the one beside that.
    upper_left, upper_right, lower_left, lower_right = ((texels >> shift & 255).float() for shift in (0, 8, 16, 24))
    column -= left
    row -= top
    upper = torch.lerp(upper_left, upper_right, column)
    value = torch.lerp(upper, torch.lerp(lower_left, lower_right, column), row)

    of = of[seen]
    weighted = windows.weight[of] * value
    mean, square = weighted.sum(1), (weighted * value).sum(1)
    product = (windows.deviation[of] * value).sum(1)
    spread = (square - mean * mean).clamp(min=0)
    correlation = product / torch.sqrt((spread + patch.noise) * (windows.variance[of] + patch.noise))
    cost = torch.full_like(place[0], MAX_COST)
    cost[seen] = (1 - correlation).clamp(max=MAX_COST)
    return cost


def _round_trip_error(sources: _Sources, j: Tensor, xy: Tensor, w: Tensor, largest: float) -> Tensor:
    """Pixels between each of (2, T) and where the depth map of its source projects it back to, shape (T,)."""
    place = _project(sources.there[..., j], sources.there_shift[:, j], xy, w)
    z, place = place[2], place[:2] / place[2]
    inside = (z > 0) & ((place > -0.5) & (place < sources.last[:, j] + 0.5)).all(0)
    column, row = torch.where(inside, place + 0.5, 0).long()
    there = sources.inverse[sources.start[j] + row * sources.width[j] + column]
    back = _project(sources.back[..., j], sources.back_shift[:, j], place, there)
    error = ((back[:2] / back[2] - xy) ** 2).sum(0).sqrt().clamp(max=largest)
    return torch.where(inside & (there > 0) & (back[2] > 0), error, largest)


def _parallax_at(sources: _Sources, xy: Tensor, w: Tensor) -> Tensor:
    """Pixels that each of (2, P) moves in a source per unit of inverse depth, the largest over all sources."""
    shift = sources.there_shift[:, None]
    place = _project(sources.there[:, :, None], shift, xy[..., None], w[:, None])
    moved = (shift[:2] - place[:2] / place[2] * shift[2]) / place[2]
    return torch.where(place[2] > 0, (moved**2).sum(0), 0).amax(1).sqrt()


def _choose_views(
    costs: Tensor, known: Tensor, tried: Tensor, neighbors: Tensor, good_cost: float
) -> tuple[Tensor, Tensor]:
    """Visibility of each source, and its weight in the cost, both of shape (P, N)."""
    share = _visibility(costs, known, good_cost) * (0.1 + neighbors) * tried
    most = share.amax(1, keepdim=True)
    share = torch.where(most > 1e-6, share, tried.float())
    share = torch.where(share >= 0.1 * most, share, 0)
    visible = (share / most.clamp(min=1e-6)).clamp(max=1)
    return visible, share / share.sum(1, keepdim=True).clamp(min=1e-30)


def _visibility(costs: Tensor, known: Tensor, good_cost: float) -> Tensor:
    """How likely each source sees each pixel, from the costs (P, CANDIDATES, N) of known candidates (P, CANDIDATES)."""
    likely = torch.exp(-(costs**2) / 0.18)
    good, bad = known[..., None] & (costs < good_cost), known[..., None] & (costs >= good_cost) & (costs > 1.2)
    good_count, bad_count, count = good.sum(1), bad.sum(1), known.sum(1, keepdim=True)
    seen = torch.where(good, likely, 0).sum(1) / good_count.clamp(min=1)
    doubtful = torch.where(2 * bad_count <= count, 0.05 * math.exp(-(good_cost**2) / 0.18), 0)
    return torch.where((good_count > 0) & (3 * bad_count <= count), seen, doubtful)
