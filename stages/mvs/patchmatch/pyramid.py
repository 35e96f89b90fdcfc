"""A view and its sources at one size, as arrays that kernels read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...dense import View
from ...scene import Camera
from .arrays import Sources


@dataclass(frozen=True)
class Level:
    """A view at one size.

    Attributes:
        gray: brightness, float32, shape (H, W).
        mask: whether a depth is wanted, shape (H, W).
        camera: of this size.
        sources: the source views at about the same resolution.
    """

    gray: np.ndarray
    mask: np.ndarray
    camera: Camera
    sources: Sources

    @staticmethod
    def of(view: View, sources: Sequence[View], halvings: int, depths: Sequence[np.ndarray] = ()) -> Level:
        """A view and its sources, each halved so many times; with the depth maps of the sources, where there are."""
        grays = [_gray(source, halvings) for source in sources]
        cameras = [_halved(source.camera, halvings) for source in sources]
        reference = _halved(view.camera, halvings)
        there = [_warp(view, reference, *other) for other in zip(sources, cameras, strict=True)]
        back = [_warp(source, camera, view, reference) for source, camera in zip(sources, cameras, strict=True)]
        sizes = np.array([gray.size for gray in grays])
        return Level(
            gray=_gray(view, halvings).astype(np.float32),
            mask=_shrunk_mask(view, reference),
            camera=reference,
            sources=Sources(
                texels=np.concatenate([_texels(gray) for gray in grays]),
                allowed=np.concatenate([_shrunk_mask(*one).ravel() for one in zip(sources, cameras, strict=True)]),
                inverse=np.concatenate([np.empty(0, np.float32), *(_inverse(depth) for depth in depths)]),
                start=(np.cumsum(sizes) - sizes).astype(np.int32),
                width=np.array([camera.width for camera in cameras], np.int32),
                height=np.array([camera.height for camera in cameras], np.int32),
                there=np.array([a.ravel() for a, _ in there], np.float32),
                there_shift=np.array([b for _, b in there], np.float32),
                back=np.array([a.ravel() for a, _ in back], np.float32),
                back_shift=np.array([b for _, b in back], np.float32),
            ),
        )


def _halved(camera: Camera, halvings: int) -> Camera:
    width, height = max(1, camera.width >> halvings), max(1, camera.height >> halvings)
    across, down = width / camera.width, height / camera.height
    fx, fy, cx, cy = camera.params
    return Camera("PINHOLE", width, height, (fx * across, fy * down, cx * across, cy * down), camera.focal)


def _gray(view: View, halvings: int) -> np.ndarray:
    camera = _halved(view.camera, halvings)
    gray = cv2.cvtColor(view.image, cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, (camera.width, camera.height), interpolation=cv2.INTER_AREA) if halvings else gray


def _shrunk_mask(view: View, camera: Camera) -> np.ndarray:
    size = (camera.width, camera.height)
    return cv2.resize(view.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0


def _texels(gray: np.ndarray) -> np.ndarray:
    """The gray values of a pixel and of those to its right, below and both in one number, shape (H * W,)."""
    value = np.pad(gray.astype(np.uint32), ((0, 1), (0, 1)), mode="edge")
    packed = value[:-1, :-1] | value[:-1, 1:] << 8 | value[1:, :-1] << 16 | value[1:, 1:] << 24
    return packed.ravel()


def _inverse(depth: np.ndarray) -> np.ndarray:
    return np.divide(1, depth, out=np.zeros(depth.shape, np.float32), where=depth > 0).ravel()


def _warp(view: View, camera: Camera, other: View, other_camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """A (3, 3) and b (3,): pixel (x, y) of inverse depth w lies in the other view at A (x, y, 1) + b w."""
    rotation = other.rotation @ view.rotation.T
    translation = other.translation - rotation @ view.translation
    # Kernels count pixels from 0 at the center of the first.
    to_centers = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    first, second = to_centers @ camera.matrix, to_centers @ other_camera.matrix
    return second @ rotation @ np.linalg.inv(first), second @ translation
