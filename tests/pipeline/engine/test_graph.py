"""The graph is what the signatures say, and what does not fit is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from diptych.pipeline.engine.graph import Graph
from diptych.pipeline.engine.recipe import Node, Recipe
from diptych.stages.dense import Around, DepthMap, Mesh, View
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Features, Matches, Pair, Pairs, Photo, Photos, TwoView
from diptych.stages.stage import Context, Stage
from toys import (
    Corner,
    Corners,
    Developed,
    Drawn,
    EveryPair,
    Layers,
    Likeness,
    Line,
    Nudge,
    OneTrackEach,
    SameIndex,
    SimilarPairs,
)


def edges(graph: Graph, name: str) -> dict[str, tuple[str, str]]:
    return {edge.parameter: (edge.source, edge.form) for edge in graph[name].inputs}


def test_edges_follow_from_names_and_annotations(toy: Recipe) -> None:
    graph = Graph.of(toy)
    assert [(v.name, v.per) for v in graph.vertices] == [
        ("features", "photo"),
        ("pairs", "run"),
        ("matches", "pair"),
        ("two_views", "pair"),
        ("tracks", "run"),
        ("sparse", "run"),
    ]
    assert edges(graph, "features") == {"photo": ("photo", "one")}
    assert edges(graph, "matches") == {"features": ("features", "pair")}
    assert edges(graph, "two_views") == {
        "matches": ("matches", "one"),
        "features": ("features", "pair"),
        "camera": ("camera", "pair"),
    }
    assert edges(graph, "tracks")["two_views"] == ("two_views", "all")
    assert graph["two_views"].draws
    assert not graph["matches"].draws
    assert graph["features"].wants_context
    assert graph["matches"].pairs == "pairs"


def test_an_input_is_the_latest_earlier_node_of_its_slot() -> None:
    graph = Graph.of(Recipe([Corners(), EveryPair(), Nudge(), Node("more", Nudge()), SameIndex(), Nudge()]))
    assert edges(graph, "features_2") == {"features": ("features", "one")}
    assert edges(graph, "more") == {"features": ("features_2", "one")}
    assert edges(graph, "matches") == {"features": ("more", "pair")}


def test_neighbors_come_from_the_latest_node_that_says_them(dense: Recipe) -> None:
    graph = Graph.of(dense)
    assert edges(graph, "depths") == {"views": ("views", "around")}
    assert edges(graph, "refined") == {"views": ("views", "around"), "depths": ("depths", "around")}
    assert edges(graph, "fused")["depths"] == ("refined", "around")
    assert edges(graph, "mesh") == {"views": ("views", "each"), "depths": ("refined", "each")}
    assert (graph["depths"].per, graph["mesh"].per) == ("photo", "run")
    assert (graph["depths"].neighbors, graph["depths"].choices) == ("neighbors", ("neighbors",))
    assert graph["views"].choices == (), "a stage that reads the choice as an input has its tasks without it"
    again = Graph.of(Recipe([*dense.nodes[:-1], Node("nearer", Likeness(count=1)), Node("last", Layers())]))
    assert again["last"].neighbors == "nearer"
    assert again.needed_for("last") >= {"nearer", "refined", "views", "sparse"}


def test_an_optional_input_is_left_out_where_nothing_fills_its_slot(dense: Recipe) -> None:
    graph = Graph.of(dense)
    assert "depths" not in edges(graph, "depths")
    assert "depths" in edges(graph, "refined")
    assert "depths" not in graph.needed_for("depths") - {"depths"}


def test_until_keeps_what_is_needed(toy: Recipe) -> None:
    assert [v.name for v in Graph.of(toy, "matches").vertices] == ["features", "pairs", "matches"]
    assert [v.name for v in Graph.of(toy, "pairs").vertices] == ["pairs"]
    chained = Recipe([Corners(), Nudge(), Node("more", Nudge())])
    assert [v.name for v in Graph.of(chained, "features").vertices] == ["features"]
    assert [v.name for v in Graph.of(Recipe([Node("raw", Corners()), *chained.nodes[1:]]), "features").vertices] == [
        "raw",
        "features_2",
        "more",
    ]
    with pytest.raises(StageFailure, match="unknown-slot") as caught:
        Graph.of(toy, "match")
    assert caught.value.hint == "Did you mean 'matches'?"


class WrongName(Stage):
    """Takes what is no slot."""

    slot = "features"

    def run(self, foto: Photo) -> Features:
        raise AssertionError


class WrongForm(Stage):
    """Takes all matches as a list."""

    slot = "pairs"

    def run(self, matches: list[Matches]) -> Pairs:
        raise AssertionError


class WrongOutput(Stage):
    """Gives another type than its slot holds."""

    slot = "features"

    def run(self, photo: Photo) -> Matches:
        raise AssertionError


class NoOutput(Stage):
    """Does not say what it gives."""

    slot = "features"

    def run(self, photo: Photo):
        raise AssertionError


class WrongPer(Stage):
    """Runs once but fills a slot per photo."""

    slot = "features"

    def run(self, photos: Photos) -> Features:
        raise AssertionError


class Mixed(Stage):
    """Takes one photo's features beside a pair's matches."""

    slot = "two_views"

    def run(self, matches: Matches, features: Features) -> TwoView:
        raise AssertionError


class WrongRng(Stage):
    """Takes a legacy generator."""

    slot = "features"

    def run(self, photo: Photo, rng: np.random.RandomState) -> Features:
        raise AssertionError


class WrongContext(Stage):
    """Takes a context that says nothing."""

    slot = "features"

    def run(self, photo: Photo, context) -> Features:
        raise AssertionError


class NoSlot(Stage):
    """Fills a slot that does not exist."""

    slot = "feature"

    def run(self, photo: Photo, context: Context) -> Features:
        raise AssertionError


class FillsSource(Stage):
    """Would make photos."""

    slot = "photos"

    def run(self, photo: Photo) -> Photos:
        raise AssertionError


class Unresolvable(Stage):
    """Names a type that is not there."""

    slot = "features"

    def run(self, photo: Nowhere) -> Features:  # noqa: F821  # pyright: ignore
        raise AssertionError


class Late(Stage):
    """Would do without views, but says so only in the type."""

    slot = "depths"

    def run(self, views: Around[View] | None) -> DepthMap:
        raise AssertionError


class AroundPairs(Stage):
    """Takes the matches of a pair and its neighbors, which there are not."""

    slot = "matches"

    def run(self, matches: Around[Matches]) -> Matches:
        raise AssertionError


class AroundOnce(Stage):
    """Takes a photo's views for a mesh of all."""

    slot = "mesh"

    def run(self, views: Around[View]) -> Mesh:
        raise AssertionError


