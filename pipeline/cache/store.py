"""The store: results by the digest of their bytes, and the result of every key.

Files are written to ``temporary/`` and renamed, so that none is ever incomplete: any number of processes may share a
store, and each may be killed at any moment. Every artifact is checked against its digest when it is read; a corrupt one
counts as absent. The address is a folder or any fsspec address (``s3://…``, ``memory://…``).

Layout: ``artifacts/ab/abcd….safetensors`` and ``keys/12/1234….json``.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import mmap
import os
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar

import fsspec
import psutil
from fsspec.implementations.local import LocalFileSystem

from ...stages.failure import StageFailure
from .codec import canonical, decode, digest, encode

T = TypeVar("T")

DAY = 86400.0


@dataclass(frozen=True)
class KeyRecord:
    """The record of a finished task.

    Attributes:
        key: the key of the task.
        output, size: sha256 and length in bytes of its result.
        ingredients: the ingredients of the key, by name.
        seconds, cpu_seconds, peak_rss, exclusive: its cost, as :class:`diptych.pipeline.engine.metering.Cost`.
        warnings: the warnings of the stage.
        when: end of the task, seconds since 1970.
    """

    key: str
    output: str
    size: int
    ingredients: dict[str, Any]
    seconds: float
    cpu_seconds: float
    peak_rss: int
    warnings: tuple[str, ...]
    when: float
    exclusive: bool = False


class DamagedArtifact(Exception):
    """An artifact is gone, or its bytes have another digest."""

    def __init__(self, artifact: str) -> None:
        super().__init__(artifact)
        self.artifact = artifact


@dataclass(frozen=True)
class Store:
    """A content-addressed store at a folder or fsspec address."""

    address: str
    _fs: Any = field(init=False, repr=False, compare=False)
    _root: str = field(init=False, repr=False, compare=False)
    _verified: dict[str, tuple[int, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        try:
            fs, root = fsspec.core.url_to_fs(self.address)
        except (ValueError, ImportError) as error:
            raise StageFailure("store-unusable", f"The store {self.address} cannot be opened: {error}") from error
        object.__setattr__(self, "_fs", fs)
        object.__setattr__(self, "_root", root.rstrip("/"))
        if self.is_local:
            object.__setattr__(self, "address", self._root)

    def __reduce__(self) -> tuple[object, ...]:
        return Store, (self.address,)

    def write(self, value: object) -> tuple[str, int]:
        """Store ``value``, replacing a corrupt copy. Returns (sha256, size)."""
        data = encode(value)
        name = digest(data)
        if not self.is_sound(name, len(data)):
            self._put(self._artifact(name), data)
            if self.is_local:
                self._mark(name)
        return name, len(data)

    def read(self, artifact: str, expected: type[T]) -> T:
        """The value with this digest; the arrays from a local store are memory-mapped.

        Raises:
            DamagedArtifact: the artifact is gone or its bytes have another digest.
        """
        try:
            return decode(self._checked(artifact), expected)
        except (OSError, ValueError) as error:
            raise DamagedArtifact(artifact) from error

    def is_sound(self, artifact: str, size: int) -> bool:
        """Whether an artifact is there and not corrupt; in a remote store only its length is checked.

        The bytes of a local file are checked if its modification time shows that it was touched since it was written.
        """
        path = self._artifact(artifact)
        if not self._has(path, size):
            return False
        if not self.is_local:
            return True
        try:
            if _is_marked(Path(path).stat(), artifact):
                return True
            with Path(path).open("rb") as file:
                self._verify(artifact, file)
        except (OSError, DamagedArtifact):
            return False
        return True

    def finish(self, record: KeyRecord) -> None:
        """Write the record of a key; call it after the result is written."""
        self._put(self._key(record.key), canonical(asdict(record)).encode())

    def find(self, key: str) -> KeyRecord | None:
        """The record of a finished task, or None.

        Raises:
            DamagedArtifact: the record is corrupt, or its result is gone or corrupt.
        """
        try:
            data = self._bytes(self._key(key))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._failure(error) from error
        try:
            tree = {**json.loads(data)}
            if "alone" in tree:  # The name of `exclusive` in stores of earlier versions.
                tree["exclusive"] = tree.pop("alone")
            record = KeyRecord(**{**tree, "warnings": tuple(tree["warnings"])})
        except (ValueError, TypeError, KeyError) as error:
            raise DamagedArtifact(key) from error
        if record.key != key or not self.is_sound(record.output, record.size):
            raise DamagedArtifact(record.output)
        return record

    def discard(self, artifact: str) -> None:
        """Remove a corrupt artifact, so that it is computed again."""
        self._verified.pop(artifact, None)
        with contextlib.suppress(OSError):
            self._fs.rm_file(self._artifact(artifact))

    def sweep(self) -> None:
        """Remove the temporary files of killed processes."""
        if not self.is_local:
            return
        for path in Path(self._root, "temporary").glob("*"):
            host, pid, _ = path.name.rsplit("-", 2)
            with contextlib.suppress(OSError):
                abandoned = host == socket.gethostname() and not psutil.pid_exists(int(pid))
                if abandoned or time.time() - path.stat().st_mtime > DAY:
                    path.unlink()

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return isinstance(self._fs, LocalFileSystem)

    def _artifact(self, name: str) -> str:
        return f"{self._root}/artifacts/{name[:2]}/{name}.safetensors"

    def _key(self, key: str) -> str:
        return f"{self._root}/keys/{key[:2]}/{key}.json"

    def _bytes(self, path: str) -> bytes:
        # A study looks up thousands of keys, and fsspec is slow for local files.
        return Path(path).read_bytes() if self.is_local else self._fs.cat_file(path)

    def _has(self, path: str, size: int) -> bool:
        try:
            return (Path(path).stat().st_size if self.is_local else self._fs.size(path)) == size
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._failure(error) from error

    def _checked(self, artifact: str) -> Any:
        """The bytes of an artifact, checked against its digest."""
        path = self._artifact(artifact)
        if not self.is_local:
            data = self._fs.cat_file(path)
            if digest(data) != artifact:
                raise DamagedArtifact(artifact)
            return data
        with Path(path).open("rb") as file:
            self._verify(artifact, file)
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def _verify(self, artifact: str, file: BufferedReader) -> None:
        """Check the digest of a local file, unless this process checked it before and it has not changed since."""
        if self._verified.get(artifact) == _state(file):
            return
        # Read in blocks: hashing a memory map costs a page fault for every 4 kB.
        if hashlib.file_digest(file, "sha256").hexdigest() != artifact:
            raise DamagedArtifact(artifact)
        self._mark(artifact)
        self._verified[artifact] = _state(file)

    def _mark(self, artifact: str) -> None:
        """Mark a local file as not corrupt, in its modification time; a read-only store does without."""
        path = self._artifact(artifact)
        with contextlib.suppress(OSError):
            stat = Path(path).stat()
            if not _is_marked(stat, artifact):
                marked = stat.st_mtime_ns // SECOND * SECOND + _mark_of(artifact)
                os.utime(path, ns=(stat.st_atime_ns, marked))

    def _put(self, path: str, data: bytes) -> None:
        with self._os_errors():
            if self.is_local:
                temporary = Path(self._root, "temporary", f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}")
                _write_temporary(temporary, data)
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(path)
            else:
                # A remote object appears when its upload is complete.
                self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                self._fs.pipe_file(path, data)

    @contextlib.contextmanager
    def _os_errors(self) -> Iterator[None]:
        """Raise a StageFailure for an OSError."""
        try:
            yield
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> StageFailure:
        code, what, hint = {
            **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), FULL),
            **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), READ_ONLY),
        }.get(error.errno or 0, UNUSABLE)
        return StageFailure(code, f"The store {self.address} {what}: {error.strerror or error}.", hint=hint)


FULL = (
    "store-full",
    "is full",
    "Make room or choose another place with --store, then run again: what is finished stays.",
)
READ_ONLY = ("store-read-only", "cannot be written to", "Choose a folder you may write to with --store.")
UNUSABLE = ("store-unusable", "cannot be used", "Choose another place with --store.")


SECOND = 1_000_000_000


def _mark_of(artifact: str) -> int:
    """The nanoseconds of the modification time that mark a file as not corrupt: any edit sets others."""
    return int(artifact[:8], 16) % SECOND


def _is_marked(stat: os.stat_result, artifact: str) -> bool:
    # NTFS keeps steps of 100 nanoseconds.
    return stat.st_mtime_ns % SECOND // 100 == _mark_of(artifact) // 100


def _state(file: BufferedReader) -> tuple[int, ...]:
    """Inode, size and modification time: they differ after an edit."""
    stat = os.fstat(file.fileno())
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _write_temporary(temporary: Path, data: bytes) -> None:
    temporary.parent.mkdir(parents=True, exist_ok=True)
    try:
        temporary.write_bytes(data)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
