"""How good a model is: errors, tracks, angles, the errors of each photo, and the intrinsics before and after."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....stages.scene import CAMERA_MODELS, Camera, Photos, Scene
from ..charts.bars import histogram
from ..charts.lens import Chart, lens_charts
from ..words import plural
from .measures import Measures

MOST_LENSES = 12
"""Number of cameras of a model whose lenses are drawn."""

_SOURCES = {"calibrated": "calibration", "exif": "EXIF", "guess": "a guess"}


def model_numbers(photos: Photos, model: Scene, measures: Measures) -> dict[str, Any]:
    """Histograms, a table of the photos, and the cameras of one model."""
    order = np.argsort(model.obs_photo, kind="stable")
    residuals = np.split(measures.residuals[order], np.cumsum(measures.observations)[:-1])
    finite = [each[np.isfinite(each)] for each in residuals]
    return {
        "histograms": _histograms(measures),
        "photos": list(
            zip(model.names, measures.observations.tolist(), measures.photo_errors.tolist(), finite, strict=True)
        ),
        "most": max(1, int(measures.observations.max(initial=0))),
        "worst": max((float(np.quantile(each, 0.95)) for each in finite if len(each)), default=0.0) or 1.0,
        "cameras": _cameras(photos, model),
    }


def _histograms(measures: Measures) -> list[Chart]:
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
    return charts


def _cameras(photos: Photos, model: Scene) -> list[dict[str, Any]]:
    """The refined intrinsics of each camera beside those it started from."""
    prior_of = {name: photos.camera(i) for i, name in enumerate(photos.names)}
    blocks = []
    for index, camera in enumerate(model.cameras):
        users = [name for name, used in zip(model.names, model.camera_of, strict=True) if used == index]
        prior = prior_of.get(users[0]) if users else None
        source = f", focal length from {_SOURCES[prior.focal]}" if prior else ""
        blocks.append(
            {
                "photos": users[0] if len(users) == 1 else plural(len(users), "photo"),
                "kind": f"{camera.width} × {camera.height}, {camera.model}{source}",
                "parameters": _parameters(camera, prior),
                "charts": lens_charts(model, index) if index < MOST_LENSES else [],
            }
        )
    return blocks


def _parameters(camera: Camera, prior: Camera | None) -> list[tuple[str, str, str]]:
    """Name, value, and the value before with the change."""
    before = dict(zip(CAMERA_MODELS[prior.model], prior.params, strict=True)) if prior else {}
    values = dict(zip(CAMERA_MODELS[camera.model], camera.params, strict=True))
    was = {
        name: _parameter(name, before[name]) + _change(name, before[name], values[name])
        for name in before.keys() & values
    }
    return [(name, _parameter(name, value), was.get(name, "")) for name, value in values.items()]


def _parameter(name: str, value: float) -> str:
    return (f"{value:.2f}" if name[0] in "fc" else f"{value:.5f}").replace("-", "−")


def _change(name: str, start: float, value: float) -> str:
    return f" ({100 * (value / start - 1):+.1f} %)".replace("-", "−") if name.startswith("f") and value != start else ""
