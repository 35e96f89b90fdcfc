"""One page that shows a run: what was made, how good it is, and how it came about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from ...stages.photos import PhotoFile
from ...stages.scene import Photos, Scene, Sparse
from ..results import Dense
from .depth import depth_section, surface_section
from .gallery import gallery_section
from .measures import Measures, measure
from .quality import quality_section
from .steps import record_section, steps_section
from .surfaces import MOST_POINTS as MOST_SURFACE_POINTS
from .surfaces import MOST_TRIANGLES
from .viewer import MOST_POINTS, pack
from .words import plural, seconds

_NO_DENSE = Dense()


def write_report(
    path: Path, *, photos: Photos, files: Sequence[PhotoFile], sparse: Sparse | None, record: Mapping[str, Any],
    dense: Dense = _NO_DENSE,
) -> None:  # fmt: skip
    """Write a run's page: one HTML file that needs no network and no other file.

    Args:
        path: where to write it.
        photos: the collection the run was given.
        files: the photos' files, for their pictures; matched by name.
        sparse: the models, or ``None`` where the run failed before there was one.
        record: the run's record, as ``run.json`` holds it.
        dense: what there is of the dense half; its views and depth maps are read one at a time.
    """
    models = sparse.models if sparse else ()
    measures = [measure(model) for model in models]
    photo_of = {name: i for i, name in enumerate(photos.names)}
    surfaces = [(dense.cloud, dense.mesh), *((None, None) for _ in models[1:])]
    viewable = [pack(model, photo_of, *surface) for model, surface in zip(models, surfaces, strict=False)]
    body = [
        _heading(photos, models, measures, dense, record),
        _notices(record),
        _viewer_section(models, dense),
        gallery_section(photos, files, sparse, measures),
        surface_section(dense.cloud, dense.mesh),
        depth_section(photos, dense),
        quality_section(photos, models, measures),
        steps_section(record),
        record_section(record),
        f'<script type="application/json" id="models">{_json(viewable)}</script>',
    ]
    page = Template(_read("page.html")).substitute(
        title=escape(f"{_title(record)} · Diptych"),
        style=_read("page.css"),
        body="\n".join(part for part in body if part),
        script=_read("viewer.js") + _read("pictures.js"),
    )
    path.write_text(page, encoding="utf-8")


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _json(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _title(record: Mapping[str, Any]) -> str:
    return str(record.get("name") or "A reconstruction")


def _heading(
    photos: Photos, models: Sequence[Scene], measures: Sequence[Measures], dense: Dense, record: Mapping[str, Any]
) -> str:
    if models:
        registered = len({name for model in models for name in model.names})
        parts = [f"<b>{registered:,}</b> of <b>{len(photos):,}</b> photos registered"]
        if len(models) > 1:
            parts[0] += f" in <b>{len(models)}</b> models"
        parts.append(f"<b>{sum(len(model.points) for model in models):,}</b> points")
        residuals = np.concatenate([one.residuals for one in measures])
        if np.isfinite(residuals).any():
            parts.append(f"<b>{residuals[np.isfinite(residuals)].mean():.2f}</b> px mean reprojection error")
        if dense.cloud is not None:
            parts.append(f"a cloud of <b>{len(dense.cloud):,}</b>")
        if dense.mesh is not None:
            parts.append(f"a mesh of <b>{len(dense.mesh.triangles):,}</b> triangles")
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
    trace = escape(str(failure.get("trace") or ""))
    lines = [
        f"<p>{escape(str(failure.get('hint')))}</p>" if failure.get("hint") else "",
        f'<p class="soft">{escape(facts)}</p>' if facts else "",
        f'<p class="soft"><code>{escape(str(failure.get("code", "failure")))}</code></p>',
        f"<details><summary>Traceback</summary><pre>{trace}</pre></details>" if trace else "",
    ]
    sentence = escape(str(failure.get("sentence") or "The run failed."))
    return f'<div class="notice failure" role="alert"><h2>{sentence}</h2>{"".join(lines)}</div>'


def _warnings(warnings: Sequence[object]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(str(warning))}</li>" for warning in warnings)
    return f'<div class="notice"><h2>{plural(len(warnings), "warning")}</h2><ul>{items}</ul></div>'


def _viewer_section(models: Sequence[Scene], dense: Dense) -> str:
    if not models:
        return ""
    options = "".join(
        f'<option value="{i}">Model {i + 1}: {plural(len(model.names), "photo")}, '
        f"{plural(len(model.points), 'point')}</option>"
        for i, model in enumerate(models)
    )
    choice = f'<label>Show <select name="model" autocomplete="off">{options}</select></label>' * (len(models) > 1)
    thinned = "".join(
        f'<p class="soft" data-model="{i}"{" hidden" * (i > 0)}><small>{text}</small></p>'
        for i, model in enumerate(models)
        if (text := _thinned(model, dense if i == 0 else _NO_DENSE))
    )
    return f"""<div class="viewer">
<canvas tabindex="0" aria-label="The cameras and points of the model, in three dimensions"></canvas>
<figure class="chosen" hidden></figure>
<p class="without">This browser does not offer WebGL 2, so the model cannot be turned here.</p>
<div class="controls">{choice}{_layers(dense)}
<label>Point size <input type="range" name="points" min="1" max="9" step="0.1" autocomplete="off"></label>
<label>Camera size <input type="range" name="cameras" min="-3" max="2" step="0.1" value="0" autocomplete="off"></label>
<button type="button" name="reset">Reset the view</button>
<small class="help">Drag to turn, with two fingers or the right button to move; click a camera for its photo</small>
</div>{thinned}</div>"""


def _layers(dense: Dense) -> str:
    """The choice of what is drawn, and how, where there is more than the points of the sparse model."""
    names = ["points"] + ["cloud"] * bool(dense.cloud and len(dense.cloud))
    names += ["mesh"] * bool(dense.mesh and len(dense.mesh.triangles))
    if len(names) == 1:
        return ""
    layers = "".join(
        f'<label><input type="radio" name="layer" value="{name}" autocomplete="off">{name.capitalize()}</label>'
        for name in names
    )
    shadings = "".join(f'<option value="{i}">{text}</option>' for i, text in enumerate(("Colours", "Shape", "Normals")))
    return f"""<span class="layers" role="radiogroup" aria-label="What is drawn">{layers}</span>
<label class="shading">As <select name="shading" autocomplete="off">{shadings}</select></label>"""


def _thinned(model: Scene, dense: Dense) -> str:
    """What is left out of the drawing."""
    cloud, triangles = len(dense.cloud or ()), len(dense.mesh.triangles) if dense.mesh else 0
    said = [
        f"of {number:,} {what}, {most:,} are drawn"
        for number, what, most in (
            (len(model.points), "points", MOST_POINTS),
            (cloud, "points of the cloud", MOST_SURFACE_POINTS),
        )
        if number > most
    ]
    if triangles > MOST_TRIANGLES:
        said.append(f"the mesh is simplified from {triangles:,} triangles to at most {MOST_TRIANGLES:,}")
    return f"{'; '.join(said)}.".capitalize() if said else ""
