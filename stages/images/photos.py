"""Find the photos in a folder, with their masks and prior cameras."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..failure import StageFailure
from ..scene import Photo, Photos
from .calibration import Grouping, Source, prior_cameras
from .containers import read_container
from .decoding import check_decodable, decode, decode_gray, decode_mask
from .exif import Exif, read_exif

__all__ = ["PhotoFile", "decode", "decode_gray", "decode_mask", "read_photos"]


@dataclass(frozen=True)
class PhotoFile:
    """The files of a photo of the collection.

    Attributes:
        name: as in :attr:`Photos.names`.
        path: the image file.
        mask: the mask's file, if there is one.
        digest: SHA-256 over the bytes of the photo and of its mask, in hexadecimal digits.
    """

    name: str
    path: Path
    mask: Path | None
    digest: str

    def load(self) -> Photo:
        """Read the bytes.

        Raises:
            StageFailure: ``photo-changed`` when they are not those the collection was made of.
        """
        try:
            encoded, mask = self.path.read_bytes(), self.mask.read_bytes() if self.mask else b""
        except OSError as error:
            raise _changed(self.name, f"can no longer be read: {error.strerror}") from error
        if _digest(encoded, mask) != self.digest:
            raise _changed(self.name, "was changed while it was being worked on")
        return Photo(np.frombuffer(encoded, np.uint8), np.frombuffer(mask, np.uint8))


@dataclass(frozen=True)
class _Candidate:
    """A file that may be a photo, with its mask; ``flaw`` says why it is not."""

    name: str
    path: Path
    mask: Path | None = None
    content: str = ""
    digest: str = ""
    size: tuple[int, int] = (0, 0)
    exif: Exif = Exif()
    flaw: str = ""


def read_photos(
    folder: Path,
    *,
    cameras: Grouping = "auto",
    camera: str | None = None,
    masks: Path | None = None,
    warn: Callable[[str], None] = lambda _: None,
    threads: int = 1,
) -> tuple[Photos, tuple[PhotoFile, ...]]:
    """Find the photos (JPEG, PNG, TIFF) in a folder and all below it, with their prior cameras and positions.

    Hidden files are ignored, and links to folders are not followed. Damaged files and copies of other photos are left
    out with a warning.

    Args:
        folder: where the photos are.
        cameras: which photos share a camera.
        camera: its known intrinsics; see :func:`diptych.stages.images.calibration.prior_cameras`.
        masks: a folder of images that are black where keypoints must not lie, laid out as the photos are and named
            ``photo.jpg.png`` or ``photo.png`` for ``photo.jpg``. It may lie inside ``folder``.
        warn: called with each warning, a sentence.
        threads: number of files to read at once; the result does not depend on it.

    Returns:
        The collection, and the files in the same order.

    Raises:
        StageFailure: ``no-such-folder``, ``no-photos``, ``too-few-photos``, ``no-masks``, ``mask-size``, ``bad-mask``,
            and those of :func:`diptych.stages.images.calibration.prior_cameras`.
    """
    for wanted in (folder, masks):
        if wanted is not None and not wanted.is_dir():
            what = "is a file, not a folder" if wanted.exists() else "does not exist"
            raise StageFailure("no-such-folder", f"{wanted} {what}.", hint="Give the folder that holds the images.")
    paths = _files(folder, leave_out=masks)
    if not paths:
        raise StageFailure("no-photos", f"{folder} holds no photos.", hint="Put JPEG, PNG or TIFF files into it.")
    mask_of = _masks(paths, masks) if masks is not None else {}
    with ThreadPoolExecutor(max(1, threads)) as pool:
        looks = list(pool.map(lambda name: _inspect(name, paths[name], mask_of.get(name)), paths))
    kept = _keep(looks, folder, warn)
    bare = sum(look.mask is None for look in kept)
    if masks is not None and bare:
        warn(f"{bare} of {len(kept)} photos {'has' if bare == 1 else 'have'} no mask; all of their pixels are used.")
    sources = [Source(look.name, look.size, look.exif) for look in kept]
    priors, camera_of = prior_cameras(sources, cameras=cameras, camera=camera, warn=warn)
    for look in kept:
        if look.exif.gps_damaged:
            warn(f"{look.name}: the GPS position in its EXIF makes no sense and is left out.")
    photos = Photos(tuple(look.name for look in kept), priors, camera_of, np.array([look.exif.gps for look in kept]))
    return photos, tuple(PhotoFile(look.name, look.path, look.mask, look.digest) for look in kept)


def _files(folder: Path, leave_out: Path | None = None) -> dict[str, Path]:
    """All files in a folder and below that are not hidden, by their relative names, sorted."""
    found = {}
    for place, below, files in os.walk(folder):
        here = Path(place)
        below[:] = [name for name in below if not (name.startswith(".") or _same(here / name, leave_out))]
        found |= {(here / name).relative_to(folder).as_posix(): here / name for name in files if name[0] != "."}
    return dict(sorted(found.items()))


def _same(path: Path, other: Path | None) -> bool:
    return other is not None and path.samefile(other)


def _masks(photos: Iterable[str], folder: Path) -> dict[str, Path]:
    """The mask of each photo that has one."""
    by_stem: dict[str, Path] = {}
    for name, path in _files(folder).items():
        by_stem.setdefault(_stem(name), path)
    found = {name: by_stem.get(name) or by_stem.get(_stem(name)) for name in photos}
    masks = {name: path for name, path in found.items() if path is not None}
    if not masks:
        raise StageFailure(
            "no-masks",
            f"{folder} holds no mask for any of the photos.",
            hint="Name a mask as its photo, such as photo.png or photo.jpg.png, in the same subfolder.",
            photos=len(found),
        )
    return masks


def _stem(name: str) -> str:
    """A name without its last suffix."""
    return str(Path(name).with_suffix("").as_posix())


def _inspect(name: str, path: Path, mask: Path | None) -> _Candidate:
    try:
        name.encode()
        encoded = path.read_bytes()
        container = read_container(encoded)
        check_decodable(encoded, container)
    except UnicodeEncodeError:
        return _Candidate(name.encode(errors="replace").decode(), path, flaw="has a name that is not valid Unicode")
    except OSError as error:
        return _Candidate(name, path, flaw=f"cannot be read ({error.strerror})")
    except ValueError as flaw:
        return _Candidate(name, path, flaw=str(flaw))
    covering = _mask_bytes(name, container.size, mask) if mask is not None else b""
    content, exif = hashlib.sha256(encoded).hexdigest(), read_exif(container.exif)
    return _Candidate(name, path, mask, content, _digest(encoded, covering), container.size, exif)


def _mask_bytes(name: str, size: tuple[int, int], mask: Path) -> bytes:
    try:
        encoded = mask.read_bytes()
        container = read_container(encoded)
    except OSError as error:
        raise StageFailure("bad-mask", f"The mask {mask.name} of {name} cannot be read: {error.strerror}.") from error
    except ValueError as flaw:
        raise StageFailure("bad-mask", f"The mask {mask.name} of {name} {flaw}.", hint="Save it as PNG.") from flaw
    if container.size != size:
        raise StageFailure(
            "mask-size",
            f"{name} is {size[0]}x{size[1]}, but its mask is {container.size[0]}x{container.size[1]}.",
            hint="Make the mask as large as the photo, upright as a viewer shows it.",
            photo=list(size),
            mask=list(container.size),
        )
    return encoded


def _keep(looks: Sequence[_Candidate], folder: Path, warn: Callable[[str], None]) -> list[_Candidate]:
    """The usable photos without copies.

    Raises:
        StageFailure: ``too-few-photos``.
    """
    kept: dict[str, _Candidate] = {}
    skipped, copies = 0, 0
    for look in looks:
        if look.flaw:
            skipped += 1
            warn(f"{look.name} {look.flaw}; it is left out.")
        elif look.content in kept:
            copies += 1
            warn(f"{look.name} is the same photo as {kept[look.content].name}, byte for byte; it is left out.")
        else:
            kept[look.content] = look
    if len(kept) < 2:
        only = f"Of {len(looks)} files in {folder}, {len(kept)} can be used"
        reasons = [f"{skipped} {'is' if skipped == 1 else 'are'} no complete image"] * (skipped > 0)
        reasons += [f"{copies} {'is a copy' if copies == 1 else 'are copies'} of another"] * (copies > 0)
        raise StageFailure(
            "too-few-photos",
            f"{only}{': ' if reasons else ''}{' and '.join(reasons)}; a reconstruction needs two different photos.",
            hint="Take photos of the scene from different places, each overlapping others.",
            usable=len(kept),
            unreadable=skipped,
            copies=copies,
        )
    return list(kept.values())


def _digest(encoded: bytes, mask: bytes) -> str:
    return hashlib.sha256(len(encoded).to_bytes(8, "big") + encoded + mask).hexdigest()


def _changed(name: str, what: str) -> StageFailure:
    return StageFailure("photo-changed", f"{name} {what}.", hint="Leave the photos alone during a run; run again.")
