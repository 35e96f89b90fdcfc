"""An external multi-view depth network as a stage."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path

import numpy as np

from ...stages.dense import Around, DepthMap, View
from ...stages.failure import StageFailure
from ...stages.mvs.plane_sweep import projections
from ...stages.stage import Context, Sizes, Stage
from .filtering import filter_depths

_BYTES_PER_PIXEL = 1500
"""Memory of small published networks; that of an unknown network cannot be known."""


class NetworkDepth(Stage):
    """Depth by an external network in TorchScript (``.pt``, ``.ts``) or ONNX (``.onnx``).

    The network takes V views, the reference first, as float32 arrays in this order (in ONNX by these names, all
    optional):

    - ``images`` (1, V, 3, H, W): RGB from 0 to 1;
    - ``intrinsics`` (1, V, 3, 3): calibration matrices in pixels; the center of the top-left pixel is (0.5, 0.5), so a
      network that has it at (0, 0) must subtract 0.5 from cx and cy;
    - ``extrinsics`` (1, V, 4, 4): ``cam_from_world``, x right, y down, z forward;
    - ``depth_range`` (1, 2): the range of z to search;

    It returns two: depth, z in the same unit, and confidence, from 0 to 1, each (1, H, W), for the reference. A depth
    that is not positive and finite is none.

    All V images have the same size: smaller ones are padded at the right and bottom by their last pixels, and the
    result is cropped. Intrinsics do not change. Set ``views`` to 1 for a monocular network.

    Loading TorchScript runs its code: use only trusted files. The content of the file enters the cache key.

    Args:
        network: path of the file.
        views: V. The best neighbors are used; if there are fewer, they are repeated, best first.
        multiple: H and W are padded to multiples of this.
        min_confidence: less confident pixels get a reason instead of a depth.
    """

    slot = "depths"
    libraries = ("numpy", "numba", "torch", "onnxruntime")
    differs_by_device = True

    network: str
    views: int = 5
    multiple: int = 32
    min_confidence: float = 0.1

    def __post_init__(self) -> None:
        if min(self.views, self.multiple) < 1:
            raise ValueError("views and multiple are at least 1")

    def files(self) -> tuple[Path, ...]:
        """The network."""
        path = Path(self.network).expanduser()
        if not path.is_file():
            raise StageFailure("missing-network", f"There is no network {self.network!r}.", hint="Give a file's path.")
        return (path,)

    def footprint(self, sizes: Sizes) -> int:
        """The images and the memory of a small network."""
        return sizes.pixels * (12 * self.views + _BYTES_PER_PIXEL)

    def run(self, views: Around[View], context: Context) -> DepthMap:
        """The depth map of the reference.

        Raises:
            StageFailure: ``missing-network``, ``unknown-format``, ``damaged-network``, ``missing-package``,
                ``network-failed``, ``wrong-signature`` or ``no-device``.
        """
        from ..inference import deterministic, torch_device
        from .exported import call_network, load_network

        view = views.reference
        sources = [source for source in views.sources if not source.missing]
        if view.missing or not view.mask.any():
            return DepthMap.empty(view, view.missing or "is masked everywhere")
        if not sources and self.views > 1:
            return DepthMap.empty(view, "has no neighbors")
        shown = [view, *islice(cycle(sources), self.views - 1)]
        (path,) = self.files()
        network = load_network(path, torch_device(context))
        with deterministic():
            outputs = call_network(network, _inputs(shown, self.multiple), path.name)
        depth, confidence = _checked_outputs(outputs, view, path.name)
        seen = _seen(shown, np.where(depth > 0, depth, view.near))
        return filter_depths(view, depth, confidence, self.min_confidence, seen=seen, flat=np.zeros_like(seen))


def _inputs(views: list[View], multiple: int) -> dict[str, np.ndarray]:
    """The inputs of the network by name, in order."""
    height, width = (
        -(-max(sides) // multiple) * multiple for sides in zip(*(v.mask.shape for v in views), strict=True)
    )
    images = [
        np.pad(v.image, ((0, height - v.mask.shape[0]), (0, width - v.mask.shape[1]), (0, 0)), "edge") for v in views
    ]
    extrinsics = np.tile(np.eye(4), (len(views), 1, 1))
    extrinsics[:, :3, :3] = [view.rotation for view in views]
    extrinsics[:, :3, 3] = [view.translation for view in views]
    arrays = {
        "images": np.stack(images).transpose(0, 3, 1, 2) / np.float32(255),
        "intrinsics": np.stack([view.camera.matrix for view in views]),
        "extrinsics": extrinsics,
        "depth_range": np.array([views[0].near, views[0].far]),
    }
    return {name: np.ascontiguousarray(array[None], np.float32) for name, array in arrays.items()}


def _checked_outputs(outputs: list[np.ndarray], view: View, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Depth, 0 for none, and confidence from 0 to 1, each of the view's size (H, W)."""
    height, width = view.mask.shape
    shapes = [output.shape for output in outputs]
    fits = len(shapes) == 2 and all(
        len(each) == 3 and each[0] == 1 and each[1] >= height and each[2] >= width for each in shapes
    )
    if not fits or shapes[0] != shapes[1]:
        raise StageFailure(
            "wrong-signature",
            f"The network {name} does not give depth and confidence of the size of its images.",
            hint="It must give two arrays (1, H, W): see the documentation of NetworkDepth.",
            given=["x".join(map(str, shape)) for shape in shapes],
            size=f"{width}x{height}",
        )
    depth, confidence = (np.nan_to_num(each[0, :height, :width], nan=0, posinf=0, neginf=0) for each in outputs)
    return np.maximum(depth, 0), np.clip(confidence, 0, 1)


def _seen(views: list[View], depth: np.ndarray) -> np.ndarray:
    """Whether any other view contains a pixel of the first at this depth, shape (H, W); all True without others."""
    if len(views) == 1:
        return np.ones(depth.shape, bool)
    height, width = depth.shape
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    points = np.stack([x, y, np.ones_like(x), 1 / depth])
    seen = np.zeros(depth.shape, bool)
    for projection, view in zip(projections(views, np.stack([v.camera.matrix for v in views])), views[1:], strict=True):
        u, v, w = np.tensordot(projection, points, 1)
        seen |= (w > 0) & (u > 0) & (v > 0) & (u < w * view.camera.width) & (v < w * view.camera.height)
    return seen
