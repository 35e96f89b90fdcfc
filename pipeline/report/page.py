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
from .gallery import gallery_section
from .measures import Measures, measure
from .quality import quality_section
from .steps import record_section, steps_section
from .viewer import MOST_POINTS, pack
from .words import plural, seconds


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
        gallery_section(photos, files, sparse, measures),
        quality_section(photos, models, measures),
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
