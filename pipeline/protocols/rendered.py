"""Rendered scenes with exact truth: cameras, depth maps and cloud of a whole run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from .cameras import CAMERAS
from .colmap_peer import incremental
from .protocol import Case, Peer, PhotoProtocol, photos_in
from .table import COST, Column

if TYPE_CHECKING:
    from ..results.result import Result


class Rendered(PhotoProtocol):
    """Scenes of ``data_samples/render.py``, reconstructed from their photos alone.

    Depth scores count all true pixels, those without a depth as wrong; thresholds are relative to the depth. The
    F-score of the cloud is that of ETH3D (Schöps et al. 2017) with a threshold relative to the median depth.
    """

    name = "rendered"
    layout = "a folder for each scene with photos/ and truth/ (cameras.txt, images.txt, depth/PHOTO.png and mesh.ply)"
    columns: ClassVar = (
        *CAMERAS,
        Column("within_0.25_percent", "depth 0.25 %", ".1f", 100),
        Column("within_1_percent", "depth 1 %", ".1f", 100),
        Column("median_percent", "median %", ".3f"),
        Column("cloud_accuracy_1", "accuracy 0.5 %", ".1f", 100),
        Column("cloud_completeness_1", "completeness 0.5 %", ".1f", 100),
        Column("cloud_f_score_1", "F 0.5 %", ".1f", 100),
        *COST,
    )
    note = "Depth: percent of all true pixels within that share. Cloud: within 0.5 % of the median depth."
    until = "cloud"

    def scene(self, place: Path) -> Case | None:
        """Return photos beside a truth with depth maps."""
        photos, truth = photos_in(place / "photos"), place / "truth"
        known = (truth / "images.txt").is_file() and (truth / "depth").is_dir()
        return Case(place.resolve().name, place, photos) if photos and known else None

    def truth(self, case: Case, out: Path) -> Path:
        """Return the folder ``truth``."""
        return case.path / "truth"

    def score(self, result: Result, case: Case, truth: Path) -> dict[str, float]:
        """Return the errors of cameras, depth maps and cloud."""
        from .. import api

        cameras = api.evaluate(result.out, truth=truth).as_dict()
        return {**cameras, **api.evaluate_dense(result.out, truth=truth).as_dict()}

    def peers(self, case: Case) -> dict[str, Peer]:
        """Return COLMAP, without calibration as the recipes."""
        return {"COLMAP": incremental}
