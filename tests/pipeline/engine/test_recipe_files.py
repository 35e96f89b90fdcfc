"""Recipe files: a base and what differs from it, and recipes written as TOML."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from diptych import Recipe, moved
from diptych.learned.depth.stage import DepthNet
from diptych.learned.mono.learning import MonoLearning
from diptych.learned.mono.stage import MonoNet
from diptych.learned.refiner.stage import SubpixelRefiner
from diptych.pipeline.engine import registry
from diptych.stages.failure import StageFailure
from diptych.stages.features.keypoint_patches import KeypointPatches
from diptych.stages.features.sift import Sift
from diptych.stages.images.undistortion import Undistort
from diptych.stages.mvs.patchmatch.stage import PatchMatch
from diptych.stages.mvs.sgm import Sgm
from diptych.stages.stage import Stage
from toys import DENSE, Corners, Nudge

BUILT_IN = ("classical", "hybrid", "learned", "mono", "sgm")
CLASSICAL = Recipe.load("classical")


def load(folder: Path, text: str, name: str = "mine") -> Recipe:
    (folder / f"{name}.toml").write_text(text)
    return Recipe.load(folder / f"{name}.toml")


def without(*names: str) -> dict[str, Stage]:
    return {node.name: node.stage for node in CLASSICAL.nodes if node.name not in names}


def inserted(nodes: dict[str, Stage], after: str, new: dict[str, Stage]) -> dict[str, Stage]:
    at = list(nodes).index(after) + 1
    return {name: {**nodes, **new}[name] for name in [*list(nodes)[:at], *new, *list(nodes)[at:]]}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sgm", {**without("depths_geometric"), "depths": Sgm()}),
        ("hybrid", {**without(), "depths": DepthNet(min_confidence=0.0), "depths_geometric": PatchMatch(sources=5)}),
        (
            "learned",
            {
                **inserted(
                    without("depths_geometric"), "tracks", {"patches": KeypointPatches(), "refined": SubpixelRefiner()}
                ),
                "depths": DepthNet(),
            },
        ),
        (
            "mono",
            {
                **inserted(without("depths_geometric", "fused", "cloud", "mesh"), "views", {"mono": MonoLearning()}),
                "views": Undistort(max_size=800),
                "depths": MonoNet(),
            },
        ),
    ],
)
def test_a_built_in_recipe_differs_from_the_classical_one_as_it_says(name: str, expected: dict[str, Stage]) -> None:
    recipe = Recipe.load(name)
    assert [(node.name, node.stage) for node in recipe.nodes] == list(expected.items())
    assert recipe.name == name


def test_a_base_is_changed_node_by_node(tmp_path: Path) -> None:
    recipe = load(
        tmp_path,
        """
        base = "classical"
        views.max_size = 400
        mesh.use = "none"
        [features]
        use = "Sift"
        max_keypoints = 100
        [nudged]
        use = "toys:Nudge"
        after = "features"
        [again]
        use = "toys:Nudge"
        by = 2.0
        after = "nudged"
        [last]
        use = "Tsdf"
        """,
    )
    names = [node.name for node in CLASSICAL.nodes]
    assert [node.name for node in recipe.nodes] == ["features", "nudged", "again", *names[1:-1], "last"]
    assert (recipe["nudged"], recipe["again"]) == (Nudge(), Nudge(by=2.0))
    assert recipe["views"] == Undistort(max_size=400)
    assert recipe["features"] == Sift(max_keypoints=100)
    assert recipe["depths"] == CLASSICAL["depths"]


def test_use_starts_from_the_defaults_and_parameters_from_the_base(tmp_path: Path) -> None:
    load(tmp_path, 'base = "classical"\nfeatures.max_keypoints = 100\ndepths.sources = 3', "first")
    second = load(tmp_path, 'base = "first.toml"\nfeatures.max_size = 320\ndepths.use = "PatchMatch"', "second")
    assert second["features"] == Sift(max_keypoints=100, max_size=320)
    assert second["depths"] == PatchMatch()
    assert second.name == "second"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('base = "clasical"', "unknown-recipe", "'clasical'"),
        ('base = "mine.toml"', "bad-recipe", "its own base"),
        ('base = "classical"\nfeatures = 3', "bad-recipe", "'features'"),
        ('base = "classical"\nnew.count = 3', "bad-recipe", "does not say which stage"),
        ('base = "classical"\nfeatures.count = 3', "unknown-parameter", "'count'"),
        ('base = "classical"\n[new]\nuse = "toys:Nudge"\nafter = "feature"', "bad-recipe", "after = 'feature'"),
        ('base = "classical"\n[features]\nafter = "pairs"', "bad-recipe", "is a node of the base"),
        ("base = 3", "bad-recipe", "'base'"),
    ],
)
def test_what_does_not_fit_a_base_is_said(tmp_path: Path, text: str, code: str, said: str) -> None:
    with pytest.raises(StageFailure) as caught:
        load(tmp_path, text)
    assert caught.value.code == code
    assert said in caught.value.sentence


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_recipe_is_read_back_from_its_toml(name: str, tmp_path: Path) -> None:
    recipe = Recipe.load(name)
    assert load(tmp_path, recipe.toml(), name) == recipe
    assert len(repr(recipe)) < 2000 and len(recipe._repr_html_()) < 2000


class Spelled(Stage):
    slot = "mesh"
    text: str = 'a "quoted" \\ \x7f 写真\n'
    choice: str | None = None
    real: float = 1e-300
    infinite: float = float("-inf")
    several: tuple[float, ...] = (0.1, 2.0)
    yes: bool = True
    deep: object = None


def test_any_parameter_survives(tmp_path: Path) -> None:
    recipe = Recipe([*DENSE.nodes[:2], Spelled(), Spelled(choice="x", several=(), yes=False)], "mine")
    tables = tomllib.loads(recipe.toml())
    assert list(tables) == ["features", "pairs", "mesh", "mesh_2"]
    expected: Any = asdict(recipe["mesh"])  # type: ignore[call-overload]
    assert tables["mesh"]["text"] == expected["text"]
    assert tables["mesh"]["real"] == expected["real"]
    assert tables["mesh_2"]["several"] == []
    with pytest.raises(StageFailure, match="cannot hold the parameter"):
        Recipe([Spelled(deep={"a": 1})]).toml()


def test_a_stage_is_found_by_its_old_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(moved.RENAMED, "Sifter", "Sift")
    with pytest.warns(DeprecationWarning, match="Sifter is Sift now"):
        assert registry.find("Sifter") is Sift


def test_a_recipe_shows_what_differs_from_the_defaults() -> None:
    recipe = DENSE.set({"features.count": 7, "depths.above": 2.5})
    assert "features=Corners(count=7), pairs=EveryPair" in repr(recipe)
    assert "<td>depths</td><td>depths</td><td>Layers(above=2.5)</td>" in recipe._repr_html_()
    assert str(Recipe([Corners()]).nodes[0]) == "features=Corners"
