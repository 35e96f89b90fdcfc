"""Studies from end to end: what trials share is made once, what fails says why, and again is nothing to do."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import diptych as dp
import numpy as np
import pytest
from diptych.pipeline.study.compare import file_name, plan_study
from diptych.pipeline.study.comparison import Comparison
from diptych.stages.failure import StageFailure
from diptych.stages.formats.colmap import write_colmap

from tests.pipeline.toys import DENSE, TOY, Corners, EveryPair, Layers, SimilarPairs, tree

VARY = {"features": {"few": Corners(), "many": Corners(count=6)}, "pairs": {"all": EveryPair(), "like": SimilarPairs()}}


def study(photos: Path, tmp_path: Path, **more: object) -> Comparison:
    given = {"recipe": TOY, "vary": VARY, "seeds": 3, "workers": 1, "progress": False, "out": tmp_path / "study"}
    return dp.compare(photos, **{**given, **more})  # type: ignore[arg-type]


def test_every_key_runs_once(photos: Path, tmp_path: Path, ran: Callable[[], list[str]]) -> None:
    found = study(photos, tmp_path)
    keys = [path for path in (tmp_path / "study" / "store" / "keys").rglob("*") if path.is_file()]
    assert len(ran()) == len(keys) == found.sharing.distinct == found.sharing.ran
    assert found.sharing.tasks == sum(len(trial.record["tasks"]) for trial in found.trials) > 2 * len(keys)
    # Features of four photos twice; three choices of pairs, as one reads no features; the matches of six pairs twice,
    # for the pairs of the other choice are among them; as many relative poses for every seed; tracks and models.
    assert found.sharing.distinct == 2 * 4 + 3 + 2 * 6 + 3 * 2 * 6 + 12 + 12

    again = study(photos, tmp_path)
    assert ran() == []
    assert again.sharing.ran == 0
    assert again.table().equals(found.table())


def test_the_plan_knows_the_sharing_beforehand(photos: Path, tmp_path: Path) -> None:
    found = study(photos, tmp_path, vary={"features": VARY["features"]})
    plan = plan_study(found.study)
    assert plan.trials == 6
    assert (plan.tasks, plan.distinct) == (found.sharing.tasks, found.sharing.distinct)
    assert {name: (a, b) for name, a, b in plan.rows}["two_views"] == (6, 6)
    assert {name: (a, b) for name, a, b in plan.rows}["matches"] == (6, 2)


def test_one_parameter_changes_one_branch(photos: Path, tmp_path: Path, ran: Callable[[], list[str]]) -> None:
    vary = {"depths": {"low": Layers(), "high": Layers(above=3.0)}}
    study(photos, tmp_path, recipe=DENSE, vary=vary, seeds=2)
    ran()
    vary["depths"]["high"] = Layers(above=4.0)
    study(photos, tmp_path, recipe=DENSE, vary=vary, seeds=2)
    assert {line.split()[0] for line in ran()} == {"Layers", "Agreed", "Gathered", "Corner"}


def test_a_variant_that_fails_is_a_row_that_says_why(photos: Path, tmp_path: Path) -> None:
    found = study(photos, tmp_path, vary={"features": {"good": Corners(), "bad": Corners(fails_above=50)}})
    assert {trial.variant for trial in found.failed} == {"bad"}
    table = found.table()
    assert (table[table.variant == "bad"].failure.str.contains("too bright")).all()
    assert set(table[table.variant == "good"].metric) >= {"registered", "points"}
    assert any("bad failed in 3 of 3 trials" in sentence for sentence in found.conclusions)
    assert "nothing can be said" in found.conclusions[0]


def test_the_table_has_a_row_for_every_number(photos: Path, tmp_path: Path) -> None:
    found = study(photos, tmp_path)
    table = found.table()
    assert len(table) == sum(len(trial.metrics) for trial in found.trials)
    assert list(table.columns[:5]) == ["scene", "variant", "features", "pairs", "seed"]
    points = table[table.metric == "points"].set_index(["features", "pairs", "seed"]).value
    assert (points["few"] == 4).all()
    assert (points["many"] == 6).all()
    assert (table[table.features == "many"].keypoints == 6).all()
    assert (table[table.pairs == "like"].groupby("variant").pairs.first().notna()).all()
    written = (tmp_path / "study" / "table.csv").read_text().splitlines()
    assert len(written) == len(table) + 1


def test_differences_are_paired_and_effects_are_of_one_axis(photos: Path, tmp_path: Path) -> None:
    found = study(photos, tmp_path)
    summary = found.summary().set_index(["variant", "metric"])
    row = summary.loc[("many · all", "points")]
    assert (row["mean"], row["difference"], row["low"], row["high"]) == (6, 2, 2, 2)
    assert bool(row["beyond_noise"])
    assert math.isnan(summary.loc[("few · all", "points")]["difference"])
    effects = found.effects().set_index(["axis", "alternative", "metric"])
    assert effects.loc[("features", "many", "points")]["difference"] == 2
    assert effects.loc[("pairs", "like", "points")]["difference"] == 0
    assert not bool(effects.loc[("pairs", "like", "points")]["beyond_noise"])


def test_conclusions_are_true_to_the_numbers(photos: Path, tmp_path: Path) -> None:
    found = study(photos, tmp_path)
    many, like = found.conclusions
    assert many.startswith("many against few: no difference beyond noise in photos registered")
    assert "no difference beyond noise" in like
    one = study(photos, tmp_path, seeds=1)
    assert "of one seed, which says nothing of the noise" in one.conclusions[0]
    assert "beyond noise" not in one.conclusions[0]


def test_against_the_truth(photos: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    scene = dp.run(photos, out=tmp_path / "one", recipe=TOY, progress=False).scene
    write_colmap(scene, truth)
    found = study(photos, tmp_path, truth=truth, vary={"sparse.step": [1.0, 2.0]})
    errors = {(row["variant"], row["metric"]): row["mean"] for row in found.summary().to_dict("records")}
    # The cameras stand on a line at equal steps, so a similarity hides the step: both are exact.
    assert errors["step=1.0", "position_mean"] == pytest.approx(0, abs=1e-9)
    assert "mean camera position error" in found.conclusions[0]
    measured = {path: path.stat().st_mtime_ns for path in (tmp_path / "study").rglob("measures.json")}
    assert len(measured) == 6
    study(photos, tmp_path, truth=truth, vary={"sparse.step": [1.0, 2.0]})
    assert {path: path.stat().st_mtime_ns for path in measured} == measured
    moved = scene.translations + np.arange(len(scene.names))[:, None] ** 2
    write_colmap(type(scene)(**{**vars(scene), "translations": moved}), truth)
    worse = study(photos, tmp_path, truth=truth, vary={"sparse.step": [1.0, 2.0]})
    assert (worse.table().query("metric == 'position_mean'").value > 0.1).all()


def test_a_trial_is_a_run_like_any_other(photos: Path, tmp_path: Path) -> None:
    found = study(photos, tmp_path)
    trial = found.trials[4]
    loaded = dp.Result.load(trial.folder)
    assert loaded.scene.names == trial.result.scene.names
    dp.export(trial.folder, to="ply", path=tmp_path / "points.ply")
    assert dp.reproduce(trial.folder, progress=False).equal


def test_workers_change_nothing(photos: Path, tmp_path: Path) -> None:
    one = study(photos, tmp_path)
    two = study(photos, tmp_path, out=tmp_path / "other", workers=3)
    assert (
        tree(tmp_path / "study" / "store" / "artifacts").keys()
        == tree(tmp_path / "other" / "store" / "artifacts").keys()
    )
    columns = ["scene", "variant", "seed", "metric", "value", "key"]
    assert one.table()[columns].equals(two.table()[columns])


def test_several_scenes_and_the_page(photos: Path, tmp_path: Path) -> None:
    found = study({"one": photos, "two": photos}, tmp_path, vary={"features": VARY["features"]})  # type: ignore[arg-type]
    assert len(found.trials) == 12
    assert found.sharing.distinct == sum(1 for _ in (tmp_path / "study" / "store" / "keys").rglob("*.json"))
    page = (tmp_path / "study" / "report.html").read_text("utf-8")
    assert "many against few" in page
    record = json.loads((tmp_path / "study" / "trials" / "two" / "many" / "2" / "run.json").read_text("utf-8"))
    assert record["seed"] == 2


def test_bad_photos_stop_the_study_before_it_begins(photos: Path, tmp_path: Path, ran: Callable[[], list[str]]) -> None:
    with pytest.raises(StageFailure, match="does not exist"):
        study({"one": photos, "two": tmp_path / "nowhere"}, tmp_path)  # type: ignore[arg-type]
    with pytest.raises(StageFailure):
        study(photos, tmp_path, truth=tmp_path)
    assert ran() == []


def test_what_lies_in_the_folder_is_not_written_over(photos: Path, tmp_path: Path) -> None:
    dp.run(photos, out=tmp_path / "study", recipe=TOY, progress=False)
    page = (tmp_path / "study" / "report.html").read_bytes()
    with pytest.raises(StageFailure, match="lies a run"):
        study(photos, tmp_path)
    assert (tmp_path / "study" / "report.html").read_bytes() == page
    (tmp_path / "file").write_text("")
    with pytest.raises(StageFailure) as caught:
        study(photos, tmp_path, out=tmp_path / "file" / "study", store=str(tmp_path / "store"))
    assert caught.value.code == "not-writable"


def test_without_true_surfaces_it_is_said_how_much_has_a_depth(photos: Path, tmp_path: Path) -> None:
    scene = dp.run(photos, out=tmp_path / "one", recipe=TOY, progress=False).scene
    write_colmap(scene, tmp_path / "truth")
    vary = {"depths": {"low": Layers(), "high": Layers(above=3.0)}}
    found = study(photos, tmp_path, recipe=DENSE, vary=vary, seeds=2, truth=tmp_path / "truth")
    assert "and pixels of the views with a depth" in found.conclusions[0]


def test_names_of_folders() -> None:
    assert file_name("Sift") == "Sift"
    assert file_name("a · b").startswith("a-b-")
    assert file_name("a · b") != file_name("a / b")
    assert "/" not in file_name("../../x")


def test_a_comparison_is_shown_in_a_few_lines(photos: Path, tmp_path: Path) -> None:
    found = study(photos, tmp_path, seeds=1)
    assert repr(found) == "Comparison('study': 4 variants, 1 scene, 1 seed, 4 trials, 0 failed)"
    assert len(found._repr_html_()) < 2000
    assert all(sentence in found._repr_html_() for sentence in found.conclusions)


def test_the_recipe_that_varies_may_be_changed_first(photos: Path, tmp_path: Path) -> None:
    vary = {"features": {"few": Corners(), "many": Corners(count=6)}}
    found = study(photos, tmp_path, seeds=1, vary=vary, use={"pairs": SimilarPairs()})
    assert all(variant.recipe["pairs"] == SimilarPairs() for variant in found.study.variants)
