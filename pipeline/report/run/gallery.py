"""The photos, small, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape

import numpy as np

from ....stages.failure import StageFailure
from ....stages.images.photos import PhotoFile, decode
from ....stages.scene import Photos, Sparse
from ..document import picture
from ..words import plural
from .matching import Found, Matching, keypoint_data
from .measures import Measures

WIDTHS = ((60, 640), (200, 320), (1_000_000, 160))
"""Up to how many photos, and how wide their pictures then are."""

MANY_PHOTOS = 200
"""With more photos than this they stand closer together."""

_KEYPOINTS = ("found", "matched", "triangulated")


def gallery_section(
    photos: Photos,
    files: Sequence[PhotoFile],
    sparse: Sparse | None,
    measures: Sequence[Measures],
    found: Found,
    matching: Matching,
) -> str:
    """A picture of every photo with its keypoints, and what became of it."""
    if not photos.names:
        return ""
    file_of = {file.name: file for file in files}
    captions = _captions(photos, sparse, measures)
    width = next(width for most, width in WIDTHS if len(photos) <= most)
    with ThreadPoolExecutor(4) as pool:
        thumbnails = list(pool.map(lambda name: _thumbnail(file_of.get(name), width), photos.names))
    cards = "\n".join(
        f'<figure id="photo-{i}" class="photo{" missing" * (not registered)}">'
        f'<div class="over">{thumbnail}{_overlay(i) if name in found.features else ""}'
        f'<button type="button" class="enlarge" aria-label="Enlarge {escape(name)}">⤢</button></div>'
        f"<figcaption><b>{escape(name)}</b>{text}</figcaption></figure>"
        for i, (name, thumbnail, (registered, text)) in enumerate(zip(photos.names, thumbnails, captions, strict=True))
    )
    many = " many" if len(photos) > MANY_PHOTOS else ""
    shape = np.median([photos.camera(i).width / photos.camera(i).height for i in range(len(photos))])
    keypoints = keypoint_data(photos, found, matching, sparse)
    return f"""<section><h2>Photos</h2>{_legend(matching, sparse) if keypoints else ""}
<div class="photos{many}" style="--shape: {shape:.4f}">{cards}</div>{keypoints}</section>"""


def _overlay(photo: int) -> str:
    return f'<canvas class="keypoints" data-photo="{photo}" aria-hidden="true"></canvas>'


def _legend(matching: Matching, sparse: Sparse | None) -> str:
    """Which keypoints are drawn over the photos."""
    there = {"found": True, "matched": bool(matching.matched), "triangulated": sparse is not None}
    choices = "".join(
        f'<label><input type="checkbox" name="keypoints" value="{rank}"{" checked" * (rank > 0)} autocomplete="off">'
        f'<span class="swatch {name}"></span>{name}</label>'
        for rank, name in enumerate(_KEYPOINTS)
        if there[name]
    )
    return f'<p class="controls legend"><span>Keypoints</span>{choices}</p>'


def _captions(photos: Photos, sparse: Sparse | None, measures: Sequence[Measures]) -> list[tuple[bool, str]]:
    """Whether each photo is registered, and what is to be said of it; nothing where nobody tried."""
    if sparse is None:
        return [(False, "")] * len(photos)
    models, reasons = sparse.models, dict(sparse.missing)
    place = {name: (m, i) for m in reversed(range(len(models))) for i, name in enumerate(models[m].names)}
    captions = []
    for name in photos.names:
        if name not in place:
            captions.append((False, f'<span class="why">Not registered{_reason(reasons.get(name))}</span>'))
            continue
        m, i = place[name]
        text = plural(int(measures[m].observations[i]), "observation")
        if np.isfinite(measures[m].photo_errors[i]):
            text += f"<br>{measures[m].photo_errors[i]:.2f} px mean error"
        captions.append((True, text + (f"<br>model {m + 1}" if len(models) > 1 else "")))
    return captions


def _reason(why: str | None) -> str:
    return f": {escape(why)}" if why else ""


def _thumbnail(file: PhotoFile | None, width: int) -> str:
    """The photo as a small picture inside the page; why not, where it cannot be read."""
    if file is None:
        return '<div class="blank"></div>'
    try:
        pixels = decode(file.load())
    except StageFailure as problem:
        return f'<div class="blank" title="{escape(str(problem))}"></div>'
    return picture(pixels, width, "", 60)
