"""Bundle adjustment by Ceres, through pycolmap, on the same problem as the solver of our own."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..failure import StageFailure
from ..peers.colmap import pycolmap
from ..scene import Scene
from .bundle_options import BundleOptions, FreeParameters

_LOSSES = {"linear": "TRIVIAL", "soft_l1": "SOFT_L1", "huber": "HUBER", "cauchy": "CAUCHY"}
_REASONS = {"CONVERGENCE": "cost-settled", "NO_CONVERGENCE": "evaluations-spent"}


def minimize_by_ceres(scene: Scene, free: FreeParameters, options: BundleOptions) -> tuple[Scene, int, str]:
    """Minimize with Levenberg-Marquardt on one thread, because Ceres' sums depend on the number of threads.

    Returns:
        The moved scene, the number of evaluations, and why it ended.

    Raises:
        StageFailure: ``solver-failed`` where Ceres found no usable solution.
    """
    reconstruction, adjuster = ceres_problem(scene, free, options, threads=1)
    summary = adjuster.solve()
    ending = summary.termination_type.name
    if not summary.is_solution_usable():
        raise StageFailure("solver-failed", "Ceres found no usable solution.", ending=ending)
    evaluations = summary.ceres_summary.num_successful_steps + summary.ceres_summary.num_unsuccessful_steps
    return scene_of(scene, reconstruction), evaluations, _REASONS.get(ending, "solver-stopped")


def ceres_problem(scene: Scene, free: FreeParameters, options: BundleOptions, *, threads: int) -> tuple[Any, Any]:
    """The scene as a ``pycolmap.Reconstruction``, ids counting from 1 in our order, and the adjuster that moves it."""
    reconstruction = _reconstruction(scene)
    settings = pycolmap.BundleAdjustmentOptions()
    settings.print_summary = False
    settings.refine_focal_length = "focal" in options.refine
    settings.refine_principal_point = "principal_point" in options.refine
    settings.refine_extra_params = "distortion" in options.refine
    settings.ceres.loss_function_type = pycolmap.LossFunctionType.__members__[_LOSSES[options.loss]]
    settings.ceres.loss_function_scale = options.loss_scale
    solver = settings.ceres.solver_options
    solver.num_threads = threads
    solver.max_num_iterations = options.max_iterations
    solver.function_tolerance = options.tolerance
    solver.gradient_tolerance = 1e-10
    config = pycolmap.BundleAdjustmentConfig()
    for photo in range(len(scene.names)):
        config.add_image(photo + 1)
        if not free.photos[photo]:
            config.set_constant_rig_from_world_pose(photo + 1)
    for camera, params in enumerate(free.intrinsics):
        if not params:
            config.set_constant_cam_intrinsics(camera + 1)
    for point in np.flatnonzero(~free.points):
        config.add_constant_point(int(point) + 1)
    if np.count_nonzero(~free.photos) + np.count_nonzero(~free.points) < 2:
        config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    return reconstruction, pycolmap.create_default_bundle_adjuster(settings, config, reconstruction)


def _reconstruction(scene: Scene) -> Any:
    reconstruction = pycolmap.Reconstruction()
    for index, camera in enumerate(scene.cameras):
        reconstruction.add_camera_with_trivial_rig(
            pycolmap.Camera(
                camera_id=index + 1, model=camera.model, width=camera.width, height=camera.height, params=camera.params
            )
        )
    order = np.argsort(scene.obs_photo, kind="stable")
    edges = np.searchsorted(scene.obs_photo[order], np.arange(len(scene.names) + 1))
    slot = np.empty(len(order), np.int64)  # place of each observation among those of its photo
    slot[order] = np.arange(len(order)) - edges[scene.obs_photo[order]]
    for index, name in enumerate(scene.names):
        image = pycolmap.Image(
            name,
            keypoints=scene.obs_xy[order[edges[index] : edges[index + 1]]],
            camera_id=int(scene.camera_of[index]) + 1,
            image_id=index + 1,
        )
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d(scene.rotations[index]), scene.translations[index])
        reconstruction.add_image_with_trivial_frame(image, pose)
    edges = np.searchsorted(scene.obs_point, np.arange(len(scene.points) + 1))
    photo, slot = (scene.obs_photo + 1).tolist(), slot.tolist()
    for index, position in enumerate(scene.points):
        seen = range(edges[index], edges[index + 1])
        track = pycolmap.Track([pycolmap.TrackElement(photo[i], slot[i]) for i in seen])
        reconstruction.add_point3D(position, track)
    return reconstruction


def scene_of(scene: Scene, reconstruction: Any) -> Scene:
    """The scene with the poses, points and intrinsics of a reconstruction made from it."""
    poses = [reconstruction.image(index + 1).cam_from_world() for index in range(len(scene.names))]
    return dataclasses.replace(
        scene,
        cameras=tuple(
            dataclasses.replace(camera, params=tuple(reconstruction.camera(index + 1).params))
            for index, camera in enumerate(scene.cameras)
        ),
        rotations=np.array([pose.rotation.matrix() for pose in poses]),
        translations=np.array([pose.translation for pose in poses]),
        points=np.array([reconstruction.point3D(index + 1).xyz for index in range(len(scene.points))]),
    )