class Photographed(Developed):
    """A view without a choice of neighbors."""

    def run(self, photo: Photo) -> View:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise AssertionError


class Guided(Stage):
    """Takes matches of a pair and gives matches again."""

    slot = "matches"

    def run(self, features: Pair[Features], two_views: TwoView) -> Matches:
        raise AssertionError


@pytest.mark.parametrize(
    ("stages", "code", "words"),
    [
        ([WrongName()], "unknown-input", "takes 'foto', which is no slot"),
        ([Corners(), EveryPair(), SameIndex(), WrongForm()], "wrong-input", "takes 'matches' as list[Matches]"),
        ([WrongOutput()], "wrong-output", "gives Matches, not Features"),
        ([NoOutput()], "wrong-output", "gives nothing, not Features"),
        ([WrongPer()], "wrong-extent", "runs once, but 'features' is filled per photo"),
        (
            [Corners(), EveryPair(), SameIndex(), Mixed()],
            "wrong-input",
            "takes 'matches' per pair and 'features' per photo",
        ),
        ([WrongRng()], "wrong-input", "takes 'rng' as RandomState, not Generator"),
        ([WrongContext()], "wrong-input", "takes 'context' as nothing, not Context"),
        ([NoSlot()], "unknown-slot", "fills 'feature', which no stage can"),
        ([FillsSource()], "unknown-slot", "fills 'photos', which no stage can"),
        ([Unresolvable()], "bad-signature", "cannot be resolved"),
        ([SameIndex()], "missing-input", "takes 'features', which no earlier node fills"),
        ([Corners(), SameIndex()], "missing-input", "runs per pair, and no earlier node fills 'pairs'"),
        ([EveryPair(), OneTrackEach()], "missing-input", "takes 'features'"),
        ([Photographed(), Layers()], "missing-input", "takes 'views' of a photo's neighbors, and no earlier node"),
        ([Photographed(), Corner()], "missing-input", "takes 'depths', which no earlier node fills"),
        ([Photographed(), Late()], "wrong-input", "takes 'views' as Around[View] | None, but its default is not None"),
        ([Corners(), EveryPair(), SameIndex(), AroundPairs()], "wrong-input", "takes 'matches' as Around[Matches]"),
        ([Photographed(), AroundOnce()], "wrong-extent", "runs per photo, but 'mesh' is filled once"),
    ],
)
def test_what_does_not_fit_is_refused(stages: list[Stage], code: str, words: str) -> None:
    with pytest.raises(StageFailure) as caught:
        Graph.of(Recipe(stages))
    assert caught.value.code == code
    assert words in caught.value.sentence
    assert f"'{Recipe(stages).nodes[-1].name}' ({type(stages[-1]).__name__})" in caught.value.sentence


