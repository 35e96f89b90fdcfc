"""The depth maps: every view beside its depth, how sure of it the method is, and why pixels have none."""

from __future__ import annotations

from html import escape

import cv2
import numpy as np

from ....stages.dense import Cloud, DepthMap, Mesh, Neighbors, Reason, View
from ....stages.scene import Photos
from ...results.values import Dense
from ..charts.bars import histogram
from ..document import picture
from ..words import plural

MANY_VIEWS = 60
"""With more views than this their pictures are half as wide."""

DEPTHS, CONFIDENCES = (
    cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], kind)[:, 0, ::-1]
    for kind in (cv2.COLORMAP_VIRIDIS, cv2.COLORMAP_PLASMA)
)
"""Perceptually uniform colours, RGB (256, 3), dark for far and for unsure."""

NOTHING = np.array([0xA3, 0xA0, 0x99], np.uint8)
"""Where there is no depth: a grey that neither scale holds."""

REASONS = {
    Reason.FOUND: ("found", "#dedbd2"),
    Reason.MASKED: ("masked", "#4b4a46"),
    Reason.UNSEEN: ("seen by no neighbour", "#56b4e9"),
    Reason.UNTEXTURED: ("without texture", "#e69f00"),
    Reason.DISAGREED: ("views disagree", "#d55e00"),
    Reason.OUT_OF_RANGE: ("out of range", "#cc79a7"),
}
"""What a reason is called, and a colour that also the colour-blind tell from the others (after Okabe and Ito 2008)."""


def depth_section(photos: Photos, dense: Dense) -> str:
    """All views, one after the other; nothing where the run did not come to the dense half."""
    if dense.neighbors is None and not dense.views:
        return ""
    width = 320 if len(photos) > MANY_VIEWS else 640
    cards, missing, found, possible = [], [], 0, 0
    for i, name in enumerate(photos.names):
        view, depths = dense.views.get(name), dense.depths.get(name)
        why = _why(i, dense.neighbors, view, depths)
        if why:
            missing.append(f"<li><b>{escape(name)}</b> {escape(why)}</li>")
            continue
        cards.append(_card(name, width, view, depths, _neighbors(i, photos, dense.neighbors)))
        if depths is not None:
            found += int((depths.reason == Reason.FOUND).sum())
            possible += int((depths.reason != Reason.MASKED).sum())
    covering = f"a depth map, over {_percent(found, possible)} of their pixels" if possible else "neighbours"
    summary = f"{len(cards):,} of {len(photos):,} photos have {covering}"
    gradients = f"--depths: {_gradient(DEPTHS[::-1])}; --confidences: {_gradient(CONFIDENCES)}"
    return f"""<section><h2>Depth</h2><p class="soft">{summary}.</p>
{f'<ul class="none">{"".join(missing)}</ul>' if missing else ""}
<div class="views" style="{gradients}">{"".join(cards)}</div></section>"""


def surface_section(cloud: Cloud | None, mesh: Mesh | None) -> str:
    """The numbers of the cloud and of the mesh."""
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
    if not facts:
        return ""
    drawn = "".join(f"<div><h3>{title}</h3><p>{text}</p>{chart}</div>" for title, text, chart in charts)
    return f"""<section><h2>Surface</h2><p class="soft">{". ".join(facts)}.</p>
<div class="charts">{drawn}</div></section>"""


def _why(photo: int, neighbors: Neighbors | None, view: View | None, depths: DepthMap | None) -> str:
    """Why a photo has no depth map; empty where it has one, or where nobody tried."""
    said = [each.missing for each in (depths, view) if each is not None]
    said += [neighbors.missing[photo]] if neighbors is not None else []
    return next(filter(None, said), "")


def _card(name: str, width: int, view: View | None, depths: DepthMap | None, neighbors: str) -> str:
    """One view: its pictures side by side, each with what it says."""
    figures = []
    size = ""
    if view is not None:
        size = f"{view.camera.width:,} × {view.camera.height:,}, sought from {view.near:.3g} to {view.far:.3g}"
        photo = picture(view.image, width, f"Photo of {name}", 65)
    if depths is not None:
        drawn, caption = _depth(name, depths, width)
        shown = f'<button type="button" class="picture">{drawn}</button>' if view is None else _wipe(photo, drawn, name)
        figures.append(f"<figure>{shown}<figcaption>{caption}<p>{size}</p></figcaption></figure>")
        figures += [_figure(*_confidence(name, depths, width)), _figure(*_reasons(name, depths, width))]
    elif view is not None:
        figures.append(_figure(photo, f"<p>{size}</p>"))
    return f'<div class="view"><h3>{escape(name)}</h3><div class="maps">{"".join(figures)}</div>{neighbors}</div>'


