"""The command line, as a person meets it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from diptych.pipeline.cli import app
from diptych.stages.formats.colmap import read_colmap
from diptych.stages.slots import SLOTS
from PIL import Image
from toys import paint
from typer.testing import CliRunner

COMMANDS = (
    *("run", "plan", "explain", "compare", "reproduce", "diff", "evaluate", "bench", "cite", "export", "predict"),
    *("view", "train", "stages", "recipe"),
)

TOY = """
[features]
use = "toys:Corners"
[pairs]
use = "toys:EveryPair"
[matches]
use = "toys:SameIndex"
[two_views]
use = "toys:Drawn"
[tracks]
use = "toys:OneTrackEach"
[sparse]
use = "toys:Line"
"""


def diptych(*arguments: object, status: int = 0) -> str:
    """What a command prints, both streams together."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == status, done.output
    assert "Traceback" not in done.output
    return done.output


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "toy.toml").write_text(TOY)
    return tmp_path / "toy.toml"


@pytest.fixture
def finished(photos: Path, recipe: Path, tmp_path: Path) -> Path:
    diptych("run", photos, "--out", tmp_path / "out", "--recipe", recipe)
    return tmp_path / "out"


def test_run_tells_what_it_made(photos: Path, recipe: Path, tmp_path: Path) -> None:
    said = diptych("run", photos, "--out", tmp_path / "out", "--recipe", recipe, "--workers", 2)
    assert "4 of 4 photos registered" in said
    assert "4 points, 16 observations, mean error 1.000 px" in said
    assert "19 tasks ran, 0 came from the store" in said
    assert f"{tmp_path / 'out'}" in said
    assert "features: Corners, 4/4" in said
    assert "0 tasks ran, 19 came" in diptych("run", photos, "--out", tmp_path / "out", "--recipe", recipe)
    assert len(read_colmap(tmp_path / "out" / "sparse").names) == 4


def test_run_until_tells_where_the_results_are(photos: Path, recipe: Path, tmp_path: Path) -> None:
    said = diptych("run", photos, "--out", tmp_path / "out", "--recipe", recipe, "--until", "features")
    assert "4 results" in said


