"""Strecha's scenes (Strecha et al., CVPR 2008): errors of the cameras with known calibration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from .cameras import CAMERAS
from .colmap_peer import incremental
from .protocol import Case, Given, Peer, PhotoProtocol, photos_in
from .table import COST, Column, PublishedRow

if TYPE_CHECKING:
    from ..results.result import Result

_MOULON = "Moulon, Monasse and Marlet, ICCV 2013, table 1"
_CONDITIONS = "given internal calibration as here; features and machines of their own"


def _published(scene: str, **millimeters: float) -> tuple[PublishedRow, ...]:
    return tuple(
        PublishedRow(scene, method, {"position_least_squares_mean": error / 1000}, _MOULON, _CONDITIONS)
        for method, error in millimeters.items()
    )


class Strecha(PhotoProtocol):
    """Cameras of Strecha's scenes: mean position error in millimeters, with known calibration."""

    name = "strecha"
    layout = (
        "a folder for each scene with the photos in images/ and, in gt/, gt_dense_cameras/ or cameras/, "
        "a file PHOTO.camera for each of them"
    )
    columns: ClassVar = (
        *CAMERAS,
        Column("reprojection_mean_px", "error px", ".3f"),
        Column("points", "points", ".0f"),
        *COST,
    )
    published: ClassVar = (
        *_published("fountain-P11", Moulon=2.5, Bundler=7.0, VisualSFM=7.6, Olsson=2.2),
        *_published("entry-P10", Moulon=5.9, Bundler=55.1, VisualSFM=63.0, Olsson=6.9),
        *_published("Herz-Jesus-P8", Moulon=3.5, Bundler=16.4, VisualSFM=19.3, Olsson=3.9),
        *_published("Herz-Jesus-P25", Moulon=5.3, Bundler=21.5, VisualSFM=22.4, Olsson=5.7),
        *_published("castle-P19", Moulon=25.6, Bundler=344, VisualSFM=258, Olsson=76.2),
        *_published("castle-P30", Moulon=21.9, Bundler=300, VisualSFM=522, Olsson=66.8),
    )
    until = "sparse"

    def scene(self, place: Path) -> Case | None:
        """Return the photos that have a camera file; the scene's name loses the prefix ``strecha_``."""
        names = {file.name.removesuffix(".camera") for file in _cameras(place)}
        found = (tuple(photo for photo in photos_in(place / at) if photo.name in names) for at in ("images", "."))
        photos = next(filter(None, found), ())
        return Case(place.resolve().name.removeprefix("strecha_"), place, photos) if len(photos) > 2 else None

    def truth(self, case: Case, out: Path) -> Path:
        """Return the folder of the camera files."""
        return _cameras(case.path)[0].parent

    def gives(self, case: Case) -> Given:
        """Return ``calibration``, as in the published tables."""
        return "calibration"

    def score(self, result: Result, case: Case, truth: Path) -> dict[str, float]:
        """Return the errors of the cameras."""
        from .. import api

        return api.evaluate(result.out, truth=truth).as_dict()

    def peers(self, case: Case) -> dict[str, Peer]:
        """Return COLMAP with the same calibration."""
        return {"COLMAP": incremental}


def _cameras(folder: Path) -> list[Path]:
    places = ("gt", "gt_dense_cameras", "cameras", ".")
    return next((found for place in places if (found := sorted((folder / place).glob("*.camera")))), [])
