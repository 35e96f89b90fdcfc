"""How good a model is: errors, tracks, angles, each photo's share, and what became of the intrinsics."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from ....stages.scene import CAMERA_MODELS, Camera, Photos, Scene
from ..charts.bars import bar, histogram, spread_bar
from ..charts.lens import lens_charts
from ..words import plural
from .measures import Measures

MOST_LENSES = 12
"""The lenses of so many cameras of a model are drawn."""


def quality_section(photos: Photos, models: Sequence[Scene], measures: Sequence[Measures]) -> str:
    """For each model its histograms, its photos in a table, and its cameras; the viewer shows those of one model."""
    return "\n".join(
        f'<section data-model="{i}"{" hidden" * (i > 0)}><h2>Numbers{f" of model {i + 1}" * (len(models) > 1)}</h2>'
        f"{_histograms(numbers)}{_photo_table(model, numbers)}{_cameras(photos, model)}</section>"
        for i, (model, numbers) in enumerate(zip(models, measures, strict=True))
    )


def _histograms(measures: Measures) -> str:
    residuals = measures.residuals[np.isfinite(measures.residuals)]
    angles = measures.angles[np.isfinite(measures.angles)]
    charts = []
    if len(residuals):
        text = f"{plural(len(residuals), 'observation')}, median {np.median(residuals):.2f} px"
        if behind := len(measures.residuals) - len(residuals):
            text += f"; {behind:,} more behind their camera"
        charts.append(("Reprojection error", text, histogram(residuals, unit=" px")))
    if len(measures.track_lengths):
        text = f"Observations of a point, mean {measures.track_lengths.mean():.1f}"
        charts.append(("Track length", text, histogram(measures.track_lengths, whole=True)))
    if len(angles):
        text = f"Widest of a point, median {np.median(angles):.1f}°"
        charts.append(("Triangulation angle", text, histogram(angles, unit="°")))
    drawn = "".join(f"<div><h3>{title}</h3><p>{text}</p>{chart}</div>" for title, text, chart in charts)
    return f'<div class="charts">{drawn}</div>'


def _photo_table(model: Scene, measures: Measures) -> str:
    most = max(1, int(measures.observations.max(initial=0)))
    order = np.argsort(model.obs_photo, kind="stable")
    residuals = np.split(measures.residuals[order], np.cumsum(measures.observations)[:-1])
    finite = [each[np.isfinite(each)] for each in residuals]
    worst = max((float(np.quantile(each, 0.95)) for each in finite if len(each)), default=0.0) or 1.0
    rows = "".join(
        f'<tr><td class="name">{escape(name)}</td>'
        f'<td class="number">{seen:,}</td><td class="chart">{bar(seen / most)}</td>'
        + (
            f'<td class="number">{error:.2f}</td><td class="chart">{spread_bar(each, worst)}</td></tr>'
            if len(each)
            else "<td></td><td></td></tr>"
        )
        for name, seen, error, each in zip(
            model.names, measures.observations.tolist(), measures.photo_errors.tolist(), finite, strict=True
        )
    )
    return f"""<div class="scroll" tabindex="0"><table><thead><tr><th>Photo</th>
<th colspan="2">Observations</th><th colspan="2">Mean error, px; half of the errors lie in the box</th></tr></thead>
<tbody>{rows}</tbody></table></div>"""


_SOURCES = {"calibrated": "calibration", "exif": "EXIF", "guess": "a guess"}


def _cameras(photos: Photos, model: Scene) -> str:
    """The refined intrinsics of each camera beside those it started from."""
    prior_of = {name: photos.camera(i) for i, name in enumerate(photos.names)}
    blocks = []
    for index, camera in enumerate(model.cameras):
        users = [name for name, used in zip(model.names, model.camera_of, strict=True) if used == index]
        prior = prior_of.get(users[0]) if users else None
        who = users[0] if len(users) == 1 else plural(len(users), "photo")
        source = f", focal length from {_SOURCES[prior.focal]}" if prior else ""
        blocks.append(
            f'<div>{escape(who)} <span class="soft">{camera.width} × {camera.height}, {camera.model}{source}</span>'
            f"{_parameters(camera, prior)}{lens_charts(model, index) if index < MOST_LENSES else ''}</div>"
        )
    return f"""<div class="cameras"><h3>{"Camera" if len(blocks) == 1 else "Cameras"}</h3>
<p class="soft">Refined intrinsics, and below them what they started from.</p>
<div class="scroll" tabindex="0">{"".join(blocks)}</div></div>"""


def _parameters(camera: Camera, prior: Camera | None) -> str:
    before = dict(zip(CAMERA_MODELS[prior.model], prior.params, strict=True)) if prior else {}
    parts = []
    for name, value in zip(CAMERA_MODELS[camera.model], camera.params, strict=True):
        start = before.get(name)
        was = _parameter(name, start) + _change(name, start, value) if start is not None else ""
        parts.append(f'<span><i>{name}</i> {_parameter(name, value)}<span class="soft">{was}</span></span>')
    return f'<div class="intrinsics">{"".join(parts)}</div>'


def _parameter(name: str, value: float) -> str:
    return (f"{value:.2f}" if name[0] in "fc" else f"{value:.5f}").replace("-", "−")


def _change(name: str, start: float, value: float) -> str:
    return f" ({100 * (value / start - 1):+.1f} %)".replace("-", "−") if name.startswith("f") and value != start else ""