def _figure(drawn: str, caption: str) -> str:
    return f'<figure><button type="button" class="picture">{drawn}</button><figcaption>{caption}</figcaption></figure>'


def _wipe(photo: str, depth: str, name: str) -> str:
    """The photo left of a slider, its depth right of it, in one place."""
    return (
        f'<div class="wipe">{depth}{photo}<i></i><input type="range" min="0" max="100" value="50" step="0.1" '
        f'autocomplete="off" aria-label="From the photo to the depth of {escape(name)}"><span>Photo</span>'
        '<span>Depth</span><button type="button" class="enlarge" aria-label="Enlarge">⤢</button></div>'
    )


def _neighbors(photo: int, photos: Photos, neighbors: Neighbors | None) -> str:
    if neighbors is None:
        return ""
    at = slice(neighbors.start[photo], neighbors.start[photo + 1])
    rows = zip(neighbors.source[at].tolist(), neighbors.shared[at].tolist(), neighbors.angle[at].tolist(), strict=True)
    said = "; ".join(
        f"<b>{escape(photos.names[source])}</b> {plural(shared, 'point')}, {angle:.1f}°"
        for source, shared, angle in rows
    )
    return f'<p class="sources">Neighbours: {said}</p>' if said else ""


def _depth(name: str, depths: DepthMap, width: int) -> tuple[str, str]:
    """Inverse depth, in which equal steps are about equally far apart in disparity; 1 % at either end is cut off."""
    known = depths.depth > 0
    inverse = np.divide(1.0, depths.depth, out=np.zeros_like(depths.depth), where=known)
    low, high = np.quantile(inverse[known], (0.01, 0.99)) if known.any() else (1.0, 1.0)
    caption = f'<span class="scale depths"><i>{1 / high:.3g}</i><i>{1 / low:.3g}</i></span>' if known.any() else ""
    share = _percent(int(known.sum()), int((depths.reason != Reason.MASKED).sum()))
    drawn = _colored((inverse - low) / max(high - low, 1e-12), known, DEPTHS, width, f"Depth of {name}")
    return drawn, f"{caption}<p>{share} covered</p>"


def _confidence(name: str, depths: DepthMap, width: int) -> tuple[str, str]:
    known = depths.depth > 0
    mean = f"<p>{depths.confidence[known].mean(dtype=np.float64):.2f} in the mean</p>" if known.any() else ""
    caption = f'<span class="scale confidences"><i>unsure</i><i>sure</i></span>{mean}'
    return _colored(depths.confidence.astype(np.float32), known, CONFIDENCES, width, f"Confidence of {name}"), caption


def _reasons(name: str, depths: DepthMap, width: int) -> tuple[str, str]:
    step = max(1, -(-depths.reason.shape[1] // width))
    palette = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for _, color in REASONS.values()], np.uint8)
    counts = np.bincount(depths.reason.ravel(), minlength=len(REASONS))
    shares = "".join(
        f'<li><span style="background:{color}"></span>{title} {_percent(int(counts[reason]), depths.reason.size)}</li>'
        for reason, (title, color) in REASONS.items()
        if counts[reason]
    )
    drawn = picture(palette[depths.reason[::step, ::step]], width, f"Reasons of {name}")
    return drawn, f'<ul class="reasons">{shares}</ul>'


def _colored(values: np.ndarray, known: np.ndarray, colors: np.ndarray, width: int, alt: str) -> str:
    """A picture of values from 0 to 1."""
    index = np.clip(255 * values + 0.5, 0, 255).astype(np.uint8)
    return picture(np.where(known[..., None], colors[index], NOTHING), width, alt, 75)


def _gradient(colors: np.ndarray) -> str:
    stops = ", ".join("#" + bytes(color.tolist()).hex() for color in colors[::15])
    return f"linear-gradient(to right, {stops})"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.1f} %"
