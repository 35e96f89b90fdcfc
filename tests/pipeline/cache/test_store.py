"""The store is whole at any moment, whoever writes, dies or damages it."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from diptych.pipeline.cache.store import DamagedArtifact, KeyRecord, Store
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Matches, Pairs


def pairs(count: int) -> Pairs:
    return Pairs(np.stack([np.zeros(count), np.arange(1, count + 1)], 1))


def record(key: str, output: str, size: int) -> KeyRecord:
    return KeyRecord(key, output, size, {"stage": "X"}, 1.5, 1.0, 2**20, ("careful",), 1e9)


def artifact(store: Store, name: str) -> Path:
    return Path(store.address, "artifacts", name[:2], f"{name}.safetensors")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.mark.parametrize("address", ["local", "memory://store"])
def test_what_is_written_is_read(tmp_path: Path, address: str) -> None:
    store = Store(str(tmp_path / "s") if address == "local" else f"{address}{tmp_path}")
    name, size = store.write(pairs(5))
    assert store.find("k" * 64) is None
    store.finish(record("k" * 64, name, size))
    again = pickle.loads(pickle.dumps(store))
    assert again.find("k" * 64) == record("k" * 64, name, size)
    assert np.array_equal(again.read(name, Pairs).indices, pairs(5).indices)


def test_equal_values_are_kept_once(store: Store, tmp_path: Path) -> None:
    assert store.write(pairs(3)) == store.write(pairs(3))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "remove"])
def test_a_damaged_artifact_is_not_taken(store: Store, harm: str) -> None:
    name, size = store.write(pairs(50))
    store.finish(record("k", name, size))
    assert store.find("k") is not None
    path = artifact(store, name)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    if harm == "remove":
        path.unlink()
    else:
        path.write_bytes({"flip": bytes(data), "cut": data[:-7], "empty": b""}[harm])
        os.utime(path, ns=(1, 1))
    for fresh in (store, Store(store.address)):
        with pytest.raises(DamagedArtifact, match=name):
            fresh.read(name, Pairs)
        with pytest.raises(DamagedArtifact, match=name):
            fresh.find("k")
    assert store.write(pairs(50)) == (name, size)
    assert store.find("k") is not None


def test_a_file_that_was_touched_is_looked_at_and_one_that_was_not_is_read_with_care(store: Store) -> None:
    name, size = store.write(pairs(50))
    store.finish(record("k", name, size))
    path = artifact(store, name)
    marked = path.stat().st_mtime_ns
    path.touch()
    assert Store(store.address).find("k") is not None
    assert path.stat().st_mtime_ns % 10**9 == marked % 10**9, "it is as it was written, and noted so again"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(marked, marked))
    with pytest.raises(DamagedArtifact, match=name):
        Store(store.address).read(name, Pairs)


def test_a_damaged_record_is_not_taken(store: Store) -> None:
    name, size = store.write(pairs(5))
    store.finish(record("k" * 64, name, size))
    next(Path(store.address, "keys").rglob("*.json")).write_text('{"key": "k')
    with pytest.raises(DamagedArtifact):
        store.find("k" * 64)


def test_an_artifact_of_another_type_counts_as_damaged(store: Store) -> None:
    with pytest.raises(DamagedArtifact):
        store.read(store.write(pairs(5))[0], Matches)


CODES = {
    errno.ENOSPC: "store-full",
    errno.EROFS: "store-read-only",
    errno.EACCES: "store-read-only",
    errno.EIO: "store-unusable",
}


@pytest.mark.parametrize(("number", "code"), CODES.items())
def test_a_store_that_cannot_be_written_says_why(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    def refuse(self: Path, data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(StageFailure) as caught:
        store.write(pairs(5))
    assert caught.value.code == code
    assert store.address in caught.value.sentence
    assert "--store" in caught.value.hint


def test_a_store_in_a_file_or_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StageFailure, match="store-unusable"):
        Store(str(tmp_path / "file" / "store")).write(pairs(5))
    with pytest.raises(StageFailure, match="store-unusable"):
        Store("nonsense://store")


def test_a_file_that_may_not_grow_is_a_full_store(tmp_path: Path) -> None:
    """The system itself refuses the bytes, part of the way."""
    script = f"""
import resource, numpy as np
from diptych.pipeline.cache.store import Store
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Pairs
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
store = Store({str(tmp_path / "store")!r})
try:
    store.write(Pairs(np.stack([np.zeros(9999), np.arange(1, 10000)], 1)))
except StageFailure as failure:
    print(failure.code)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "store-full", done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_a_killed_process_left_is_swept_and_what_lives_stays(store: Store) -> None:
    import socket

    store.write(pairs(5))
    aside = Path(store.address, "temporary")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = socket.gethostname()
    left = aside / f"{host}-{dead.pid}-00"
    mine = aside / f"{host}-{os.getpid()}-00"
    elsewhere = aside / "some-other-host-1-00"
    forgotten = aside / "some-other-host-2-00"
    for path in (left, mine, elsewhere, forgotten):
        path.write_text("half")
    long_ago = time.time() - 2e5
    os.utime(forgotten, (long_ago, long_ago))
    store.sweep()
    assert set(aside.iterdir()) == {mine, elsewhere}


def test_a_record_of_an_earlier_version_is_read(store: Store) -> None:
    name, size = store.write(pairs(5))
    store.finish(replace(record("k" * 64, name, size), exclusive=True))
    path = next(Path(store.address, "keys").rglob("*.json"))
    path.write_text(path.read_text().replace('"exclusive"', '"alone"'))
    found = store.find("k" * 64)
    assert found is not None and found.exclusive


def test_a_time_in_steps_of_100_nanoseconds_marks_a_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    name, size = store.write(pairs(5))
    coarse = artifact(store, name).stat().st_mtime_ns // 100 * 100
    os.utime(artifact(store, name), ns=(coarse, coarse))
    monkeypatch.setattr(Store, "_verify", lambda *_: pytest.fail("the file was hashed again"))
    assert store.is_sound(name, size)


def test_file_names_are_possible_on_windows(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    replace_file = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: written.append(self) or replace_file(self, to))
    name, size = store.write(pairs(5))
    store.finish(record("k" * 64, name, size))
    paths = [*written, *Path(store.address).rglob("*")]
    assert len(written) == 2 and not [path for path in paths if set(str(path.relative_to(tmp_path))) & set('<>:"|?*')]


def test_two_processes_fill_one_store(tmp_path: Path) -> None:
    script = f"""
import numpy as np
from diptych.pipeline.cache.store import KeyRecord, Store
from diptych.stages.scene import Pairs
store = Store({str(tmp_path / "store")!r})
for n in range(1, 60):
    value = Pairs(np.stack([np.zeros(n), np.arange(1, n + 1)], 1))
    name, size = store.write(value)
    store.finish(KeyRecord(f"{{n:064d}}", name, size, {{}}, 0.0, 0.0, 0, (), 0.0))
    assert len(store.read(name, Pairs)) == n and store.find(f"{{n:064d}}").output == name
"""
    running = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    store = Store(str(tmp_path / "store"))
    for n in range(1, 60):
        found = store.find(f"{n:064d}")
        assert found is not None
        assert len(store.read(found.output, Pairs)) == n
    assert not list(Path(store.address, "temporary").iterdir())
