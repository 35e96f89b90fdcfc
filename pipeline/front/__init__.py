"""Photogrammetry as a graph of stages: classical and learned methods side by side, reproducible to the byte.

>>> import diptych as dp
>>> result = dp.run("photos", out="out")  # doctest: +SKIP
>>> result.scene.centers  # doctest: +SKIP
>>> recipe = dp.Recipe.load("classical").with_(features=dp.Sift(max_keypoints=4000))  # doctest: +SKIP

The functions of the API, the types that they take and return, and every built-in stage are attributes of this package.
Each is imported when it is first used (PEP 562), so that ``import diptych`` is quick.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import TYPE_CHECKING

from diptych.moved import RENAMED, MovedModules, warn_moved
from diptych.pipeline.engine.built_in import BUILT_IN

# OpenMP's threads spin while they wait, so on a busy machine two that share a core make matching ten times slower.
# They ask once, when their library is loaded, and every command, program and cluster worker imports this package first.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Without a handler Python would print warnings and errors of a program that has not configured logging.
logging.getLogger("diptych").addHandler(logging.NullHandler())

if TYPE_CHECKING:
    __version__: str
    from diptych import testing as testing
    from diptych.learned.depth.adapter import NetworkDepth as NetworkDepth
    from diptych.learned.depth.stage import DepthNet as DepthNet
    from diptych.learned.features.aliked import Aliked as Aliked
    from diptych.learned.features.disk import Disk as Disk
    from diptych.learned.features.lightglue import LightGlue as LightGlue
    from diptych.learned.features.xfeat import XFeat as XFeat
    from diptych.learned.mono.learning import MonoLearning as MonoLearning
    from diptych.learned.mono.stage import MonoNet as MonoNet
    from diptych.learned.refiner.stage import SubpixelRefiner as SubpixelRefiner
    from diptych.pipeline.api import cite as cite
    from diptych.pipeline.api import diff as diff
    from diptych.pipeline.api import evaluate as evaluate
    from diptych.pipeline.api import evaluate_dense as evaluate_dense
    from diptych.pipeline.api import explain as explain
    from diptych.pipeline.api import export as export
    from diptych.pipeline.api import plan as plan
    from diptych.pipeline.api import predict as predict
    from diptych.pipeline.api import reproduce as reproduce
    from diptych.pipeline.api import run as run
    from diptych.pipeline.engine.graph import Graph as Graph
    from diptych.pipeline.engine.recipe import Node as Node
    from diptych.pipeline.engine.recipe import Recipe as Recipe
    from diptych.pipeline.live import view as view
    from diptych.pipeline.protocols.registry import bench as bench
    from diptych.pipeline.results.result import Result as Result
    from diptych.pipeline.results.writable import writable as writable
    from diptych.pipeline.study.compare import compare as compare
    from diptych.pipeline.study.compare import run_study as run_study
    from diptych.pipeline.study.study import read_study as read_study
    from diptych.pipeline.training import train as train
    from diptych.stages.evaluation.oracles import TrueDepths as TrueDepths
    from diptych.stages.evaluation.oracles import TrueMatches as TrueMatches
    from diptych.stages.evaluation.oracles import TruePoses as TruePoses
    from diptych.stages.failure import StageFailure as StageFailure
    from diptych.stages.features.keypoint_patches import KeypointPatches as KeypointPatches
    from diptych.stages.features.least_squares_matching import LeastSquaresMatching as LeastSquaresMatching
    from diptych.stages.features.sift import Sift as Sift
    from diptych.stages.features.unrefined import Unrefined as Unrefined
    from diptych.stages.images.undistortion import Undistort as Undistort
    from diptych.stages.matching.guided_matching import GuidedMatching as GuidedMatching
    from diptych.stages.matching.nearest_neighbor import Flann as Flann
    from diptych.stages.matching.nearest_neighbor import NearestNeighbor as NearestNeighbor
    from diptych.stages.matching.pairs import Exhaustive as Exhaustive
    from diptych.stages.matching.pairs import Retrieval as Retrieval
    from diptych.stages.matching.pairs import Sequential as Sequential
    from diptych.stages.matching.pairs import Spatial as Spatial
    from diptych.stages.matching.tracks import UnionFindTracks as UnionFindTracks
    from diptych.stages.matching.two_view import OpenCVTwoView as OpenCVTwoView
    from diptych.stages.matching.two_view import PoseLibTwoView as PoseLibTwoView
    from diptych.stages.matching.two_view_colmap import ColmapTwoView as ColmapTwoView
    from diptych.stages.mvs.neighbors import SharedPoints as SharedPoints
    from diptych.stages.mvs.patchmatch.stage import PatchMatch as PatchMatch
    from diptych.stages.mvs.sgm import Sgm as Sgm
    from diptych.stages.sfm.bundle import BundleAdjustment as BundleAdjustment
    from diptych.stages.sfm.colmap_mapping import ColmapGlobal as ColmapGlobal
    from diptych.stages.sfm.colmap_mapping import ColmapIncremental as ColmapIncremental
    from diptych.stages.sfm.incremental import Incremental as Incremental
    from diptych.stages.sfm.known_poses import TriangulateKnownPoses as TriangulateKnownPoses
    from diptych.stages.slots import Slot as Slot
    from diptych.stages.slots import register_slot as register_slot
    from diptych.stages.stage import Context as Context
    from diptych.stages.stage import Stage as Stage
    from diptych.stages.surface.cloud import MergedCloud as MergedCloud
    from diptych.stages.surface.fusion import ConsistentPoints as ConsistentPoints
    from diptych.stages.surface.poisson import Poisson as Poisson
    from diptych.stages.surface.texturing import TextureAtlas as TextureAtlas
    from diptych.stages.surface.tsdf import Tsdf as Tsdf

_API = {
    "diptych.pipeline.api": (
        "cite",
        "diff",
        "evaluate",
        "evaluate_dense",
        "explain",
        "export",
        "plan",
        "predict",
        "reproduce",
        "run",
    ),
    "diptych.pipeline.engine.graph": ("Graph",),
    "diptych.pipeline.engine.recipe": ("Node", "Recipe"),
    "diptych.pipeline.live": ("view",),
    "diptych.pipeline.protocols.registry": ("bench",),
    "diptych.pipeline.results.result": ("Result",),
    "diptych.pipeline.results.writable": ("writable",),
    "diptych.pipeline.study.compare": ("compare", "run_study"),
    "diptych.pipeline.study.study": ("read_study",),
    "diptych.pipeline.training": ("train",),
    "diptych.stages.failure": ("StageFailure",),
    "diptych.stages.slots": ("Slot", "register_slot"),
    "diptych.stages.stage": ("Context", "Stage"),
}
_MODULES = {name: module for module, names in _API.items() for name in names} | BUILT_IN
"""The module of every public name."""

__all__ = [*_MODULES, "__version__", "testing"]  # pyright: ignore[reportUnsupportedDunderAll]

sys.meta_path.insert(0, MovedModules())


def __getattr__(name: str) -> object:
    if name == "__version__":
        from diptych.stages.provenance import diptych_version

        return diptych_version()
    if name == "testing":
        return importlib.import_module("diptych.testing")
    if name in RENAMED:
        warn_moved(f"diptych.{name}", f"diptych.{RENAMED[name]}")
        name = RENAMED[name]
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
