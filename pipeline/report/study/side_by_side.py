"""Models and depth maps of all variants, in one gauge and packed small, to be laid side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ....stages.dense import DepthMap, View
from ....stages.failure import StageFailure
from ....stages.geometry.alignment import Similarity, align_cameras_robustly, transform_scene
from ....stages.scene import Camera, Scene
from ..document import Thumbnail, image_source, packed_array, shrunk, thumbnail
from ..run.depth import DEPTHS
from ..viewer.packing import Frame, pack
from ..viewer.surfaces import moved_cloud, moved_mesh, thinned
from ..words import plural

if TYPE_CHECKING:
    from ...api import Result
    from ...study.comparison import Comparison, Trial

MODEL_BYTES, MOST_MODEL_BYTES = 14_000_000, 2_000_000
"""What all models of a page, and what one of them may take."""

DEPTH_BYTES, DEPTH_WIDTH, MOST_DEPTH_PHOTOS = 10_000_000, 320, 4
"""What all depth maps of a page may take, how wide one is, and of how many photos of a scene there are any."""

MOST_PHOTOS = 60
"""Photos of a scene that are shown when their camera is picked."""

NO_DEPTH = 0
"""Depths are stored by their logarithm as 1 to 65535 between the least and the greatest of a photo."""

_IDENTITY = Similarity(1.0, np.eye(3), np.zeros(3))


@dataclass(frozen=True)
class Diptych:
    """What the page's scripts are given.

    Attributes:
        data: as JSON.
        photos: names and pictures of the photos, to which cameras refer by index.
        notes: sentences on what is left out.
    """

    data: dict[str, Any]
    photos: Sequence[tuple[str, Thumbnail]]
    notes: Sequence[str]

    @property
    def layers(self) -> list[str]:
        """What can be drawn beside the cameras."""
        models = [model for scene in self.data["scenes"] for model in scene["models"].values()]
        return ["points", *(name for name in ("cloud", "mesh") if any(name in model for model in models))]


@dataclass(frozen=True)
class _Model:
    """A variant on a scene: the trial that is shown, its model in the scene's gauge, and how it got there."""

    variant: int
    trial: Trial
    result: Result
    scene: Scene
    similarity: Similarity

    @cached_property
    def views(self) -> Mapping[str, View]:
        """Its undistorted photos by name, read when they are asked for."""
        return self.result.results["views"]

    @cached_property
    def depths(self) -> Mapping[str, DepthMap]:
        """Its depth maps by name, read when they are asked for."""
        return self.result.results["depths"]


