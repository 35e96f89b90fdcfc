"""The page of a run as a test sees it, a model to show on it, and a browser to look at it."""

from __future__ import annotations

import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from diptych.stages.geometry.projection import project
from diptych.stages.scene import Camera, Scene

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NOISE = 0.5


class Page(HTMLParser):
    """What a browser would see: the elements with their attributes, and the text outside scripts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def models(self) -> list[dict[str, Any]]:
        return json.loads(self.scripts[0])

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [
            found for name, found in self.elements
            if name == tag and all(found.get(key.rstrip("_")) == value for key, value in attributes.items())
        ]  # fmt: skip


def model(names: tuple[str, ...], points: int = 300, seed: int = 0) -> Scene:
    """Photos on an arc around a ball of points that all of them see, measured with noise."""
    rng = np.random.default_rng(seed)
    camera = Camera("SIMPLE_RADIAL", 640, 480, (600.0, 320.0, 240.0, -0.03))
    angle = np.linspace(-0.5, 0.5, len(names))
    zero, one = np.zeros_like(angle), np.ones_like(angle)
    rotations = np.stack(
        [np.cos(angle), zero, -np.sin(angle), zero, one, zero, np.sin(angle), zero, np.cos(angle)], axis=1
    ).reshape(-1, 3, 3)
    translations = np.tile([0.0, 0.0, 5.0], (len(names), 1))
    world = rng.uniform(-1, 1, (points, 3))
    xy = np.stack([project(camera, world @ R.T + t) for R, t in zip(rotations, translations, strict=True)], axis=1)
    return Scene(
        cameras=(camera,), names=names, camera_of=np.zeros(len(names)), rotations=rotations, translations=translations,
        points=world, colors=np.tile([255, 0, 255], (points, 1)), errors=np.full(points, NOISE),
        obs_photo=np.tile(np.arange(len(names)), points), obs_point=np.repeat(np.arange(points), len(names)),
        obs_xy=xy.reshape(-1, 2) + rng.normal(0, NOISE, (points * len(names), 2)),
        obs_keypoint=np.full(points * len(names), -1),
    )  # fmt: skip


def screenshot(page: Path, act: str, *options: str) -> np.ndarray:
    """A page as Chromium draws it after a script has acted on it, RGB; nothing may be said on the console."""
    acted = page.with_name("acted.html")
    acted.write_text(page.read_text("utf-8").replace("</body>", f"<script>{act}</script></body>"), "utf-8")
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu-sandbox", "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr",
            f"--user-data-dir={page.with_name('profile')}", f"--screenshot={page.with_name('shot.png')}",
            "--window-size=1200,1000", "--virtual-time-budget=4000", *options, acted.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr, done.stderr
    drawn = cv2.imread(str(page.with_name("shot.png")))
    assert drawn is not None
    return drawn[..., ::-1]
