"""This project's own rendered scenes, whose truth is exact: cameras, depth maps and cloud of a whole run."""

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
    """Scenes as ``data_samples/render.py`` makes them, from nothing but their photos.

    Depth counts all true pixels, one without an answer as wrong; thresholds are shares of the depth. The F-score of the
    cloud is ETH3D's (Schöps et al. 2017), its threshold a share of the median depth.
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
        """Photos beside a truth with depth maps."""
        photos, truth = photos_in(place / "photos"), place / "truth"
        known = (truth / "images.txt").is_file() and (truth / "depth").is_dir()
        return Case(place.resolve().name, place, photos) if photos and known else None

    def truth(self, case: Case, out: Path) -> Path:
        """The folder of that name."""
        return case.path / "truth"

    def score(self, result: Result, case: Case, truth: Path) -> dict[str, float]:
        """The errors of cameras, depth maps and cloud."""
        from .. import api

        cameras = api.evaluate(result.out, truth=truth).as_dict()
        return {**cameras, **api.evaluate_dense(result.out, truth=truth).as_dict()}

    def peers(self, case: Case) -> dict[str, Peer]:
        """COLMAP, without calibration as the recipes."""
        return {"COLMAP": incremental}
