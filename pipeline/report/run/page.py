"""One page that shows a run: what was made, how good it is, and how it came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ....stages.images.photos import PhotoFile
from ....stages.scene import Photos, Scene, Sparse
from ...results.values import Dense
from ..citations import citation_section
from ..document import data_script, failure_notice, warnings_notice, write_page
from ..viewer.packing import CANVAS, MOST_POINTS, pack, viewer_controls
from ..viewer.surfaces import MOST_POINTS as MOST_SURFACE_POINTS
from ..viewer.surfaces import MOST_TRIANGLES
from ..words import plural, seconds
from .depth import depth_section, surface_section
from .gallery import gallery_section
from .matching import Found, matching_section, survey
from .measures import Measures, measure
from .one_photo import one_photo_section
from .quality import quality_section
from .steps import record_section, steps_section

_NO_DENSE = Dense()
_NOTHING_FOUND = Found()


def write_report(
    path: Path,
    *,
    photos: Photos,
    files: Sequence[PhotoFile],
    sparse: Sparse | None,
    record: Mapping[str, Any],
    dense: Dense = _NO_DENSE,
    found: Found = _NOTHING_FOUND,
) -> None:
    """Write a run's page: one HTML file that needs no network and no other file.

    Args:
        path: where to write it.
        photos: the collection the run was given.
        files: the photos' files, for their pictures; matched by name.
        sparse: the models, or ``None`` where the run failed before there was one.
        record: the run's record, as ``run.json`` holds it.
        dense: what there is of the dense half; its views and depth maps are read one at a time.
        found: what there is before the model.
    """
    models = sparse.models if sparse else ()
    measures = [measure(model) for model in models]
    photo_of = {name: i for i, name in enumerate(photos.names)}
    surfaces = [(dense.cloud, dense.mesh), *((None, None) for _ in models[1:])]
    viewable = [pack(model, photo_of, *surface) for model, surface in zip(models, surfaces, strict=False)]
    matching = survey(photos, found)
    body = [
        data_script("models", viewable),
        _heading(photos, models, measures, dense, record),
        failure_notice(record.get("failure")),
        warnings_notice(record.get("warnings") or ()),
        _viewer_section(models, dense),
        gallery_section(photos, files, sparse, measures, found, matching),
        matching_section(photos, matching),
        surface_section(dense.cloud, dense.mesh),
        one_photo_section(dense.mono),
        depth_section(photos, dense),
        quality_section(photos, models, measures),
        steps_section(record),
        record_section(record),
        citation_section([record]),
    ]
    write_page(path, title=f"{_title(record)} · Diptych", body=body, scripts=("viewer.js", "run.js", "pictures.js"))


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
    return f"""<div class="viewer">{CANVAS}
{viewer_controls(_layers(dense), choice)}{thinned}</div>"""


def _layers(dense: Dense) -> list[str]:
    """What there is to draw beside the cameras."""
    layers = ["points"] + ["cloud"] * bool(dense.cloud and len(dense.cloud))
    return layers + ["mesh"] * bool(dense.mesh and len(dense.mesh.triangles))


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
