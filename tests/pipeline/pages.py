"""The page of a run as a test sees it, and a model to show on it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from diptych.stages.geometry.projection import project
from diptych.stages.scene import Camera, Scene

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

    def data(self, name: str) -> Any:
        """What the page's scripts are given by a name."""
        return json.loads(self.scripts[[found.get("id") for found in self.all("script")].index(name)])

    @property
    def models(self) -> list[dict[str, Any]]:
        return self.data("models")

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [
            found
            for name, found in self.elements
            if name == tag and all(found.get(key.rstrip("_")) == value for key, value in attributes.items())
        ]


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
        cameras=(camera,),
        names=names,
        camera_of=np.zeros(len(names)),
        rotations=rotations,
        translations=translations,
        points=world,
        colors=np.tile([255, 0, 255], (points, 1)),
        errors=np.full(points, NOISE),
        obs_photo=np.tile(np.arange(len(names)), points),
        obs_point=np.repeat(np.arange(points), len(names)),
        obs_xy=xy.reshape(-1, 2) + rng.normal(0, NOISE, (points * len(names), 2)),
        obs_keypoint=np.full(points * len(names), -1),
    )
