"""Sentences on how much two values of one type differ.

They count keypoints, registered photos and the like, and measure poses and depths; other types are compared field by
field. The first value is always named first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...stages.dense import Cloud, DepthMap, Mesh
from ...stages.failure import StageFailure
from ...stages.geometry.alignment import align_cameras
from ...stages.geometry.rotations import angle_between
from ...stages.scene import Camera, Features, Matches, Pairs, Patches, Scene, Sparse, Tracks, TwoView

MAX_SENTENCES = 6
"""Maximum number of sentences on one pair of values."""

COUNTED: dict[type, dict[str, str]] = {
    Features: {"xy": "keypoints"},
    Pairs: {"indices": "pairs"},
    Matches: {"indices": "matches"},
    TwoView: {"matches": "verified matches"},
    Tracks: {"keypoint": "observations"},
    Patches: {"keypoint": "patches"},
    Sparse: {"models": "models", "missing": "photos left out"},
    Scene: {"names": "registered photos", "points": "points", "obs_xy": "observations"},
    Cloud: {"points": "points"},
    Mesh: {"vertices": "vertices", "triangles": "triangles"},
}
"""The fields of a type whose rows are counted, and what these rows are."""

OF_KEYPOINTS: tuple[type, ...] = (Matches, TwoView)
"""Types whose rows are indices of keypoints; they compare only between equal features."""

COMPARABLE: tuple[type, ...] = (Features, Pairs, *OF_KEYPOINTS)
"""Types whose rows do not depend on their order, so that rows in both values can be counted."""


def value_differences(a: Any, b: Any, same_features: bool = True) -> list[str]:
    """Sentences on how ``b`` differs from ``a``, a value of the same type; none where they are equal.

    For arrays of one shape they give the share of elements that differ, and the largest and median absolute difference
    of these. Two NaN are equal.

    Args:
        same_features: whether both values index the same keypoints.
    """
    sentences = list(dict.fromkeys(_compare(a, b, "")))
    more = len(sentences) - MAX_SENTENCES
    if more > 1:
        sentences[MAX_SENTENCES:] = [f"and {more} more differences"]
    is_comparable = isinstance(a, COMPARABLE) and (same_features or not isinstance(a, OF_KEYPOINTS))
    return [*sentences, *_shared(a, b)] if is_comparable else sentences


def _compare(a: Any, b: Any, at: str) -> Iterator[str]:
    """Counts and measures of a known type, else field by field; ``at`` is the path within the whole value."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        yield from _arrays(a, b, at)
    elif dataclasses.is_dataclass(a) and type(a) is type(b):
        sentences = [*_counts(a, b), *MEASURES.get(type(a), _nothing)(a, b)]
        yield from sentences or _fields(a, b, at)
    elif isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        for i, (old, new) in enumerate(zip(a, b, strict=True)):
            yield from _compare(old, new, f"{at}[{i}]")
    elif isinstance(a, tuple) and isinstance(b, tuple):
        yield f"{at}: {len(a):,} against {len(b):,}"
    elif a != b and not (a != a and b != b):
        yield f"{at}: {_short(a)} against {_short(b)}"


def _fields(a: Any, b: Any, at: str) -> Iterator[str]:
    for field in dataclasses.fields(a):
        yield from _compare(getattr(a, field.name), getattr(b, field.name), f"{at}.{field.name}" if at else field.name)


def _arrays(a: np.ndarray, b: np.ndarray, at: str) -> Iterator[str]:
    if a.shape != b.shape:
        yield f"{at}: shape {a.shape} against {b.shape}"
        return
    differs = (a != b) & ~((a != a) & (b != b))
    if not differs.any():
        return
    share = f"{at}: {_percent(differs.mean())} of {differs.size:,} values differ"
    sizes = np.abs(a[differs].astype(np.float64) - b[differs].astype(np.float64))
    sizes = sizes[np.isfinite(sizes)]
    if a.dtype == np.bool_ or not len(sizes):
        yield share
    else:
        yield f"{share}, by at most {sizes.max():.3g} and {np.median(sizes):.3g} in the median"


def _counts(a: Any, b: Any) -> Iterator[str]:
    """The counts that differ."""
    for field, words in COUNTED.get(type(a), {}).items():
        old, new = len(getattr(a, field)), len(getattr(b, field))
        if old != new:
            yield f"{old:,} against {new:,} {words}"


