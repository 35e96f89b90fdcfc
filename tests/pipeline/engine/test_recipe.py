"""Recipes: what they say, what they refuse, and what they offer instead."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

import pytest
import toys
from diptych.pipeline.engine import registry
from diptych.pipeline.engine.built_in import BUILT_IN
from diptych.pipeline.engine.graph import Graph
from diptych.pipeline.engine.parameters import convert
from diptych.pipeline.engine.recipe import Node, Recipe
from diptych.stages.failure import StageFailure
from diptych.stages.slots import SLOTS
from diptych.stages.stage import Stage
from toys import Corners, EveryPair, Layers, Nudge

from tests.pipeline.cache.test_keys import Everything

TOML = """
[features]
use = "toys:Corners"
count = 6

[nudged]
use = "toys:Nudge"
by = 1
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(TOML)
    return path


def test_a_file_is_read_in_its_order(written: Path) -> None:
    recipe = Recipe.load(written)
    assert recipe.name == "mine"
    assert recipe.nodes == (Node("features", Corners(count=6)), Node("nudged", Nudge(by=1.0)))
    assert Recipe.load(str(written)) == recipe
    assert Recipe.load(recipe) is recipe


def test_a_recipe_survives_its_dictionary(written: Path) -> None:
    recipe = Recipe.load(written)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict())), "mine") == recipe
    knobs = Recipe([Everything(sizes=(), nothing="x", choice="y"), Everything(real=float("-inf"))])
    again = Recipe.from_dict(json.loads(json.dumps(knobs.as_dict())))
    assert again == knobs


SPARSE = ["features", "pairs", "matches", "two_views", "tracks", "sparse"]
DENSE = ["neighbors", "views", "depths", "fused", "cloud", "mesh"]


REFINED = ["neighbors", "views", "depths", "depths_geometric", "fused", "cloud", "mesh"]


MONO = ["neighbors", "views", "mono", "depths"]


@pytest.mark.parametrize(
    ("name", "nodes"), [("classical", [*SPARSE, *REFINED]), ("sgm", [*SPARSE, *DENSE]), ("mono", [*SPARSE, *MONO])]
)
def test_a_built_in_recipe_names_known_stages_that_fit(name: str, nodes: list[str]) -> None:
    recipe = Recipe.load(name)
    assert [node.name for node in recipe.nodes] == nodes
    assert all(type(node.stage).__name__ in BUILT_IN for node in recipe.nodes)
    assert [vertex.name for vertex in Graph.of(recipe).vertices] == nodes


def test_depth_is_found_then_made_consistent() -> None:
    graph = Graph.of(Recipe.load("classical"))
    assert [edge.source for edge in graph["depths"].inputs] == ["views"]
    assert [edge.source for edge in graph["depths_geometric"].inputs] == ["views", "depths"]
    assert [edge.source for edge in graph["fused"].inputs] == ["views", "depths_geometric"]
    assert Recipe.load("classical").set(["depths_geometric.sources=3"])["depths"] == Recipe.load("classical")["depths"]


def test_a_quick_look_shares_the_sparse_half() -> None:
    assert Recipe.load("sgm").nodes[: len(SPARSE)] == Recipe.load("classical").nodes[: len(SPARSE)]


def test_two_nodes_of_a_slot_are_set_apart() -> None:
    recipe = toys.DENSE.set(["depths.above=2", "refined.above=3"])
    assert (recipe["depths"], recipe["refined"]) == (Layers(above=2.0), Layers(above=3.0))
    assert [node.name for node in Recipe([Layers(), Layers()]).nodes] == ["depths", "depths_2"]


def test_stages_are_named_after_their_slots() -> None:
    recipe = Recipe([Corners(), Nudge(), EveryPair(), Node("again", Nudge())])
    assert [node.name for node in recipe.nodes] == ["features", "features_2", "pairs", "again"]
    with pytest.raises(StageFailure, match="duplicate-node"):
        Recipe([Node("x", Corners()), Node("x", Nudge())])


def test_stages_can_be_swapped() -> None:
    recipe = Recipe([Corners(), EveryPair()])
    assert recipe.with_(features=Corners(count=9))["features"] == Corners(count=9)
    with pytest.raises(StageFailure, match="wrong-slot"):
        recipe.with_(features=EveryPair())
    with pytest.raises(StageFailure, match="unknown-node") as caught:
        recipe.with_(feature=Corners())
    assert caught.value.hint == "Did you mean 'features'?"


