"""Results by slot and item: read when they are asked for, and not before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diptych as dp
import numpy as np
import pytest
from diptych.pipeline.cache.store import Store
from diptych.pipeline.results.values import Dense, Items, Results
from diptych.stages.dense import DepthMap
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Camera
from toys import Layers

CAMERA = Camera("PINHOLE", 4, 3, (5.0, 5.0, 2.0, 1.5))


def depth_map(value: float, missing: str = "") -> DepthMap:
    shape = (3, 4)
    return DepthMap(np.full(shape, value), np.zeros((*shape, 3)), np.zeros(shape), np.zeros(shape), missing)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def test_an_item_is_read_when_it_is_asked_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {name: store.write(depth_map(i))[0] for i, name in enumerate(("a.jpg", "b.jpg"), 1)}
    read: list[str] = []
    whole = Store.read

    def noting(self: Store, artifact: str, expected: type[Any]) -> Any:
        read.append(artifact)
        return whole(self, artifact, expected)

    monkeypatch.setattr(Store, "read", noting)
    items = Items("depths", digests, store)
    assert list(items) == ["a.jpg", "b.jpg"] and len(items) == 2 and "c.jpg" not in items and not read
    assert items["b.jpg"].depth[0, 0] == 2 and read == [digests["b.jpg"]]
    assert items.get("c.jpg") is None and len(read) == 1


def test_what_the_store_has_lost_is_said(store: Store) -> None:
    items = Items("depths", {"a.jpg": "0" * 64}, store)
    with pytest.raises(StageFailure, match="no longer holds the 'depths'") as caught:
        items["a.jpg"]
    assert caught.value.code == "no-result"


def test_the_last_node_of_a_slot_stands_for_it(store: Store) -> None:
    first, second = (store.write(depth_map(value))[0] for value in (1, 2))
    results = Results({"rough": "depths", "fine": "depths"}, {("rough", "a"): first, ("fine", "a"): second}, store)
    assert results["depths"]["a"].depth[0, 0] == results["fine"]["a"].depth[0, 0] == 2
    assert results["rough"]["a"].depth[0, 0] == 1
    assert not results["mesh"] and not results["nonsense"] and results.sparse is None
    assert results.dense.mesh is None and results.dense.cloud is None and results.dense.neighbors is None


def test_of_a_run_that_failed_the_node_that_made_the_most_stands_for_its_slot(store: Store) -> None:
    first, second = (store.write(depth_map(value))[0] for value in (1, 2))
    done = {("rough", "a"): first, ("rough", "b"): first, ("fine", "a"): second}
    results = Results({"rough": "depths", "fine": "depths"}, done, store)
    assert [each.depth[0, 0] for each in results.dense.depths.values()] == [1, 1]
    assert len(results["fine"]) == 1 and len(Results(results.slots, {}, store)["depths"]) == 0


def test_missing_is_told_by_name() -> None:
    maps = {"a": depth_map(1), "b": depth_map(0, "sees nothing")}
    assert Dense(depths=maps).missing == {"b": "sees nothing"}
    assert Dense().missing == {}


def test_a_result_has_natural_access(photos: Path, dense: dp.Recipe, tmp_path: Path) -> None:
    dp.run(photos, out=tmp_path / "out", recipe=dense, progress=False)
    result = dp.Result.load(tmp_path / "out")
    names = list(result.scene.names)
    assert list(result.views) == list(result.depths) == names
    assert result.depths[names[0]].depth.shape == result.views[names[0]].mask.shape
    assert len(result.cloud) == len(result.mesh.vertices) == len(result.neighbors) == 4
    # The last of the two nodes that find depths, and the first by its name.
    refined, rough = result.depths[names[0]].depth, result["depths"][names[0]].depth
    np.testing.assert_array_equal(result["refined"][names[0]].depth, refined)
    np.testing.assert_array_equal(rough, refined)
    assert len(result.dense.views) == 4 and not result.dense.missing


def test_what_a_run_did_not_come_to_is_no_result(photos: Path, dense: dp.Recipe, tmp_path: Path) -> None:
    result = dp.run(photos, out=tmp_path / "out", recipe=dense, until="views", progress=False)
    assert len(result.views) == 4
    for missing in ("depths", "cloud", "mesh"):
        with pytest.raises(StageFailure, match=f"gave no '{missing}'"):
            getattr(result, missing)


def test_a_recipe_with_other_depths_gives_other_maps(photos: Path, dense: dp.Recipe, tmp_path: Path) -> None:
    low = dp.run(photos, out=tmp_path / "a", recipe=dense, progress=False)
    high = dp.run(photos, out=tmp_path / "b", recipe=dense.with_(refined=Layers(above=9.0)), progress=False)
    for name in low.depths:
        np.testing.assert_allclose(high.depths[name].depth - low.depths[name].depth, 4.0, atol=1e-4)
