"""What a lens does to the picture, and what the model of it has left over."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from ....stages.geometry.projection import project
from ....stages.scene import Camera, Scene
from .bars import number

_WIDTH, _HEIGHT, _AXIS = 320, 110, 18
_CELLS = 14
"""Arrows along the longer side."""

Chart = tuple[str, str, Markup]
"""Title, caption and drawing."""


def lens_charts(scene: Scene, index: int) -> list[Chart]:
    """Distortion by place and by radius, and the mean residual by place, of one camera of a model."""
    camera = scene.cameras[index]
    charts = [] if camera.model.endswith("PINHOLE") else [_distortion_field(camera), _distortion_curve(camera)]
    residuals = _residual_field(scene, index)
    return charts + ([residuals] if residuals else [])


def _grid(camera: Camera) -> np.ndarray:
    """Pixel positions in the middle of square cells, shape (N, 2)."""
    step = max(camera.width, camera.height) / _CELLS
    x, y = (np.arange(step / 2, size, step) for size in (camera.width, camera.height))
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def _displacements(camera: Camera, ideal: np.ndarray) -> np.ndarray:
    """From where a pinhole would show a point to where this lens does, in pixels, shape (N, 2)."""
    rays = np.column_stack([ideal, np.ones(len(ideal))]) @ np.linalg.inv(camera.matrix).T
    return project(camera, rays) - ideal


def _distortion_field(camera: Camera) -> Chart:
    ideal = _grid(camera)
    moved = _displacements(camera, ideal)
    largest = float(np.linalg.norm(moved, axis=1).max())
    text = f"From where a pinhole would show a point to where the lens does, at most {largest:.3g} px"
    return "Distortion", text, _arrows(camera, ideal, moved, np.ones(len(ideal)))


def _distortion_curve(camera: Camera) -> Chart:
    """Along a line from the principal point to the farthest corner."""
    center = np.array(camera.principal_point)
    corners = np.array([[0, 0], [camera.width, 0], [camera.width, camera.height], [0, camera.height]])
    farthest = corners[np.argmax(np.linalg.norm(corners - center, axis=1))] - center
    share = np.linspace(0, 1, 60)
    moved = _displacements(camera, center + share[:, None] * farthest) @ farthest / np.linalg.norm(farthest)
    span = max(float(np.abs(moved).max()), 1e-9)
    x, y = _WIDTH * share, _HEIGHT * (0.5 - 0.5 * moved / span)
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    base = _HEIGHT + _AXIS - 4
    chart = Markup(
        f'<svg class="histogram curve" viewBox="0 0 {_WIDTH} {_HEIGHT + _AXIS}" role="img">'
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_HEIGHT / 2}" y2="{_HEIGHT / 2}"/><polyline points="{line}"/>'
        f'<text x="0" y="10">+{number(span)} px</text><text x="0" y="{_HEIGHT}">−{number(span)} px</text>'
        f'<text x="{_WIDTH}" y="{base}" text-anchor="end">{np.linalg.norm(farthest):,.0f} px</text></svg>'
    )
    end = f"{moved[-1]:+.3g}".replace("-", "−")
    return "Distortion by radius", f"{end} px in the farthest corner; above zero is outward", chart


def _residual_field(scene: Scene, index: int) -> Chart | None:
    """What is left over where several photos agree on it is an error of the camera, not noise."""
    camera = scene.cameras[index]
    mine = np.flatnonzero(scene.camera_of[scene.obs_photo] == index)
    photo, point = scene.obs_photo[mine], scene.obs_point[mine]
    local = np.einsum("nij,nj->ni", scene.rotations[photo], scene.points[point]) + scene.translations[photo]
    seen = local[:, 2] > 0
    xy = scene.obs_xy[mine][seen]
    residual = xy - project(camera, local[seen])
    step = max(camera.width, camera.height) / _CELLS
    columns, rows = (int(np.ceil(size / step)) for size in (camera.width, camera.height))
    column, row = np.clip((xy / step).astype(np.int64), 0, (columns - 1, rows - 1)).T
    cell = row * columns + column
    # A few gross errors would drown the rest.
    size = np.linalg.norm(residual, axis=1)
    finite = size[np.isfinite(size)]
    kept = size <= (np.quantile(finite, 0.99) if len(finite) else -1)
    count = np.bincount(cell[kept], minlength=columns * rows)
    if not (filled := count >= 3).any():
        return None
    total = [np.bincount(cell[kept], part, columns * rows) for part in residual[kept].T]
    mean = np.stack(total, axis=1)[filled] / count[filled, None]
    at = (np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)[filled] + 0.5) * step
    largest = float(np.linalg.norm(mean, axis=1).max())
    text = f"Mean over all photos by place, at most {largest:.2g} px; pale where there are few observations"
    return "Residuals", text, _arrows(camera, at, mean, np.minimum(1, count[filled] / np.median(count[filled])))


def _arrows(camera: Camera, at: np.ndarray, vectors: np.ndarray, opacity: np.ndarray) -> Markup:
    """Arrows in a frame of the photo's shape; the longest is as long as a cell is wide, and the rest in proportion."""
    scale = _WIDTH / camera.width
    longest = max(float(np.linalg.norm(vectors, axis=1).max()), 1e-12)
    magnification = max(camera.width, camera.height) / _CELLS / longest
    start, end = scale * at, scale * (at + magnification * vectors)
    height = scale * camera.height
    lines = "".join(
        f'<line x1="{a:.1f}" y1="{b:.1f}" x2="{c:.1f}" y2="{d:.1f}" opacity="{0.25 + 0.75 * pale:.2f}"/>'
        f'<circle cx="{a:.1f}" cy="{b:.1f}" r="1" opacity="{0.25 + 0.75 * pale:.2f}"/>'
        for (a, b), (c, d), pale in zip(start, end, opacity, strict=True)
    )
    return Markup(
        f'<svg class="arrows" viewBox="-1 -1 {_WIDTH + 2} {height + _AXIS + 1:.0f}" role="img">'
        f'<rect width="{_WIDTH}" height="{height:.1f}"/>{lines}'
        f'<text x="{_WIDTH}" y="{height + 14:.0f}" text-anchor="end">arrows {number(magnification)} times as long'
        f"</text></svg>"
    )
