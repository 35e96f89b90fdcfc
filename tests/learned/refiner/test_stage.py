"""What the stage adds to the contract of refiners: its weights, its place in a graph."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diptych.learned.refiner.network import RefinerNet
from diptych.learned.refiner.stage import SubpixelRefiner
from diptych.learned.weights.files import save
from diptych.pipeline.engine.graph import Graph
from diptych.pipeline.engine.recipe import Node, Recipe
from diptych.stages.failure import StageFailure
from diptych.stages.features.keypoint_patches import KeypointPatches
from diptych.stages.features.least_squares_matching import LeastSquaresMatching
from diptych.stages.features.sift import Sift
from diptych.stages.features.unrefined import Unrefined
from diptych.stages.matching.nearest_neighbor import NearestNeighbor
from diptych.stages.matching.pairs import Exhaustive
from diptych.stages.matching.tracks import UnionFindTracks
from diptych.stages.matching.two_view import PoseLibTwoView
from diptych.stages.scene import Features
from diptych.stages.sfm.incremental import Incremental
from diptych.stages.stage import Context, Stage

from tests.synthetic_patches import PHOTOS, Seen, seen_twice


def refined(stage: SubpixelRefiner, seen: Seen) -> list[Features]:
    return [
        stage.run(name, PHOTOS, features, seen.patches, seen.tracks, Context())
        for name, features in zip(PHOTOS.names, seen.features, strict=True)
    ]


def test_other_weights_enter_the_key_and_change_the_result(tmp_path: Path) -> None:
    torch.manual_seed(0)
    other = tmp_path / "other.safetensors"
    save(RefinerNet(), other)
    stage = SubpixelRefiner(weights=str(other))
    assert stage.files() == (other,)
    seen = seen_twice(1.0)
    mine, shipped = refined(stage, seen), refined(SubpixelRefiner(), seen)
    assert any((a.xy != b.xy).any() for a, b in zip(mine, shipped, strict=True))


def test_weights_that_are_not_there_are_one_sentence() -> None:
    seen = seen_twice(1.0)
    with pytest.raises(StageFailure) as failure:
        refined(SubpixelRefiner(weights="nowhere.safetensors"), seen)
    assert failure.value.code == "missing-weights"


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save(torch.nn.Linear(2, 3), other)
    with pytest.raises(StageFailure) as failure:
        refined(SubpixelRefiner(weights=str(other)), seen_twice(1.0))
    assert failure.value.code == "wrong-architecture"


@pytest.mark.parametrize("refiner", [Unrefined(), LeastSquaresMatching(), SubpixelRefiner()], ids=str)
def test_what_follows_sees_the_refined_features(refiner: Stage) -> None:
    before = [Sift(), Exhaustive(), NearestNeighbor(), PoseLibTwoView(), UnionFindTracks(), KeypointPatches()]
    graph = Graph.of(Recipe([*before, Node("refined", refiner), Incremental()]))
    assert graph["refined"].per == "photo"
    feeds = {edge.parameter: (edge.source, edge.form) for edge in graph["refined"].inputs}
    assert feeds["features"] == ("features", "one")
    if "patches" in feeds:
        assert feeds["patches"] == ("patches", "each")
    sparse = {edge.parameter: edge.source for edge in graph["sparse"].inputs}
    assert sparse["features"] == "refined"
    assert {edge.source for edge in graph["patches"].inputs} >= {"features", "tracks"}
