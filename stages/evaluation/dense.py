"""Errors of depth maps, cloud and mesh against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np

from ..dense import Cloud, DepthMap, Mesh, View
from ..depth_truth import DepthTruth, TrueView
from ..scene import Scene
from .cameras import align_with_truth, common_photos
from .depth import THRESHOLDS, DepthEvaluation, DisparityEvaluation, depth_errors, disparity_errors
from .depth_resampling import depths_at, where_in_view
from .surface import MaskEvaluation, SurfaceEvaluation, evaluate_surface, mask_containment


@dataclass(frozen=True, eq=False)
class DenseEvaluation:
    """Result of :func:`evaluate_dense`, lengths in the truth's unit; None for what cannot be evaluated.

    Attributes:
        depths: of every view with a true depth map, by its name in the truth.
        disparities: of a rectified stereo pair, both views together.
        cloud, mesh: against the true surface.
        masks: of depth maps and cloud against the masks of an object.
    """

    depths: Mapping[str, DepthEvaluation]
    disparities: DisparityEvaluation | None = None
    cloud: SurfaceEvaluation | None = None
    mesh: SurfaceEvaluation | None = None
    masks: MaskEvaluation | None = None

    @property
    def depth(self) -> DepthEvaluation:
        """Of all views together, over all true pixels."""
        return reduce(add, self.depths.values(), DepthEvaluation.none())

    def as_dict(self) -> dict[str, float]:
        """All numbers by name, for tables and JSON; NaN where undefined."""
        numbers = self.depth.as_dict() if self.depths else {}
        for part in (self.disparities, self.masks):
            numbers |= part.as_dict() if part else {}
        for name, surface in (("cloud", self.cloud), ("mesh", self.mesh)):
            numbers |= {f"{name}_{what}": value for what, value in (surface.as_dict() if surface else {}).items()}
        return numbers

    def rows(self) -> list[dict[str, object]]:
        """One row per view of the truth: its name and the numbers of its depth map."""
        return [{"photo": name, **each.as_dict()} for name, each in self.depths.items()]

    def table(self) -> list[tuple[str, str]]:
        """Rows to print: label and text."""
        lines = self.depth.table() if self.depths else []
        for part in (self.disparities, self.masks):
            lines += part.table() if part else []
        for name, surface in (("cloud", self.cloud), ("mesh", self.mesh)):
            lines += [(f"{name}: {what}", numbers) for what, numbers in (surface.table() if surface else [])]
        return lines


def evaluate_dense(
    scene: Scene,
    truth: DepthTruth,
    views: Mapping[str, View],
    depths: Mapping[str, DepthMap],
    cloud: Cloud | None = None,
    mesh: Mesh | None = None,
) -> DenseEvaluation:
    """Compare depth maps, a cloud and a mesh with the truth.

    The similarity that aligns the model's cameras with the true ones
    (:func:`diptych.stages.geometry.alignment.align_cameras_robustly`) scales the depths and transforms the points.
    Nothing is fitted to the surfaces, so errors of the cameras count too.

    A depth map is sampled at the pixels of the true one (:mod:`diptych.stages.evaluation.depth_resampling`). A true
    view without a depth map counts as having no depth, but without any depth map none is compared. Surfaces are
    compared at 0.25, 0.5, 1 and 2 % of the median true depth. Views and maps are read one at a time.

    Args:
        scene: the model that everything else belongs to.
        views, depths: by the names of the photos.

    Raises:
        StageFailure: ``truth-mismatch`` or ``degenerate-alignment``, as
            :func:`diptych.stages.evaluation.cameras.evaluate`.
    """
    ours, theirs = common_photos(scene.names, tuple(view.name for view in truth.views))
    aligned = align_with_truth(scene, truth.scene)
    name_of = {truth.views[j].name: scene.names[i] for i, j in zip(ours, theirs, strict=True)}

    per_view: dict[str, DepthEvaluation] = {}
    pairs: list[DisparityEvaluation] = []
    middles: list[float] = []
    of_object = kept = 0
    for true in truth.views if depths else ():
        mask = true.mask
        if true.read_depth is None and mask is None:
            continue
        found = _in_truth(scene, true, name_of.get(true.name, ""), views, depths, aligned.scale)
        if mask is not None:
            of_object, kept = of_object + int(mask.sum()), kept + int((mask & (found.depth > 0)).sum())
        if true.read_depth is not None:
            z = true.depth
            per_view[true.name] = depth_errors(found, z)
            middles += [float(np.median(z[z > 0]))] if (z > 0).any() else []
            if truth.baseline:
                pairs.append(disparity_errors(found.depth, z, truth.baseline * true.camera.focal_lengths[0]))

    points = None if cloud is None else aligned(cloud.points.astype(np.float64))
    surface, scores = truth.surface, {}
    if surface is not None:
        limits = np.array(THRESHOLDS) * (np.median(middles) if middles else _distance(surface, truth))
        moved = None if mesh is None else replace(mesh, vertices=aligned(mesh.vertices.astype(np.float64)))
        scores = {
            name: evaluate_surface(estimate, surface, limits.tolist(), truth.views)
            for name, estimate in (("cloud", points), ("mesh", moved))
            if estimate is not None
        }
    masks = None
    if any(view.read_mask for view in truth.views):
        contained = MaskEvaluation() if points is None else mask_containment(points, truth.views)
        masks = replace(contained, pixels=of_object, kept=kept)
    return DenseEvaluation(
        per_view, reduce(add, pairs) if pairs else None, scores.get("cloud"), scores.get("mesh"), masks
    )


def _in_truth(
    scene: Scene, true: TrueView, name: str, views: Mapping[str, View], depths: Mapping[str, DepthMap], scale: float
) -> DepthMap:
    """The depth map of a photo at the truth's pixels and in its unit; empty if there is none."""
    if name not in views or name not in depths:
        nothing = np.zeros(true.shape)
        return DepthMap(nothing, np.zeros((*true.shape, 3)), nothing, nothing, "has no depth map")
    photo = scene.camera(scene.names.index(name))
    found = depths_at(depths[name], where_in_view(true.camera, photo, views[name].camera))
    return replace(found, depth=scale * found.depth)


def _distance(surface: Mesh | np.ndarray, truth: DepthTruth) -> float:
    """Median distance of a surface from the cameras."""
    points = surface.vertices if isinstance(surface, Mesh) else surface
    return float(np.median([np.median(np.linalg.norm(points - view.center, axis=1)) for view in truth.views]))
