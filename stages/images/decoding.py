"""Decode photos and masks.

The EXIF orientation is applied here and nowhere else: pixels, masks and the sizes of the prior cameras are upright.
Sixteen bits become eight by dropping low bits; a photo whose brightest value fits into 10, 12 or 14 bits, as scientific
cameras write them, is taken to have that depth. An alpha channel is the mask of a photo without a mask file.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..failure import StageFailure
from ..scene import Photo
from .containers import Container, read_container

_FLIPS = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
"""OpenCV's flip code for an orientation; 5 to 8 are transposed first."""


def decode(photo: Photo) -> np.ndarray:
    """The colors of a photo, RGB, uint8, shape (H, W, 3).

    Raises:
        StageFailure: ``unreadable-photo``.
    """
    image = _eight_bits(_read(photo.encoded))
    if image.ndim == 2:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(image, cv2.COLOR_BGRA2RGB if image.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def decode_gray(photo: Photo) -> np.ndarray:
    """The brightness of a photo (luma of ITU-R BT.601), uint8, shape (H, W).

    Raises:
        StageFailure: ``unreadable-photo``.
    """
    image = _eight_bits(_read(photo.encoded, gray=True))
    if image.ndim == 2:
        return image
    return cv2.cvtColor(image, cv2.COLOR_BGRA2GRAY if image.shape[2] == 4 else cv2.COLOR_BGR2GRAY)


def decode_mask(photo: Photo) -> np.ndarray | None:
    """Where keypoints may lie: the photo's mask file, else its alpha channel, else ``None``.

    A pixel is masked out where the mask is black or alpha is zero; a fully opaque photo has no mask.

    Returns:
        bool, shape (H, W).

    Raises:
        StageFailure: ``unreadable-photo``.
    """
    if len(photo.mask):
        mask = _read(photo.mask)
        return np.any(np.atleast_3d(mask)[..., :3], axis=2)
    if not _open(photo.encoded).alpha:
        return None
    image = _read(photo.encoded)
    if image.ndim == 2 or image.shape[2] < 4:
        return None
    opaque = image[..., 3] > 0
    return None if opaque.all() else opaque


def check_decodable(encoded: bytes, container: Container) -> None:
    """Check that OpenCV can decode the compression inside a complete file.

    A JPEG is decoded at an eighth of its size, a TIFF as it is; every PNG with right checksums can be decoded.

    Raises:
        ValueError: the error, as the end of a sentence that starts with the file's name.
    """
    flags = {"jpeg": cv2.IMREAD_REDUCED_GRAYSCALE_8, "tiff": cv2.IMREAD_UNCHANGED}.get(container.format)
    if flags is None:
        return
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise ValueError("is damaged or compressed in a way that cannot be read")


def _open(encoded: np.ndarray) -> Container:
    try:
        return read_container(encoded.tobytes())
    except ValueError as flaw:
        raise StageFailure("unreadable-photo", f"A photo {flaw}.", hint="Look at the file, or take it out.") from flaw


def _read(encoded: np.ndarray, gray: bool = False) -> np.ndarray:
    """Upright pixels as stored: 8 or 16 bit, gray, BGR or BGRA.

    With ``gray`` a JPEG gives only its brightness channel, which it stores as such.
    """
    container = _open(encoded)
    brightness = gray and container.format == "jpeg"
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION if brightness else cv2.IMREAD_UNCHANGED
    try:
        image = cv2.imdecode(encoded, flags)
    except cv2.error:
        image = None
    if image is None:
        raise StageFailure("unreadable-photo", "A photo cannot be decoded.", hint="Save the file anew as PNG.")
    # OpenCV turns a TIFF upright whatever the flags.
    return image if container.format == "tiff" else _upright(image, container.orientation)


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    if orientation >= 5:
        image = cv2.transpose(image)
    return cv2.flip(image, _FLIPS[orientation]) if orientation in _FLIPS else image


def _eight_bits(image: np.ndarray) -> np.ndarray:
    if image.dtype == np.uint8:
        return image
    brightest = int(np.atleast_3d(image)[..., :3].max())
    bits = next(bits for bits in (10, 12, 14, 16) if brightest < 1 << bits)
    return (image >> (bits - 8)).astype(np.uint8)
