"""COLMAP through pycolmap as a peer: extract, match exhaustively, map incrementally (Schönberger and Frahm 2016).

Its dense reconstruction needs CUDA, so only cameras and points are compared.
"""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path

from ...stages.failure import StageFailure
from ..engine.metering import metered
from ..results.record import file_digest
from .protocol import Case, Inputs, photos_in
from .subprocesses import run_in_process


def incremental(case: Case, given: Inputs) -> dict[str, float]:
    """Return the errors and the cost of COLMAP's cameras; the model in ``colmap/sparse`` is computed once.

    Raises:
        StageFailure: ``no-model``, ``process-died``, or ``peer-cameras`` where the photos have cameras of their own.
    """
    from ...stages.evaluation.cameras import evaluate
    from ...stages.formats.colmap import read_colmap
    from ...stages.formats.truth.dense import read_true_cameras

    if given.camera is not None and Path(given.camera).exists():
        raise StageFailure("peer-cameras", "COLMAP is run with one calibrated camera, and these photos have several.")
    out = given.out / "colmap"
    cost = _made_once(given.photos, out, given.camera)
    return {**evaluate(read_colmap(out / "sparse"), read_true_cameras(given.truth)).as_dict(), **cost}


def _made_once(photos: Path, out: Path, camera: str | None) -> dict[str, float]:
    """Return the cost of the model, computed now or earlier by the same COLMAP from the same photos."""
    digests = [file_digest(photo) for photo in photos_in(photos)]
    wanted = {"pycolmap": version("pycolmap"), "camera": camera, "photos": digests}
    kept = out / "made.json"
    if kept.is_file() and (made := json.loads(kept.read_text("utf-8")))["of"] == wanted:
        return made["cost"]
    shutil.rmtree(out, ignore_errors=True)
    (out / "models").mkdir(parents=True)
    cost = run_in_process(_measured, photos, out, camera)
    kept.write_text(json.dumps({"of": wanted, "cost": cost}), "utf-8")
    return cost


def _measured(photos: Path, out: Path, camera: str | None) -> dict[str, float]:
    """Return the cost of :func:`map_by_colmap`, by the names of :data:`diptych.pipeline.protocols.table.COST`."""
    with metered() as cost:
        map_by_colmap(photos, out, camera)
    return {"cpu_seconds": cost.cpu_seconds, "peak_memory": float(cost.peak_rss)}


def map_by_colmap(photos: Path, out: Path, camera: str | None = None) -> None:
    """Reconstruct a folder of photos into ``out/sparse``, a COLMAP model, in the calling process.

    Args:
        out: an empty folder with a folder ``models`` in it.
        camera: ``MODEL,params`` of all photos, held fixed; without it COLMAP estimates one camera for all.

    Raises:
        StageFailure: ``no-model``.
    """
    from ...stages.peers.colmap import pycolmap

    reader, mapper = pycolmap.ImageReaderOptions(), pycolmap.IncrementalPipelineOptions()
    mapper.min_model_size = 3
    if camera:
        model, *params = camera.split(",")
        reader.camera_model, reader.camera_params = model, ",".join(params)
        mapper.ba_refine_focal_length = mapper.ba_refine_extra_params = False
    pycolmap.extract_features(
        out / "database.db",
        photos,
        camera_mode=pycolmap.CameraMode.SINGLE,
        reader_options=reader,
        device=pycolmap.Device.cpu,
    )
    pycolmap.match_exhaustive(out / "database.db", device=pycolmap.Device.cpu)
    models = pycolmap.incremental_mapping(out / "database.db", photos, out / "models", mapper)
    if not models:
        raise StageFailure("no-model", "COLMAP found no model.")
    (out / "sparse").mkdir()
    max(models.values(), key=lambda each: each.num_reg_images()).write_binary(out / "sparse")
