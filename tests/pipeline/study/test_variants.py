"""Variants: what is put where, what stays, and what is said of what does not fit."""

from __future__ import annotations

import pytest
from diptych import Node, Recipe
from diptych.pipeline.engine.graph import Graph
from diptych.pipeline.study.variants import (
    axis_of,
    label_of,
    parse_choice,
    parse_use,
    placed,
    product_of,
    split,
    varied,
    with_keypoints,
)
from diptych.stages.failure import StageFailure
from diptych.stages.features.sift import Sift
from diptych.stages.mvs.patchmatch.stage import PatchMatch
from diptych.stages.mvs.sgm import Sgm
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.toys import DENSE, TOY, Corners, Layers, Nudge

CLASSICAL = Recipe.load("classical")


def names(recipe: Recipe) -> list[str]:
    return [node.name for node in recipe.nodes]


def test_a_slot_means_all_its_nodes() -> None:
    changed = varied(CLASSICAL, {"depths": "Sgm"})
    assert [type(node.stage) for node in changed.nodes if node.slot == "depths"] == [Sgm]
    assert names(changed) == [name for name in names(CLASSICAL) if name != "depths_geometric"]
    assert varied(CLASSICAL, {"depths_geometric": PatchMatch(sources=3)})["depths"] == PatchMatch()
    # Semi-global matching starts from nothing, so what came before it is of no use.
    assert "depths" not in names(varied(CLASSICAL, {"depths_geometric": "Sgm"}))


def test_a_refiner_of_a_slot_is_a_place_of_its_own() -> None:
    learned = Recipe.load("learned")
    changed = varied(learned, {"features": "Sift(max_keypoints=99)", "refined": "Unrefined"})
    assert {"features", "refined", "sparse"} <= set(names(changed))
    assert changed["features"] == Sift(max_keypoints=99)
    assert type(changed["refined"]).__name__ == "Unrefined"


def test_what_is_there_already_stays_as_it_is() -> None:
    set_before = CLASSICAL.set({"depths.sources": 3})
    assert varied(set_before, {"depths": "PatchMatch"}) == set_before
    assert varied(set_before, {"depths": "PatchMatch+PatchMatch"}) == set_before
    once = varied(set_before, {"depths": "PatchMatch(sources=4)"})
    assert [node.stage for node in once.nodes if node.slot == "depths"] == [PatchMatch(sources=4)]


def test_several_stages_follow_each_other() -> None:
    three = varied(CLASSICAL, {"depths": ["Sgm", PatchMatch(), "PatchMatch"]})
    assert [(n.name, type(n.stage)) for n in three.nodes if n.slot == "depths"] == [
        ("depths", Sgm),
        ("depths_geometric", PatchMatch),
        ("depths_2", PatchMatch),
    ]
    Graph.of(three)


def test_none_leaves_out_the_node_and_what_served_it_alone() -> None:
    learned = Recipe.load("learned")
    without = varied(learned, {"refined": "none"})
    assert set(names(learned)) - set(names(without)) == {"refined", "patches"}
    assert names(varied(CLASSICAL, {"mesh": None})) == names(CLASSICAL)[:-1]


def test_a_parameter_varies_alone() -> None:
    axis = axis_of("features.count", [2, 3])
    assert list(axis) == ["count=2", "count=3"]
    assert [v.recipe["features"] for v in product_of(TOY, {"n": axis})] == [Corners(count=2), Corners(count=3)]


def test_a_label_may_stand_for_changes_in_several_places() -> None:
    axis = axis_of("front", {"more": {"features": "toys:Corners(count=6)", "sparse.step": 2.0}, "same": {}})
    more, same = product_of(TOY, {"front": axis})
    assert more.recipe["features"].count == 6  # type: ignore[attr-defined]
    assert more.recipe["sparse"].step == 2.0  # type: ignore[attr-defined]
    assert same.recipe.nodes == TOY.nodes
    assert more.choices == {"front": "more"}


def test_all_combinations_the_first_first() -> None:
    axes = {"depths": axis_of("depths", ["PatchMatch", "Sgm"]), "mesh": axis_of("mesh", ["Poisson", "Tsdf"])}
    assert [v.name for v in product_of(CLASSICAL, axes)] == [
        "PatchMatch · Poisson",
        "PatchMatch · Tsdf",
        "Sgm · Poisson",
        "Sgm · Tsdf",
    ]


def test_a_table_and_a_text_say_the_same() -> None:
    assert placed({"use": "Sift", "max_keypoints": 7}) == placed("Sift(max_keypoints=7)") == (Sift(max_keypoints=7),)
    assert label_of(Sift(max_keypoints=7)) == label_of("Sift( max_keypoints=7 )") == "Sift(max_keypoints=7)"
    assert label_of([Sift(), "Sgm"]) == "Sift+Sgm"
    assert label_of(None) == "none"


def test_every_detector_gets_the_same_budget() -> None:
    assert with_keypoints(CLASSICAL, 500)["features"] == Sift(max_keypoints=500)
    with pytest.raises(StageFailure, match="Corners knows no limit"):
        with_keypoints(TOY, 500)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"dephts": "Sgm"}, "unknown-node"),
        ({"refined": "Unrefined"}, "unknown-node"),
        ({"depths": "Sift"}, "wrong-slot"),
        ({"depths": "Sgmm"}, "unknown-stage"),
        ({"depths": "Sgm(depth=3)"}, "unknown-parameter"),
        ({"depths": "a b"}, "bad-alternative"),
        ({"depths": 3.5}, "bad-alternative"),
        ({"features.max_keypoints": "many"}, "bad-parameter"),
    ],
)
def test_what_does_not_fit_is_said(changes: dict[str, object], code: str) -> None:
    with pytest.raises(StageFailure) as caught:
        varied(CLASSICAL, changes)  # type: ignore[arg-type]
    assert caught.value.code == code


def test_names_of_new_nodes_are_free() -> None:
    recipe = Recipe([*TOY.nodes[:1], Node("features_2", Nudge()), *TOY.nodes[1:]], "two")
    changed = varied(recipe, {"features_2": [Nudge(by=1), Nudge(by=2)]})
    assert len(set(names(changed))) == len(names(changed)) == len(names(recipe)) + 1
    assert varied(DENSE, {"refined": Layers(above=2.0)})["refined"] == Layers(above=2.0)


@given(st.lists(st.text("ab(,)+= ", max_size=6), max_size=5))
def test_splitting_loses_nothing(parts: list[str]) -> None:
    text = ",".join(parts)
    assert ",".join(split(text, ",")).replace(" ", "") == text.replace(" ", "")


def test_a_choice_is_read_from_text() -> None:
    assert parse_choice(" depths = Sgm, DepthNet(sources=5, max_size=9)") == (
        "depths",
        ["Sgm", "DepthNet(sources=5, max_size=9)"],
    )
    assert parse_use(["depths=DepthNet(sources=5)", "pairs=none"]) == {"depths": "DepthNet(sources=5)", "pairs": "none"}
    for text in ("depths", "=Sgm", "depths=", "depths=Sgm,DepthNet"):
        with pytest.raises(StageFailure, match="bad-choice"):
            parse_use([text])


def test_the_same_stage_by_another_name_stays_as_it_is() -> None:
    recipe = Recipe([*TOY.nodes[:1], *TOY.nodes[1:]]).set({"features.count": 7})
    assert varied(recipe, {"features": f"{Corners.__module__}:Corners"}) == recipe
