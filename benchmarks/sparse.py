"""Sparse reconstruction of photos as users bring them, Diptych beside COLMAP: accuracy, wall time, memory.

    python benchmarks/sparse.py DATA [--sets lund-door sceaux ...] [--no-peer]

DATA is the folder that holds the data sets. Both programs run cold, one after the other, as processes of their own,
and nothing is known of the cameras but EXIF. Scenes with known calibration are those of ``diptych bench strecha``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from diptych.stages.evaluation.cameras import evaluate
from diptych.stages.failure import StageFailure
from diptych.stages.formats.colmap import read_colmap
from diptych.stages.formats.truth.cameras import read_truth
from processes import diptych, measure
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class DataSet:
    """A folder of photos, and whether its truth is at hand."""

    folder: str
    truth: bool = False


SETS = {
    "lund-door": DataSet("lund_door", truth=True),
    "sceaux": DataSet("sceaux_castle"),
    "kermit": DataSet("bundler_kermit11"),
    "et": DataSet("bundler_ET9"),
    "crazyhorse": DataSet("crazyhorse7"),
    "dino": DataSet("sfmtool_dino_dog_toy"),
}

PEER = (
    "import sys; from pathlib import Path; from diptych.pipeline.protocols.colmap_peer import map_by_colmap; "
    "map_by_colmap(Path(sys.argv[1]), Path(sys.argv[2]))"
)
"""COLMAP's pipeline through pycolmap, as a program."""


@dataclass(frozen=True)
class Outcome:
    """What one program made of one set."""

    seconds: float
    peak_gib: float
    model: Path | None
    detail: str = ""


def main() -> None:
    """Run the chosen sets and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--no-peer", action="store_true", help="leave COLMAP out")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NODE.NAME=VALUE", help="passed on to diptych run"
    )
    arguments = parser.parse_args()
    table = Table("set", "program", "photos", "points", "error px", "position mean", "rotation °", "s", "GiB", "steps")
    with tempfile.TemporaryDirectory(prefix="diptych-benchmark-") as scratch:
        for name in arguments.sets:
            data = SETS[name]
            photos = arguments.data / data.folder / "images"
            if not photos.is_dir():
                print(f"{name}: {data.folder} is not there, left out")
                continue
            runs = {"diptych": lambda photos=photos: run_diptych(photos, Path(scratch, "ours"), arguments.set)}
            if not arguments.no_peer:
                runs["colmap"] = lambda photos=photos: run_colmap(photos, Path(scratch, "peer"))
            for program, run in runs.items():
                table.add_row(name, program, *row(photos, data, run()))
    Console(width=160).print(table)


def run_diptych(photos: Path, out: Path, settings: list[str]) -> Outcome:
    """``diptych run`` with a cold store."""
    shutil.rmtree(out, ignore_errors=True)
    command = diptych("run", photos, "--out", out, "--until", "sparse")
    command += [word for setting in settings for word in ("--set", setting)]
    ended = measure(command)
    spent: dict[str, float] = {}
    if (out / "run.json").exists():
        for task in json.loads((out / "run.json").read_text())["tasks"]:
            spent[task["node"]] = spent.get(task["node"], 0.0) + (task.get("seconds") or 0.0)
    detail = ", ".join(f"{node} {value:.1f}" for node, value in spent.items() if value >= 0.05)
    return Outcome(ended.seconds, ended.peak_gib, out / "sparse" if ended.status == 0 else None, detail)


def run_colmap(photos: Path, out: Path) -> Outcome:
    """The peer of ``diptych bench``, with its start."""
    shutil.rmtree(out, ignore_errors=True)
    (out / "models").mkdir(parents=True)
    ended = measure([sys.executable, "-c", PEER, str(photos), str(out)])
    return Outcome(ended.seconds, ended.peak_gib, out / "sparse" if ended.status == 0 else None)


def row(photos: Path, data: DataSet, outcome: Outcome) -> list[str]:
    """The table's cells for one outcome."""
    cost = [f"{outcome.seconds:.1f}", f"{outcome.peak_gib:.2f}", outcome.detail]
    if outcome.model is None:
        return ["no model", "", "", "", "", *cost]
    scene = read_colmap(outcome.model)
    total = len(list(photos.iterdir()))
    cells = [f"{len(scene.names)}/{total}", f"{len(scene.points)}", f"{scene.errors.mean():.3f}"]
    if not data.truth:
        return [*cells, "", "", *cost]
    try:
        result = evaluate(scene, read_truth(photos.parent)).as_dict()
    except StageFailure as failure:
        return [*cells, failure.message, "", *cost]
    position, rotation = result["position_least_squares_mean"], result["rotation_mean_deg"]
    return [*cells, f"{position:.5f}", f"{rotation:.4f}", *cost]


if __name__ == "__main__":
    main()
