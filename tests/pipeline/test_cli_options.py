"""Options that many commands share, and the console that they print to."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from diptych import Recipe
from diptych.pipeline.cli import app
from diptych.stages.mvs.sgm import Sgm
from diptych.stages.scene import Features, Photos, Sparse, Tracks, TwoView
from toys import Line
from typer.testing import CliRunner

from tests.pipeline.test_cli import TOY, diptych


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "toy.toml").write_text(TOY)
    return tmp_path / "toy.toml"


def test_the_version_is_printed() -> None:
    assert re.fullmatch(r"diptych \d+\.\d+\.\d+\S*\n", diptych("--version"))


def test_the_shell_completes() -> None:
    done = CliRunner().invoke(
        app, [], env={"_DIPTYCH_COMPLETE": "complete_bash", "COMP_WORDS": "diptych re", "COMP_CWORD": "1"}
    )
    assert {"recipe", "reproduce"} <= set(done.output.split())


@pytest.mark.parametrize("command", ["run", "plan", "explain"])
def test_the_output_folder_is_out_if_none_is_given(
    command: str, photos: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIPTYCH_STORE", raising=False)
    diptych("run", photos, "--recipe", recipe, "--until", "pairs")
    assert (tmp_path / "out" / "run.json").exists()
    diptych(command, photos, "--recipe", recipe, "--until", "pairs")


def test_a_stage_is_swapped_without_a_file(photos: Path, recipe: Path, tmp_path: Path) -> None:
    swap = ("--recipe", recipe, "--out", tmp_path / "out", "--use", "pairs=toys:SimilarPairs")
    assert "features: Corners" in diptych("run", photos, *swap, "--use", "features=toys:Corners(count=6)")
    lines = [line.split() for line in diptych("plan", photos, *swap).splitlines()]
    assert ["pairs", "SimilarPairs", "1"] in [line[:3] for line in lines]
    said = diptych("explain", photos, "--recipe", recipe, "--out", tmp_path / "out")
    assert "features: 4 changed by parameters.count 6 -> 4\n" in said


@pytest.mark.parametrize(
    ("use", "said"),
    [
        ("pairs", "'pairs' is no choice"),
        ("pairs=toys:Line", "Line fills 'sparse', not 'pairs'"),
        ("pair=toys:EveryPair", "Did you mean 'pairs'?"),
        ("pairs=toys:EveryPair,toys:SimilarPairs", "one stage"),
    ],
)
def test_what_cannot_be_swapped_is_said(photos: Path, recipe: Path, tmp_path: Path, use: str, said: str) -> None:
    assert said in diptych("run", photos, "--out", tmp_path / "out", "--recipe", recipe, "--use", use, status=2)


def test_a_recipe_is_printed_with_its_changes_and_read_back(tmp_path: Path) -> None:
    text = diptych("recipe", "classical", "--use", "depths=Sgm", "--set", "views.max_size=320")
    (tmp_path / "mine.toml").write_text(text)
    recipe = Recipe.load(tmp_path / "mine.toml")
    assert recipe.nodes == Recipe.load("sgm").set({"views.max_size": 320}).nodes
    assert recipe["depths"] == Sgm()
    assert "[unknown-recipe]" in diptych("recipe", "clasical", status=2)


def test_quiet_prints_nothing_but_errors(photos: Path, recipe: Path, tmp_path: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    run = ("run", photos, "--out", tmp_path / "out", "--recipe", recipe)
    assert diptych("--quiet", *run) == diptych(*run, "--quiet") == ""
    assert diptych(*run, "--quiet", "--until", "match", status=2).startswith("error: ")
    vary = ("compare", photos, "--recipe", recipe, "--vary", "features.count=4,6", "--out", tmp_path / "study")
    assert diptych(*vary, "--quiet") == ""


def test_verbose_prints_a_line_for_every_item(photos: Path, recipe: Path, tmp_path: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    run = ("run", photos, "--out", tmp_path / "out", "--recipe", recipe)
    said = diptych(*run, "--verbose")
    assert re.search(r"^features of a\.png: \d\.\d\d s$", said, re.MULTILINE)
    assert "warning: broken.jpg" in said
    assert "4 of 4 photos registered" in said
    assert "features of a.png: from the store\n" in diptych("--verbose", *run)


def test_the_log_tells_with_times_what_ran_and_what_failed(photos: Path, recipe: Path, tmp_path: Path) -> None:
    log, run = tmp_path / "log.txt", ("run", photos, "--out", tmp_path / "out", "--recipe", recipe)
    diptych(*run, "--log", log)
    diptych("--log", log, *run)
    diptych(*run, "--log", log, "--set", "features.fails_above=0", status=2)
    lines = log.read_text("utf-8").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR) ", line) for line in lines)
    assert any(re.search(r"INFO features: Corners, 4/4, \d+\.\d s$", line) for line in lines)
    assert any("INFO features: Corners, 4/4, 4 stored" in line for line in lines)
    assert any("19 tasks ran, 0 came from the store" in line for line in lines)
    assert "ERROR features of " in lines[-1]
    assert all(type(handler) is logging.NullHandler for handler in logging.getLogger("diptych").handlers)
    assert "[not-writable]" in diptych(*run, "--log", tmp_path / "no" / "log.txt", status=2)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_what_the_console_cannot_print_is_replaced(encoding: str, photos: Path, recipe: Path, tmp_path: Path) -> None:
    """The last photo of the folder has a Chinese name, and the summary begins with a check mark."""
    path = str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    out = tmp_path / "out"
    for words in (
        ["run", photos, "--out", out, "--recipe", recipe, "--verbose"],
        ["plan", photos, "--out", out, "--recipe", recipe],
        ["export", out, "--to", "ply", tmp_path / "写真.ply"],
    ):
        command = [sys.executable, "-m", "diptych.pipeline.cli", *map(str, words)]
        done = subprocess.run(command, capture_output=True, timeout=120, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
        assert b"? 4 of 4 photos" in done.stdout or words[0] != "run"


class OnePoint(Line):
    """Two models, each with a single point."""

    def run(
        self, photos: Photos, two_views: tuple[TwoView, ...], tracks: Tracks, features: tuple[Features, ...]
    ) -> Sparse:
        (model,) = super().run(photos, two_views, tracks, features).models
        return Sparse((model, model))


def test_one_is_no_plural(photos: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "toy.toml"
    recipe.write_text(
        TOY.replace("toys:Line", f"{__name__}:OnePoint").replace("toys:Corners", 'toys:Corners"\ncount = "1')
    )
    said = diptych("run", photos, "--recipe", recipe, "--out", tmp_path / "out")
    assert "4 of 4 photos registered, 1 smaller model beside it\n" in said
    assert "  1 point, 4 observations, mean error 1.000 px\n" in said
    assert "19 tasks ran, 0 came from the store" in said
    until = ("--recipe", recipe, "--out", tmp_path / "out", "--until", "pairs")
    assert "1 result in " in diptych("run", photos, *until)
