"""A network that knows depth from synthetic scenes learns that of a real scene from its sparse model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...stages.dense import Neighbors, View
from ...stages.failure import StageFailure
from ...stages.mvs.neighbors import depth_range
from ...stages.scene import Photos, Scene, Sparse
from ...stages.stage import Context, Sizes, Stage
from ..inference import one_thread
from ..weights.files import load
from ..weights.paths import path_of
from .fitting import fitted, scaled
from .glimpses import Sighted
from .judgement import PATTERN, constant, divided, errors_of, plane, read_by
from .lesson import Lesson
from .network import STRIDE, MonoDepth
from .pictures import Picture
from .reading import flat, network_of
from .weights import MonoWeights, Part

_FEWEST_VIEWS, _FEWEST_POINTS = 4, 20
"""Views that the first split needs, so that one is left for validation and one for the test, and points that each view
needs. Another split may need its whole pattern."""

_SOURCES = 2
"""Views that a view is compared with."""


class MonoLearning(Stage):
    """Teach a network that sees one image the depths of this scene, by the points of its sparse model.

    The network comes with weights learned on synthetic scenes, and three numbers set it right for this one: scale,
    contrast and a slope down the image. How far away a photo was taken it does not know yet: it is told that all are
    as far. From its scale alone, since with little contrast it would learn slowly, it then learns from the points that
    each view sees (their log-depth under a Laplace distribution whose width it predicts too), from the triangles
    between them, which tell the depth of plain walls (both once more without the scale of the view), from the likeness
    of views warped onto each other by its depths, each pixel by the source that fits best (Godard et al. 2019,
    Monodepth2), and from smoothness where the image is smooth. Where no point is near, as in the sky, it learns to
    expect an error of half the depth. It learns on the CPU, where sums have one order.

    Of every five photos in their order three are learned from; one says when to stop, and one is left for the test. The
    errors of each part are kept with the weights, beside those of two predictors that look at no image. The photos of a
    part count the same, however many points they see.

    Args:
        weights: to begin with: the name of shipped ones, or the path of a safetensors file.
        size: most pixels of the longer side of the images that the network looks at.
        steps: how often to learn from four glimpses of views; 0 only sets the network right for the scene.
        learning_rate: the largest one.
        photometric: weight of the likeness of views.
        smooth: weight of the smoothness.
        split: which of five ways to divide the photos, 0 to 4; over the five of them each is left for the test once.
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
        """The weights to begin with."""
        return (path_of(self.weights),)

    def footprint(self, sizes: Sizes) -> int:
        """Measured: a view at a time, all small views while the network is set right, four at once while it learns."""
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
        """The network's parameters after it learned the largest model, and the errors of each part of the photos.

        Raises:
            StageFailure: ``too-few-views``, ``bad-parameter``, ``training-diverged``, and as
                :func:`~diptych.learned.weights.files.load`.
        """
        if self.size < STRIDE or self.steps < 0 or not 0 <= self.split < len(PATTERN):
            raise StageFailure(
                "bad-parameter",
                f"MonoLearning needs a size of at least {STRIDE}, no fewer than 0 steps and a split from 0 to 4.",
                size=self.size,
                steps=self.steps,
                split=self.split,
            )
        sighted = sighted_views(views, sparse.scene, photos.names, self.size)
        fewest = len(PATTERN) if self.split else _FEWEST_VIEWS
        if len(sighted) < fewest:
            raise StageFailure(
                "too-few-views",
                f"Learning depth needs {fewest} views that see {_FEWEST_POINTS} points each, not all on one line.",
                hint="Take more photos, or use another stage for the depths.",
                views=len(sighted),
                photos=len(photos),
            )
        of_part = divided(sighted, self.split)
        parts: dict[Part, list[Sighted]] = {part: [sighted[photo] for photo in of_part[part]] for part in of_part}
        train = parts["train"]
        with one_thread():
            pretrained = MonoDepth().eval()
            load(pretrained, self.weights)
            # A copy, since learning changes what it begins with.
            before = network_of(flat(fitted(pretrained, train)))
            lesson = Lesson(
                train,
                _sources(of_part["train"], neighbors),
                parts["validation"],
                self.steps,
                self.learning_rate,
                self.photometric,
                self.smooth,
            )
            learned = lesson.teach(scaled(pretrained, train), before, rng, context)
            errors = errors_of(
                {
                    "constant": constant(train),
                    "plane": plane(train),
                    "pretrained": read_by(before),
                    "learned": read_by(learned),
                },
                parts,
            )
        near, far = depth_range(np.concatenate([each.depth for each in train]))
        names = {part: tuple(photos.names[photo] for photo in members) for part, members in of_part.items()}
        return MonoWeights(
            flat(learned), self.size, near, far, names["train"], names["validation"], names["test"], errors
        )


def sighted_views(views: Sequence[View], scene: Scene, names: Sequence[str], size: int) -> dict[int, Sighted]:
    """The views that see enough points of a model, small and with these, by photo.

    Args:
        views: of all photos.
        scene: the model.
        names: of all photos, in the order of the views.
        size: most pixels of the longer side.
    """
    found = {}
    for registered, name in enumerate(scene.names):
        photo = names.index(name)
        view = views[photo]
        if view.missing:
            continue
        points = scene.points[scene.obs_point[scene.obs_photo == registered]]
        x, y, z = view.rotation @ points.T + view.translation[:, None]
        picture = Picture.of(view, size)
        height, width = picture.image.shape[:2]
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = (picture.matrix[:2] @ np.stack([x / z, y / z, np.ones_like(z)])).T
        inside = (z > 0) & (xy >= 0).all(axis=1) & (xy <= [width, height]).all(axis=1)
        sighted = Sighted(picture, xy[inside], z[inside], view.rotation, view.translation)
        if inside.sum() >= _FEWEST_POINTS and np.isfinite(sighted.filled).any():
            found[photo] = sighted
    return dict(sorted(found.items()))


def _sources(train: list[int], neighbors: Neighbors) -> list[list[int]]:
    """The best neighbours of every training view among the training views, by their place there."""
    place = {photo: at for at, photo in enumerate(train)}
    return [[place[other] for other in neighbors.of(photo).tolist() if other in place][:_SOURCES] for photo in train]
