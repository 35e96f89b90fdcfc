"""Is the page of a run light? Its size, how long a real browser takes to open it, and what the console says.

    python -m benchmarks.report [--photos 30] [--points 100000] [--repeat 3] [--sparse]

The run is made up: photos of noise, an arc of cameras around a ball of points, 8,000 keypoints a photo, depth maps of
every photo, a cloud and a mesh. The bar is 25 MB and 3 seconds for 30 photos and 100,000 points.
With ``--photos 1000 --points 1000000 --sparse``, which leaves out all but photos, cameras and points, it shows how much
the viewer bears. It needs Chromium.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from diptych.pipeline.report.run.matching import Found
from diptych.pipeline.report.run.page import write_report
from diptych.pipeline.results.values import Dense
from diptych.stages.dense import Cloud, DepthMap, Mesh, View
from diptych.stages.images.photos import read_photos
from diptych.stages.scene import Camera, Features, Matches, Scene, Sparse, TwoView

from tests.browser import browser
from tests.pipeline.dense import sphere
from tests.pipeline.pages import model

KEYPOINTS = 8000
WIDTH, HEIGHT = 1600, 1200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=30)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--sparse", action="store_true", help="no keypoints, no matches and nothing dense")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        write(page, given.photos, given.points, given.sparse)
        print(f"{given.photos} photos, {given.points:,} points: {page.stat().st_size / 1e6:.1f} MB")
        seconds, busy, problems = [], [], []
        for _ in range(given.repeat):
            with browser() as window:
                window.open(_blank(Path(folder)))
                before = window.busy()
                seconds.append(window.open(page))
                busy.append(window.busy() - before)
                problems += window.problems
        print(
            f"opened and drawn in {statistics.median(seconds):.2f} s, the median of {given.repeat}; "
            f"{statistics.median(busy):.2f} processor seconds of the browser"
        )
        print(f"{len(problems)} errors on the console", *problems[:5], sep="\n")


def _blank(folder: Path) -> Path:
    """An empty page, so that the start of the browser itself is not measured."""
    path = folder / "blank.html"
    path.write_text("<!doctype html><canvas></canvas>", "utf-8")
    return path


def write(page: Path, photo_count: int, points: int, sparse: bool) -> None:
    """Write the page of a made-up run."""
    rng = np.random.default_rng(0)
    names = tuple(f"photo_{i:03}.jpg" for i in range(photo_count))
    folder = page.parent / "photos"
    folder.mkdir()
    images = {}
    for name in names:
        rough = rng.integers(0, 256, (HEIGHT // 20, WIDTH // 20, 3), np.uint8)
        images[name] = cv2.resize(rough, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / name), images[name])
    photos, files = read_photos(folder)
    scene = scene_of(names, points, rng)
    write_report(
        page,
        photos=photos,
        files=files,
        sparse=Sparse((scene,)),
        record={"name": "made up", "seconds": 1.0},
        dense=Dense() if sparse else dense_of(scene, images),
        found=Found({}, {}, {}) if sparse else found_of(names, rng),
    )


def scene_of(names: tuple[str, ...], points: int, rng: np.random.Generator) -> Scene:
    """Every point is seen by four photos."""
    few = model(names, points=1)
    world = rng.uniform(-1, 1, (points, 3))
    seen_by = np.sort(rng.permuted(np.tile(np.arange(len(names)), (points, 1)), axis=1)[:, :4], axis=1)
    count = 4 * points
    return Scene(
        cameras=few.cameras,
        names=names,
        camera_of=few.camera_of,
        rotations=few.rotations,
        translations=few.translations,
        points=world,
        colors=rng.integers(0, 256, (points, 3)),
        errors=np.full(points, 0.5),
        obs_photo=seen_by.ravel(),
        obs_point=np.repeat(np.arange(points), 4),
        obs_xy=rng.uniform(0, 480, (count, 2)),
        obs_keypoint=rng.integers(0, KEYPOINTS, count),
    )


def found_of(names: tuple[str, ...], rng: np.random.Generator) -> Found:
    """Keypoints of every photo and matches of every pair."""
    features = {}
    for name in names:
        xy = rng.uniform(0, (WIDTH, HEIGHT), (KEYPOINTS, 2))
        ones = np.ones(KEYPOINTS)
        features[name] = Features(
            xy, ones, ones, ones, np.zeros((KEYPOINTS, 3)), np.zeros((KEYPOINTS, 4), np.uint8), "x"
        )
    matches, geometries = {}, {}
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            indices = rng.integers(0, KEYPOINTS, (400, 2))
            matches[f"{first}|{second}"] = Matches(indices, np.ones(400))
            geometries[f"{first}|{second}"] = TwoView(
                "calibrated", indices[:300], np.eye(3), np.array([1.0, 0, 0]), np.eye(3), np.eye(3), 5.0
            )
    return Found(features, matches, geometries)


def dense_of(scene: Scene, images: dict[str, np.ndarray]) -> Dense:
    """A bumpy depth map of every photo, a cloud of 500,000 points and a mesh of as many triangles."""
    camera = Camera("PINHOLE", WIDTH, HEIGHT, (1500, 1500, WIDTH / 2, HEIGHT / 2))
    facing = np.tile(np.array([0, 0, -1], np.float16), (HEIGHT, WIDTH, 1))
    views, depths = {}, {}
    for i, name in enumerate(scene.names):
        gray = cv2.GaussianBlur(images[name][..., 0].astype(np.float32), (0, 0), 5)
        depth = 4 + gray / 100
        mask = np.ones((HEIGHT, WIDTH), bool)
        views[name] = View(images[name], mask, camera, scene.rotations[i], scene.translations[i], 2.0, 9.0)
        depths[name] = DepthMap(depth, facing, np.clip(gray / 255, 0, 1), np.zeros((HEIGHT, WIDTH)))
    ball: Mesh = sphere(360)
    count = len(ball.vertices)
    cloud = Cloud(ball.vertices, ball.normals, ball.colors, np.full(count, 3), np.full(count, 0.01))
    return Dense(None, views, depths, cloud, ball)


if __name__ == "__main__":
    main()
