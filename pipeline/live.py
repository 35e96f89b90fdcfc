"""A finished run to walk about in, in a browser: cameras, points, cloud, mesh and depth maps as layers (viser)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..stages.failure import StageFailure
from ..stages.geometry.rotations import nearest_rotation
from ..stages.scene import Scene

if TYPE_CHECKING:
    from .api import Result
    from .results.values import Dense

HOST = "127.0.0.1"
"""Nobody else on the network can look in."""

THUMBNAIL = 320
"""Most pixels of the longer side of a photo in its camera."""

MOST_POINTS = 2_000_000
"""Of a cloud no more are sent to the browser, evenly chosen."""

NONE = "none"


@dataclass(frozen=True)
class Live:
    """A running view.

    Attributes:
        server: viser's.
        layers: what shows each layer, by name; a layer is switched by ``visible``.
        controls: viser's handles by name, to be turned by a program as by hand.
    """

    server: Any
    layers: dict[str, tuple[Any, ...]]
    controls: dict[str, Any]

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.get_port()

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.port}"

    def stop(self) -> None:
        """End it."""
        self.server.stop()


def view(out: str | Path, *, port: int = 8080, block: bool = True, say: Callable[[str], None] | None = None) -> Live:
    """Open the result of a run in a browser; only this machine can see it.

    Layers can be switched: the cameras with their photos (a click goes to one), the points of the model, the cloud, the
    mesh, and the depth map of a photo as points.

    Args:
        out: the output folder of a run.
        port: where to listen; the next free one if it is taken.
        block: stay until it is interrupted, and end it then.
        say: called with the address once it is there.

    Raises:
        StageFailure: ``no-viser`` where the extra is not installed; ``no-record`` and ``no-result`` where there is no
            run, or one without cameras.
    """
    viser = _viser()
    from .api import Result

    result = Result.load(out)
    scene, dense = result.scene, result.dense
    server = viser.ViserServer(host=HOST, port=port, verbose=False)
    live = Live(server, {}, {})
    _upright(server, scene)
    _cameras(live, result, scene)
    _points(live, scene)
    _surfaces(live, dense)
    _depths(live, dense)
    _switches(live)
    if say:
        say(live.address)
    if block:
        try:
            server.sleep_forever()
        finally:
            live.stop()
    return live


def _viser() -> Any:
    try:
        import viser  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise StageFailure(
            "no-viser", "The live view needs viser, which is not installed.", hint="pip install 'diptych[view]'"
        ) from error
    return viser


def _upright(server: Any, scene: Scene) -> None:
    """The cameras' mean up direction is up, and the first look is over their shoulders at the middle of the points."""
    up, forward = -scene.rotations[:, 1].mean(axis=0), scene.rotations[:, 2].mean(axis=0)
    seen = scene.points if len(scene.points) else scene.centers
    server.scene.set_up_direction(tuple(up))
    server.initial_camera.position = tuple(scene.centers.mean(axis=0) + _reach(scene) * (0.3 * up - 0.5 * forward))
    server.initial_camera.look_at = tuple(np.median(seen, axis=0))


def _cameras(live: Live, result: Result, scene: Scene) -> None:
    """A frustum for every photo, with the photo in it; a click on one goes there."""
    scale = _frustum_size(scene)
    frusta = []
    for i, name in enumerate(scene.names):
        camera = scene.camera(i)
        frustum = live.server.scene.add_camera_frustum(
            f"/cameras/{name}",
            fov=2 * np.arctan(camera.height / 2 / camera.focal_lengths[1]),
            aspect=camera.width / camera.height,
            scale=scale,
            image=_thumbnail(result, name),
            color=(70, 120, 200),
            thickness=2.0,
            thickness_units="screen",
            wxyz=_quaternion(scene.rotations[i].T),
            position=scene.centers[i],
        )
        frustum.on_click(partial(_go, scene=scene, photo=i))
        frusta.append(frustum)
    live.layers["cameras"] = tuple(frusta)


def _frustum_size(scene: Scene) -> float:
    """Small beside the distance of the scene, and no larger than lets neighbours stand apart."""
    apart = np.linalg.norm(np.diff(scene.centers, axis=0), axis=1)
    return min(0.05 * _reach(scene), 0.5 * float(np.median(apart)) if apart.any() else np.inf)


def _go(event: Any, *, scene: Scene, photo: int) -> None:
    """Put the one who clicked where a photo was taken."""
    eye = event.client.camera
    rotation, center = scene.rotations[photo], scene.centers[photo]
    with event.client.atomic():
        eye.position = center
        eye.look_at = center + rotation[2] * _reach(scene)
        eye.up_direction = -rotation[1]


