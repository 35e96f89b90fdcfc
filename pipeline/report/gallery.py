"""The photos, small, and what became of each."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape

import cv2
import numpy as np

from ...stages.failure import StageFailure
from ...stages.photos import PhotoFile, decode
from ...stages.scene import Photos, Sparse
from .measures import Measures
from .words import plural

MANY_PHOTOS = 200
"""With more photos than this their pictures are half as wide."""


def gallery_section(
    photos: Photos, files: Sequence[PhotoFile], sparse: Sparse | None, measures: Sequence[Measures]
) -> str:
    """A picture of every photo, and what became of it."""
    if not photos.names:
        return ""
    file_of = {file.name: file for file in files}
    captions = _captions(photos, sparse, measures)
    width = 160 if len(photos) > MANY_PHOTOS else 320
    with ThreadPoolExecutor(4) as pool:
        thumbnails = list(pool.map(lambda name: _thumbnail(file_of.get(name), width), photos.names))
    cards = "\n".join(
        f'<figure id="photo-{i}" class="photo{" missing" * (not registered)}">'
        f"{thumbnail}<figcaption><b>{escape(name)}</b>{text}</figcaption></figure>"
        for i, (name, thumbnail, (registered, text)) in enumerate(zip(photos.names, thumbnails, captions, strict=True))
    )
    many = " many" if len(photos) > MANY_PHOTOS else ""
    shape = np.median([photos.camera(i).width / photos.camera(i).height for i in range(len(photos))])
    return f'<section><h2>Photos</h2><div class="photos{many}" style="--shape: {shape:.4f}">{cards}</div></section>'


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
    """The photo as a small JPEG inside the page; why not, where it cannot be read."""
    if file is None:
        return '<div class="blank"></div>'
    try:
        pixels = decode(file.load())
    except StageFailure as problem:
        return f'<div class="blank" title="{escape(str(problem))}"></div>'
    width = min(width, pixels.shape[1])
    height = max(1, round(pixels.shape[0] * width / pixels.shape[1]))
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 70])
    text = base64.b64encode(encoded.tobytes()).decode("ascii")
    return f'<img src="data:image/jpeg;base64,{text}" alt="" width="{width}" height="{height}">'
