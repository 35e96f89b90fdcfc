"""Fine-tune a pretrained monocular network to a scene, by its sparse model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...stages.dense import Neighbors, View
from ...stages.failure import StageFailure
from ...stages.mvs.neighbors import depth_range
from ...stages.scene import Photos, Sparse
from ...stages.stage import Context, Sizes, Stage
from ..inference import one_thread
from ..weights.files import load
from ..weights.paths import path_of
from .aligned_network import network_from_vector, parameter_vector
from .alignment import fit_alignment, fit_scale
from .evaluation import SPLIT_PATTERN, constant_baseline, network_predictor, plane_baseline, point_errors, split_photos
from .finetuning import FineTuning
from .network import STRIDE, MonoDepth
from .views import MIN_POINTS, SparseView, sparse_views
from .weights import MonoWeights, Part

_MIN_VIEWS = 4
"""Views that split 0 needs for a validation and a test view; another split may need its whole pattern."""

_SOURCES = 2
"""Views that a view is compared with."""


class MonoLearning(Stage):
    """Fine-tune a monocular depth network to this scene, by the points of its sparse model.

    The network is pretrained on synthetic scenes. An affine alignment of its log-depth (scale, contrast and a slope
    down the image) fits it to this scene; it assumes the same distance for all photos. Fine-tuning starts from the
    scale alone, since a small contrast would slow it down. Its losses are:

    - the log-depth of the points of each view, under a Laplace distribution whose width the network predicts;
    - the log-depth interpolated on the triangles between them, which covers plain walls;
    - both again without the scale of the view;
    - the photometric difference of views warped onto each other by the predicted depths, the minimum over the sources
      (Godard et al. 2019, Monodepth2);
    - edge-aware smoothness;
    - far from all points, as in the sky, a predicted error of half the depth.

    It runs on the CPU, where sums have one order.

    Of every five consecutive photos three are for training, one is for early stopping and one for the test. The errors
    of each part are stored with the weights, beside those of two baselines that see no image. The photos of a part
    count the same, however many points they see.

    Args:
        weights: pretrained weights: the name of shipped ones, or the path of a safetensors file.
        size: most pixels of the longer side of the network's input.
        steps: of the optimizer, with four random crops each; 0 only aligns the network.
        learning_rate: the largest one.
        photometric: weight of the photometric difference.
        smooth: weight of the smoothness.
        split: which of five ways to divide the photos, 0 to 4; over the five of them each is tested once.
    """

    slot = "mono"
    papers = ("godard2019", "sandler2018", "ronneberger2015", "facil2019", "liu2018", "kendall2017")
    libraries = ("numpy", "opencv-contrib-python", "torch")

    weights: str = "mono"
    size: int = 128
    steps: int = 600
    learning_rate: float = 5e-4
    photometric: float = 0.2
    smooth: float = 0.02
    split: int = 0

    def files(self) -> tuple[Path, ...]:
        """The pretrained weights."""
        return (path_of(self.weights),)

    def footprint(self, sizes: Sizes) -> int:
        """Measured: a view at a time, all small views in the alignment, four at once in the fine-tuning."""
        return 10 * sizes.pixels + (6500 + 30 * sizes.photos) * self.size**2 + 200 * 2**20

    def run(
        self,
        views: Sequence[View],
        sparse: Sparse,
        photos: Photos,
        neighbors: Neighbors,
        rng: np.random.Generator,
        context: Context,
    ) -> MonoWeights:
        """The parameters of the network fine-tuned to the largest model, and the errors of each part of the photos.

        Raises:
            StageFailure: ``too-few-views``, ``bad-parameter``, ``training-diverged``, and as
                :func:`~diptych.learned.weights.files.load`.
        """
        if self.size < STRIDE or self.steps < 0 or not 0 <= self.split < len(SPLIT_PATTERN):
            raise StageFailure(
                "bad-parameter",
                f"MonoLearning needs a size of at least {STRIDE}, no fewer than 0 steps and a split from 0 to 4.",
                size=self.size,
                steps=self.steps,
                split=self.split,
            )
        usable = sparse_views(views, sparse.scene, photos.names, self.size)
        fewest = len(SPLIT_PATTERN) if self.split else _MIN_VIEWS
        if len(usable) < fewest:
            raise StageFailure(
                "too-few-views",
                f"Learning depth needs {fewest} views that see {MIN_POINTS} points each, not all on one line.",
                hint="Take more photos, or use another stage for the depths.",
                views=len(usable),
                photos=len(photos),
            )
        of_part = split_photos(usable, self.split)
        parts: dict[Part, list[SparseView]] = {part: [usable[photo] for photo in of_part[part]] for part in of_part}
        train = parts["train"]
        with one_thread():
            pretrained = MonoDepth().eval()
            load(pretrained, self.weights)
            # A copy, since fine-tuning changes the pretrained network.
            before = network_from_vector(parameter_vector(fit_alignment(pretrained, train)))
            tuning = FineTuning(
                train,
                _sources(of_part["train"], neighbors),
                parts["validation"],
                self.steps,
                self.learning_rate,
                self.photometric,
                self.smooth,
            )
            learned = tuning.run(fit_scale(pretrained, train), before, rng, context)
            errors = point_errors(
                {
                    "constant": constant_baseline(train),
                    "plane": plane_baseline(train),
                    "pretrained": network_predictor(before),
                    "learned": network_predictor(learned),
                },
                parts,
            )
        near, far = depth_range(np.concatenate([each.depth for each in train]))
        names = {part: tuple(photos.names[photo] for photo in members) for part, members in of_part.items()}
        return MonoWeights(
            parameter_vector(learned), self.size, near, far, names["train"], names["validation"], names["test"], errors
        )


def _sources(train: list[int], neighbors: Neighbors) -> list[list[int]]:
    """The best neighbors of every training view among the training views, as indices into ``train``."""
    place = {photo: at for at, photo in enumerate(train)}
    return [[place[other] for other in neighbors.of(photo).tolist() if other in place][:_SOURCES] for photo in train]