def _shared(a: Any, b: Any) -> Iterator[str]:
    """How many of the counted rows are in both, unless all are."""
    for field, words in COUNTED[type(a)].items():
        old, new = _rows(getattr(a, field)), _rows(getattr(b, field))
        if old != new:
            shared = len(old & new)
            yield f"{shared:,} of the {words} {'is' if shared == 1 else 'are'} in both"


def _rows(array: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in array}


def _camera(a: Camera, b: Camera) -> Iterator[str]:
    if a.focal_lengths[0] != b.focal_lengths[0]:
        yield f"focal length {a.focal_lengths[0]:.2f} against {b.focal_lengths[0]:.2f} px"


def _scene(a: Scene, b: Scene) -> Iterator[str]:
    """Poses after alignment by a similarity, then cameras and reprojection errors."""
    places = {name: i for i, name in enumerate(b.names)}
    ours = [i for i, name in enumerate(a.names) if name in places]
    theirs = [places[a.names[i]] for i in ours]
    if (a.rotations[ours] != b.rotations[theirs]).any() or (a.translations[ours] != b.translations[theirs]).any():
        yield from _poses(a, b, ours, theirs)
    pairs = dict.fromkeys((a.camera(i), b.camera(k)) for i, k in zip(ours, theirs, strict=True))
    for old, new in pairs:
        yield from _camera(old, new)
    errors = [float(np.nanmean(scene.errors)) if np.isfinite(scene.errors).any() else np.nan for scene in (a, b)]
    if f"{errors[0]:.4f}" != f"{errors[1]:.4f}":
        yield f"mean reprojection error {errors[0]:.4f} against {errors[1]:.4f} px"


def _poses(a: Scene, b: Scene, ours: list[int], theirs: list[int]) -> Iterator[str]:
    try:
        align = align_cameras(b.rotations[theirs], b.centers[theirs], a.rotations[ours], a.centers[ours])
    except StageFailure:
        return
    moved = np.linalg.norm(align(b.centers[theirs]) - a.centers[ours], axis=1)
    extent = np.linalg.norm(np.ptp(a.centers[ours], axis=0))
    turned = np.degrees(angle_between(b.rotations[theirs] @ align.rotation.T, a.rotations[ours]))
    yield (
        f"aligned, {len(ours)} cameras stand at most {_percent(moved.max() / extent)} of the scene's extent apart "
        f"({_percent(np.median(moved) / extent)} in the median) and are turned by at most {turned.max():.2g}° "
        f"({np.median(turned):.2g}°)"
    )


def _depth_map(a: DepthMap, b: DepthMap) -> Iterator[str]:
    """How many pixels have a depth, and how much the depths of pixels with one in both differ."""
    if a.missing or b.missing or a.depth.shape != b.depth.shape:
        return
    found = a.depth > 0, b.depth > 0
    shares = [_percent(has.mean()) for has in found]
    if (found[0] != found[1]).any():
        other = _percent((found[0] != found[1]).mean())
        yield f"a depth at {shares[0]} against {shares[1]} of the pixels; {other} have one in one run only"
    old, new = (one.depth[found[0] & found[1]].astype(np.float64) for one in (a, b))
    ratio = new / old
    if (ratio == 1).all():
        return
    moved = np.abs(ratio - 1)
    yield (
        f"where both have a depth it differs at {_percent((moved > 0).mean())} of the pixels, "
        f"by {_percent(np.median(moved))} in the median and {_percent(moved.max())} at most"
    )
    # The scale of a model is free and may explain most of the difference.
    scale = np.median(ratio)
    rest = np.abs(ratio / scale - 1)
    if 2 * np.median(rest) < np.median(moved):
        yield f"beside a factor of {scale:.5g} by {_percent(np.median(rest))} and {_percent(rest.max())}"


def _nothing(a: Any, b: Any) -> Iterator[str]:
    yield from ()


MEASURES: dict[type, Callable[[Any, Any], Iterator[str]]] = {Camera: _camera, Scene: _scene, DepthMap: _depth_map}
"""Sentences on values of a type, beside its counts."""


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _short(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
