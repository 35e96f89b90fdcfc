"""ETH3D (Schöps et al., CVPR 2017): accuracy, completeness and F1 of the cloud against laser scans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from .protocol import Case, Given, PhotoProtocol, photos_in
from .table import COST, Column, PublishedRow

if TYPE_CHECKING:
    from ..results.result import Result

LIMITS = 0.02, 0.05, 0.1
"""Distance thresholds in meters."""

_VOXEL = 0.01
"""Edge length in meters of the voxels in the authors' own evaluation."""

_XU = "Xu and Tao, CVPR 2019 (ACMM), high-resolution training set at 2 cm"
_REPOSITORY = "the README of Xu and Tao's repository GhiXu/ACMM, high-resolution training set at 2 cm"
_CONDITIONS = "by ETH3D's own program; a mean is that of the 13 training scenes"
_ACMM_F1 = {
    "courtyard": 0.8747,
    "delivery_area": 0.8370,
    "electro": 0.8682,
    "facade": 0.7079,
    "kicker": 0.7751,
    "meadow": 0.6641,
    "office": 0.6488,
    "pipes": 0.7007,
    "playground": 0.7206,
    "relief": 0.8536,
    "relief_2": 0.8487,
    "terrace": 0.8985,
    "terrains": 0.8552,
}


def _cloud() -> tuple[Column, ...]:
    return tuple(
        Column(f"cloud_{key}_{i}", f"{head} {100 * limit:g} cm", ".2f", 100)
        for i, limit in enumerate(LIMITS)
        for key, head in (("accuracy", "accuracy"), ("completeness", "completeness"), ("f_score", "F1"))
    )


class Eth3d(PhotoProtocol):
    """ETH3D's high-resolution multi-view scenes, undistorted, with the cameras that the authors give."""

    name = "eth3d"
    layout = (
        "a folder for each scene with images/dslr_images_undistorted/, dslr_calibration_undistorted/ and the truth: "
        "ground_truth_depth/dslr_images/, and dslr_scan_eval/ with scan_alignment.mlp"
    )
    columns: ClassVar = (
        *_cloud(),
        Column("within_1_percent", "depth 1 %", ".1f", 100),
        Column("coverage", "answered %", ".1f", 100),
        *COST,
    )
    published = (
        PublishedRow(
            "mean",
            "COLMAP",
            {"cloud_accuracy_0": 0.9185, "cloud_completeness_0": 0.5513, "cloud_f_score_0": 0.6766},
            _XU,
            _CONDITIONS,
        ),
        PublishedRow(
            "mean",
            "ACMM",
            {"cloud_accuracy_0": 0.9067, "cloud_completeness_0": 0.7042, "cloud_f_score_0": 0.7886},
            _XU,
            _CONDITIONS,
        ),
        *(
            PublishedRow(scene, "ACMM", {"cloud_f_score_0": score}, _REPOSITORY, _CONDITIONS)
            for scene, score in _ACMM_F1.items()
        ),
    )
    note = (
        "Observed space is that of the cameras' rays instead of the laser's beams, and only places of the scans that "
        "two photos see are asked for: see diptych.stages.evaluation.surface."
    )
    until = "cloud"

    def scene(self, place: Path) -> Case | None:
        """Return undistorted photos with their calibration."""
        if not (place / "dslr_calibration_undistorted").is_dir():
            return None
        photos = photos_in(place / "images" / "dslr_images_undistorted")
        return Case(place.resolve().name, place, photos) if photos else None

    def truth(self, case: Case, out: Path) -> Path:
        """Return the scene's own folder."""
        return case.path

    def gives(self, case: Case) -> Given:
        """Return ``poses``: the authors' multi-view task gives the cameras."""
        return "poses"

    def score(self, result: Result, case: Case, truth: Path) -> dict[str, float]:
        """Return the scores of the cloud at the authors' distances, and of the depth maps."""
        from ...stages.evaluation.dense import evaluate_dense
        from ...stages.evaluation.surface import evaluate_surface
        from ...stages.formats.truth.dense import read_dense_truth

        known, dense = read_dense_truth(truth), result.dense
        numbers = evaluate_dense(result.scene, replace(known, read_surface=None), dense.views, dense.depths).as_dict()
        if dense.cloud is not None and (scans := known.surface) is not None:
            found = evaluate_surface(dense.cloud, scans, LIMITS, known.views, voxel=_VOXEL)
            numbers |= {f"cloud_{key}": value for key, value in found.as_dict().items()}
        return numbers
