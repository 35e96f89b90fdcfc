"""`diptych compare`, as a person meets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from diptych.pipeline.cli import app
from typer.testing import CliRunner

from tests.pipeline.test_cli import TOY


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "toy.toml").write_text(TOY)
    return tmp_path / "toy.toml"


def diptych(*arguments: object, status: int = 0) -> str:
    """What a command prints, both streams together."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == status, done.output
    assert "Traceback" not in done.output
    return done.output


def test_a_study_tells_its_plan_its_trials_and_what_follows(photos: Path, recipe: Path, tmp_path: Path) -> None:
    asked = ("compare", photos, "--recipe", recipe, "--vary", "features.count=4,6", "--seeds", 2)
    said = diptych(*asked, "--out", tmp_path / "study")
    assert "4 trials have 24 nodes" in said
    assert "[4 of 4] photos, count=6, seed 1" in said
    assert "count=6 against count=4: no difference beyond noise" in said
    assert "sharing saved" in said
    assert {"report.html", "table.csv", "summary.csv", "effects.csv", "trials", "store"} <= {
        path.name for path in (tmp_path / "study").iterdir()
    }
    assert "0 stage runs now" in diptych(*asked, "--out", tmp_path / "study")


def test_a_plan_runs_nothing(photos: Path, recipe: Path, tmp_path: Path) -> None:
    said = diptych(
        "compare", photos, "--recipe", recipe, "--vary", "features.count=4,6", "--out", tmp_path / "s", "--plan"
    )
    assert "two_views" in said
    assert not (tmp_path / "s").exists()


def test_a_study_file(photos: Path, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(
        f'recipe = "{recipe.name}"\nseeds = 2\n[scenes.here]\nphotos = "photos"\n'
        '[variants.four]\n[variants.five]\n"features.count" = 5\n'
    )
    said = diptych("compare", tmp_path / "study.toml", "--out", tmp_path / "study")
    assert "[4 of 4] here, five, seed 1" in said
    assert "five against four" in said


def test_a_variant_that_fails_ends_with_status_1(photos: Path, recipe: Path, tmp_path: Path) -> None:
    said = diptych(
        "compare",
        photos,
        "--recipe",
        recipe,
        "--vary",
        "features.fails_above=256,50",
        "--out",
        tmp_path / "s",
        status=1,
    )
    assert "failed: features of" in said
    assert "too bright" in said
    assert "fails_above=50 failed in 1 of 1 trials" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Nothing varies"),
        (("--vary", "features"), "'features' is no choice"),
        (("--vary", "featurs=toys:Corners"), "nothing named 'featurs'"),
        (("--vary", "features=toys:Line"), "Line fills 'sparse', not 'features'"),
        (("--vary", "features.count=4,6", "--seeds", "few"), "'few' are no seeds"),
        (("--vary", "features.count=4,6", "--base", "count=5"), "No variant is named 'count=5'"),
        (("--vary", "features.count=4,6", "--keypoints", 100), "knows no limit"),
        (("--vary", "features.count=4,6", "--truth", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_compared_is_said(
    photos: Path, recipe: Path, tmp_path: Path, arguments: tuple[object, ...], said: str
) -> None:
    asked = ("compare", photos, "--recipe", recipe, "--out", tmp_path / "s", *arguments)
    assert said in diptych(*asked, status=2)


def test_a_study_file_says_itself_what_varies(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("")
    said = diptych("compare", tmp_path / "study.toml", "--out", tmp_path / "s", "--vary", "mesh=Tsdf", status=2)
    assert "says itself what varies" in said
