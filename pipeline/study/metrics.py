"""The metrics and costs of a study: titles, units, and which direction is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher", ""]


@dataclass(frozen=True)
class Metric:
    """One number of a trial.

    Attributes:
        name: its name in tables.
        title: its name in sentences.
        better: which direction is better; empty if neither.
        percent: whether it is a share, to be shown in percent.
        unit: of the number as it is stored.
        headline: whether conclusions mention it.
    """

    name: str
    title: str
    better: Better = ""
    percent: bool = False
    unit: str = ""
    headline: bool = False

    @property
    def scaled(self) -> tuple[float, str]:
        """The factor to the unit that is shown, and that unit."""
        if self.percent:
            return 100.0, "%"
        return (2.0**-30, "GiB") if self.unit == "bytes" else (1.0, self.unit)

    def words(self, value: float, signed: bool = False) -> str:
        """Return a value with its unit as text."""
        scale, unit = self.scaled
        return f"{scale * value:{'+.3g' if signed else '.4g'}} {unit}".rstrip()


_LISTED = (
    Metric("registered", "photos registered", "higher", headline=True),
    Metric("position_mean", "mean camera position error", "lower", headline=True),
    Metric("position_median", "median camera position error", "lower"),
    Metric("position_least_squares_mean", "mean camera position error, least squares alignment", "lower"),
    Metric("rotation_mean_deg", "mean camera rotation error", "lower", unit="°", headline=True),
    Metric("auc_1_deg", "relative-pose AUC at 1°", "higher", percent=True),
    Metric("auc_5_deg", "relative-pose AUC at 5°", "higher", percent=True),
    Metric("coverage", "true pixels with a depth", "higher", percent=True),
    Metric("within_0.25_percent", "true pixels within 0.25 %", "higher", percent=True),
    Metric("within_0.5_percent", "true pixels within 0.5 %", "higher", percent=True),
    Metric("within_1_percent", "true pixels within 1 %", "higher", percent=True, headline=True),
    Metric("within_2_percent", "true pixels within 2 %", "higher", percent=True),
    Metric("median_percent", "median depth error", "lower", unit="%"),
    Metric("calibration_error", "error of the confidence", "lower", percent=True),
    Metric("bad_1_px", "disparities wrong by over 1 px", "lower", percent=True, headline=True),
    Metric("object_kept", "object pixels with a depth", "higher", percent=True, headline=True),
    Metric("points_outside", "points outside the object's masks", "lower", percent=True, headline=True),
    Metric("cloud_accuracy_2", "cloud accuracy at 1 %", "higher", percent=True),
    Metric("cloud_completeness_2", "cloud completeness at 1 %", "higher", percent=True),
    Metric("cloud_f_score_2", "cloud F-score at 1 %", "higher", percent=True, headline=True),
    Metric("mesh_f_score_2", "mesh F-score at 1 %", "higher", percent=True, headline=True),
    Metric("depth_filled", "pixels of the views with a depth", "higher", percent=True),
    Metric("reprojection_mean_px", "mean reprojection error", "lower", unit="px"),
    Metric("track_length", "photos that see a point", "higher"),
    Metric("points", "points of the sparse model", "higher"),
    Metric("cloud_points", "points of the cloud", "higher"),
    Metric("mesh_triangles", "triangles of the mesh"),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _LISTED}
"""The metrics in the order in which they are shown."""

COSTS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("seconds", "wall time of its stages", "lower", unit="s"),
        Metric("cpu_seconds", "processor time of its stages", "lower", unit="s"),
        Metric("peak_memory", "peak memory", "lower", unit="bytes"),
        Metric("keypoints", "keypoints a photo"),
        Metric("pairs", "pairs matched"),
        Metric("pixels", "pixels of the views"),
    )
}
"""The costs and budgets of a trial, shown beside its scores."""
