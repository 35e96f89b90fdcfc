"""Incremental structure from motion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..failure import StageFailure
from ..geometry.resection import Resection, resect
from ..scene import Features, Pairs, Photos, Scene, Sparse, Tracks, TwoView
from ..stage import Context, Stage
from .bundle_options import BundleOptions, Intrinsics, Loss
from .growing_model import GrowingModel
from .next_view import initial_pairs, visibility_scores
from .self_calibration import check_pairs, check_scene


class Incremental(Stage):
    """Grow models photo by photo from a good pair, with bundle adjustment as they grow.

    After Snavely et al. 2006 and Schönberger and Frahm 2016: the pair with the best score of matches and parallax
    starts a model; the photo whose visible points are spread best comes next, by resection in LO-RANSAC; its tracks are
    extended and triangulated; its neighbors are adjusted after each photo, and the whole model whenever it has grown by
    ``growth``. Photos that fit no model start another one.

    Args:
        max_error: largest reprojection error in pixels of an observation that is used.
        min_angle: smallest triangulation angle of a point in degrees.
        initial_angle: triangulation angle in degrees below which the score of a first pair is reduced.
        resection_error: inlier threshold of the resection in pixels.
        min_inliers: least number of correspondences of a resection.
        min_inlier_ratio: share of a photo's visible points that must agree with its pose.
        loss, loss_scale: robust loss of the bundle adjustment, its scale in pixels.
        refine: which intrinsics to refine, of the cameras that are not ``calibrated``.
        local_photos: number of neighbors that are adjusted together with a new photo.
        finest: share of each photo's observations that the cameras are adjusted to in the end: those of the smallest
            scale, which are located best; 1 for all.
        growth: the model is adjusted as a whole whenever its photos have grown by this factor.
        min_model: least number of photos of a second or later model.
    """

    slot = "sparse"
    papers = ("snavely2006", "schoenberger2016sfm", "chum2003", "persson2018", "torr2000", "triggs2000")
    libraries = ("numpy", "scipy", "numba", "poselib")

    max_error: float = 4.0
    min_angle: float = 1.5
    initial_angle: float = 16.0
    resection_error: float = 8.0
    min_inliers: int = 15
    min_inlier_ratio: float = 0.2
    loss: Loss = "soft_l1"
    loss_scale: float = 0.5
    refine: tuple[Intrinsics, ...] = ("focal", "distortion")
    local_photos: int = 6
    finest: float = 0.6
    growth: float = 1.25
    min_model: int = 3

    def run(
        self,
        photos: Photos,
        features: tuple[Features, ...],
        pairs: Pairs,
        two_views: tuple[TwoView, ...],
        tracks: Tracks,
        rng: np.random.Generator,
        context: Context,
    ) -> Sparse:
        """Models of the collection, largest first.

        Raises:
            StageFailure: no pair of photos can start a model (the code says what the pairs lack), or
                ``wrong-calibration``.
        """
        check_pairs(photos, pairs, two_views)
        free = np.ones(len(photos), bool)
        seed = int(rng.integers(2**31))
        models: list[Scene] = []
        reasons: dict[int, str] = {}
        while True:
            mapper = _Mapper(self, photos, features, tracks, seed, context)
            if not mapper.start(pairs, two_views, free):
                break
            mapper.grow(free)
            model = mapper.model
            free &= ~model.registered
            if not models or model.registered.sum() >= self.min_model:
                models.append(model.scene())
            reasons = {**mapper.reasons, **reasons}
        if not models:
            raise _no_model(two_views)
        for scene in models:
            check_scene(scene, context)
        models.sort(key=lambda scene: (-len(scene.names), -len(scene.points)))
        return Sparse(models=tuple(models), missing=_missing(photos, pairs, two_views, models, reasons))


class _Mapper:
    """Grows one model.

    Attributes:
        model: the model.
        reasons: why photos were not registered, by index.
    """

    def __init__(
        self,
        stage: Incremental,
        photos: Photos,
        features: Sequence[Features],
        tracks: Tracks,
        seed: int,
        context: Context,
    ) -> None:
        self.stage, self.seed, self.context = stage, seed, context
        self.model = GrowingModel(photos, features, tracks, max_error=stage.max_error, min_angle=stage.min_angle)
        self.sizes = np.array([(photos.camera(i).width, photos.camera(i).height) for i in range(len(photos))], float)
        self.reasons: dict[int, str] = {}

    def start(self, pairs: Pairs, two_views: Sequence[TwoView], free: np.ndarray) -> bool:
        """Register the first two photos; False if no pair of free photos gives enough points."""
        model = self.model
        for pair in initial_pairs(pairs, two_views, free, self.stage.initial_angle):
            first, second = pairs.indices[pair]
            model.register(first, np.eye(3), np.zeros(3))
            model.register(second, two_views[pair].rotation, two_views[pair].translation)
            both = np.array([first, second])
            model.triangulate(model.tracks_of(both))
            if np.count_nonzero(model.has_point) >= self.stage.min_inliers:
                self._adjust_all(hold_intrinsics=True)
            if np.count_nonzero(model.has_point) >= self.stage.min_inliers:
                return True
            model.reset()
        return False

    def grow(self, free: np.ndarray) -> None:
        """Register photos and refine the whole model in turn, until no further photo fits."""
        self._register_all(free)
        self._refine()
        while self._register_all(free):
            self._refine()
        if self.stage.finest < 1:
            options = self._options(50, self.stage.refine)
            self.model.adjust_to_finest(options, self.stage.finest, threads=self.context.threads)
            self.model.filter()

    def _register_all(self, free: np.ndarray) -> bool:
        """Register every photo that fits; returns whether there was any."""
        model = self.model
        before = adjusted_at = int(model.registered.sum())
        while (photo := self._register_next(free)) is not None:
            tracks = model.tracks_of(np.array([photo]))
            model.extend(tracks)
            model.triangulate(tracks)
            registered = int(model.registered.sum())
            self.context.progress(registered, int(free.sum()))
            if registered >= self.stage.growth * adjusted_at:
                self._adjust_all()
                adjusted_at = registered
            else:
                model.adjust_around(self._neighbors(photo), self._options(8), threads=self.context.threads)
                model.filter()
        return int(model.registered.sum()) > before

    def _register_next(self, free: np.ndarray) -> int | None:
        """Register the best-scored photo whose resection succeeds; returns it, or None."""
        model = self.model
        seen = np.flatnonzero(model.has_point[model.tracks.track] & (free & ~model.registered)[model.tracks.photo])
        scores = visibility_scores(model.tracks.photo[seen], model.xy[seen], self.sizes)
        for photo in np.argsort(-scores, kind="stable")[: np.count_nonzero(scores)]:
            visible = seen[model.tracks.photo[seen] == photo]
            if len(visible) < self.stage.min_inliers:
                self.reasons[int(photo)] = f"sees only {_points(len(visible))} of the model"
                continue
            result = self._resect(int(photo), visible)
            inliers = int(result.inliers.sum())
            if inliers >= max(self.stage.min_inliers, self.stage.min_inlier_ratio * len(visible)):
                if result.focal_factor != 1.0:
                    model.scale_focal(int(model.photos.camera_of[photo]), result.focal_factor)
                model.register(int(photo), result.rotation, result.translation)
                return int(photo)
            self.reasons[int(photo)] = f"only {inliers} of {len(visible)} visible points agree on a pose"
        return None

    def _resect(self, photo: int, visible: np.ndarray) -> Resection:
        model = self.model
        camera = model.photos.camera_of[photo]
        unknown = (
            model.cameras[camera].focal == "guess" and not model.registered[model.photos.camera_of == camera].any()
        )
        return resect(
            model.rays[visible],
            model.points[model.tracks.track[visible]],
            self.stage.resection_error / float(model.focal[photo]),
            seed=self.seed,
            search_focal=unknown,
        )

    def _neighbors(self, photo: int) -> np.ndarray:
        """The photo and the registered ones that share most points with it."""
        model = self.model
        tracks = model.tracks_of(np.array([photo]))
        shared = model.shared_points(tracks[model.has_point[tracks]])
        shared[photo] = shared.max() + 1
        order = np.argsort(-shared, kind="stable")[: self.stage.local_photos + 1]
        return np.sort(order[shared[order] > 0])

    def _adjust_all(self, *, hold_intrinsics: bool = False) -> None:
        refine = () if hold_intrinsics or self.model.registered.sum() < 3 else self.stage.refine
        self.model.adjust(self._options(15, refine), threads=self.context.threads)
        self.model.filter()

    def _refine(self) -> None:
        """Triangulate, adjust and filter everything in turn until few observations come or go."""
        model = self.model
        everything = np.arange(len(model.tracks))
        for _ in range(4):
            before = model.used.copy()
            model.extend(everything)
            model.triangulate(everything)
            model.adjust(self._options(50, self.stage.refine), threads=self.context.threads)
            model.filter()
            if np.count_nonzero(before != model.used) < 0.001 * np.count_nonzero(model.used):
                break

    def _options(self, iterations: int, refine: tuple[Intrinsics, ...] = ()) -> BundleOptions:
        return BundleOptions(
            loss=self.stage.loss, loss_scale=self.stage.loss_scale, refine=refine, max_iterations=iterations
        )


def _points(count: int) -> str:
    return "1 point" if count == 1 else f"{count} points"


_DIAGNOSES: dict[str, tuple[str, str, str]] = {
    "none": (
        "no-overlap",
        "No two photos share enough verified matches to start a model.",
        "Take photos that overlap by two thirds, or raise features.max_keypoints.",
    ),
    "pure_rotation": (
        "no-parallax",
        "The camera only turned between the photos: without moving it there is no depth.",
        "Step sideways between photos instead of turning on the spot.",
    ),
    "small_baseline": (
        "small-baseline",
        "The photos were taken from almost the same place: the depth would be noise.",
        "Move further between photos, by a tenth of the distance to the subject or more.",
    ),
    "uncalibrated": (
        "wrong-calibration",
        "The matches fit a geometry, but not with the given focal length.",
        "Check --camera, or leave it out so that the focal length is estimated.",
    ),
}


def _no_model(two_views: Sequence[TwoView]) -> StageFailure:
    """The failure when no pair could start a model, by the most frequent kind of pair."""
    kinds = Counter(view.kind for view in two_views)
    related = {kind: count for kind, count in kinds.items() if kind in _DIAGNOSES and kind != "none"}
    kind = max(related, key=related.__getitem__) if related else "none"
    code, sentence, hint = _DIAGNOSES[kind]
    return StageFailure(code, sentence, hint=hint, pairs=len(two_views), **dict(sorted(kinds.items())))


def _missing(
    photos: Photos, pairs: Pairs, two_views: Sequence[TwoView], models: Sequence[Scene], reasons: dict[int, str]
) -> tuple[tuple[str, str], ...]:
    """Every photo that is in no model, and the reason."""
    placed = {name for scene in models for name in scene.names}
    matched = np.zeros(len(photos), bool)
    for pair, view in zip(pairs.indices, two_views, strict=True):
        matched[pair] |= len(view) > 0
    return tuple(
        (name, reasons.get(i, "sees no point of the model") if matched[i] else "no verified match with another photo")
        for i, name in enumerate(photos.names)
        if name not in placed
    )
