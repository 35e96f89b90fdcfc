"""Old module paths and names, importable until version 0.3 with a DeprecationWarning."""

from __future__ import annotations

import importlib
import types
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader

RENAMED: dict[str, str] = {
    "BARRED": "EXCLUDED",
    "Freedom": "FreeParameters",
    "NearestNeighbour": "NearestNeighbor",
    "Reconstruction": "GrowingModel",
    "free_to_move": "free_parameters",
    "linearise": "linearize",
    "minimise": "minimize",
    "minimise_by_ceres": "minimize_by_ceres",
    "most_alike_first": "sorted_matches",
    "neighbours": "neighbors",
    "still": "freeze_code",
    "sure_pairs": "mutual_matches",
}
"""New names of public classes, functions and parameters by their old ones."""

_KEPT_THEIR_NAME = (
    ("stages", "stages.images", "photos containers exif calibration undistortion"),
    (
        "stages",
        "stages.features",
        "sift keypoints keypoint_patches local_affines refinement least_squares_matching unrefined",
    ),
    ("stages", "stages.matching", "pairs retrieval guided_matching two_view tracks"),
    ("stages", "stages.peers", "open3d"),
    (
        "stages",
        "stages.sfm",
        "incremental known_poses self_calibration triangulation bundle bundle_scipy bundle_ceres "
        "colmap_mapping coloring",
    ),
    ("stages", "stages.mvs", "neighbors contrast plane_sweep sgm"),
    ("stages", "stages.surface", "fusion cloud poisson tsdf meshing texturing"),
    ("stages", "stages.evaluation", "depth_resampling truth oracles"),
    ("stages.formats", "stages.formats.truth", "eth3d"),
    (
        "pipeline",
        "pipeline.engine",
        "recipe graph parameters registry tasks runner planning memory metering collection progress",
    ),
    ("pipeline", "pipeline.cache", "codec keys sourcecode definitions store"),
    ("pipeline", "pipeline.results", "record difference value_difference outputs citations"),
    (
        "pipeline.benchmarks",
        "pipeline.protocols",
        "bal ceres_peer colmap_peer dtu eth3d middlebury protocol registry rendered strecha table",
    ),
)
"""Old package, new package, and the modules that moved under the same name."""

_MOVED = {
    **{f"{old}.{name}": f"{new}.{name}" for old, new, names in _KEPT_THEIR_NAME for name in names.split()},
    "learned.depth.judgement": "learned.depth.filtering",
    "learned.mono.filling": "learned.mono.interpolation",
    "learned.mono.fitted": "learned.mono.aligned_network",
    "learned.mono.fitting": "learned.mono.alignment",
    "learned.mono.glimpses": "learned.mono.augmentation",
    "learned.mono.judgement": "learned.mono.evaluation",
    "learned.mono.lesson": "learned.mono.finetuning",
    "learned.mono.pictures": "learned.mono.views",
    "learned.mono.reading": "learned.mono.aligned_network",
    "learned.refiner.follower": "learned.refiner.matching",
    "pipeline.benchmarks.alone": "pipeline.protocols.subprocesses",
    "pipeline.report.page": "pipeline.report.run.page",
    "pipeline.report.surfaces": "pipeline.report.viewer.surfaces",
    "pipeline.benchmarks": "pipeline.protocols",
    "stages.mono_weights": "learned.mono.weights",
    "stages.pixels": "stages.images.decoding",
    "stages.cubic": "stages.geometry.interpolation",
    "stages.local_planes": "stages.geometry.plane_fitting",
    "stages.colmap": "stages.matching.two_view_colmap",
    "stages.reconstruction": "stages.sfm.growing_model",
    "stages.view_graph": "stages.sfm.next_view",
    "stages.stereo_level": "stages.mvs.patchmatch.pyramid",
    "stages.patchmatch": "stages.mvs.patchmatch.stage",
    "stages.patchmatch_kernels": "stages.mvs.patchmatch.sweep",
    "stages.patchmatch_torch": "stages.mvs.patchmatch.torch",
    "stages.patchmatch_judgement": "stages.mvs.patchmatch.confidence",
    "stages.depth_evaluation": "stages.evaluation.depth",
    "stages.surface_evaluation": "stages.evaluation.surface",
    "stages.dense_evaluation": "stages.evaluation.dense",
    "stages.formats.dense_truth": "stages.formats.truth.dense",
    "stages.formats.stereo_truth": "stages.formats.truth.stereo",
}
"""New paths of modules within ``diptych`` by their old ones."""


_NOW_PACKAGES = {
    "stages.evaluation": "stages.evaluation.cameras",
    "stages.formats.truth": "stages.formats.truth.cameras",
    "stages.matching": "stages.matching.nearest_neighbor",
    "pipeline.results": "pipeline.results.values",
}
"""Modules whose old path is a package now, and where what they held is."""


def warn_moved(old: str, new: str) -> None:
    """Say that ``old`` is called ``new`` now."""
    warnings.warn(f"{old} is {new} now; the old name goes with version 0.3.", DeprecationWarning, stacklevel=3)


class MovedModules(MetaPathFinder, Loader):
    """Finds modules under their old paths; what is asked of them comes from where they are now."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        name = fullname.removeprefix("diptych.")
        if name in _NOW_PACKAGES and (spec := PathFinder.find_spec(fullname, path)) and spec.origin:
            spec.loader = _PackageWithOldNames(fullname, spec.origin)
            return spec
        if name not in _MOVED or name == fullname:
            return None
        return ModuleSpec(fullname, self, is_package=any(moved.startswith(f"{name}.") for moved in _MOVED))

    def exec_module(self, module: types.ModuleType) -> None:
        new = f"diptych.{_MOVED[module.__name__.removeprefix('diptych.')]}"
        warn_moved(module.__name__, new)
        module.__doc__ = importlib.import_module(new).__doc__
        vars(module)["__getattr__"] = lambda name: _moved(new, name)


class _PackageWithOldNames(SourceFileLoader):
    """Loads a package that was a module, and gives what that held with a warning."""

    def exec_module(self, module: types.ModuleType) -> None:
        super().exec_module(module)
        new = f"diptych.{_NOW_PACKAGES[module.__name__.removeprefix('diptych.')]}"

        def moved(name: str) -> object:
            found = _moved(new, name)
            warn_moved(f"{module.__name__}.{name}", f"{new}.{RENAMED.get(name, name)}")
            return found

        vars(module)["__getattr__"] = moved


def _moved(module: str, name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(importlib.import_module(module), RENAMED.get(name, name))
