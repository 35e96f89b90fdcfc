"""The depth maps: every view beside its depth, how sure of it the method is, and why pixels have none."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ....stages.dense import Cloud, DepthMap, Mesh, Neighbors, Reason, View
from ....stages.scene import Photos
from ...results.values import Dense
from ..charts.bars import histogram
from ..document import Thumbnail, thumbnail
from ..words import plural

MANY_VIEWS = 60
"""With more views than this their pictures are half as wide."""

DEPTHS, CONFIDENCES = (
    cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], kind)[:, 0, ::-1]
    for kind in (cv2.COLORMAP_VIRIDIS, cv2.COLORMAP_PLASMA)
)
"""Perceptually uniform colors, RGB (256, 3), dark for far and for unsure."""

NOTHING = np.array([0xA3, 0xA0, 0x99], np.uint8)
"""Where there is no depth: a grey that neither scale holds."""

REASONS = {
    Reason.FOUND: ("found", "#dedbd2"),
    Reason.MASKED: ("masked", "#4b4a46"),
    Reason.UNSEEN: ("seen by no neighbor", "#56b4e9"),
    Reason.UNTEXTURED: ("without texture", "#e69f00"),
    Reason.DISAGREED: ("views disagree", "#d55e00"),
    Reason.OUT_OF_RANGE: ("out of range", "#cc79a7"),
}
"""What a reason is called, and a color that also the color-blind tell from the others (after Okabe and Ito 2008)."""


def depth_maps(photos: Photos, dense: Dense) -> dict[str, Any] | None:
    """All views with their depth maps, read one at a time; ``None`` where the run did not come to the dense half."""
    if dense.neighbors is None and not dense.views:
        return None
    width = 320 if len(photos) > MANY_VIEWS else 640
    cards, missing, found, possible = [], {}, 0, 0
    for i, name in enumerate(photos.names):
        view, depths = dense.views.get(name), dense.depths.get(name)
        if why := _why(i, dense.neighbors, view, depths):
            missing[name] = why
            continue
        cards.append(
            {"name": name, "neighbors": _neighbors(i, photos, dense.neighbors)} | _maps(name, width, view, depths)
        )
        if depths is not None:
            found += int((depths.reason == Reason.FOUND).sum())
            possible += int((depths.reason != Reason.MASKED).sum())
    covering = f"a depth map, over {_percent(found, possible)} of their pixels" if possible else "neighbors"
    return {
        "summary": f"{len(cards):,} of {len(photos):,} photos have {covering}",
        "missing": missing,
        "cards": cards,
        "depth_colors": _hex(DEPTHS[::-1]),
        "confidence_colors": _hex(CONFIDENCES),
    }


def surface_numbers(cloud: Cloud | None, mesh: Mesh | None) -> dict[str, Any] | None:
    """The numbers of the cloud and of the mesh; ``None`` where there is neither."""
    facts, charts = [], []
    if cloud is not None:
        facts.append(f"The cloud has {plural(len(cloud), 'point')}")
    if cloud is not None and len(cloud):
        facts[0] += f", each confirmed by {cloud.views.mean():.1f} views in the mean"
        text = f"Views that agree on a point, median {np.median(cloud.views):.0f}"
        charts.append(("Views of a point", text, histogram(cloud.views, whole=True)))
        text = f"What they differ by, in units of the model, median {np.median(cloud.spread):.2g}"
        charts.append(("Spread of a point", text, histogram(cloud.spread)))
    if mesh is not None:
        height, width = mesh.texture.shape[:2]
        texture = f", and a texture of {width:,} × {height:,}" if mesh.is_textured else ""
        facts.append(
            f"The mesh has {plural(len(mesh.triangles), 'triangle')} between {len(mesh.vertices):,} vertices{texture}"
        )
    return {"facts": ". ".join(facts), "charts": charts} if facts else None


def _why(photo: int, neighbors: Neighbors | None, view: View | None, depths: DepthMap | None) -> str:
    """Why a photo has no depth map; empty where it has one, or where nobody tried."""
    said = [each.missing for each in (depths, view) if each is not None]
    said += [neighbors.missing[photo]] if neighbors is not None else []
    return next(filter(None, said), "")


def _neighbors(photo: int, photos: Photos, neighbors: Neighbors | None) -> list[tuple[str, int, float]]:
    """Name, number of shared points and angle in degrees of each neighbor."""
    if neighbors is None:
        return []
    at = slice(neighbors.start[photo], neighbors.start[photo + 1])
    names = [photos.names[source] for source in neighbors.source[at]]
    return list(zip(names, neighbors.shared[at].tolist(), neighbors.angle[at].tolist(), strict=True))


def _maps(name: str, width: int, view: View | None, depths: DepthMap | None) -> dict[str, Any]:
    """The pictures of one view and their captions."""
    maps: dict[str, Any] = {"photo": None, "size": "", "depth": None}
    if view is not None:
        maps["photo"] = thumbnail(view.image, width, f"Photo of {name}", 65)
        maps["size"] = f"{view.camera.width:,} × {view.camera.height:,}, sought from {view.near:.3g} to {view.far:.3g}"
    if depths is None:
        return maps
    known = depths.depth > 0
    drawn, scale = _depth(name, depths, known, width)
    shown = _colored(depths.confidence.astype(np.float32), known, CONFIDENCES, width, f"Confidence of {name}")
    return maps | {
        "depth": drawn,
        "scale": scale,
        "covered": _percent(int(known.sum()), int((depths.reason != Reason.MASKED).sum())),
        "confidence": shown,
        "mean_confidence": f"{depths.confidence[known].mean(dtype=np.float64):.2f}" if known.any() else "",
        **_reasons(name, depths, width),
    }


def _depth(name: str, depths: DepthMap, known: np.ndarray, width: int) -> tuple[Thumbnail, list[float]]:
    """Inverse depth, in which equal steps are about equal steps of disparity; 1 % at either end is cut off.

    Returns:
        The picture, and the depths at both ends of its scale, if any pixel has one.
    """
    inverse = np.divide(1.0, depths.depth, out=np.zeros_like(depths.depth), where=known)
    low, high = np.quantile(inverse[known], (0.01, 0.99)) if known.any() else (1.0, 1.0)
    drawn = _colored((inverse - low) / max(high - low, 1e-12), known, DEPTHS, width, f"Depth of {name}")
    return drawn, [1 / high, 1 / low] if known.any() else []


def _reasons(name: str, depths: DepthMap, width: int) -> dict[str, Any]:
    step = max(1, -(-depths.reason.shape[1] // width))
    palette = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for _, color in REASONS.values()], np.uint8)
    counts = np.bincount(depths.reason.ravel(), minlength=len(REASONS))
    shares = [
        (color, title, _percent(int(counts[reason]), depths.reason.size))
        for reason, (title, color) in REASONS.items()
        if counts[reason]
    ]
    drawn = thumbnail(palette[depths.reason[::step, ::step]], width, f"Reasons of {name}")
    return {"reasons": drawn, "shares": shares}


def _colored(values: np.ndarray, known: np.ndarray, colors: np.ndarray, width: int, alt: str) -> Thumbnail:
    """A picture of values from 0 to 1."""
    index = np.clip(255 * values + 0.5, 0, 255).astype(np.uint8)
    return thumbnail(np.where(known[..., None], colors[index], NOTHING), width, alt, 75)


def _hex(colors: np.ndarray) -> list[str]:
    return ["#" + bytes(color.tolist()).hex() for color in colors[::15]]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.1f} %"
