"""One page that shows a run: what was made, how good it is, and how it came about."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import cv2
import numpy as np

from ...stages.failure import StageFailure
from ...stages.photos import PhotoFile, decode
from ...stages.scene import CAMERA_MODELS, Camera, Photos, Scene, Sparse
from .charts import bar, histogram
from .measures import Measures, measure
from .steps import record_section, steps_section
from .viewer import MOST_POINTS, pack
from .words import plural, seconds

_MANY_PHOTOS = 200


def write_report(
    path: Path, *, photos: Photos, files: Sequence[PhotoFile], sparse: Sparse | None, record: Mapping[str, Any]
) -> None:
    """Write a run's page: one HTML file that needs no network and no other file.

    Args:
        path: where to write it.
        photos: the collection the run was given.
        files: the photos' files, for their pictures; matched by name.
        sparse: the models, or ``None`` where the run failed before there was one.
        record: the run's record, as ``run.json`` holds it.
    """
    models = sparse.models if sparse else ()
    measures = [measure(model) for model in models]
    viewable = [pack(model, {name: i for i, name in enumerate(photos.names)}) for model in models]
    body = [
        _heading(photos, models, measures, record),
        _notices(record),
        _viewer_section(models),
        _photos_section(photos, files, sparse, measures),
        _numbers_section(photos, models, measures),
        steps_section(record),
        record_section(record),
        f'<script type="application/json" id="models">{_json(viewable)}</script>',
    ]
    page = Template(_read("page.html")).substitute(
        title=escape(f"{_title(record)} · Diptych"),
        style=_read("page.css"),
        body="\n".join(part for part in body if part),
        script=_read("viewer.js"),
    )
    path.write_text(page, encoding="utf-8")


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _json(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _title(record: Mapping[str, Any]) -> str:
    return str(record.get("name") or "A reconstruction")


def _heading(photos: Photos, models: Sequence[Scene], measures: Sequence[Measures], record: Mapping[str, Any]) -> str:
    if models:
        registered = len({name for model in models for name in model.names})
        parts = [f"<b>{registered:,}</b> of <b>{len(photos):,}</b> photos registered"]
        if len(models) > 1:
            parts[0] += f" in <b>{len(models)}</b> models"
        parts.append(f"<b>{sum(len(model.points) for model in models):,}</b> points")
        residuals = np.concatenate([one.residuals for one in measures])
        if np.isfinite(residuals).any():
            parts.append(f"<b>{residuals[np.isfinite(residuals)].mean():.2f}</b> px mean reprojection error")
    else:
        parts = [f"<b>{len(photos):,}</b> photo{'s' * (len(photos) != 1)}", "no model"]
    if (wall := record.get("seconds")) is not None:
        parts.append(f"<b>{seconds(wall)}</b>")
    return f'<h1>{escape(_title(record))}</h1>\n<p class="verdict">{", ".join(parts)}</p>'


def _notices(record: Mapping[str, Any]) -> str:
    return _failure(record.get("failure")) + _warnings(record.get("warnings") or ())


def _failure(failure: Mapping[str, Any] | None) -> str:
    if not failure:
        return ""
    facts = ", ".join(f"{name} {value}" for name, value in (failure.get("facts") or {}).items())
    where = " of ".join(str(failure[key]).replace("|", " and ") for key in ("node", "item") if failure.get(key))
    trace = escape(str(failure.get("trace") or ""))
    lines = [
        f"<p>{escape(str(failure.get('hint')))}</p>" if failure.get("hint") else "",
        f'<p class="soft">{escape(facts)}</p>' if facts else "",
        f'<p class="soft"><code>{escape(str(failure.get("code", "failure")))}</code>'
        f"{f' in {escape(where)}' if where else ''}</p>",
        f"<details><summary>Traceback</summary><pre>{trace}</pre></details>" if trace else "",
    ]
    sentence = escape(str(failure.get("sentence") or "The run failed."))
    return f'<div class="notice failure" role="alert"><h2>{sentence}</h2>{"".join(lines)}</div>'


def _warnings(warnings: Sequence[object]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(str(warning))}</li>" for warning in warnings)
    return f'<div class="notice"><h2>{plural(len(warnings), "warning")}</h2><ul>{items}</ul></div>'


def _viewer_section(models: Sequence[Scene]) -> str:
    if not models:
        return ""
    options = "".join(
        f'<option value="{i}">Model {i + 1}: {plural(len(model.names), "photo")}, '
        f"{plural(len(model.points), 'point')}</option>"
        for i, model in enumerate(models)
    )
    choice = f'<label>Show <select autocomplete="off">{options}</select></label>' if len(models) > 1 else ""
    thinned = "".join(
        f'<p class="soft" data-model="{i}"{" hidden" * (i > 0)}><small>Of {len(model.points):,} points, '
        f"{MOST_POINTS:,} are drawn.</small></p>"
        for i, model in enumerate(models)
        if len(model.points) > MOST_POINTS
    )
    return f"""<div class="viewer">
