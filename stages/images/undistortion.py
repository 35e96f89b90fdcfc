"""Undistort photos to pinhole views for multi-view stereo."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from ..dense import Neighbors, View
from ..geometry.projection import canonical_params, is_fisheye, project, undistort
from ..scene import Camera, Photo, Photos, Sparse
from ..stage import Sizes, Stage
from .decoding import decode, decode_mask

_MOST_BLANK = 0.1
"""Each side of the view may be this much farther from the axis than the nearest point of that side of the photo."""

_WIDEST = float(np.tan(np.radians(70)))
"""Tangent of the largest angle of a side from the axis: a plane stretches the rim of a fisheye without limit."""

_ROWS = 256
"""Rows resampled at a time; bounds the memory."""


class Undistort(Stage):
    """Resample a photo to a pinhole view without distortion.

    The view looks along the photo's axis with the photo's focal length, as COLMAP's undistorter does (Schönberger and
    Frahm 2016). It shows the whole photo, unless more than a tenth of the way from the axis to a side would be blank,
    or a side would be farther than 70 degrees from the axis. It is interpolated by cubic splines at the photo's scale,
    then shrunk by area averaging, so that fine texture does not alias.

    Args:
        max_size: most pixels of the longer side, 0 for no limit. A view never has a longer focal length than the photo.
    """

    slot = "views"
    papers = ("schoenberger2016sfm",)
    libraries = ("numpy", "numba", "opencv-contrib-python")

    max_size: int = 1600

    def run(self, photo: Photo, name: str, photos: Photos, sparse: Sparse, neighbors: Neighbors) -> View:
        """The view of one photo in the largest model; ``missing`` says why it can have no depth.

        Raises:
            StageFailure: ``unreadable-photo``.
        """
        index, scene = photos.names.index(name), sparse.scene
        image, mask = decode(photo), decode_mask(photo)
        height, width = image.shape[:2]
        missing = neighbors.missing[index]
        camera, rotation, translation = photos.camera(index), np.eye(3), np.zeros(3)
        if name in scene.names:
            registered = scene.names.index(name)
            camera = scene.camera(registered)
            rotation, translation = scene.rotations[registered], scene.translations[registered]
        else:
            missing = missing or "is not in the largest model"
        if (camera.width, camera.height) != (width, height):
            missing = missing or f"is {width}x{height}, but the model's camera says {camera.width}x{camera.height}"
            camera = Camera("SIMPLE_PINHOLE", width, height, (1.2 * max(width, height), width / 2, height / 2))
        if mask is None:
            mask = np.ones((height, width), np.bool_)
        elif mask.shape != (height, width):
            missing = missing or f"is {width}x{height}, but its mask is {mask.shape[1]}x{mask.shape[0]}"
            mask = np.ones((height, width), np.bool_)

        image, visible, pinhole = undistorted(camera, image, mask, self.max_size)
        if not visible.any():
            missing = missing or "is hidden by its mask everywhere"
        if missing:
            return View(image, visible, pinhole, np.eye(3), np.zeros(3), 0.0, 0.0, missing)
        near, far = float(neighbors.near[index]), float(neighbors.far[index])
        return View(image, visible, pinhole, rotation, translation, near, far)

    def footprint(self, sizes: Sizes) -> int:
        """As measured; it grows with the photo."""
        return 50 * sizes.pixels

    def resized(self, sizes: Sizes) -> Sizes:
        """Views are as large as asked, or as the photos."""
        scales = (min(1.0, (self.max_size or max(size)) / max(size)) for size in sizes.images)
        images = ((round(w * by), round(h * by)) for (w, h), by in zip(sizes.images, scales, strict=True))
        return replace(sizes, images=tuple(images))


def undistorted(
    camera: Camera, image: np.ndarray, mask: np.ndarray, max_size: int
) -> tuple[np.ndarray, np.ndarray, Camera]:
    """A photo as :class:`Undistort` makes a view of it.

    Args:
        camera: took the photo.
        image: uint8, shape (H, W, 3).
        mask: bool, shape (H, W).
        max_size: as of :class:`Undistort`.

    Returns:
        The image of the view, its mask, and its PINHOLE camera.
    """
    pinhole = pinhole_of(camera)
    image, share = resample(camera, pinhole, image, mask)
    pinhole = shrunk(pinhole, max_size)
    size = (pinhole.width, pinhole.height)
    image, share = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (image, share))
    return image, share >= 128, pinhole


def pinhole_of(camera: Camera) -> Camera:
    """The PINHOLE camera of :class:`Undistort` for a camera, at full size."""
    fx, fy = camera.focal_lengths
    if _is_pinhole(camera):
        return Camera("PINHOLE", camera.width, camera.height, (fx, fy, *camera.principal_point), camera.focal)
    x, y = np.linspace(0, camera.width, 257), np.linspace(0, camera.height, 257)
    left, right = (_side(undistort(camera, np.column_stack([x * 0 + at, y]))[:, 0]) for at in (0.0, camera.width))
    top, bottom = (_side(undistort(camera, np.column_stack([x, y * 0 + at]))[:, 1]) for at in (0.0, camera.height))
    width, height = (max(1, round(size)) for size in (fx * (right - left), fy * (bottom - top)))
    return Camera("PINHOLE", width, height, (fx, fy, -fx * left, -fy * top), camera.focal)


def shrunk(camera: Camera, max_size: int) -> Camera:
    """A PINHOLE camera with its longer side at most this many pixels (0 for any), over the same field of view."""
    longer = max(camera.width, camera.height)
    scale = min(1.0, (max_size or longer) / longer)
    width, height = max(1, round(scale * camera.width)), max(1, round(scale * camera.height))
    by = np.array([width / camera.width, height / camera.height] * 2)
    return Camera("PINHOLE", width, height, tuple(by * camera.params), camera.focal)


def resample(camera: Camera, pinhole: Camera, image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Resample a photo to a pinhole camera at the same place.

    Args:
        camera: took the photo.
        pinhole: takes the view.
        image: uint8, shape (H, W, 3).
        mask: bool, shape (H, W).

    Returns:
        The image of the pinhole camera, and the share of each pixel inside the photo and its mask, 0 to 255.
    """
    share = np.where(mask, np.uint8(255), np.uint8(0))
    if _is_pinhole(camera):
        return image, share
    rim = _rim(camera)
    seen = np.empty((pinhole.height, pinhole.width, 3), np.uint8)
    visible = np.empty((pinhole.height, pinhole.width), np.uint8)
    (fx, fy), (cx, cy) = pinhole.focal_lengths, pinhole.principal_point
    x = (np.arange(pinhole.width) + 0.5 - cx) / fx
    for first in range(0, pinhole.height, _ROWS):
        rows = slice(first, min(first + _ROWS, pinhole.height))
        y = (np.arange(rows.start, rows.stop) + 0.5 - cy) / fy
        rays = np.stack([*np.meshgrid(x, y), np.ones((len(y), len(x)))], axis=-1)
        at = project(camera, rays.reshape(-1, 3)).reshape(len(y), len(x), 2)
        inside = ((at >= 0) & (at <= [camera.width, camera.height])).all(axis=2) & (
            np.hypot(rays[..., 0], rays[..., 1]) <= rim
        )
        u, v = np.moveaxis(np.where(inside[..., None], at - 0.5, 0.0), 2, 0).astype(np.float32)
        color = cv2.remap(image, u, v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        allowed = cv2.remap(share, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        seen[rows], visible[rows] = np.where(inside[..., None], color, 0), np.where(inside, allowed, 0)
    return seen, visible


def _is_pinhole(camera: Camera) -> bool:
    return not is_fisheye(camera) and not canonical_params(camera)[4:].any()


def _rim(camera: Camera) -> float:
    """Largest distance from the axis, in focal lengths, that the photo shows.

    It ends at the farthest corner, or earlier where the distortion polynomial stops rising: rays beyond also project
    into the photo, but the photo does not show them.
    """
    corners = undistort(camera, np.array([[x, y] for x in (0.0, camera.width) for y in (0.0, camera.height)]))
    radius = np.linalg.norm(corners, axis=1)
    along = np.tan(np.linspace(0, 1, 2001)[1:, None] * np.arctan(radius))
    rays = np.concatenate([along[..., None] * corners / radius[:, None], np.ones((*along.shape, 1))], axis=2)
    at = (project(camera, rays.reshape(-1, 3)) - camera.principal_point) / camera.focal_lengths
    rising = np.diff(np.linalg.norm(at, axis=1).reshape(along.shape), axis=0, prepend=0) > 0
    return float(np.where(np.logical_and.accumulate(rising), along, 0).max())


def _side(border: np.ndarray) -> float:
    """Position of a side of the view, from the undistorted side of the photo, both in focal lengths."""
    sign, distances = np.sign(border.mean()), np.abs(border)
    return float(sign * min(distances.max(), (1 + _MOST_BLANK) * distances.min(), _WIDEST))
