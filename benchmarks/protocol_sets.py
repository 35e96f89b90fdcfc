"""Sets of photos with true cameras, depth ranges and neighbors, as views for the depth stages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from diptych.stages.dense import Around, DepthMap, View
from diptych.stages.scene import Camera
from pictures import read_rgb

FOLDERS = {
    "exact_scene8": "exact_scene8",
    "fountain_1536x1024": "strecha_fountain-P11",
    "dtu_scan24_800x600": "dtu_scan24",
}
"""Name of a set and the folder that holds its photos in ``images/``."""

WIDER = 0.7, 1.4
"""The depth ranges of the protocol stem from sparse points; surfaces go on nearer and farther."""

NEIGHBORS = 10


@dataclass(frozen=True)
class ProtocolSet:
    """The views of a set, and for each its neighbors, best first."""

    names: tuple[str, ...]
    views: tuple[View, ...]
    neighbors: tuple[tuple[int, ...], ...]

    @staticmethod
    def read(data: Path, name: str) -> ProtocolSet:
        """Read a set of the folder that holds the data.

        Its cameras count pixels from 0 at the center of the first one; photos are resized to its size by area.
        """
        protocol = np.load(data / "protocol" / f"{name}.npz")
        names = tuple(str(each) for each in protocol["names"])
        width, height = (int(side) for side in protocol["size"])
        views = []
        for i, stem in enumerate(names):
            photo = next((data / FOLDERS[name] / "images").glob(f"{stem}.*"))
            image = read_rgb(photo)
            if image.shape[:2] != (height, width):
                image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
            k, (near, far) = protocol["K"][i], protocol["depth_range"][i]
            camera = Camera("PINHOLE", width, height, (k[0, 0], k[1, 1], k[0, 2] + 0.5, k[1, 2] + 0.5), "calibrated")
            mask = np.ones((height, width), bool)
            views.append(View(image, mask, camera, protocol["R"][i], protocol["t"][i], near * WIDER[0], far * WIDER[1]))
        return ProtocolSet(names, tuple(views), tuple(_best(scores) for scores in protocol["view_score"]))

    def around(self, photo: int, items: tuple[View, ...] | tuple[DepthMap, ...]) -> Around:
        """An item of each photo, as a stage takes them for one of them."""
        return Around(items[photo], tuple(items[j] for j in self.neighbors[photo]))


def _best(scores: np.ndarray) -> tuple[int, ...]:
    return tuple(int(j) for j in np.argsort(-scores)[:NEIGHBORS] if scores[j] > 0)