def _points(live: Live, scene: Scene) -> None:
    cloud = live.server.scene.add_point_cloud(
        "/points", scene.points.astype(np.float32), scene.colors, point_size=0.004 * _reach(scene), precision="float32"
    )
    live.layers["points"] = (cloud,)


def _surfaces(live: Live, dense: Dense) -> None:
    """Cloud and mesh where the run has them; with a mesh the cloud is off at first."""
    scene = live.server.scene
    if dense.cloud is not None and len(dense.cloud):
        step = -(-len(dense.cloud) // MOST_POINTS)
        points, colors = dense.cloud.points[::step], dense.cloud.colors[::step]
        live.layers["cloud"] = (
            scene.add_point_cloud(
                "/cloud", points, colors, point_size=_spacing(points), precision="float32", visible=dense.mesh is None
            ),
        )
    if dense.mesh is not None and len(dense.mesh.triangles):
        live.layers["mesh"] = (scene.add_mesh_trimesh("/mesh", _trimesh(dense)),)


def _depths(live: Live, dense: Dense) -> None:
    """The depth map of the photo that is chosen, as coloured points; only one is in memory."""
    names = tuple(name for name in dense.depths if name in dense.views)
    if not names:
        return
    chosen = live.server.gui.add_dropdown("depth map of", (NONE, *names), initial_value=NONE)
    live.controls["depth map of"] = chosen
    live.layers["depth map"] = ()

    def show(_: object = None) -> None:
        for shown in live.layers["depth map"]:
            shown.remove()
        live.layers["depth map"] = ()
        if chosen.value != NONE:
            points, colors = depth_points(dense, chosen.value)
            shown = live.server.scene.add_point_cloud(
                "/depth map", points, colors, point_size=_spacing(points), precision="float32"
            )
            live.layers["depth map"] = (shown,)

    chosen.on_update(show)


def depth_points(dense: Dense, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of a photo's depth map that have a depth: where they lie in the world (P, 3), and their colours."""
    view, depth = dense.views[name], dense.depths[name].depth
    row, column = np.nonzero(depth)
    z = depth[row, column].astype(np.float64)[:, None]
    rays = (np.stack([column, row], axis=1) + 0.5 - view.camera.principal_point) / view.camera.focal_lengths
    local = np.concatenate([rays * z, z], axis=1)
    world = (local - view.translation) @ view.rotation
    return world.astype(np.float32), view.image[row, column]


def _switches(live: Live) -> None:
    """A checkbox for each layer, and the size of the points."""

    def switch(event: Any, name: str) -> None:
        for shown in live.layers[name]:
            shown.visible = live.controls[name].value

    for name, shown in live.layers.items():
        if shown:
            box = live.server.gui.add_checkbox(name, initial_value=bool(shown[0].visible))
            box.on_update(partial(switch, name=name))
            live.controls[name] = box
    size = live.server.gui.add_slider("point size", min=0.1, max=5.0, step=0.1, initial_value=1.0)
    plain = {name: live.layers[name][0].point_size for name in ("points", "cloud") if name in live.layers}

    def resize(_: object) -> None:
        for name, usual in plain.items():
            live.layers[name][0].point_size = usual * size.value

    size.on_update(resize)
    live.controls["point size"] = size


def _thumbnail(result: Result, name: str) -> np.ndarray | None:
    """The photo, small; none where the file is no longer there."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(Path(result.record["photos"]["folder"]) / name) as image:
            image.draft("RGB", (THUMBNAIL, THUMBNAIL))
            upright = ImageOps.exif_transpose(image).convert("RGB")
            upright.thumbnail((THUMBNAIL, THUMBNAIL))
            return np.asarray(upright)
    except (OSError, UnidentifiedImageError):
        return None


def _trimesh(dense: Dense) -> Any:
    """The mesh as viser's library has it, coloured at its vertices."""
    import trimesh  # pyright: ignore[reportMissingImports]

    mesh = dense.mesh
    assert mesh is not None
    return trimesh.Trimesh(
        mesh.vertices, mesh.triangles, vertex_normals=mesh.normals, vertex_colors=mesh.colors, process=False
    )


def _reach(scene: Scene) -> float:
    """Median distance of the points from the middle of the cameras; without points, of the cameras themselves."""
    middle = scene.centers.mean(axis=0)
    seen = scene.points if len(scene.points) else scene.centers
    distance = float(np.median(np.linalg.norm(seen - middle, axis=1)))
    return distance or 1.0


def _spacing(points: np.ndarray) -> float:
    """A size at which points spread over a surface about touch."""
    if not len(points):
        return 1.0
    low, high = np.quantile(points, (0.05, 0.95), axis=0)
    return float(np.linalg.norm(high - low)) / np.sqrt(len(points))


def _quaternion(rotation: np.ndarray) -> np.ndarray:
    """w, x, y, z of a rotation matrix."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(nearest_rotation(rotation)).as_quat(scalar_first=True)