def make_diptych(comparison: Comparison) -> Diptych:
    """Pack one seed of every variant on every scene; what failed, or cannot be laid over the others, has none."""
    count = len(comparison.study.scenes) * len(comparison.study.variants)
    room = min(MOST_MODEL_BYTES, MODEL_BYTES // count)
    scenes: list[dict[str, Any]] = []
    photos: list[tuple[str, Thumbnail]] = []
    notes: dict[str, None] = {}
    for scene in comparison.study.scenes:
        panels = _panels(comparison, scene.name, notes)
        if not panels:
            continue
        base = panels[0]
        shown = _pictures(base.views, notes)
        photo_of = {name: len(photos) + i for i, (name, _) in enumerate(shown)}
        photos += shown
        frame = Frame.of(base.scene)
        scenes.append(
            {
                "name": scene.name,
                "seeds": {panel.variant: panel.trial.seed for panel in panels},
                "models": {panel.variant: _model(panel, photo_of, frame, room) for panel in panels},
                "depths": _depths(panels, DEPTH_BYTES // count),
                "said": _said(comparison, scene.name, {panel.variant: panel.trial for panel in panels}),
            }
        )
    if len(comparison.study.seeds) > 1:
        notes["Of every variant one seed is shown, the first that came to its end."] = None
    notes[f"Models are thinned to about {room / 1e6:.1f} MB each."] = None
    if any(scene["depths"] for scene in scenes):
        most = max(len(scene["depths"]) for scene in scenes)
        depth_maps = f"Depth maps are those of at most {plural(most, 'photo')} a scene"
        notes[f"{depth_maps}, {DEPTH_WIDTH} pixels wide or less."] = None
    colors = ["#" + bytes(color.tolist()).hex() for color in DEPTHS[::15]]
    variants = [variant.name for variant in comparison.study.variants]
    return Diptych({"variants": variants, "colors": colors, "scenes": scenes}, photos, list(notes))


def _panels(comparison: Comparison, scene: str, notes: dict[str, None]) -> list[_Model]:
    """A trial of every variant that has a model, moved into the world of the first of them."""
    panels: list[_Model] = []
    for index, variant in enumerate(comparison.study.variants):
        done = [t for t in comparison.trials if t.scene == scene and t.variant == variant.name and not t.failure]
        model = _model_of(done[0]) if done else None
        if model is None:
            continue
        similarity = _IDENTITY
        if panels:
            try:
                similarity = _aligned(model, panels[0].scene)
            except StageFailure as why:
                notes[f"{variant.name} on {scene} cannot be laid over the others: {why}"] = None
                continue
        panels.append(_Model(index, done[0], done[0].result, transform_scene(model, similarity), similarity))
    return panels


def _said(comparison: Comparison, scene: str, shown: Mapping[int, Trial]) -> dict[int, str]:
    """The first numbers of every trial that is shown; why a variant has none, where it failed."""
    metrics = comparison.headlines
    said = {}
    for index, variant in enumerate(comparison.study.variants):
        if trial := shown.get(index):
            values = [(metric, trial.metrics[metric.name]) for metric in metrics if metric.name in trial.metrics]
            said[index] = ", ".join(f"{metric.title} {metric.words(value)}" for metric, value in values)
        else:
            failed = [t for t in comparison.failed if t.scene == scene and t.variant == variant.name]
            said[index] = str((failed[0].failure or {}).get("sentence")) if failed else "It has no model to show."
    return said


def _model_of(trial: Trial) -> Scene | None:
    """The largest model; none of a study that stops earlier, or whose store has lost it."""
    try:
        return trial.result.scene
    except StageFailure:
        return None


def _aligned(model: Scene, reference: Scene) -> Similarity:
    """From a model's world to that of another, by the cameras that both have."""
    place = {name: i for i, name in enumerate(reference.names)}
    both = [(i, place[name]) for i, name in enumerate(model.names) if name in place]
    mine, theirs = np.array(both, np.int64).reshape(-1, 2).T
    return align_cameras_robustly(
        model.rotations[mine], model.centers[mine], reference.rotations[theirs], reference.centers[theirs]
    )


def _model(panel: _Model, photo_of: dict[str, int], frame: Frame, room: int) -> dict[str, object]:
    """A fifth of the room is for points (20 bytes each), a third for the cloud (16), the rest for the mesh (24)."""
    dense = panel.result.dense
    most = _, most_of_cloud, _ = room // 100, room // 48, room // 52
    cloud = moved_cloud(thinned(dense.cloud, most_of_cloud), panel.similarity) if dense.cloud is not None else None
    mesh = moved_mesh(dense.mesh, panel.similarity) if dense.mesh is not None else None
    return pack(panel.scene, photo_of, cloud, mesh, frame=frame, most=most)


def _pictures(views: Mapping[str, View], notes: dict[str, None]) -> list[tuple[str, Thumbnail]]:
    """Small pictures of photos by name; they are those of the views, so a study that stops earlier has none."""
    names = list(views)[:: max(1, -(-len(views) // MOST_PHOTOS))]
    if len(names) < len(views):
        notes[f"Of {len(views):,} photos {len(names)} are shown."] = None
    return [(name, thumbnail(views[name].image, 240, "", 55)) for name in names]


def _depths(panels: Sequence[_Model], room: int) -> list[dict[str, Any]]:
    """Depth maps of a few photos evenly spread over those of which most variants have one."""
    having: dict[str, int] = {}
    for panel in panels:
        for name in panel.depths:
            having[name] = having.get(name, 0) + 1
    common = [name for name, count in having.items() if count == max(having.values())]
    most = int(np.clip(room // 180_000, 1, MOST_DEPTH_PHOTOS))
    places = np.linspace(0, len(common) - 1, most + 2)[1:-1].astype(int) if common else ()
    chosen = [common[i] for i in np.unique(places)]
    width = int(min(DEPTH_WIDTH, np.sqrt(room / max(1, len(chosen)) / 2.67 * 1.5)))
    packed = (_depth_photo(name, panels, width) for name in chosen)
    return [one for one in packed if one is not None]


def _depth_photo(name: str, panels: Sequence[_Model], width: int) -> dict[str, Any] | None:
    """The depth maps of one photo of all variants, as one camera would see them, in one scale."""
    found: dict[int, np.ndarray] = {}
    camera, photo = None, ""
    for panel in panels:
        view, depths = panel.views.get(name), panel.depths.get(name)
        if view is None or depths is None or view.missing or depths.missing or not (depths.depth > 0).any():
            continue
        if camera is None:
            camera, photo = _shrunk_camera(view.camera, width), image_source(shrunk(view.image, 480), 60)
        found[panel.variant] = panel.similarity.scale * seen_by(camera, view, depths)
    known = [depth[depth > 0] for depth in found.values()]
    known = [depth for depth in known if len(depth)]
    if camera is None or not known:
        return None
    low, high = min(depth.min() for depth in known), max(depth.max() for depth in known)
    span = float(np.log(high / low)) or 1.0
    near, far = np.quantile(np.concatenate(known), (0.01, 0.99))
    return {
        "name": name,
        "picture": photo,
        "width": camera.width,
        "height": camera.height,
        "low": float(low),
        "span": span,
        "near": float(near),
        "far": float(far),
        "maps": {variant: _quantised(depth, float(low), span) for variant, depth in found.items()},
    }


def _shrunk_camera(camera: Camera, width: int) -> Camera:
    scale = min(1.0, width / camera.width)
    size = max(1, round(scale * camera.width)), max(1, round(scale * camera.height))
    (fx, fy), (cx, cy) = camera.focal_lengths, camera.principal_point
    x, y = size[0] / camera.width, size[1] / camera.height
    return Camera("PINHOLE", *size, (x * fx, y * fy, x * cx, y * cy))


def seen_by(camera: Camera, view: View, depths: DepthMap) -> np.ndarray:
    """A depth map as another pinhole camera in the same place and direction sees it, the nearest pixel each.

    Variants find different focal lengths, so the same pixel of two depth maps need not be the same ray.

    Returns:
        Depth, 0 where there is none, shape (H, W).
    """
    (fx, fy), (cx, cy) = camera.focal_lengths, camera.principal_point
    (gx, gy), (dx, dy) = view.camera.focal_lengths, view.camera.principal_point
    column = np.floor((np.arange(camera.width) + 0.5 - cx) / fx * gx + dx).astype(np.int64)
    row = np.floor((np.arange(camera.height) + 0.5 - cy) / fy * gy + dy).astype(np.int64)
    height, width = depths.depth.shape
    inside = ((row >= 0) & (row < height))[:, None] & ((column >= 0) & (column < width))
    depth = depths.depth[np.clip(row, 0, height - 1)[:, None], np.clip(column, 0, width - 1)]
    return np.where(inside, depth, 0.0)


def _quantised(depth: np.ndarray, low: float, span: float) -> str:
    known = depth > 0
    share = np.log(np.where(known, depth, low) / low) / span
    return packed_array(np.where(known, np.rint(1 + 65534 * share), NO_DEPTH), "<u2")
