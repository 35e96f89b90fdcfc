"""The least squares problem of bundle adjustment: its linearization, its damped normal equations, and steps.

With the Jacobian J = [A B] (cameras, points), J'J + D is factored as L L' by blocks: the points are eliminated, and the
Schur complement ``S = U - W V^-1 W'`` of the cameras has a Cholesky factor of its own. D is the damping of Levenberg
and Marquardt. After Triggs, McLauchlan, Hartley and Fitzgibbon (2000), "Bundle adjustment: a modern synthesis".
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from ..failure import StageFailure
from ..geometry.gauge import held_coordinates
from ..geometry.normal_equations import Columns, PointFactors, couple, eliminate, multiply, multiply_transposed
from ..geometry.projection import canonical_params, expansion, is_fisheye
from ..geometry.reprojection import LOSSES, CameraModels, Jacobian, Observations, Parameters, linearize
from ..geometry.rotations import matrix_from_vector
from ..scene import Scene
from ..threads import Chunks
from .bundle_factor import DenseFactor, SparseFactor
from .bundle_options import FreeParameters

OBSERVATIONS_PER_CHUNK = 4096
MAX_CHUNKS = 16
PARTIAL_SUM_BUDGET = 2**25  # numbers held in the partial sums of S, all chunks together
DENSE_PHOTOS = 300  # most free photos for which S is dense


@dataclass
class State:
    """Parameters and the linearization there.

    ``residuals`` (2 M + 1,) end with a constant one: what a robust cost holds beyond the weighted squares.
    """

    parameters: Parameters
    residuals: np.ndarray
    jacobian: Jacobian

    @property
    def cost(self) -> float:
        """Half the sum of rho(r^2)."""
        return 0.5 * float(self.residuals @ self.residuals)


class BundleProblem:
    """The problem of one scene. Use it as a context manager: it holds threads.

    Args:
        scene: checked by the caller: finite, sorted, every free point observed.
        free: which parameters are adjusted.
        loss, loss_scale: robust loss and its scale in pixels.
        threads: how many threads to use; the result does not depend on it.
    """

    def __init__(self, scene: Scene, free: FreeParameters, loss: str, loss_scale: float, threads: int) -> None:
        count = len(scene.obs_photo)
        self.scene, self.free = scene, free
        self.loss = LOSSES.index(loss), loss_scale
        self.start = np.searchsorted(scene.obs_point, np.arange(len(scene.points) + 1)).astype(np.int64)
        self.cameras = _camera_models(scene, free)
        self._lay_out_columns()
        chunks = min(MAX_CHUNKS, count // OBSERVATIONS_PER_CHUNK, PARTIAL_SUM_BUDGET // max(1, self.size))
        chunks = max(1, chunks)
        edges = np.searchsorted(self.start, np.arange(1, chunks) * count // chunks)
        bounds = np.concatenate([[0], edges, [len(scene.points)]]).astype(np.int64)
        # Copies, because Numba compiles a kernel again for read-only arrays.
        self.observations = Observations(
            bounds, self.start, scene.obs_photo.copy(), scene.obs_xy.copy(), scene.camera_of.copy()
        )
        self.free_points = free.points.copy()
        self.chunks = Chunks(chunks, threads)
        self.factors = PointFactors(q=np.empty((count, 2, 3)), chol=np.empty((len(scene.points), 6)))
        self.slack, self.partial = np.empty(chunks), np.empty((chunks, self.unknowns))
        self.partial_reduced = np.empty((chunks, self.size))
        self.partial_diagonal = np.empty((chunks, max(1, self.blocks), 8))

    def _lay_out_columns(self) -> None:
        """Number the columns of S: six for each free photo, then those of the refined cameras."""
        scene, width = self.scene, self.cameras.width
        photos, cameras = np.flatnonzero(self.free.photos), np.flatnonzero(width)
        self.blocks = len(photos) + len(cameras)
        self.block_size = np.concatenate([np.full(len(photos), 6), width[cameras]]).astype(np.int64)
        begins = np.concatenate([[0], np.cumsum(self.block_size)]).astype(np.int64)
        self.unknowns = int(begins[-1])
        self.block_begin = begins[:-1]
        self.column_block = np.repeat(np.arange(self.blocks), self.block_size)
        photo_block = np.full(len(scene.names), -1, np.int32)
        photo_block[photos] = np.arange(len(photos))
        camera_block = np.full(len(width), -1, np.int32)
        camera_block[cameras] = np.arange(len(photos), self.blocks)
        self.dense = len(photos) <= DENSE_PHOTOS
        if self.dense:
            offset = self.block_begin[:, None] * self.unknowns + self.block_begin[None, :]
            stride = np.full(self.blocks, self.unknowns, np.int64)
            self.size = self.unknowns**2
        else:
            offset, stride = self._lay_out_sparse_blocks(photo_block, camera_block), self.block_size.copy()
        self.columns = Columns(
            width=width,
            photo_column=np.where(photo_block >= 0, begins[photo_block], -1).astype(np.int32),
            camera_column=np.where(camera_block >= 0, begins[camera_block], -1).astype(np.int32),
            photo_block=photo_block,
            camera_block=camera_block,
            offset=offset,
            stride=stride,
        )
        anchors = scene.points[~self.free.points & (np.diff(self.start) > 0)]
        photo, coordinate = held_coordinates(scene.rotations, scene.translations, self.free.photos, anchors)
        self.held = self.columns.photo_column[photo] + coordinate

    def _lay_out_sparse_blocks(self, photo_block: np.ndarray, camera_block: np.ndarray) -> np.ndarray:
        """Reserve space in the flat S only for the blocks of photos and cameras that share a point."""
        scene = self.scene
        seen = scipy.sparse.csr_array(
            (np.ones(len(scene.obs_photo)), (scene.obs_point, scene.obs_photo)),
            shape=(len(scene.points), len(photo_block)),
        )
        membership = scipy.sparse.lil_array((len(photo_block), self.blocks))
        for photo, camera in enumerate(scene.camera_of):
            for block in (photo_block[photo], camera_block[camera]):
                if block >= 0:
                    membership[photo, block] = 1.0
        by_point = seen @ membership.tocsr()
        coupled = scipy.sparse.tril(by_point.T @ by_point + scipy.sparse.eye_array(self.blocks), format="coo")
        rows, columns = coupled.coords
        sizes = self.block_size[rows] * self.block_size[columns]
        ends = np.cumsum(sizes)
        offset = np.full((self.blocks, self.blocks), -1, np.int64)
        offset[rows, columns] = ends - sizes
        self.size = int(ends[-1])
        inside = np.arange(self.size) - np.repeat(ends - sizes, sizes)
        breadth = np.repeat(self.block_size[columns], sizes)
        self.sparse_rows = np.repeat(self.block_begin[rows], sizes) + inside // breadth
        self.sparse_columns = np.repeat(self.block_begin[columns], sizes) + inside % breadth
        return offset

    def __enter__(self) -> BundleProblem:
        return self

    def __exit__(self, *_: object) -> None:
        self.chunks.close()

    def initial(self) -> State:
        """The state of the scene as given."""
        scene = self.scene
        canonical = np.array([canonical_params(camera) for camera in scene.cameras])
        state = self._allocate()
        state.parameters = Parameters(scene.rotations.copy(), scene.translations.copy(), scene.points.copy(), canonical)
        self._linearize(state)
        return state

    def _allocate(self) -> State:
        """A state whose arrays are not filled in."""
        scene, m = self.scene, len(self.observations.photo)
        points = np.empty((len(scene.points), 3))
        jacobian = Jacobian(
            jx=np.empty((m, 2, 3)), rotated=np.empty((m, 3)), ji=np.zeros((m, 2, self.cameras.expansion.shape[2]))
        )
        return State(
            Parameters(scene.rotations, scene.translations, points, np.empty((0, 8))), np.empty(2 * m + 1), jacobian
        )

    def scene_of(self, state: State) -> Scene:
        """The scene with a state's poses, points and intrinsics."""
        rotations, translations, points, canonical = state.parameters
        cameras = []
        for camera, params in zip(self.scene.cameras, canonical, strict=True):
            matrix = expansion(camera.model)
            cameras.append(dataclasses.replace(camera, params=tuple(params @ matrix / matrix.sum(axis=0))))
        return dataclasses.replace(
            self.scene, cameras=tuple(cameras), rotations=rotations, translations=translations, points=points
        )

    def _linearize(self, state: State) -> None:
        """Fill in residuals and derivatives of a state."""
        scene, xy = (self.observations, state.parameters, self.cameras), state.residuals[:-1].reshape(-1, 2)
        self.chunks.run(linearize, *scene, *self.loss, xy, state.jacobian, self.slack)
        state.residuals[-1] = np.sqrt(self.slack.sum())

    def moved(self, state: State, z: np.ndarray, spare: State | None) -> State | None:
        """The state after a step ``L^-T z``, or None where a focal length would not be positive.

        Args:
            spare: a state that is no longer needed, whose arrays are overwritten.
        """
        _, step, point_steps = self._multiply(state, z)
        rotations, translations, points, canonical = state.parameters
        if self.free.photos.any():
            pose_steps = step[np.maximum(self.columns.photo_column, 0)[:, None] + np.arange(6)]
            pose_steps *= self.free.photos[:, None]
            rotations = matrix_from_vector(pose_steps[:, :3]) @ rotations
            translations = translations + pose_steps[:, 3:]
        canonical = canonical.copy()
        for camera in np.flatnonzero(self.cameras.width):
            column, width = self.columns.camera_column[camera], self.cameras.width[camera]
            canonical[camera] += self.cameras.expansion[camera, :, :width] @ step[column : column + width]
        if not (canonical[:, :2] > 0).all():
            return None
        trial = spare or self._allocate()
        points = np.add(points, point_steps, out=trial.parameters.points)
        trial.parameters = Parameters(rotations, translations, points, canonical)
        self._linearize(trial)
        return trial

    def factorize(self, state: State, damping: float) -> bool:
        """Factor J'J + D; False where S is not positive definite and more damping is needed."""
        inputs = self.observations, state.parameters.rotations, self.free_points, self.columns, damping, state.jacobian
        self.chunks.run(eliminate, *inputs, self.factors, self.partial_reduced, self.partial_diagonal)
        if not self.unknowns:
            return True
        inside = np.arange(self.unknowns) - self.block_begin[self.column_block]
        diagonal = self.partial_diagonal.sum(axis=0)[self.column_block, inside]
        extra = damping * diagonal
        extra[diagonal == 0] = 1.0
        reduced = self.partial_reduced.sum(axis=0)
        if self.dense:
            self.reduced = DenseFactor(reduced.reshape(self.unknowns, self.unknowns), extra, self.held)
        else:
            entries = reduced, (self.sparse_rows, self.sparse_columns)
            self.reduced = SparseFactor(entries, extra, self.held)
        return self.reduced.positive

    def whitened(self, state: State, u: np.ndarray) -> np.ndarray:
        """``L^-1 J' u``."""
        z = np.empty(self.variables)
        points, cameras = self._split(z)
        inputs = self.observations, self.columns, state.jacobian, self.factors.q, u[:-1].reshape(-1, 2)
        self.chunks.run(multiply_transposed, *inputs, points, self.partial)
        if self.unknowns:
            cameras[:] = self.reduced.forward(self.partial.sum(axis=0))
        return z

    def product(self, state: State, z: np.ndarray) -> np.ndarray:
        """``J L^-T z``."""
        return self._multiply(state, z)[0]

    @property
    def variables(self) -> int:
        """Number of variables z: three for each point, then those of photos and cameras."""
        return 3 * len(self.free_points) + self.unknowns

    def _split(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The part of the points (P, 3) and the part of photos and cameras (n,)."""
        points = 3 * len(self.free_points)
        return z[:points].reshape(-1, 3), z[points:]

    def _multiply(self, state: State, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``J L^-T z``, and ``L^-T z``: the step of photos and cameras (n,) and of the points (P, 3)."""
        points, cameras = self._split(z)
        step = self.reduced.backward(cameras) if self.unknowns else np.zeros(1)
        product, point_steps = np.empty(len(state.residuals)), np.empty_like(points)
        product[-1] = 0.0
        inputs = self.observations, self.columns, state.jacobian, self.factors, points, step
        self.chunks.run(multiply, *inputs, product[:-1].reshape(-1, 2), point_steps)
        return product, step, point_steps

    def covariances(self) -> tuple[np.ndarray, np.ndarray]:
        """Covariances of the poses (N, 6, 6) and of the points (P, 3, 3) for measurements of unit variance.

        Raises:
            StageFailure: ``singular-scene``.
        """
        state = self.initial()
        if not self.factorize(state, 0.0):
            raise singular_scene()
        inverse = np.zeros((max(1, self.unknowns), self.unknowns))
        for column, unit in enumerate(np.eye(self.unknowns)):
            inverse[column] = self.reduced.backward(self.reduced.forward(unit))
        poses = np.zeros((len(self.scene.names), 6, 6))
        free = np.flatnonzero(self.free.photos)
        at = self.columns.photo_column[free][:, None] + np.arange(6)
        poses[free] = inverse[at[:, :, None], at[:, None, :]]
        coupled = np.empty((len(self.free_points), 3, 3))
        couple(self.observations, self.columns, state.jacobian, self.factors.q, inverse, coupled)
        lower = np.zeros_like(coupled)
        lower[:, *np.tril_indices(3)] = self.factors.chol
        back = np.linalg.inv(lower)
        points = np.swapaxes(back, 1, 2) @ (np.eye(3) + coupled) @ back
        points[~self.free_points] = 0.0
        return poses, points


def _camera_models(scene: Scene, free: FreeParameters) -> CameraModels:
    width = np.array([len(params) for params in free.intrinsics], np.int32)
    refined = np.zeros((len(scene.cameras), 8, max(1, int(width.max(initial=0)))))
    for camera, params, matrix in zip(scene.cameras, free.intrinsics, refined, strict=True):
        matrix[:, : len(params)] = expansion(camera.model)[:, list(params)]
    return CameraModels(np.array([is_fisheye(camera) for camera in scene.cameras], np.bool_), width, refined)


def singular_scene() -> StageFailure:
    """The failure where some camera or point is not determined."""
    return StageFailure(
        "singular-scene",
        "The measurements do not determine every camera and point.",
        hint="Remove photos with too few points, or hold their poses or intrinsics fixed.",
    )
