"""The numbers of one trial: the quality of its results, and the keypoints, pairs and pixels they were made from."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...stages.failure import StageFailure
from ..cache.codec import canonical, digest
from ..cache.sourcecode import code_digests

if TYPE_CHECKING:
    from ..results.result import Result

_KEPT = "measures.json"


@dataclass(frozen=True)
class TrialMeasures:
    """The numbers of a trial.

    Attributes:
        metrics: quality of its results, by the names of :data:`~diptych.pipeline.study.metrics.METRICS`.
        given: keypoints per photo, pairs matched and pixels of the views.
    """

    metrics: Mapping[str, float]
    given: Mapping[str, float]

    @staticmethod
    def of(result: Result, truth: Path | None, known: str) -> TrialMeasures:
        """Measure a run, or read the measures of the same results against the same truth from ``measures.json``.

        Args:
            result: the run.
            truth: folder of the truth.
            known: digest of the files of the truth.

        Raises:
            StageFailure: as :func:`diptych.pipeline.api.evaluate` where the truth does not fit.
        """
        outputs = {f"{task['node']}/{task['item']}": task["output"] for task in result.record["tasks"]}
        key = digest(canonical({"code": code_digests(TrialMeasures), "outputs": outputs, "truth": known}).encode())
        file = result.out / _KEPT
        if (kept := _read(file)) and kept["key"] == key:
            return TrialMeasures(_numbers(kept["metrics"]), _numbers(kept["given"]))
        made = TrialMeasures(_intrinsic(result) | (_against(result, truth) if truth else {}), _given(result))
        tree = {"key": key, "metrics": _plain(made.metrics), "given": _plain(made.given)}
        file.write_text(json.dumps(tree, indent=1), "utf-8")
        return made


def digest_of_folder(folder: Path) -> str:
    """Return the digest of the names and the bytes of all files in a folder."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        with file.open("rb") as stream:
            inner = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()}\0{inner}\0".encode())
    return total.hexdigest()


def has_dense_truth(truth: Path) -> bool:
    """Return whether a truth has depth maps, masks or a surface beside cameras.

    Raises:
        StageFailure: the folder holds no truth, or a damaged one.
    """
    from ...stages.formats.truth.cameras import read_truth
    from ...stages.formats.truth.dense import read_dense_truth

    try:
        read_dense_truth(truth)
    except StageFailure as failure:
        if failure.code != "unknown-truth":
            raise
        read_truth(truth)
        return False
    return True


def _intrinsic(result: Result) -> dict[str, float]:
    """Return the metrics that need no truth."""
    found: dict[str, float] = {}
    results = result.results
    if (sparse := results.sparse) is not None:
        scene = sparse.scene
        counts = np.bincount(scene.obs_point, minlength=len(scene.points))
        known = np.isfinite(scene.errors) & (counts > 0)
        error = float(np.average(scene.errors[known], weights=counts[known])) if known.any() else math.nan
        found |= {
            "registered": float(len(scene.names)),
            "points": float(len(scene.points)),
            "track_length": len(scene.obs_point) / len(scene.points) if len(scene.points) else math.nan,
            "reprojection_mean_px": error,
        }
    dense = results.dense
    if dense.depths:
        filled = [float((depth.depth > 0).mean()) if not depth.missing else 0.0 for depth in dense.depths.values()]
        found["depth_filled"] = float(np.mean(filled))
    if dense.cloud is not None:
        found["cloud_points"] = float(len(dense.cloud))
    if dense.mesh is not None:
        found["mesh_triangles"] = float(len(dense.mesh.triangles))
    return found


def _against(result: Result, truth: Path) -> dict[str, float]:
    """Return the errors against the truth, of everything that both it and the run have."""
    from ..api import evaluate, evaluate_dense

    if result.results.sparse is None:
        return {}
    found = evaluate(result.out, truth=truth).as_dict()
    return found | (evaluate_dense(result.out, truth=truth).as_dict() if has_dense_truth(truth) else {})


def _given(result: Result) -> dict[str, float]:
    """Return what the methods had to work with: keypoints, pairs and pixels."""
    results, record = result.results, result.record
    extractor = next((node["name"] for node in record["recipe"]["nodes"] if node["slot"] == "features"), "")
    keypoints = [len(features) for features in results[extractor].values()] if extractor else []
    pixels = [view.mask.size for view in results.dense.views.values()]
    first = next((node["name"] for node in record["recipe"]["nodes"] if node["slot"] == "matches"), "")
    return {
        "keypoints": float(np.mean(keypoints)) if keypoints else math.nan,
        "pairs": float(sum(task["node"] == first for task in record["tasks"])) if first else math.nan,
        "pixels": float(np.sum(pixels)) if pixels else math.nan,
    }


def _read(file: Path) -> dict[str, Any] | None:
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _plain(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """Return the numbers with None for NaN, which JSON does not have."""
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def _numbers(tree: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in tree.items()}
