"""What the engine promises, shown on real photographs: the same bytes, nothing done twice, nothing lost.

    python benchmarks/engine.py PHOTOS [--camera MODEL,params] [--recipe NAME] [--until SLOT] [--set NODE.NAME=VALUE]

Every run is ``diptych`` as a process of its own in a temporary folder; about twelve runs' time in all, so they end with
the sparse model unless told otherwise (``--until mesh``). It prints one table and ends with status 1 if a promise is
broken. Expect every promise to be kept, and on the eleven photos of fountain-P11 at full resolution a peak below 3 GiB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from processes import Finished, diptych, measure
from rich.console import Console
from rich.table import Table

MOST_GIB = 3.0
KILLS = 5
"""How many kills are spread evenly over a run's tasks, beside those in its last stage and while it writes OUT."""

FULL = ["sh", "-c", 'ulimit -f 64; exec "$@"', "sh"]
"""Runs a command that can write no file of more than 64 blocks of half a KiB: for it, the disk is full."""


@dataclass(frozen=True)
class Row:
    """A promise, whether it was kept (None: not tried), and the numbers that show it."""

    promise: str
    kept: bool | None
    numbers: str


@dataclass(frozen=True)
class Run:
    """A run that came to an end, and what it left in its folder."""

    out: Path
    ended: Finished

    @cached_property
    def record(self) -> dict[str, Any]:
        """``run.json``."""
        return json.loads((self.out / "run.json").read_text("utf-8"))

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """The tasks of ``run.json``, in the order of the graph."""
        return self.record["tasks"]

    @property
    def ran(self) -> list[dict[str, Any]]:
        """The tasks that the store did not have."""
        return [task for task in self.tasks if task["status"] == "ran"]

    @property
    def results(self) -> dict[tuple[str, str], str]:
        """The digest of every result by node and item."""
        return {(task["node"], task["item"]): task["output"] for task in self.tasks}

    @cached_property
    def files(self) -> dict[str, bytes]:
        """What it made for other programs, byte for byte."""
        return {name: (self.out / name).read_bytes() for name in self.record["outputs"]}

    def key_file(self, node: str) -> Path:
        """The file in its folder by which its store knows that a node which runs once is finished."""
        key = next(task["key"] for task in self.tasks if task["node"] == node)
        return Path("store", "keys", key[:2], f"{key}.json")


@dataclass(frozen=True)
class Bench:
    """The photos, the options of every run, and room for their folders."""

    photos: Path
    options: list[str]
    scratch: Path

    def command(self, name: str, *more: object, photos: Path | None = None) -> list[str]:
        """``diptych run`` with its output and its store in a folder of that name."""
        out = self.scratch / name
        return diptych("run", photos or self.photos, "--out", out, "--store", out / "store", *self.options, *more)

    def run(self, name: str, *more: object, photos: Path | None = None) -> Run:
        """Run to the end.

        Raises:
            RuntimeError: with what it said, where it failed.
        """
        ended = measure(self.command(name, *more, photos=photos))
        if ended.status:
            raise RuntimeError(f"A run ended with status {ended.status}:\n{ended.said}")
        return Run(self.scratch / name, ended)


