"""What the photos have to do with each other: which keypoints are matched, and how many matches each pair has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from ....stages.scene import Features, Matches, Photos, Sparse, TwoView, TwoViewKind
from ..charts.bars import histogram
from ..document import packed_array

MOST_KEYPOINTS = 1_000_000
"""No more keypoints are drawn over all photos together."""

KINDS = {
    "calibrated": "relative pose",
    "uncalibrated": "fundamental matrix only",
    "planar": "pose from a plane",
    "pure_rotation": "turned on the spot",
    "small_baseline": "too close to triangulate",
    "none": "not verified",
}
"""What the kind of a two-view geometry is called."""


@dataclass(frozen=True)
class Found:
    """What there is before the model: keypoints by photo, matches and two-view geometries by pair, read one at a time.

    Attributes:
        features: by the photo's name.
        matches, two_views: by the names of both photos with ``|`` between them.
    """

    features: Mapping[str, Features] = field(default_factory=dict)
    matches: Mapping[str, Matches] = field(default_factory=dict)
    two_views: Mapping[str, TwoView] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Matching:
    """The pairs of a collection.

    Attributes:
        pairs: indices of both photos, shape (M, 2).
        putative, verified: number of matches of each pair, shape (M,).
        kind: index into :data:`KINDS`, the last where nothing is verified, shape (M,).
        matched: keypoints with a verified match, by photo index.
    """

    pairs: np.ndarray
    putative: np.ndarray
    verified: np.ndarray
    kind: np.ndarray
    matched: Mapping[int, np.ndarray]


def survey(photos: Photos, found: Found) -> Matching:
    """Count the matches of all pairs, each read once."""
    place = {name: i for i, name in enumerate(photos.names)}
    kinds = get_args(TwoViewKind)
    rows: list[tuple[int, ...]] = []
    matched: dict[int, list[np.ndarray]] = {}
    for item in dict.fromkeys([*found.matches, *found.two_views]):
        pair = _photos_of(item, place)
        if pair is None:
            continue
        putative, geometry = found.matches.get(item), found.two_views.get(item)
        verified = geometry.matches if geometry is not None else np.empty((0, 2), np.int32)
        kind = kinds.index(geometry.kind if geometry is not None else "none")
        rows.append((*pair, len(verified if putative is None else putative), len(verified), kind))
        for photo, column in zip(pair, verified.T, strict=True):
            matched.setdefault(photo, []).append(np.unique(column))
    table = np.array(rows, np.int32).reshape(-1, 5)
    joined = {photo: np.unique(np.concatenate(columns)) for photo, columns in matched.items()}
    return Matching(table[:, :2], table[:, 2], table[:, 3], table[:, 4], joined)


def _photos_of(item: str, place: Mapping[str, int]) -> tuple[int, int] | None:
    """The photos of a pair by its name; a photo's name may itself hold the sign between them."""
    parts = item.split("|")
    for cut in range(1, len(parts)):
        first, second = "|".join(parts[:cut]), "|".join(parts[cut:])
        if first in place and second in place:
            return place[first], place[second]
    return None


def keypoint_data(
    photos: Photos, found: Found, matching: Matching, sparse: Sparse | None
) -> dict[int, dict[str, object]]:
    """Where the keypoints of each photo lie, those only found first, then the matched, last the triangulated."""
    budget = MOST_KEYPOINTS // max(1, len(found.features))
    triangulated = _triangulated(sparse)
    packed: dict[int, dict[str, object]] = {}
    for i, name in enumerate(photos.names):
        features = found.features.get(name)
        if features is None:
            continue
        rank = np.zeros(len(features), np.uint8)
        rank[matching.matched.get(i, [])] = 1
        rank[triangulated.get(name, [])] = 2
        order = np.argsort(rank, kind="stable")
        order = order[np.linspace(0, len(order) - 1, min(len(order), budget)).astype(np.int64)]
        camera = photos.camera(i)
        at = np.clip(features.xy[order] / (camera.width, camera.height), 0, 1)
        packed[i] = {
            "at": packed_array(np.rint(65535 * at), "<u2"),
            "ends": np.cumsum(np.bincount(rank[order], minlength=3)).tolist(),
            "counts": np.bincount(rank, minlength=3).tolist(),
        }
    return packed


def _triangulated(sparse: Sparse | None) -> dict[str, np.ndarray]:
    """The keypoints that show a point of a model, by the photo's name."""
    found: dict[str, np.ndarray] = {}
    for model in reversed(sparse.models if sparse else ()):
        known = model.obs_keypoint >= 0
        order = np.argsort(model.obs_photo[known], kind="stable")
        ends = np.cumsum(np.bincount(model.obs_photo[known], minlength=len(model.names)))
        found |= dict(zip(model.names, np.split(model.obs_keypoint[known][order], ends[:-1]), strict=True))
    return found


def match_numbers(photos: Photos, matching: Matching) -> dict[str, Any] | None:
    """The matches of all pairs and the kinds of their geometries; ``None`` without pairs."""
    if not len(matching.pairs):
        return None
    verified = matching.verified[matching.verified > 0]
    titles = [KINDS[kind] for kind in get_args(TwoViewKind)]
    counts = np.bincount(matching.kind, minlength=len(KINDS))
    table = np.column_stack([matching.pairs, matching.putative, matching.verified, matching.kind])
    return {
        "pairs": len(matching.pairs),
        "verified": len(verified),
        "median": np.median(verified) if len(verified) else 0,
        "histogram": histogram(verified, whole=True) if len(verified) else "",
        "kinds": {title: f"{count:,}" for title, count in zip(titles, counts, strict=True) if count},
        "data": {"names": photos.names, "kinds": titles, "table": packed_array(table, "<i4")},
    }
