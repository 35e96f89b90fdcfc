"""The page of a run: the results, how good they are, and how they were computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....stages.images.photos import PhotoFile
from ....stages.scene import Photos, Scene, Sparse
from ...results.values import Dense
from ..citations import references
from ..document import write_page
from ..record import record_columns
from ..viewer.packing import MOST_POINTS, pack
from ..viewer.surfaces import MOST_POINTS as MOST_SURFACE_POINTS
from ..viewer.surfaces import MOST_TRIANGLES
from ..words import seconds
from .depth import depth_maps, surface_numbers
from .gallery import gallery
from .matching import Found, match_numbers, survey
from .measures import Measures, measure
from .one_photo import one_photo_errors
from .quality import model_numbers
from .steps import stages

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
        dense: the results of the dense half; its views and depth maps are read one at a time.
        found: keypoints, matches and two-view geometries.
    """
    models = sparse.models if sparse else ()
    measures = [measure(model) for model in models]
    photo_of = {name: i for i, name in enumerate(photos.names)}
    denses = [dense if i == 0 else _NO_DENSE for i in range(len(models))]
    matching = survey(photos, found)
    write_page(
        path,
        "run.html.j2",
        title=str(record.get("name") or "A reconstruction"),
        scripts=("viewer.js", "run.js", "pictures.js"),
        packed=[pack(m, photo_of, d.cloud, d.mesh) for m, d in zip(models, denses, strict=True)],
        verdict=_verdict(models, measures, dense),
        photo_count=len(photos),
        models=models,
        duration=seconds(record["seconds"]) if record.get("seconds") is not None else "",
        failure=record.get("failure"),
        warnings=record.get("warnings") or (),
        layers=_layers(dense),
        thinned=[_thinned(m, d) for m, d in zip(models, denses, strict=True)],
        gallery=gallery(photos, files, sparse, measures, found, matching),
        matches=match_numbers(photos, matching),
        surface=surface_numbers(dense.cloud, dense.mesh),
        one_photo=one_photo_errors(dense.mono),
        depth=depth_maps(photos, dense),
        numbers=[model_numbers(photos, *each) for each in zip(models, measures, strict=True)],
        stages=stages(record),
        record=record_columns(record),
        cited=references([record]),
    )


def _verdict(models: Sequence[Scene], measures: Sequence[Measures], dense: Dense) -> dict[str, Any]:
    residuals = np.concatenate([one.residuals for one in measures]) if measures else np.empty(0)
    finite = residuals[np.isfinite(residuals)]
    return {
        "registered": len({name for model in models for name in model.names}),
        "points": sum(len(model.points) for model in models),
        "error": f"{finite.mean():.2f}" if len(finite) else "",
        "cloud": None if dense.cloud is None else len(dense.cloud),
        "triangles": None if dense.mesh is None else len(dense.mesh.triangles),
    }


def _layers(dense: Dense) -> list[str]:
    """What can be drawn beside the cameras."""
    layers = ["points"] + ["cloud"] * bool(dense.cloud and len(dense.cloud))
    return layers + ["mesh"] * bool(dense.mesh and len(dense.mesh.triangles))


def _thinned(model: Scene, dense: Dense) -> str:
    """A sentence on what the viewer leaves out of a model."""
    cloud, triangles = len(dense.cloud or ()), len(dense.mesh.triangles) if dense.mesh else 0
    counts = ((len(model.points), "points", MOST_POINTS), (cloud, "points of the cloud", MOST_SURFACE_POINTS))
    parts = [f"of {number:,} {what}, {most:,} are drawn" for number, what, most in counts if number > most]
    if triangles > MOST_TRIANGLES:
        parts.append(f"the mesh is simplified from {triangles:,} triangles to at most {MOST_TRIANGLES:,}")
    return f"{'; '.join(parts)}.".capitalize() if parts else ""