def main() -> None:
    """Try every promise and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--camera", help="known calibration, as in diptych run")
    parser.add_argument("--recipe", default="classical", help="as in diptych run")
    parser.add_argument("--until", default="sparse", help="as in diptych run")
    parser.add_argument("--set", action="append", default=[], metavar="NODE.NAME=VALUE", help="as in diptych run")
    arguments = parser.parse_args()
    options = ["--recipe", arguments.recipe, "--until", arguments.until]
    options += ["--camera", arguments.camera] if arguments.camera else []
    options += [word for setting in arguments.set for word in ("--set", setting)]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="diptych-engine-") as scratch:
        for row in promises(Bench(arguments.photos, options, Path(scratch))):
            print(f"{'ok' if row.kept else '--' if row.kept is None else 'BROKEN':<7}{row.promise}: {row.numbers}")
            rows.append(row)
    print()
    table = Table("promise", "kept", "numbers", title=str(arguments.photos))
    for row in rows:
        kept = "-" if row.kept is None else "[green]yes[/]" if row.kept else "[bold red]NO[/]"
        table.add_row(row.promise, kept, row.numbers)
    Console(width=150).print(table)
    sys.exit(any(row.kept is False for row in rows))


def promises(bench: Bench) -> Iterator[Row]:
    """Every promise in turn."""
    one, two = bench.run("one", "--workers", 1), bench.run("two", "--workers", 2)
    yield same_bytes(one, two)
    yield memory(one, two)
    yield runs_again(bench, two)
    yield reproduces(two)
    yield adds_a_photo(bench, two)
    for moment, is_reached in moments(two):
        yield survives_a_kill(bench, two, moment, is_reached)
    yield mends_damage(bench, two)
    yield survives_a_full_store(bench, two)
    yield works_from_a_read_only_store(bench, two)


def same_bytes(one: Run, two: Run) -> Row:
    """The number of workers changes no byte of any result."""
    size = sum(map(len, two.files.values())) / 2**20
    numbers = f"{len(two.results)} results and {len(two.files)} files, {size:.1f} MiB"
    seconds = f"{one.ended.seconds:.1f} s and {two.ended.seconds:.1f} s"
    kept = one.results == two.results and one.files == two.files
    return Row("1 and 2 workers, fresh stores: the same bytes", kept, f"{numbers}; {seconds}")


def memory(*runs: Run) -> Row:
    """A cold run stays small."""
    peaks = [run.ended.peak_gib for run in runs]
    numbers = " and ".join(f"{peak:.2f} GiB" for peak in peaks) + " with 1 and 2 workers"
    return Row(f"peak memory of a cold run below {MOST_GIB:g} GiB", max(peaks) < MOST_GIB, numbers)


def runs_again(bench: Bench, whole: Run) -> Row:
    """A finished run, run again, does nothing."""
    again = bench.run("two")
    kept = not again.ran and again.files == whole.files
    return Row(
        "run again: no task runs", kept, f"{len(again.ran)} of {len(again.tasks)} ran, {again.ended.seconds:.1f} s"
    )


def reproduces(whole: Run) -> Row:
    """A colleague with the record gets the same bytes."""
    ended = measure(diptych("reproduce", whole.out / "run.json"))
    said = next((line for line in ended.said.splitlines() if line.startswith(("Equal", "Different", "error"))), "")
    kept = ended.status == 0 and said.startswith("Equal")
    return Row(
        "reproduce says equal", kept, f"status {ended.status}, {said.split(' are those of')[0]}; {ended.seconds:.1f} s"
    )


def adds_a_photo(bench: Bench, whole: Run) -> Row:
    """A photo more costs its own features and pairs, and what takes the whole collection."""
    names = [file["name"] for file in whole.record["photos"]["files"]]
    late = names[len(names) // 2]
    folder = bench.scratch / "growing"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name != late:
            shutil.copy(bench.photos / name, folder / name)
    sparse = ("--until", "sparse")  # Beyond, a photo more may be a neighbor of every other.
    bench.run("grown", *sparse, photos=folder)
    shutil.copy(bench.photos / late, folder / late)
    grown = bench.run("grown", *sparse, photos=folder)
    expected = {task for task in grown.results if task[1] == "" or late in task[1].split("|")}
    ran = {(task["node"], task["item"]) for task in grown.ran}
    counts = Counter(task["node"] for task in grown.ran)
    numbers = ", ".join(f"{node} {count}" for node, count in counts.items())
    return Row(
        "a photo added to a finished run: only its own tasks run",
        ran == expected and grown.files.items() <= whole.files.items(),
        f"of {len(names)} photos: {numbers}; {len(grown.tasks) - len(ran)} came from the store",
    )


def moments(whole: Run) -> Iterator[tuple[str, Callable[[Path], bool]]]:
    """When to kill a run, in words, and whether the run in a folder has come so far."""
    for i in range(1, KILLS + 1):
        count = i * len(whole.tasks) // (KILLS + 1)
        yield f"after {count} results", lambda out, count=count: len(finished_keys(out)) >= count
    *_, before, last = dict.fromkeys(task["node"] for task in whole.tasks)
    early = whole.tasks[-1]["seconds"] / 4
    yield f"in {last}", lambda out: age(out / whole.key_file(before)) > early
    yield "while OUT is written", lambda out: age(out / whole.key_file(last)) > 0


def age(file: Path) -> float:
    """Seconds since a file was written; 0 if it is not there."""
    return time.time() - file.stat().st_mtime if file.exists() else 0.0


def survives_a_kill(bench: Bench, whole: Run, moment: str, is_reached: Callable[[Path], bool]) -> Row:
    """A killed run, run again, ends with the same bytes and does nothing again that was finished."""
    out = bench.scratch / "killed"
    shutil.rmtree(out, ignore_errors=True)
    killed = measure(bench.command("killed"), kill_when=lambda: is_reached(out))
    before = finished_keys(out)
    again = bench.run("killed")
    after = finished_keys(out)
    hits = {task["key"] for task in again.tasks if task["status"] == "hit"}
    twice = [key for key, file in before.items() if key not in hits or after[key] != file]
    left = len(list((out / "store" / "temporary").glob("*")))
    numbers = f"{len(before)} of {len(again.tasks)} results kept, {len(again.ran)} run, {len(twice)} of them twice"
    numbers += "" if killed.status == -9 else f"; not killed in time, status {killed.status}"
    numbers += f"; {left} temporary files left" if left else ""
    numbers += "" if again.files == whole.files else "; OTHER BYTES"
    kept = killed.status == -9 and not twice and not left and again.files == whole.files
    return Row(f"kill -9 {moment}, then run again: the same bytes", kept, numbers)


def finished_keys(out: Path) -> dict[str, tuple[int, int]]:
    """For every finished key in the store of a folder, inode and time of its file: both change if it is rewritten."""
    files = (out / "store" / "keys").glob("*/*.json")
    return {file.stem: (file.stat().st_ino, file.stat().st_mtime_ns) for file in files}


def mends_damage(bench: Bench, whole: Run) -> Row:
    """Of every node one result is damaged; just these are computed again, and it is said."""
    damaged = {task["node"]: task for task in whole.tasks}
    for task in damaged.values():
        artifact = next((whole.out / "store" / "artifacts").rglob(f"{task['output']}.*"))
        data = bytearray(artifact.read_bytes())
        data[-1] ^= 1
        artifact.write_bytes(data)
    again = bench.run("two")
    said = sum("damaged" in line for line in again.ended.said.splitlines())
    expected = {(task["node"], task["item"]) for task in damaged.values()}
    kept = {(task["node"], task["item"]) for task in again.ran} == expected and said == len(expected)
    return Row(
        "damaged results are computed again, and said",
        kept and again.files == whole.files and again.results == whole.results,
        f"{len(expected)} damaged, {len(again.ran)} run, {said} warnings",
    )


def survives_a_full_store(bench: Bench, whole: Run) -> Row:
    """A full store ends a run in a sentence; with room again the run goes on."""
    failed = measure([*FULL, *bench.command("full")])
    again = bench.run("full")
    kept = failed.status == 2 and "[store-full]" in failed.said and "hint: " in failed.said
    numbers = f"status {failed.status}, then {len(again.ran)} of {len(again.tasks)} run"
    return Row("a full store is told; with room again, the same bytes", kept and again.files == whole.files, numbers)


def works_from_a_read_only_store(bench: Bench, whole: Run) -> Row:
    """What a store holds can be had from it though it is read-only; what it lacks ends in a sentence."""
    promise = "a read-only store serves what it has, and is told"
    store = whole.out / "store"
    shutil.copytree(store, bench.scratch / "store", dirs_exist_ok=True)
    folders = [path for path in (bench.scratch / "store").rglob("*") if path.is_dir()] + [bench.scratch / "store"]
    for folder in folders:
        folder.chmod(0o555)
    if os.access(bench.scratch / "store", os.W_OK):
        return Row(promise, None, "not tried: this user may write everywhere")
    from_it = ("--store", bench.scratch / "store")
    served = bench.run("served", *from_it)
    failed = measure(bench.command("refused", *from_it, "--seed", 1))
    for folder in folders:
        folder.chmod(0o755)
    kept = failed.status == 2 and "[store-read-only]" in failed.said and not served.ran
    return Row(promise, kept and served.files == whole.files, f"{len(served.ran)} run, then status {failed.status}")


if __name__ == "__main__":
    main()
