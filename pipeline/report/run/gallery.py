"""The photos, small, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ....stages.failure import StageFailure
from ....stages.images.photos import PhotoFile, decode
from ....stages.scene import Photos, Sparse
from ..document import Thumbnail, thumbnail
from ..words import plural
from .matching import Found, Matching, keypoint_data
from .measures import Measures

WIDTHS = ((60, 640), (200, 320), (1_000_000, 160))
"""Up to how many photos, and how wide their pictures then are."""

MANY_PHOTOS = 200
"""With more photos than this they stand closer together."""


def gallery(
    photos: Photos,
    files: Sequence[PhotoFile],
    sparse: Sparse | None,
    measures: Sequence[Measures],
    found: Found,
    matching: Matching,
) -> dict[str, Any] | None:
    """A picture of every photo, its keypoints, and whether it is registered; ``None`` without photos."""
    if not photos.names:
        return None
    file_of = {file.name: file for file in files}
    width = next(width for most, width in WIDTHS if len(photos) <= most)
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(lambda name: _picture(file_of.get(name), width), photos.names))
    cards = [
        {"name": name, "picture": picture, "keypoints": name in found.features, **caption}
        for name, picture, caption in zip(photos.names, pictures, _captions(photos, sparse, measures), strict=True)
    ]
    there = {"found": True, "matched": bool(matching.matched), "triangulated": sparse is not None}
    return {
        "cards": cards,
        "many": len(photos) > MANY_PHOTOS,
        "shape": np.median([photos.camera(i).width / photos.camera(i).height for i in range(len(photos))]),
        "keypoints": keypoint_data(photos, found, matching, sparse),
        "ranks": [(rank, name) for rank, (name, is_there) in enumerate(there.items()) if is_there],
    }


def _captions(photos: Photos, sparse: Sparse | None, measures: Sequence[Measures]) -> list[dict[str, Any]]:
    """Whether each photo is registered, and lines on it; no lines where no model was tried."""
    if sparse is None:
        return [{"registered": False, "why": None, "lines": []}] * len(photos)
    models, reasons = sparse.models, dict(sparse.missing)
    place = {name: (m, i) for m in reversed(range(len(models))) for i, name in enumerate(models[m].names)}
    captions = []
    for name in photos.names:
        if name not in place:
            why = f"Not registered: {reasons[name]}" if reasons.get(name) else "Not registered"
            captions.append({"registered": False, "why": why, "lines": []})
            continue
        m, i = place[name]
        lines = [plural(int(measures[m].observations[i]), "observation")]
        lines += [f"{error:.2f} px mean error" for error in measures[m].photo_errors[i : i + 1] if np.isfinite(error)]
        lines += [f"model {m + 1}"] * (len(models) > 1)
        captions.append({"registered": True, "why": None, "lines": lines})
    return captions


def _picture(file: PhotoFile | None, width: int) -> Thumbnail | str:
    """The photo, small; the reason where it cannot be read."""
    if file is None:
        return ""
    try:
        return thumbnail(decode(file.load()), width, "", 60)
    except StageFailure as problem:
        return str(problem)
