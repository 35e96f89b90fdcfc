"""Bundle adjustment by ``scipy.optimize.least_squares``, with the variables changed so that it converges at once.

At a linearisation with Jacobian J = [A B] (cameras, points), the block Cholesky factor L of J'J + D is taken through
the Schur complement ``S = U - W V^-1 W'``, and the problem is solved in z with ``step = L^-T z``. In z the Jacobian's
columns are nearly orthonormal, so the conjugate-gradient-like inner solver needs one or two products where the plain
Jacobian needs hundreds. Every accepted step makes a new factor, about which z goes on. D is the damping of Levenberg
and Marquardt. After Triggs, McLauchlan, Hartley and Fitzgibbon (2000), "Bundle adjustment: a modern synthesis".
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg
from numba import njit
from scipy.optimize import least_squares
from scipy.sparse.linalg import LinearOperator

from ..failure import StageFailure
from ..geometry import normal_equations
from ..geometry.gauge import held_coordinates
from ..geometry.projection import canonical_params, expansion, is_fisheye
from ..geometry.rotations import matrix_from_vector
from ..scene import Scene
from ..threads import Chunks

OBSERVATIONS_PER_CHUNK = 4096
MOST_CHUNKS = 16
PARTIAL_SUM_BUDGET = 2**25  # numbers held in the partial sums of S, all chunks together
DENSE_PHOTOS = 300
(trsv,) = scipy.linalg.get_blas_funcs(["trsv"], dtype=np.float64)
(potrf,) = scipy.linalg.get_lapack_funcs(["potrf"], dtype=np.float64)

FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-4, 1e-12, 1e6


@dataclass(frozen=True, eq=False)
class Freedom:
    """What bundle adjustment may move.

    Attributes:
        photos, points: masks, shapes (N,) and (P,).
        params: of each camera, the indices of its refined parameters.
    """

    photos: np.ndarray
    points: np.ndarray
    params: tuple[tuple[int, ...], ...]

    @property
    def any(self) -> bool:
        """Whether there is anything to move."""
        return bool(self.photos.any() or self.points.any() or any(self.params))


@dataclass
class State:
    """Poses (N, 3, 3) and (N, 3), points (P, 3), canonical camera parameters (C, 8), and their linearisation.

    ``residuals`` (2 M + 1,) end with one that nothing moves: what a robust cost holds beyond the weighted squares.
    """

    rotations: np.ndarray
    translations: np.ndarray
    points: np.ndarray
    canonical: np.ndarray
    residuals: np.ndarray
    jx: np.ndarray
    turned: np.ndarray
    ji: np.ndarray

    @property
    def cost(self) -> float:
        """Half the sum of rho(r^2)."""
        return 0.5 * float(self.residuals @ self.residuals)


class Converged(Exception):
    """Nothing left to gain: ends the iteration from inside the Jacobian's callback."""