def test_the_store_may_be_named_by_the_environment(
    photos: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIPTYCH_STORE", str(tmp_path / "elsewhere"))
    diptych("run", photos, "--out", tmp_path / "out", "--recipe", recipe, "--until", "pairs")
    assert list((tmp_path / "elsewhere" / "keys").rglob("*.json"))
    assert not (tmp_path / "out" / "store").exists()


def test_plan_shows_a_table(photos: Path, recipe: Path, finished: Path) -> None:
    lines = diptych("plan", photos, "--out", finished, "--recipe", recipe, "--set", "features.count=5").splitlines()
    assert lines[0].split("  ")[0] == "node"
    assert lines[1].split() == ["features", "Corners", "4", "·", "4", "·", "·"]
    assert lines[3].split() == ["matches", "SameIndex", "6", "·", "·", "·", "6,", "after", "features"]


def test_explain_names_the_ingredient(photos: Path, recipe: Path, finished: Path) -> None:
    said = diptych("explain", photos, "--out", finished, "--recipe", recipe, "--set", "features.count=5")
    assert "features: 4 changed by parameters.count 4 -> 5\n" in said
    assert "pairs: 1 unchanged\n" in said
    assert "matches: the rest is known after features\n" in said


def test_reproduce_says_equal_or_what_differs(photos: Path, finished: Path) -> None:
    assert "Equal: all" in diptych("reproduce", finished / "run.json")
    paint(photos / "a.png", 201)
    assert "the first artifact that differs is the photo a.png" in diptych("reproduce", finished, status=1)


def test_diff_tells_causes_counts_and_by_how_much(photos: Path, recipe: Path, finished: Path, tmp_path: Path) -> None:
    assert diptych("diff", finished, finished / "run.json") == "Equal: all 27 digests are the same.\n"
    diptych(
        "run", photos, "--out", tmp_path / "b", "--recipe", recipe, "--set", "features.count=5", "--until", "matches"
    )
    lines = diptych("diff", finished, tmp_path / "b", status=1).splitlines()
    assert lines[0] == (
        "Different: the first artifact that differs is features of a.png; "
        "its ingredients differ: parameters.count 4 -> 5."
    )
    assert "  features: parameters.count 4 -> 5" in lines
    assert "  two_views: only A has this node" in lines
    assert ["features", "·", "4", "·", "·"] in [line.split() for line in lines]
    assert ["two_views", "·", "·", "6", "·"] in [line.split() for line in lines]
    assert lines[-2] == "  features of a.png: 4 against 5 keypoints; 4 of the keypoints are in both"


@pytest.mark.parametrize(
    ("kind", "file"), [("colmap", "model"), ("ply", "p.ply"), ("nerfstudio", "t.json"), ("bundler", "b.out")]
)
def test_export_writes_for_others(finished: Path, tmp_path: Path, kind: str, file: str) -> None:
    target = tmp_path / "new" / file
    assert f"Wrote {target}" in diptych("export", finished, "--to", kind, target)
    assert target.exists()


def test_stages_lists_slots_implementations_and_parameters() -> None:
    said = diptych("stages")
    for slot in (name for name, slot in SLOTS.items() if not slot.source):
        assert re.search(rf"^{slot}  \(", said, re.MULTILINE)
    assert re.search(r"^  Sift: \S", said, re.MULTILINE)
    assert re.search(r"^    max_keypoints: .* = \d+", said, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example(command: str) -> None:
    assert f"Example:  diptych {command}" in " ".join(diptych(command, "--help").split(" "))


def fails(*arguments: object) -> list[str]:
    """The lines of a failure: a sentence with its code, and a hint."""
    lines = diptych(*arguments, status=2).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("error: "))
    assert re.search(r" \[[a-z-]+\]$", lines[at])
    assert len(lines) - at <= 2
    return lines[at:]


def test_bad_input_is_told_in_a_sentence(photos: Path, recipe: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    mine = ("--recipe", recipe)
    assert "[no-such-folder]" in fails("run", tmp_path / "nowhere", *out, *mine)[0]
    (tmp_path / "empty").mkdir()
    assert "[no-photos]" in fails("run", tmp_path / "empty", *out, *mine)[0]
    assert "[unknown-recipe]" in fails("run", photos, *out, "--recipe", "clasical")[0]
    assert "Did you mean 'count'?" in fails("run", photos, *out, *mine, "--set", "features.cuont=3")[1]
    assert "Did you mean 'features'?" in fails("run", photos, *out, *mine, "--set", "feature.count=3")[1]
    assert "Did you mean 'matches'?" in fails("run", photos, *out, *mine, "--until", "match")[1]
    assert "[no-record]" in fails("explain", photos, "--out", tmp_path / "none", *mine)[0]
    assert "[no-record]" in fails("reproduce", tmp_path / "none")[0]
    assert "[no-record]" in fails("export", tmp_path / "none", "--to", "ply", tmp_path / "x.ply")[0]
    (tmp_path / "file").write_text("")
    assert "[not-writable]" in fails("run", photos, "--out", tmp_path / "file" / "out", *mine)[0]
    assert "[store-unusable]" in fails("run", photos, *out, *mine, "--store", tmp_path / "file" / "store")[0]


def test_a_failing_stage_ends_with_status_two_and_a_record(photos: Path, recipe: Path, tmp_path: Path) -> None:
    lines = fails("run", photos, "--out", tmp_path / "out", "--recipe", recipe, "--set", "features.fails_above=50")
    assert "The photo is too bright. (mean " in lines[0]
    assert lines[0].startswith("error: features of ")
    assert lines[1] == "hint: Close the shutter."
    assert (tmp_path / "out" / "run.json").exists()


def test_a_broken_photo_is_left_out_with_a_warning(photos: Path, recipe: Path, tmp_path: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    said = diptych("run", photos, "--out", tmp_path / "out", "--recipe", recipe)
    assert "warning: broken.jpg" in said
    assert "4 of 4 photos registered" in said


def test_a_device_that_is_not_there_is_told(photos: Path, recipe: Path, tmp_path: Path) -> None:
    lines = fails("run", photos, "--out", tmp_path / "out", "--recipe", recipe, "--device", "cuda:77")
    assert "[no-device]" in lines[0]


def test_evaluate_compares_with_the_truth(finished: Path, tmp_path: Path) -> None:
    diptych("export", finished, "--to", "colmap", tmp_path / "truth" / "sparse")
    said = diptych("evaluate", finished, "--truth", tmp_path / "truth")
    assert re.search(r"^registered photos +4 of 4$", said, re.MULTILINE)
    assert "100.0 % at 0.1°" in said
    (tmp_path / "nothing").mkdir()
    assert "[unknown-truth]" in fails("evaluate", finished, "--truth", tmp_path / "nothing")[0]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What a shell starts in the background ignores Ctrl-C, and so would all that it starts itself."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_run_says_so_and_goes_on(photos: Path, recipe: Path, tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "TOY_LOG": str(log), "TOY_SLEEP": "0.3"}
    command = ["run", str(photos), "--out", str(out), "--recipe", str(recipe), "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "diptych.pipeline.cli", *command], env=env, stderr=subprocess.PIPE, text=True
    )
    while not (log.exists() and len(log.read_text().splitlines()) >= 4):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith("Interrupted. What was finished is kept")
    assert "Traceback" not in said
    begun = len(log.read_text().splitlines())
    assert begun <= 5, "after the interruption no more is begun than what was already on its way"
    assert re.search(r"1[5-6] tasks ran, [3-4] came", diptych(*command))


@pytest.mark.parametrize(("given", "kept"), [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")])
def test_threads_wait_passively_unless_the_user_says_otherwise(given: dict[str, str], kept: str) -> None:
    """It must be said before anything that brings OpenMP is loaded, also where a cluster's worker unpickles a task."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | given
    script = """
import os, pickle, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "pycolmap", "numba", "scipy", "cv2", "numpy"):
            print(name, os.environ.get("OMP_WAIT_POLICY"))
sys.meta_path.insert(0, Watch())
pickle.loads(b"cdiptych.pipeline.tasks\\nperform\\n.")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert {line.split()[1] for line in done.stdout.splitlines()} == {kept}


def test_help_is_light() -> None:
    """Nothing heavy is imported before a command needs it."""
    heavy = ("numpy", "cv2", "torch", "dask", "rich.progress", "pycolmap", "scipy", "numba")
    script = f"import sys, diptych.pipeline.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_stored_is_had_without_torch(tmp_path: Path) -> None:
    """It takes longer to import than all that a finished run does when it is run again."""
    script = """
import sys
from diptych import run
run(sys.argv[1], out=sys.argv[2], until="matches", settings=["features.max_keypoints=50"], progress=False)
print("torch" in sys.modules)
"""
    for i in range(3):
        noise = np.random.default_rng(i).integers(0, 255, (60, 80), np.uint8)
        Image.fromarray(noise).resize((320, 240)).save(tmp_path / f"{i}.png")
    said = [
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path), str(tmp_path / "out")],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert said == ["True", "False"]


def test_the_program_runs_by_itself(photos: Path, recipe: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-m", "diptych.pipeline.cli"]
    run = [*command, "run", str(photos), "--out", str(tmp_path / "out"), "--recipe", str(recipe), "--until", "pairs"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("pairs: EveryPair, 1/1")
    wrong = subprocess.run([*run, "--set", "pairs.x=1"], capture_output=True, text=True, timeout=120, env=env)
    assert wrong.returncode == 2
    assert wrong.stdout == ""
    assert wrong.stderr.startswith("error: EveryPair has no parameter 'x'. [unknown-parameter]\nhint: ")
