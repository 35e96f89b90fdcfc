"""A sample scene: parts with materials, a sky, an exposure, and the camera views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .camera_path import Views
from .modeling.meshes import Mesh, joined
from .modeling.textures import Color


@dataclass(frozen=True)
class Material:
    """The look of a surface.

    Attributes:
        texture: sRGB image (H, W, 3), uint8; a single color is an image of one pixel.
        roughness: 1 is matte without any gloss, small values shine.
    """

    texture: np.ndarray
    roughness: float = 1.0


@dataclass(frozen=True)
class Part:
    """A mesh of one material; ``smooth`` shades it with interpolated normals, the geometry stays flat triangles."""

    name: str
    mesh: Mesh
    material: Material
    smooth: bool = False


Parts = Iterable[Part]


@dataclass(frozen=True)
class Sky:
    """Sun and sky.

    Attributes:
        sun_direction: towards the sun.
        sun_diameter: apparent, in degrees; a wider sun casts softer shadows.
        turbidity: haze of the air.
        sun: share of a clear day's sunlight that the clouds let through.
    """

    sun_direction: tuple[float, float, float]
    sun_diameter: float = 1.5
    turbidity: float = 3.5
    sun: float = 1.0


@dataclass(frozen=True)
class SampleScene:
    """Everything that the renderer needs.

    Attributes:
        exposure: factor from scene radiance to display brightness, the same for all photos.
    """

    name: str
    parts: tuple[Part, ...]
    sky: Sky
    views: Views
    exposure: float


def plain(red: float, green: float, blue: float) -> np.ndarray:
    """A texture of one sRGB color (0..1)."""
    return (np.array([[[red, green, blue]]]) * 255 + 0.5).astype(np.uint8)


def part(
    name: str, mesh: Mesh | Sequence[Mesh], look: np.ndarray | Color, roughness: float = 1.0, smooth: bool = False
) -> Part:
    """A part of one mesh or several, with a texture or one sRGB color (0..1)."""
    texture = look if isinstance(look, np.ndarray) else plain(*look)
    return Part(name, mesh if isinstance(mesh, Mesh) else joined(mesh), Material(texture, roughness), smooth)


def parts_of(rngs: Iterator[np.random.Generator], makers: Sequence[Callable[..., Parts]], *given: object) -> tuple:
    """The parts (:class:`Part`) of all ``makers``, each called with the next random generator and ``given``."""
    return tuple(part for make in makers for part in make(next(rngs), *given))


def generators(seed: int) -> Iterator[np.random.Generator]:
    """An endless supply of independent random generators."""
    rng = np.random.default_rng(seed)
    while True:
        yield rng.spawn(1)[0]