class NormalEquations:
    """The least squares problem of a scene, its linearisation and its factor.

    Args:
        scene: checked by the caller: finite, sorted, every free point observed.
        freedom: what may move.
        loss, loss_scale: robust loss and its scale in pixels.
        threads: how many threads to keep busy.
    """

    def __init__(self, scene: Scene, freedom: Freedom, loss: str, loss_scale: float, threads: int) -> None:
        observations = len(scene.obs_photo)
        self.scene, self.freedom = scene, freedom
        self.loss, self.loss_scale = normal_equations.LOSSES.index(loss), loss_scale
        self.photo, self.camera_of = scene.obs_photo.copy(), scene.camera_of.copy()
        self.xy, self.free = scene.obs_xy.copy(), freedom.points.copy()
        self.start = np.searchsorted(scene.obs_point, np.arange(len(scene.points) + 1)).astype(np.int64)
        self.fisheye = np.array([is_fisheye(camera) for camera in scene.cameras], np.bool_)
        self.width = np.array([len(params) for params in freedom.params], np.int32)
        most = max(1, int(self.width.max(initial=0)))
        self.expansion = np.zeros((len(scene.cameras), 8, most))
        for camera, params, matrix in zip(scene.cameras, freedom.params, self.expansion, strict=True):
            matrix[:, : len(params)] = expansion(camera.model)[:, list(params)]
        self._lay_out_columns()
        count = min(MOST_CHUNKS, observations // OBSERVATIONS_PER_CHUNK, PARTIAL_SUM_BUDGET // max(1, self.size))
        count = max(1, count)
        edges = np.searchsorted(self.start, np.arange(1, count) * observations // count)
        self.bounds = np.concatenate([[0], edges, [len(scene.points)]]).astype(np.int64)
        self.chunks = Chunks(count, threads)
        self.q = np.empty((observations, 2, 3))
        self.chol = np.empty((len(scene.points), 6))
        self.slack, self.partial = np.empty(count), np.empty((count, self.columns))
        self.partial_reduced = np.empty((count, self.size))
        self.partial_diagonal = np.empty((count, max(1, self.blocks), 8))

    def _lay_out_columns(self) -> None:
        """Number the columns of S: six for each free photo, then those of the refined cameras."""
        photos = np.flatnonzero(self.freedom.photos)
        cameras = np.flatnonzero(self.width)
        self.blocks = len(photos) + len(cameras)
        sizes = np.concatenate([np.full(len(photos), 6), self.width[cameras]]).astype(np.int64)
        begins = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.columns = int(begins[-1])
        self.block_begin, self.block_size = begins[:-1], sizes
        self.photo_block = np.full(len(self.scene.names), -1, np.int32)
        self.photo_block[photos] = np.arange(len(photos))
        self.camera_block = np.full(len(self.width), -1, np.int32)
        self.camera_block[cameras] = np.arange(len(photos), self.blocks)
        self.photo_column = np.where(self.photo_block >= 0, begins[self.photo_block], -1).astype(np.int32)
        self.camera_column = np.where(self.camera_block >= 0, begins[self.camera_block], -1).astype(np.int32)
        self.column_block = np.repeat(np.arange(self.blocks), sizes)
        self.dense = len(photos) <= DENSE_PHOTOS
        if self.dense:
            self.offset = self.block_begin[:, None] * self.columns + self.block_begin[None, :]
            self.stride = np.full(self.blocks, self.columns, np.int64)
            self.size = self.columns**2
        else:
            self._lay_out_sparse_blocks()
        scene, freedom = self.scene, self.freedom
        anchors = scene.points[~freedom.points & (np.diff(self.start) > 0)]
        photo, coordinate = held_coordinates(scene.rotations, scene.translations, freedom.photos, anchors)
        self.held = self.photo_column[photo] + coordinate

    def _lay_out_sparse_blocks(self) -> None:
        """Room in the flat S only for the blocks of photos and cameras that share a point."""
        seen = scipy.sparse.csr_array(
            (np.ones(len(self.photo)), (self.scene.obs_point, self.photo)),
            shape=(len(self.scene.points), len(self.photo_block)),
        )
        membership = scipy.sparse.lil_array((len(self.photo_block), self.blocks))
        for photo, camera in enumerate(self.camera_of):
            for block in (self.photo_block[photo], self.camera_block[camera]):
                if block >= 0:
                    membership[photo, block] = 1.0
        by_point = seen @ membership.tocsr()
        coupled = scipy.sparse.tril(by_point.T @ by_point + scipy.sparse.eye_array(self.blocks), format="coo")
        rows, columns = coupled.coords
        room = self.block_size[rows] * self.block_size[columns]
        ends = np.cumsum(room)
        self.offset = np.full((self.blocks, self.blocks), -1, np.int64)
        self.offset[rows, columns] = ends - room
        self.stride = self.block_size.copy()
        self.size = int(ends[-1])
        inside = np.arange(self.size) - np.repeat(ends - room, room)
        breadth = np.repeat(self.block_size[columns], room)
        self.sparse_rows = np.repeat(self.block_begin[rows], room) + inside // breadth
        self.sparse_columns = np.repeat(self.block_begin[columns], room) + inside % breadth

    def __enter__(self) -> NormalEquations:
        return self

    def __exit__(self, *_: object) -> None:
        self.chunks.close()

    def initial(self) -> State:
        """The scene as it came, linearised."""
        scene = self.scene
        canonical = np.array([canonical_params(camera) for camera in scene.cameras])
        state = self._room(scene.rotations.copy(), scene.translations.copy(), scene.points.copy(), canonical)
        self.linearise(state)
        return state

    def _room(
        self, rotations: np.ndarray, translations: np.ndarray, points: np.ndarray, canonical: np.ndarray
    ) -> State:
        m = len(self.photo)
        residuals, jx, turned = np.empty(2 * m + 1), np.empty((m, 2, 3)), np.empty((m, 3))
        ji = np.zeros((m, 2, self.expansion.shape[2]))
        return State(rotations, translations, points, canonical, residuals, jx, turned, ji)

    def scene_of(self, state: State) -> Scene:
        """The scene with a state's poses, points and intrinsics."""
        cameras = []
        for camera, canonical in zip(self.scene.cameras, state.canonical, strict=True):
            matrix = expansion(camera.model)
            cameras.append(dataclasses.replace(camera, params=tuple(canonical @ matrix / matrix.sum(axis=0))))
        return dataclasses.replace(
            self.scene,
            cameras=tuple(cameras),
            rotations=state.rotations,
            translations=state.translations,
            points=state.points,
        )

    def linearise(self, state: State) -> None:
        """Fill in residuals and derivatives of a state."""
        self.chunks.run(
            normal_equations.linearise,
            self.bounds,
            self.start,
            self.photo,
            self.xy,
            self.camera_of,
            state.rotations,
            state.translations,
            state.points,
            self.fisheye,
            state.canonical,
            self.expansion,
            self.width,
            self.loss,
            self.loss_scale,
            state.residuals[:-1].reshape(-1, 2),
            state.jx,
            state.turned,
            state.ji,
            self.slack,
        )
        state.residuals[-1] = np.sqrt(self.slack.sum())

    def moved(self, state: State, z: np.ndarray, room: State | None) -> State | None:
        """The state a step ``L^-T z`` away, linearised into ``room``; None where a focal length would vanish."""
        step, points = self.back_substitute(state, z)
        by_photo = step[np.maximum(self.photo_column, 0)[:, None] + np.arange(6)] if self.freedom.photos.any() else None
        rotations, translations = state.rotations, state.translations
        if by_photo is not None:
            by_photo *= self.freedom.photos[:, None]
            rotations = matrix_from_vector(by_photo[:, :3]) @ rotations
            translations = translations + by_photo[:, 3:]
        canonical = state.canonical.copy()
        for camera in np.flatnonzero(self.width):
            column, width = self.camera_column[camera], self.width[camera]
            canonical[camera] += self.expansion[camera, :, :width] @ step[column : column + width]
        if not (canonical[:, :2] > 0).all():
            return None
        if room is None:
            room = self._room(rotations, translations, state.points + points, canonical)
        else:
            room.rotations, room.translations, room.canonical = rotations, translations, canonical
            np.add(state.points, points, out=room.points)
        self.linearise(room)
        return room

    def factorise(self, state: State, damping: float) -> bool:
        """Take the factor L of J'J + D; False where S is not positive definite and more damping is needed."""
        self.chunks.run(
            normal_equations.eliminate,
            self.bounds,
            self.start,
            self.photo,
            self.camera_of,
            state.rotations,
            self.free,
            self.width,
            self.photo_block,
            self.camera_block,
            self.offset,
            self.stride,
            damping,
            state.jx,
            state.turned,
            state.ji,
            self.q,
            self.chol,
            self.partial_reduced,
            self.partial_diagonal,
        )
        if not self.columns:
            return True
        inside = np.arange(self.columns) - self.block_begin[self.column_block]
        diagonal = self.partial_diagonal.sum(axis=0)[self.column_block, inside]
        extra = damping * diagonal
        extra[diagonal == 0] = 1.0
        reduced = self.partial_reduced.sum(axis=0)
        if self.dense:
            self.reduced = DenseFactor(reduced.reshape(self.columns, self.columns), extra, self.held)
        else:
            entries = reduced, (self.sparse_rows, self.sparse_columns)
            self.reduced = SparseFactor(entries, extra, self.held)
        return self.reduced.positive

    def whitened(self, state: State, u: np.ndarray) -> np.ndarray:
        """``L^-1 J' u``."""
        z = np.empty(self.free.size * 3 + self.columns)
        points = z[: self.free.size * 3].reshape(-1, 3)
        self.chunks.run(
            normal_equations.multiply_transposed,
            self.bounds,
            self.start,
            self.photo,
            self.camera_of,
            self.width,
            self.photo_column,
            self.camera_column,
            state.jx,
            state.turned,
            state.ji,
            self.q,
            u[:-1].reshape(-1, 2),
            points,
            self.partial,
        )
        if self.columns:
            z[self.free.size * 3 :] = self.reduced.forward(self.partial.sum(axis=0))
        return z

    def product(self, state: State, z: np.ndarray) -> np.ndarray:
        """``J L^-T z``."""
        return self._multiply(state, z)[0]

    def back_substitute(self, state: State, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``L^-T z``: the step of photos and cameras (n,), and of points (P, 3)."""
        _, step, moves = self._multiply(state, z)
        return step, moves

    def _multiply(self, state: State, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        points = z[: self.free.size * 3].reshape(-1, 3)
        step = self.reduced.backward(z[self.free.size * 3 :]) if self.columns else np.zeros(1)
        product, moves = np.empty(len(state.residuals)), np.empty_like(points)
        product[-1] = 0.0
        self.chunks.run(
            normal_equations.multiply,
            self.bounds,
            self.start,
            self.photo,
            self.camera_of,
            self.width,
            self.photo_column,
            self.camera_column,
            state.jx,
            state.turned,
            state.ji,
            self.q,
            self.chol,
            points,
            step,
            product[:-1].reshape(-1, 2),
            moves,
        )
        return product, step, moves

    def covariances(self) -> tuple[np.ndarray, np.ndarray]:
        """Covariances of the poses (N, 6, 6) and of the points (P, 3, 3) for measurements of unit variance.

        Raises:
            StageFailure: ``singular-scene``.
        """
        state = self.initial()
        if not self.factorise(state, 0.0):
            raise _singular()
        inverse = np.zeros((max(1, self.columns), self.columns))
        for column, unit in enumerate(np.eye(self.columns)):
            inverse[column] = self.reduced.backward(self.reduced.forward(unit))
        poses = np.zeros((len(self.photo_block), 6, 6))
        free = np.flatnonzero(self.freedom.photos)
        at = self.photo_column[free][:, None] + np.arange(6)
        poses[free] = inverse[at[:, :, None], at[:, None, :]]
        coupled = np.empty((len(self.free), 3, 3))
        normal_equations.couple(
            self.start,
            self.photo,
            self.camera_of,
            self.width,
            self.photo_column,
            self.camera_column,
            state.jx,
            state.turned,
            state.ji,
            self.q,
            inverse,
            coupled,
        )
        lower = np.zeros_like(coupled)
        lower[:, *np.tril_indices(3)] = self.chol
        back = np.linalg.inv(lower)
        points = np.swapaxes(back, 1, 2) @ (np.eye(3) + coupled) @ back
        points[~self.free] = 0.0
        return poses, points


class DenseFactor:
    """Cholesky factor of a dense S, held columns taken out."""

    def __init__(self, matrix: np.ndarray, extra: np.ndarray, held: np.ndarray) -> None:
        matrix[held, :] = 0.0
        matrix[:, held] = 0.0
        matrix[held, held] = 1.0
        matrix.flat[:: len(matrix) + 1] += extra
        # The lower triangle by rows is LAPACK's upper triangle by columns.
        self._upper, info = potrf(matrix.T, lower=0, overwrite_a=1, clean=0)
        self._kept = np.ones(len(matrix))
        self._kept[held] = 0.0
        self.positive = info == 0

    def forward(self, b: np.ndarray) -> np.ndarray:
        return trsv(self._upper, b * self._kept, trans=1, overwrite_x=1)

    def backward(self, z: np.ndarray) -> np.ndarray:
        return trsv(self._upper, z * self._kept, overwrite_x=1)


class SparseFactor:
    """Cholesky factor of a sparse S, rows and columns reordered against fill-in (minimum degree)."""

    def __init__(self, lower: tuple, extra: np.ndarray, held: np.ndarray) -> None:
        size = len(extra)
        matrix = scipy.sparse.csc_array(lower, shape=(size, size))
        kept = np.ones(size)
        kept[held] = 0.0
        keep = scipy.sparse.diags_array(kept)
        matrix = keep @ scipy.sparse.tril(matrix) @ keep
        diagonal = matrix.diagonal()
        matrix = matrix + matrix.T + scipy.sparse.diags_array(extra + (1.0 - kept) - diagonal)
        self._kept = kept
        try:
            lu = scipy.sparse.linalg.splu(
                matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            )
        except RuntimeError:  # exactly singular
            self.positive = False
            return
        pivots = lu.U.diagonal()
        self.positive = bool((pivots > 0).all() and (lu.perm_r == lu.perm_c).all())
        self._root, self._order = np.sqrt(np.abs(pivots)), lu.perm_c
        unit = lu.L.tocsc()
        self._unit = unit.indptr, unit.indices, unit.data

    def forward(self, b: np.ndarray) -> np.ndarray:
        x = np.empty_like(b)
        x[self._order] = b * self._kept
        _solve_unit_lower(*self._unit, x, False)
        return x / self._root

    def backward(self, z: np.ndarray) -> np.ndarray:
        x = z / self._root
        _solve_unit_lower(*self._unit, x, True)
        return x[self._order] * self._kept


@njit(nogil=True, cache=True)
def _solve_unit_lower(pointers, rows, values, x, transposed):
    """Solve ``M x = b`` or ``M' x = b`` in place for a unit lower triangular M in columns."""
    n = len(x)
    for step in range(n):
        j = n - 1 - step if transposed else step
        total = x[j]
        for k in range(pointers[j], pointers[j + 1]):
            i = rows[k]
            if i > j:
                if transposed:
                    total -= values[k] * x[i]
                else:
                    x[i] -= values[k] * total
        x[j] = total


def _singular() -> StageFailure:
    return StageFailure(
        "singular-scene",
        "The measurements do not determine every camera and point.",
        hint="Remove photos with too few points, or hold their poses or intrinsics fixed.",
    )


def minimise(problem: NormalEquations, max_evaluations: int, tolerance: float) -> tuple[State, int, int, str]:
    """Minimise the cost with ``least_squares(method="trf", tr_solver="lsmr")``.

    Ends when a step gained less than ``tolerance`` of the cost, or when the next is predicted to.

    Returns:
        The best state, the number of evaluations and of products with the Jacobian, and why it ended.
    """
    search = _Search(problem, tolerance)
    reason = "evaluations-spent"
    try:
        start = np.zeros(problem.free.size * 3 + problem.columns)
        search.jacobian(start)
        result = least_squares(
            search.residuals,
            start,
            search.jacobian,
            method="trf",  # pyright: ignore[reportArgumentType]
            tr_solver="lsmr",
            x_scale=search.step_length,
            ftol=tolerance,
            xtol=1e-15,
            gtol=1e-15,
            max_nfev=max_evaluations,
            # One product each way: about a fresh factor that is the step of Levenberg and Marquardt. More would
            # undo the damping, which the far end of a hard problem needs.
            tr_options={"regularize": False, "maxiter": 1},
        )
        reason = "solver-stopped" if result.status else reason
    except Converged as end:
        reason = str(end)
    return search.state, search.evaluations, search.products, reason


class _Search:
    """What ``least_squares`` calls back: residuals and Jacobian in z, about a base that moves with it."""

    def __init__(self, problem: NormalEquations, tolerance: float) -> None:
        self.problem, self.tolerance = problem, tolerance
        self.state = problem.initial()
        self.cost = self.state.cost
        self.evaluations, self.products = 1, 0
        self.step_length = 1.0
        self._base: np.ndarray | None = None
        self._trial: State | None = None
        self._room: State | None = None
        self._damping = FIRST_DAMPING
        self._rejected = 0

    def residuals(self, z: np.ndarray) -> np.ndarray:
        assert self._base is not None
        step = z - self._base
        if not step.any():
            return self.state.residuals
        if self._trial is not None:
            self._room, self._trial = self._trial, None
            self._rejected += 1
        self.evaluations += 1
        self._trial = self.problem.moved(self.state, step, self._room)
        if self._trial is None:
            self._rejected += 1
            return np.full(self.state.residuals.size, np.inf)
        self._room = None
        return self._trial.residuals

    def jacobian(self, z: np.ndarray) -> LinearOperator:
        """Accept the last trial, make a new factor there, and let z go on from it."""
        if self._base is None or self._trial is not None:
            self._accept(z)
        return _WhitenedJacobian(self, self.state, len(z))

    def _accept(self, z: np.ndarray) -> None:
        self._base = z.copy()
        if self._trial is not None:
            before, self.cost = self.cost, self._trial.cost
            self.state, self._room, self._trial = self._trial, self.state, None
            if before - self.cost <= self.tolerance * before:
                raise Converged("cost-settled")
            self._adapt_damping((before - self.cost) / (0.5 * self.step_length**2))
        while not self.problem.factorise(self.state, self._damping):
            self._damping = max(10 * self._damping, FIRST_DAMPING)
            if self._damping > MOST_DAMPING:
                raise _singular()
        whitened = self.problem.whitened(self.state, self.state.residuals)
        self.step_length = float(np.sqrt(whitened @ whitened)) or 1.0
        if 0.5 * self.step_length**2 <= self.tolerance * self.cost:
            raise Converged("no-gain-predicted")

    def _adapt_damping(self, gain: float) -> None:
        """Less damping the better the last step's gain was predicted (Nielsen 1999), more after a rejected step."""
        self._damping *= 2.0 if self._rejected else max(1 / 3, 1 - (2 * gain - 1) ** 3)
        self._damping = max(self._damping, LEAST_DAMPING)
        self._rejected = 0


class _WhitenedJacobian(LinearOperator):
    """``J L^-T`` at a state, as long as the factor was not renewed."""

    def __init__(self, search: _Search, state: State, unknowns: int) -> None:
        super().__init__(np.dtype(np.float64), (state.residuals.size, unknowns))
        self._search, self._state = search, state

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        self._search.products += 1
        return self._search.problem.product(self._state, np.ascontiguousarray(x.ravel()))

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        self._search.products += 1
        return self._search.problem.whitened(self._state, np.ascontiguousarray(x.ravel()))
