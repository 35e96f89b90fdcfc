"""The header of an image file, read without decoding it, and a check that the file is complete.

A truncated JPEG still decodes, to a photo with a gray lower part, so completeness is checked on the file's structure:
the markers of a JPEG up to its end, the chunks and checksums of a PNG, the strips and tiles a TIFF points to. That
costs milliseconds and no decoding.
"""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image

_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""A JPEG marker that ends entropy-coded data: neither a stuffed zero, nor a restart, nor a fill byte."""

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset(range(0xD0, 0xD9)) | {0x01}
_START_OF_SCAN, _END_OF_IMAGE, _APP1 = 0xDA, 0xD9, 0xE1

_ORIENTATION = 274
_TIFF_TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes a value of each TIFF type takes."""

_TIFF_COLORS = frozenset({0, 1, 2, 3, 6})
"""Photometric interpretations: gray both ways, RGB, palette, YCbCr."""

# Of a damaged EXIF block the readable tags are used.
warnings.filterwarnings("ignore", message="Corrupt EXIF data", module=r"PIL\.")


@dataclass(frozen=True)
class Container:
    """The header of a complete image file.

    Attributes:
        format: ``jpeg``, ``png`` or ``tiff``.
        stored: width and height as stored, before the orientation is applied.
        orientation: EXIF orientation, 1 to 8.
        exif: the EXIF block, a small TIFF file of its own; empty for none.
        alpha: whether there is an alpha channel or a transparent color.
    """

    format: Literal["jpeg", "png", "tiff"]
    stored: tuple[int, int]
    orientation: int
    exif: bytes
    alpha: bool

    @property
    def size(self) -> tuple[int, int]:
        """Width and height after the orientation is applied."""
        width, height = self.stored
        return (width, height) if self.orientation < 5 else (height, width)


def read_container(encoded: bytes) -> Container:
    """Read the header of a JPEG, PNG or TIFF file and check that the file is complete.

    Raises:
        ValueError: the error, as the end of a sentence that starts with the file's name.
    """
    if not encoded:
        raise ValueError("is empty")
    try:
        if encoded.startswith(b"\xff\xd8\xff"):
            return _jpeg(encoded)
        if encoded.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(encoded)
        if encoded.startswith((b"II*\0", b"MM\0*")):
            return _tiff(encoded)
    except (struct.error, IndexError):
        raise ValueError(_cut(encoded)) from None
    raise ValueError("is no JPEG, PNG or TIFF image")


_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, struct.error)
"""What Pillow raises on damaged EXIF."""


def read_tags(exif: bytes) -> Image.Exif:
    """The readable tags of an EXIF block."""
    tags = Image.Exif()
    try:
        tags.load(exif)
        dict(tags)  # tags are converted when first asked for
    except _DAMAGE:
        return Image.Exif()
    return tags


def read_directory(tags: Image.Exif, tag: int) -> dict[int, Any]:
    """The tags of a directory that an EXIF block points to; empty if it is missing or damaged."""
    try:
        return tags.get_ifd(tag)
    except _DAMAGE:
        return {}


def _container(form: Literal["jpeg", "png", "tiff"], width: int, height: int, exif: bytes, alpha: bool) -> Container:
    if width < 1 or height < 1:
        raise ValueError("has no pixels")
    told = read_tags(exif).get(_ORIENTATION) if exif else None
    orientation = next((known for known in range(1, 9) if known == told), 1)
    return Container(form, (width, height), orientation, exif, alpha)


def _jpeg(encoded: bytes) -> Container:
    at, size, exif, scans = 2, (0, 0), b"", 0
    while True:
        while encoded[at] == 0xFF and encoded[at + 1] == 0xFF:
            at += 1
        start, marker = encoded[at], encoded[at + 1]
        if start != 0xFF:
            raise ValueError(f"is damaged: no JPEG marker where one must be, at byte {at}")
        at += 2
        if marker == _END_OF_IMAGE:
            break
        if marker in _WITHOUT_LENGTH:
            continue
        (length,) = struct.unpack_from(">H", encoded, at)
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", encoded, at + 3)
            size = (width, height)
        elif marker == _APP1 and not exif and encoded.startswith(b"Exif\0\0", at + 2):
            exif = encoded[at + 8 : at + length]
        at += length
        if marker == _START_OF_SCAN:
            scans += 1
            following = _MARKER.search(encoded, at)
            if following is None:
                raise ValueError(_cut(encoded))
            at = following.start()
    if not scans:
        raise ValueError("holds a JPEG header but no image")
    return _container("jpeg", *size, exif, alpha=False)


def _png(encoded: bytes) -> Container:
    at, header, exif, alpha = 8, (0, 0, 0, 0), b"", False
    view = memoryview(encoded)
    while True:
        length, kind = struct.unpack_from(">I4s", encoded, at)
        end = at + 8 + length
        (checksum,) = struct.unpack_from(">I", encoded, end)
        if zlib.crc32(view[at + 4 : end]) != checksum:
            raise ValueError(f"is damaged: the checksum of a PNG chunk is wrong, at byte {at}")
        if kind == b"IHDR":
            header = struct.unpack_from(">IIBB", encoded, at + 8)
        elif kind == b"eXIf":
            exif = encoded[at + 8 : end]
        elif kind == b"tRNS":
            alpha = True
        elif kind == b"IEND":
            break
        at = end + 4
    width, height, _, color = header
    return _container("png", width, height, exif, alpha or color in (4, 6))


def _tiff(encoded: bytes) -> Container:
    _check_directory(encoded)
    tags = read_tags(encoded)
    size = _numbers(tags, 256) + _numbers(tags, 257)
    if len(size) != 2:
        raise ValueError("is damaged: a TIFF that does not tell its size")
    strips = [_numbers(tags, tag) for tag in ((273, 279) if 273 in tags else (324, 325))]
    if not strips[0] or len(strips[0]) != len(strips[1]):
        raise ValueError("is damaged: a TIFF that does not tell where its pixels are")
    if any(offset + count > len(encoded) for offset, count in zip(*strips, strict=True)):
        raise ValueError(_cut(encoded))
    if any(kind != 1 for kind in _numbers(tags, 339)) or any(bits not in (1, 4, 8, 16) for bits in _numbers(tags, 258)):
        raise ValueError("has pixels that are neither 8 nor 16 bit integers")
    if not set(_numbers(tags, 262)) <= _TIFF_COLORS:
        raise ValueError("is a TIFF in other colors than gray, palette, RGB or YCbCr")
    return _container("tiff", *size, encoded, alpha=bool(_numbers(tags, 338)))


def _check_directory(encoded: bytes) -> None:
    """Check that the first directory of a TIFF, and every value it points to, lies within the file."""
    order = "<" if encoded.startswith(b"II") else ">"
    (at,) = struct.unpack_from(order + "I", encoded, 4)
    (entries,) = struct.unpack_from(order + "H", encoded, at)
    end = at + 2 + 12 * entries
    struct.unpack_from(order + "I", encoded, end)  # where the next directory is
    for _, kind, count, offset in struct.iter_unpack(order + "HHII", encoded[at + 2 : end]):
        size = count * _TIFF_TYPES.get(kind, 0)
        if size > 4 and offset + size > len(encoded):
            raise ValueError(_cut(encoded))


def _numbers(tags: Image.Exif, tag: int) -> tuple[int, ...]:
    values = tags.get(tag, ())
    return tuple(value for value in (values if isinstance(values, tuple) else (values,)) if isinstance(value, int))


def _cut(encoded: bytes) -> str:
    return f"is cut off after {len(encoded):,} bytes"
