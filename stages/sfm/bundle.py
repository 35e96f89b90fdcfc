"""Bundle adjustment: poses, points and intrinsics that minimize the reprojection errors."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from ..failure import StageFailure
from ..geometry.projection import canonical_params, is_fisheye
from ..geometry.reprojection import Parameters, reprojection_lengths
from ..scene import Scene, Sparse
from ..stage import Context, Stage
from ..threads import one_blas_thread
from .bundle_options import DEFAULTS, BundleOptions, FreeParameters, Intrinsics, Loss, Solver, free_parameters
from .bundle_problem import BundleProblem
from .bundle_scipy import minimize


@dataclass(frozen=True)
class BundleReport:
    """What an adjustment did.

    Attributes:
        evaluations: how often the residuals were evaluated.
        products: how often the Jacobian or its transpose was multiplied with a vector; 0 for Ceres, which factorizes.
        cost_before, cost_after: half the sum of rho(r^2).
        rms_before, rms_after: root mean square length of the residuals in pixels, without the loss.
        reason: why it stopped: ``no-gain-predicted``, ``cost-settled``, ``evaluations-spent``, ``nothing-to-adjust``,
            or ``solver-stopped`` where the solver ended by a rule of its own.
    """

    evaluations: int
    products: int
    cost_before: float
    cost_after: float
    rms_before: float
    rms_after: float
    reason: str


def adjust(
    scene: Scene,
    options: BundleOptions = DEFAULTS,
    *,
    fixed_photos: np.ndarray | None = None,
    fixed_points: np.ndarray | None = None,
    fixed_cameras: np.ndarray | None = None,
    threads: int = 1,
) -> tuple[Scene, BundleReport]:
    """Minimize the reprojection error over everything that is not held fixed.

    The gauge, a similarity of the whole that no measurement determines, is held too: by what is fixed, else by the
    first free photo and the dominant coordinate of the baseline to another.

    Args:
        scene: the model to adjust.
        options: solver, loss and what to refine.
        fixed_photos, fixed_points: mask or indices of poses and points to hold; none by default.
        fixed_cameras: mask or indices of cameras to hold; by default those with ``calibrated`` intrinsics.
        threads: how many threads to use; the result does not depend on it.

    Returns:
        The adjusted scene with new ``errors``, in which what was fixed has the same bytes, and a report.

    Raises:
        StageFailure: ``no-observations``, ``unsorted-observations``, ``not-finite``, ``point-underdetermined`` (a free
            point seen by fewer than two photos), ``singular-scene`` (nothing determines some camera or point).
    """
    free = free_parameters(
        scene, options.refine, fixed_photos=fixed_photos, fixed_points=fixed_points, fixed_cameras=fixed_cameras
    )
    _check(scene, free)
    moved, evaluations, products, reason = scene, 0, 0, "nothing-to-adjust"
    with one_blas_thread():
        if free.any:
            if options.solver == "ceres":
                from .bundle_ceres import minimize_by_ceres

                moved, evaluations, reason = minimize_by_ceres(scene, free, options)
            else:
                with BundleProblem(scene, free, options.loss, options.loss_scale, threads) as problem:
                    state, evaluations, products, reason = minimize(problem, options.max_iterations, options.tolerance)
                    moved = problem.scene_of(state)
        moved = _keep_fixed(scene, moved, free)
    before, after = (_lengths(one, behind_is_infinite=False) for one in (scene, moved))
    report = BundleReport(
        evaluations,
        products,
        cost_before=_half_sum(before, options),
        cost_after=_half_sum(after, options),
        rms_before=float(np.sqrt(np.mean(before**2))),
        rms_after=float(np.sqrt(np.mean(after**2))),
        reason=reason,
    )
    return dataclasses.replace(moved, errors=point_errors(moved)), report


def covariances(
    scene: Scene,
    options: BundleOptions = DEFAULTS,
    *,
    fixed_photos: np.ndarray | None = None,
    fixed_points: np.ndarray | None = None,
    fixed_cameras: np.ndarray | None = None,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """First-order covariances of an adjusted scene, in the gauge that :func:`adjust` holds.

    They are for measurements with a standard deviation of one pixel in x and in y: multiply by the actual variance.
    The intrinsics that ``options.refine`` names count as unknown too; ``options.solver`` has no effect.

    Args: as of :func:`adjust`.

    Returns:
        Covariances of the poses, shape (N, 6, 6), in the local coordinates ``(w, t)`` that make ``exp(w) R`` and
        ``T + t``; and of the points, shape (P, 3, 3). What is held fixed has zeros.

    Raises:
        StageFailure: as :func:`adjust`.
    """
    free = free_parameters(
        scene, options.refine, fixed_photos=fixed_photos, fixed_points=fixed_points, fixed_cameras=fixed_cameras
    )
    _check(scene, free)
    with one_blas_thread(), BundleProblem(scene, free, options.loss, options.loss_scale, threads) as problem:
        return problem.covariances()


def reprojection_errors(scene: Scene) -> np.ndarray:
    """Distance of every observation from its point's projection in pixels, infinite behind the camera, shape (M,)."""
    return _lengths(scene, behind_is_infinite=True)


