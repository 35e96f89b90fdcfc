"""What a monocular depth network has learned of one scene, and how well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...stages.arrays import check_arrays
from ...stages.slots import Slot

Part = Literal["train", "validation", "test"]
Predictor = Literal["constant", "plane", "pretrained", "learned"]


@dataclass(frozen=True)
class PointErrors:
    """How far predicted depths are off at the points of the sparse model, ``|predicted / true - 1|``.

    Attributes:
        predictor: what made the prediction. ``constant``: one depth for all; ``plane``: inverse depth affine in the
            pixel's position; ``pretrained``: the network before it learned. Their free numbers (for the network
            scale, contrast and slope) are fitted to the training photos. ``learned``: the network after it learned.
        part: which photos were looked at.
        points: how many points these photos see together.
        median, mean: of the errors of each photo's points; the mean over the photos.
        within: share of a photo's points within 5, 10 and 25 %; the mean over the photos.
        own_scale: the median where the depths of each photo are multiplied by the ratio of the medians of true and
            predicted ones (Zhou et al. 2017): what is left is their shape, without how far away the photo was taken.
    """

    predictor: Predictor
    part: Part
    points: int
    median: float
    mean: float
    within: tuple[float, float, float]
    own_scale: float


@dataclass(frozen=True, eq=False)
class MonoWeights:
    """A monocular depth network that has learned one scene.

    Attributes:
        parameters: of the network, one after another, shape (P,).
        size: most pixels of the longer side of the images that the network looks at.
        near, far: the range of depths that it has learned, in units of the model.
        train, validation, test: names of the photos that it learned from, that said when to stop, and that neither
            learning nor stopping knew.
        errors: of every predictor on every part.
    """

    parameters: np.ndarray
    size: int
    near: float
    far: float
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    errors: tuple[PointErrors, ...]

    def __post_init__(self) -> None:
        check_arrays(self, parameters=(np.float32, ("P",)))

    def error(self, predictor: Predictor, part: Part) -> PointErrors:
        """The errors of one predictor on one part of the photos."""
        return next(each for each in self.errors if (each.predictor, each.part) == (predictor, part))


MONO = Slot("mono", MonoWeights, per="run", after="views")
"""The slot of such a network; an entry point of this package offers it."""
