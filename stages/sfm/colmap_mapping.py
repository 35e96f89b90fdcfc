"""COLMAP's mappers in the sparse slot."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..failure import StageFailure
from ..formats.colmap import read_colmap
from ..peers.colmap import pycolmap
from ..scene import Features, Pairs, Photos, Scene, Sparse, TwoView
from ..stage import Stage
from .bundle_options import Intrinsics
from .coloring import mean_colors

_CONFIGURATIONS = {
    "calibrated": "CALIBRATED",
    "uncalibrated": "UNCALIBRATED",
    "planar": "PLANAR",
    "pure_rotation": "PANORAMIC",
    "small_baseline": "CALIBRATED",
    "none": "DEGENERATE",
}


Mapping = Callable[..., dict[int, pycolmap.Reconstruction]]
"""One of pycolmap's mappers: from a database to models by number."""


class ColmapMapper(Stage, ABC):
    """Base of COLMAP's mappers: they get our features and verified matches, one seed and one thread.

    One thread, because COLMAP seeds its random numbers per thread.

    Args:
        min_model: least number of photos of a model.
    """

    slot = "sparse"
    libraries = ("numpy", "pycolmap")

    min_model: int = 3

    def run(
        self,
        photos: Photos,
        features: tuple[Features, ...],
        pairs: Pairs,
        two_views: tuple[TwoView, ...],
        rng: np.random.Generator,
    ) -> Sparse:
        """Models of the collection, largest first.

        Raises:
            StageFailure: COLMAP found no model.
        """
        mapping, options = self.mapper(photos)
        options.random_seed = int(rng.integers(2**31))
        options.num_threads = 1
        options.min_model_size = min(self.min_model, len(photos))
        with tempfile.TemporaryDirectory(prefix="diptych-") as scratch:
            database, out = Path(scratch, "database.db"), Path(scratch, "models")
            out.mkdir()
            _write_database(database, photos, features, pairs, two_views)
            found = mapping(database, scratch, out, options)
            models: list[Scene] = []
            for reconstruction in found.values():
                folder = out / f"model-{len(models)}"
                folder.mkdir()
                reconstruction.write_binary(folder)
                models.append(mean_colors(read_colmap(folder), photos, features))
        if not models:
            raise StageFailure(
                "no-model", "COLMAP found no model.", hint='Try sparse.use = "Incremental": it gives reasons.'
            )
        models.sort(key=lambda scene: (-len(scene.names), -len(scene.points)))
        placed = {name for scene in models for name in scene.names}
        missing = tuple((name, "COLMAP registered it in no model") for name in photos.names if name not in placed)
        return Sparse(models=tuple(models), missing=missing)

    @abstractmethod
    def mapper(self, photos: Photos) -> tuple[Mapping, Any]:
        """The mapper and its options, without seed, threads and ``min_model``."""


class ColmapIncremental(ColmapMapper):
    """COLMAP's incremental mapper (Schönberger and Frahm 2016).

    Args:
        refine: which intrinsics to refine, of the cameras that are not ``calibrated``.
        min_model: least number of photos of a model.
    """

    papers = ("schoenberger2016sfm",)

    refine: tuple[Intrinsics, ...] = ("focal", "distortion")

    def mapper(self, photos: Photos) -> tuple[Mapping, Any]:
        """Incremental mapping that holds calibrated cameras."""
        options = pycolmap.IncrementalPipelineOptions()
        options.extract_colors = False
        options.ba_refine_focal_length = "focal" in self.refine
        options.ba_refine_principal_point = "principal_point" in self.refine
        options.ba_refine_extra_params = "distortion" in self.refine
        options.constant_cameras = {i + 1 for i, camera in enumerate(photos.cameras) if camera.focal == "calibrated"}
        return pycolmap.incremental_mapping, options


class ColmapGlobal(ColmapMapper):
    """COLMAP's global mapper, GLOMAP: rotation averaging, global positioning, bundle adjustment (Pan et al. 2024).

    It refines the intrinsics of all cameras, or of none if every camera is calibrated.

    Args:
        min_model: least number of photos of a model.
    """

    papers = ("pan2024",)

    def mapper(self, photos: Photos) -> tuple[Mapping, Any]:
        """Global mapping that holds the intrinsics if every camera is calibrated."""
        options = pycolmap.GlobalPipelineOptions()
        adjustment = options.mapper.bundle_adjustment
        if all(camera.focal == "calibrated" for camera in photos.cameras):
            adjustment.refine_focal_length = adjustment.refine_extra_params = False
        return pycolmap.global_mapping, options


def _write_database(
    path: Path, photos: Photos, features: Sequence[Features], pairs: Pairs, two_views: Sequence[TwoView]
) -> None:
    """Write cameras, keypoints and verified matches to a COLMAP database; ids count from 1 in our order."""
    with pycolmap.Database.open(path) as database:
        for i, camera in enumerate(photos.cameras, 1):
            prior = camera.focal != "guess"
            database.write_camera(
                pycolmap.Camera(
                    camera_id=i,
                    model=camera.model,
                    width=camera.width,
                    height=camera.height,
                    params=camera.params,
                    has_prior_focal_length=prior,
                ),
                use_camera_id=True,
            )
            rig = pycolmap.Rig(rig_id=i)
            rig.add_ref_sensor(pycolmap.sensor_t(type=pycolmap.SensorType.CAMERA, id=i))
            database.write_rig(rig, use_rig_id=True)
        for i, name in enumerate(photos.names, 1):
            camera_id = int(photos.camera_of[i - 1]) + 1
            image = pycolmap.Image(image_id=i, name=name, camera_id=camera_id)
            database.write_image(image, use_image_id=True)
            frame = pycolmap.Frame(frame_id=i, rig_id=camera_id)
            frame.add_data_id(image.data_id)
            database.write_frame(frame, use_frame_id=True)
            database.write_keypoints(i, features[i - 1].xy)
        for (first, second), view in zip(pairs.indices + 1, two_views, strict=True):
            if len(view):
                database.write_matches(int(first), int(second), view.matches.astype(np.uint32))
                database.write_two_view_geometry(int(first), int(second), _geometry(view))


def _geometry(view: TwoView) -> pycolmap.TwoViewGeometry:
    geometry = pycolmap.TwoViewGeometry()
    geometry.config = pycolmap.TwoViewGeometryConfiguration.__members__[_CONFIGURATIONS[view.kind]]
    geometry.inlier_matches = view.matches.astype(np.uint32)
    geometry.F, geometry.H = view.fundamental, view.homography
    if view.has_pose:
        geometry.cam2_from_cam1 = pycolmap.Rigid3d(pycolmap.Rotation3d(view.rotation), view.translation)
        x, y, z = view.translation
        geometry.E = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ view.rotation
        geometry.tri_angle = np.radians(view.angle)
    return geometry