def point_errors(scene: Scene) -> np.ndarray:
    """Mean reprojection error of every point in pixels, NaN for a point without observations, shape (P,)."""
    count = np.bincount(scene.obs_point, minlength=len(scene.points))
    total = np.bincount(scene.obs_point, weights=reprojection_errors(scene), minlength=len(scene.points))
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def cost(scene: Scene, options: BundleOptions = DEFAULTS) -> float:
    """What :func:`adjust` minimizes: half the sum of rho(r^2) over the lengths r of the residuals."""
    return _half_sum(_lengths(scene, behind_is_infinite=False), options)


class BundleAdjustment(Stage):
    """Adjust every model of a reconstruction, from any mapper.

    After Triggs, McLauchlan, Hartley and Fitzgibbon (2000), "Bundle adjustment: a modern synthesis".

    Args:
        solver: ``scipy`` or ``ceres``.
        loss, loss_scale: robust loss of the residuals' lengths and its scale in pixels.
        refine: which intrinsics to refine, of the cameras that are not ``calibrated``.
        max_iterations, tolerance: when to stop.
    """

    slot = "sparse"
    papers = ("triggs2000",)
    libraries = ("numpy", "scipy", "numba", "pycolmap")

    solver: Solver = "scipy"
    loss: Loss = "linear"
    loss_scale: float = 1.0
    refine: tuple[Intrinsics, ...] = ("focal", "distortion")
    max_iterations: int = 100
    tolerance: float = 1e-6

    def run(self, sparse: Sparse, context: Context) -> Sparse:
        """Adjust all models; :class:`StageFailure` as :func:`adjust`."""
        options = BundleOptions(**{field.name: getattr(self, field.name) for field in dataclasses.fields(self)})
        models = tuple(adjust(model, options, threads=context.threads)[0] for model in sparse.models)
        return dataclasses.replace(sparse, models=models)


def _check(scene: Scene, free: FreeParameters) -> None:
    if not len(scene.obs_photo):
        raise StageFailure("no-observations", "The scene has no observations to adjust.")
    for name in ("rotations", "translations", "points", "obs_xy"):
        bad = int(np.count_nonzero(~np.isfinite(getattr(scene, name))))
        if bad:
            raise StageFailure("not-finite", f"The scene's {name} hold values that are not finite.", values=bad)
    if (np.diff(scene.obs_point) < 0).any():
        raise StageFailure("unsorted-observations", "The scene's observations are not sorted by point.")
    seen = np.bincount(scene.obs_point, minlength=len(scene.points))
    underdetermined = int(np.count_nonzero(free.points & (seen < 2)))
    if underdetermined:
        raise StageFailure(
            "point-underdetermined",
            "Some points are seen by fewer than two photos, so nothing fixes their depth.",
            hint="Remove them, or hold them fixed.",
            points=underdetermined,
        )


def _keep_fixed(before: Scene, after: Scene, free: FreeParameters) -> Scene:
    """Restore the bytes of what was fixed: adding a zero can change the sign of a zero."""
    photos, points = free.photos, free.points
    return dataclasses.replace(
        after,
        cameras=tuple(
            dataclasses.replace(
                old,
                params=tuple(
                    n if i in refined else o for i, (o, n) in enumerate(zip(old.params, new.params, strict=True))
                ),
            )
            for old, new, refined in zip(before.cameras, after.cameras, free.intrinsics, strict=True)
        ),
        rotations=np.where(photos[:, None, None], after.rotations, before.rotations),
        translations=np.where(photos[:, None], after.translations, before.translations),
        points=np.where(points[:, None], after.points, before.points),
    )


def _half_sum(lengths: np.ndarray, options: BundleOptions) -> float:
    scale = options.loss_scale**2
    s = lengths**2 / scale
    if options.loss == "soft_l1":
        s = 2 * (np.sqrt(1 + s) - 1)
    elif options.loss == "huber":
        s = np.where(s <= 1, s, 2 * np.sqrt(s) - 1)
    elif options.loss == "cauchy":
        s = np.log1p(s)
    return float(0.5 * scale * s.sum())


def _lengths(scene: Scene, *, behind_is_infinite: bool) -> np.ndarray:
    lengths = np.empty(len(scene.obs_photo))
    canonical = np.array([canonical_params(camera) for camera in scene.cameras]).reshape(-1, 8)
    # Copies, because Numba compiles a kernel again for read-only arrays.
    parameters = Parameters(scene.rotations.copy(), scene.translations.copy(), scene.points.copy(), canonical)
    seen = scene.obs_photo.copy(), scene.obs_point.copy(), scene.obs_xy.copy(), scene.camera_of.copy()
    fisheye = np.array([is_fisheye(camera) for camera in scene.cameras], bool)
    reprojection_lengths(*seen, parameters, fisheye, behind_is_infinite, lengths)
    return lengths
