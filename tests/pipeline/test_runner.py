"""The runner: the same bytes however it runs, and nothing done twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import diptych.pipeline as dp
from toys import paint, tree

Ran = Callable[[], list[str]]


def kinds(lines: list[str]) -> Counter[str]:
    return Counter(line.partition(" ")[0] for line in lines)


def test_a_run_gives_what_the_stages_make(photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran) -> None:
    result = dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    assert kinds(ran()) == {"Corners": 4, "EveryPair": 1, "SameIndex": 6, "Drawn": 6, "OneTrackEach": 1, "Line": 1}
    assert result.scene.names == ("a.png", "b.png", "c.png", "ein Bild größer 写真.png")
    assert len(result.scene.points) == 4
    assert list(result["features"]) == list(result.scene.names)
    assert len(result["matches"]["a.png|b.png"]) == 4
    assert {"cameras.bin", "images.bin", "points3D.bin"} <= tree(tmp_path / "out" / "sparse").keys()
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "sparse",
        "points.ply",
        "run.json",
        "report.html",
        "store",
    }


def test_a_second_run_does_nothing(photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran) -> None:
    first = dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    ran()
    second = dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    assert ran() == []
    assert second.record["outputs"] == first.record["outputs"]
    assert all(task["hit"] for task in second.record["tasks"])


def test_one_and_four_workers_give_the_same_bytes(photos: Path, toy: dp.Recipe, tmp_path: Path) -> None:
    for workers in (1, 4):
        dp.run(photos, out=tmp_path / str(workers), recipe=toy, workers=workers, progress=False)
    assert tree(tmp_path / "1" / "sparse") == tree(tmp_path / "4" / "sparse")
    assert tree(tmp_path / "1" / "store" / "artifacts") == tree(tmp_path / "4" / "store" / "artifacts")


def test_an_added_photo_runs_only_its_own(photos: Path, toy: dp.Recipe, tmp_path: Path, ran: Ran) -> None:
    dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    ran()
    paint(photos / "bb.png", 210)
    dp.run(photos, out=tmp_path / "out", recipe=toy, progress=False)
    assert kinds(ran()) == {"Corners": 1, "EveryPair": 1, "SameIndex": 4, "Drawn": 4, "OneTrackEach": 1, "Line": 1}
