"""Stages by name: Diptych's own, those that other packages offer, and any class by its address."""

from __future__ import annotations

import importlib
from importlib.metadata import EntryPoint, entry_points

from ..stages.failure import StageFailure
from ..stages.stage import Stage
from .parameters import nearest

ENTRY_POINTS = "diptych.stages"
"""The entry point group under which another package offers its stages."""

BUILT_IN: dict[str, str] = {
    "Sift": "diptych.stages.sift",
    "Aliked": "diptych.learned.features.aliked",
    "Disk": "diptych.learned.features.disk",
    "XFeat": "diptych.learned.features.xfeat",
    "Exhaustive": "diptych.stages.pairs",
    "Sequential": "diptych.stages.pairs",
    "Retrieval": "diptych.stages.pairs",
    "Spatial": "diptych.stages.pairs",
    "NearestNeighbour": "diptych.stages.matching",
    "Flann": "diptych.stages.matching",
    "TrueMatches": "diptych.stages.oracles",
    "LightGlue": "diptych.learned.features.lightglue",
    "PoseLibTwoView": "diptych.stages.two_view",
    "OpenCVTwoView": "diptych.stages.two_view",
    "ColmapTwoView": "diptych.stages.colmap",
    "GuidedMatching": "diptych.stages.guided_matching",
    "UnionFindTracks": "diptych.stages.tracks",
    "KeypointPatches": "diptych.stages.keypoint_patches",
    "Unrefined": "diptych.stages.unrefined",
    "LeastSquaresMatching": "diptych.stages.least_squares_matching",
    "SubpixelRefiner": "diptych.learned.refiner.stage",
    "Incremental": "diptych.stages.incremental",
    "ColmapIncremental": "diptych.stages.colmap_mapping",
    "ColmapGlobal": "diptych.stages.colmap_mapping",
    "TriangulateKnownPoses": "diptych.stages.known_poses",
    "TruePoses": "diptych.stages.oracles",
    "BundleAdjustment": "diptych.stages.bundle",
    "SharedPoints": "diptych.stages.neighbors",
    "Undistort": "diptych.stages.undistortion",
    "MonoLearning": "diptych.learned.mono.learning",
    "MonoNet": "diptych.learned.mono.stage",
    "PatchMatch": "diptych.stages.patchmatch",
    "Sgm": "diptych.stages.sgm",
    "DepthNet": "diptych.learned.depth.stage",
    "TrueDepths": "diptych.stages.oracles",
    "NetworkDepth": "diptych.learned.depth.adapter",
    "ConsistentPoints": "diptych.stages.fusion",
    "MergedCloud": "diptych.stages.cloud",
    "Poisson": "diptych.stages.poisson",
    "Tsdf": "diptych.stages.tsdf",
    "TextureAtlas": "diptych.stages.texturing",
}
"""Diptych's own stages and the modules they live in, which are imported when they are asked for."""


def names() -> list[str]:
    """Every name that :func:`find` knows."""
    return [*BUILT_IN, *(point.name for point in _offered())]


def find(name: str) -> type[Stage]:
    """The stage class of that name, or at the address ``package.module:Class``.

    Raises:
        StageFailure: ``unknown-stage`` or ``stage-not-importable``.
    """
    address = f"{BUILT_IN[name]}:{name}" if name in BUILT_IN else _address(name)
    module, _, attribute = address.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise StageFailure(
            "stage-not-importable", f"The stage {name} cannot be imported: {error}",
            hint=f"Install the package that holds {module}.",
        ) from error  # fmt: skip
    if not (isinstance(found, type) and issubclass(found, Stage)):
        raise StageFailure("unknown-stage", f"{address} is not a Stage.")
    return found


def name_of(cls: type[Stage]) -> str:
    """The name under which :func:`find` gives this class; for one without a name its address."""
    if BUILT_IN.get(cls.__name__) == cls.__module__:
        return cls.__name__
    address = f"{cls.__module__}:{cls.__qualname__}"
    return next((point.name for point in _offered() if point.value == address), address)


def _address(name: str) -> str:
    if ":" in name:
        return name
    for point in _offered():
        if point.name == name:
            return point.value
    raise StageFailure("unknown-stage", f"There is no stage named {name!r}.", hint=nearest(name, names()))


def _offered() -> list[EntryPoint]:
    return sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