<canvas tabindex="0" aria-label="The cameras and points of the model, in three dimensions"></canvas>
<figure class="chosen" hidden></figure>
<p class="without">This browser does not offer WebGL 2, so the model cannot be turned here.</p>
<div class="controls">{choice}
<label>Points <input type="range" name="points" min="1" max="9" step="0.1" autocomplete="off"></label>
<label>Cameras <input type="range" name="cameras" min="-3" max="2" step="0.1" value="0" autocomplete="off"></label>
<button type="button" name="reset">Reset the view</button>
<small class="help">Drag to turn, with two fingers or the right button to move; click a camera for its photo</small>
</div>{thinned}</div>"""


def _photos_section(
    photos: Photos, files: Sequence[PhotoFile], sparse: Sparse | None, measures: Sequence[Measures]
) -> str:
    if not photos.names:
        return ""
    file_of = {file.name: file for file in files}
    captions = _captions(photos, sparse, measures)
    width = 160 if len(photos) > _MANY_PHOTOS else 320
    cards = "\n".join(
        f'<figure id="photo-{i}" class="photo{" missing" * (not registered)}">'
        f"{_thumbnail(file_of.get(name), width)}<figcaption><b>{escape(name)}</b>{text}</figcaption></figure>"
        for i, (name, (registered, text)) in enumerate(zip(photos.names, captions, strict=True))
    )
    many = " many" if len(photos) > _MANY_PHOTOS else ""
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
    except (StageFailure, OSError) as problem:
        return f'<div class="blank" title="{escape(str(problem))}"></div>'
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    height = max(1, round(pixels.shape[0] * width / pixels.shape[1]))
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 70])
    text = base64.b64encode(encoded.tobytes()).decode("ascii")
    return f'<img src="data:image/jpeg;base64,{text}" alt="" width="{width}" height="{height}">'


def _numbers_section(photos: Photos, models: Sequence[Scene], measures: Sequence[Measures]) -> str:
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
    worst = float(np.nanmax(measures.photo_errors, initial=1e-9))
    rows = "".join(
        f'<tr><td class="name">{escape(name)}</td>'
        f'<td class="number">{seen:,}</td><td class="chart">{bar(seen / most)}</td>'
        + (
            f'<td class="number">{error:.2f}</td><td class="chart">{bar(error / worst)}</td></tr>'
            if np.isfinite(error)
            else "<td></td><td></td></tr>"
        )
        for name, seen, error in zip(
            model.names, measures.observations.tolist(), measures.photo_errors.tolist(), strict=True
        )
    )
    return f"""<div class="scroll" tabindex="0"><table><thead><tr><th>Photo</th>
<th colspan="2">Observations</th><th colspan="2">Mean error, px</th></tr></thead>
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
            f"{_parameters(camera, prior)}</div>"
        )
    return f"""<div class="cameras"><h3>{"Camera" if len(blocks) == 1 else "Cameras"}</h3>
<p class="soft">Refined intrinsics, and below them what they started from.</p>
<div class="scroll" tabindex="0">{"".join(blocks)}</div></div>"""


def _parameters(camera: Camera, prior: Camera | None) -> str:
    before = dict(zip(CAMERA_MODELS[prior.model], prior.params, strict=True)) if prior else {}
    parts = []
    for name, value in zip(CAMERA_MODELS[camera.model], camera.params, strict=True):
        start = before.get(name)
        was = (
            "" if start is None else f'<span class="soft">{_parameter(name, start)}{_change(name, start, value)}</span>'
        )
        parts.append(f"<span><i>{name}</i> {_parameter(name, value)}{was}</span>")
    return f'<div class="intrinsics">{"".join(parts)}</div>'


def _parameter(name: str, value: float) -> str:
    return (f"{value:.2f}" if name[0] in "fc" else f"{value:.5f}").replace("-", "−")


def _change(name: str, start: float, value: float) -> str:
    return f" ({100 * (value / start - 1):+.1f} %)".replace("-", "−") if name.startswith("f") and value != start else ""