def test_items_of_different_pairs_do_not_meet() -> None:
    stages = [Corners(), EveryPair(), SameIndex(), Drawn(), SimilarPairs(), Guided()]
    guided = Graph.of(Recipe(stages))
    assert guided["matches_2"].pairs == "pairs", "a stage runs over the pairs of its per-pair inputs"
    with pytest.raises(StageFailure, match="mixed-pairs"):
        Graph.of(Recipe([Corners(), EveryPair(), SameIndex(), Drawn(), SimilarPairs(), SameIndex(), Drawn2()]))


class Drawn2(Stage):
    """Takes matches and an earlier two-view geometry."""

    slot = "two_views"

    def run(self, matches: Matches, two_views: TwoView) -> TwoView:
        raise AssertionError


def test_the_graph_draws_itself(toy: Recipe) -> None:
    graph = Graph.of(toy)
    text = graph.text()
    assert text.splitlines()[3].split() == [
        "two_views",
        "Drawn",
        "(per",
        "pair)",
        "<-",
        "matches,",
        "features",
        "(two),",
        "camera",
        "(two)",
    ]
    drawn = graph.mermaid()
    assert drawn.startswith("flowchart TD\n    photo[/photo/]\n")
    for vertex in graph.vertices:
        assert f"{vertex.name}: {type(vertex.stage).__name__}" in drawn
        for edge in vertex.inputs:
            assert any(
                line.split()[0] == edge.source and line.split()[-1] == vertex.name for line in drawn.splitlines()
            )
    assert "features -->|two| matches" in drawn
    assert "photo --> features" in drawn


def test_the_graph_draws_how_much_of_a_slot_is_taken(dense: Recipe) -> None:
    lines = {line.split()[0]: line for line in Graph.of(dense).text().splitlines()}
    assert lines["refined"].endswith("Layers (per photo) <- views (around), depths (around)")
    assert lines["mesh"].endswith("Corner (once) <- views (one by one), refined (one by one)")
    assert lines["cloud"].endswith("Gathered (once) <- fused (all)")
    drawn = Graph.of(dense).mermaid().splitlines()
    for arrow in ("views -->|around| refined", "neighbors -.-> refined", "pairs -.-> matches", "neighbors --> views"):
        assert f"    {arrow}" in drawn
    assert "    neighbors -.-> views" not in drawn


def test_every_vertex_of_a_graph_was_asked_for() -> None:
    assert Graph.of(Recipe([])).vertices == ()
    assert Line.slot == "sparse"


def test_a_graph_is_had_by_name_by_file_and_from_a_recipe(tmp_path: Path) -> None:
    graph = Graph.of("sgm")
    assert graph == Graph.of(Recipe.load("sgm"))
    (tmp_path / "sgm.toml").write_text(Recipe.load("sgm").toml())
    assert Graph.of(tmp_path / "sgm.toml", until="pairs") == graph.until("pairs")


def test_a_graph_is_shown_in_a_few_lines() -> None:
    graph = Graph.of("classical")
    assert repr(graph).startswith("Graph(features=Sift, pairs=Exhaustive, ")
    assert len(repr(graph)) < 2000
    assert "PatchMatch (per photo) &lt;- views" in graph._repr_html_()
    assert len(graph._repr_html_()) < 2000