def test_settings_change_parameters() -> None:
    recipe = Recipe([Corners(count=5), EveryPair()])
    for settings in (["features.spread=2", "features.warns=true"], {"features.spread": 2, "features.warns": True}):
        assert recipe.set(settings)["features"] == Corners(count=5, spread=2.0, warns=True)
    assert recipe.set([]) == recipe


@pytest.mark.parametrize(
    ("setting", "code", "hint"),
    [
        ("features.cuont=1", "unknown-parameter", "Did you mean 'count'?"),
        ("feature.count=1", "unknown-node", "Did you mean 'features'?"),
        ("features.count=many", "bad-parameter", "Expected int."),
        ("features.count=1.5", "bad-parameter", "Expected int."),
        ("features.warns=perhaps", "bad-parameter", "Expected bool."),
        ("features=1", "bad-setting", "Write node.parameter=value."),
        ("features.count", "bad-setting", "Write node.parameter=value."),
    ],
)
def test_wrong_settings_are_told_what_is_right(setting: str, code: str, hint: str) -> None:
    with pytest.raises(StageFailure) as caught:
        Recipe([Corners()]).set([setting])
    assert (caught.value.code, caught.value.hint) == (code, hint)


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ('[features]\nuse = "Sfit"', "unknown-stage", "Did you mean 'Sift'?"),
        ('[features]\nuse = "toys:Corners"\ncounts = 3', "unknown-parameter", "Did you mean 'count'?"),
        ('[features]\nuse = "toys:Corners"\ncount = "x"', "bad-parameter", "Expected int."),
        ('[features]\nuse = "toys:paint"', "unknown-stage", ""),
        ('[features]\nuse = "toys:Nothing"', "stage-not-importable", "Install the package that holds toys."),
        ('[features]\nuse = "no.such:Thing"', "stage-not-importable", "Install the package that holds no.such."),
        ("[features]\ncount = 3", "bad-recipe", 'Write a table [features] with use = "StageName".'),
        ("features = 3", "bad-recipe", 'Write a table [features] with use = "StageName".'),
        ("[features", "bad-recipe", ""),
    ],
)
def test_wrong_recipes_are_told_what_is_right(tmp_path: Path, text: str, code: str, hint: str) -> None:
    (tmp_path / "wrong.toml").write_text(text)
    with pytest.raises(StageFailure) as caught:
        Recipe.load(tmp_path / "wrong.toml")
    assert (caught.value.code, caught.value.hint) == (code, hint)


def test_an_unknown_recipe_offers_the_nearest() -> None:
    with pytest.raises(StageFailure, match="unknown-recipe") as caught:
        Recipe.load("clasical")
    assert caught.value.hint == "Did you mean 'classical'?"


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("3", int, 3),
        (3, float, 3.0),
        ("1e-3", float, 1e-3),
        ("inf", float, float("inf")),
        ("none", int | None, None),
        ("4", int | None, 4),
        ("none", str | None, None),
        ("1,2", tuple[int, ...], (1, 2)),
        ([1, 2.0], tuple[float, float], (1.0, 2.0)),
        ("", tuple[int, ...], ()),
        ("False", bool, False),
        ("x", str, "x"),
        ("a", Path, Path("a")),
    ],
)
def test_values_take_the_type_of_their_field(value: object, kind: object, expected: object) -> None:
    got = convert(value, kind)
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, int), (1, bool), ("1,2,3", tuple[int, int]), (3, str), (None, int), (float("nan"), int), ("x", int | None)],
)
def test_values_of_another_type_are_refused(value: object, kind: object) -> None:
    with pytest.raises(ValueError):
        convert(value, kind)


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_built_in_stages_are_what_they_say(name: str) -> None:
    """Found by name, named again, documented, and whole after pickling."""
    cls = registry.find(name)
    fields: tuple[dataclasses.Field[object], ...] = dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]
    stage = cls(**{field.name: "given" for field in fields if field.default is dataclasses.MISSING})
    assert registry.name_of(cls) == name
    assert cls.slot in SLOTS
    assert cls.__doc__
    assert not cls.__doc__.startswith(f"{name}(")
    assert pickle.loads(pickle.dumps(stage)) == stage
    assert dataclasses.is_dataclass(stage)
    assert isinstance(stage, Stage)


def test_a_class_without_a_name_is_known_by_its_address() -> None:
    assert registry.name_of(Corners) == "toys:Corners"
    assert registry.find("toys:Corners") is Corners


def test_other_packages_offer_stages_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "offer-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offer\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[diptych.stages]\nOffered = toys:Nudge\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registry.find("Offered") is Nudge
    assert registry.name_of(Nudge) == "Offered"
    assert "Offered" in registry.names()
