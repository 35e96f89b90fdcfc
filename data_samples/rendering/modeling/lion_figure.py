"""The stone lion: a smooth union of ellipsoids and capsules."""

from __future__ import annotations

import itertools

import numpy as np

from ..scene import Parts, part
from . import textures
from .freeform import Field, blended, boxed, capsule, carved, ellipsoid, mirrored, surface_net
from .meshes import joined, waves

SEAT = 0.86
"""Height of the plinth."""


def body() -> Field:
    """The animal, sitting: x to its left, -y ahead, z up from its seat; about 1.4 m tall."""
    trunk = [
        ellipsoid((0, 0.16, 0.50), (0.25, 0.30, 0.48), -24),
        ellipsoid((0, -0.10, 0.72), (0.24, 0.22, 0.34), 8),
        ellipsoid((0, 0.36, 0.24), (0.27, 0.27, 0.25)),
    ]
    hind = mirrored(
        blended(
            [
                ellipsoid((0.25, 0.22, 0.26), (0.14, 0.32, 0.25), 18),
                capsule((0.29, 0.02, 0.10), (0.30, -0.16, 0.07), 0.10, 0.085),
                ellipsoid((0.30, -0.24, 0.07), (0.095, 0.14, 0.075)),
            ],
            0.06,
        )
    )
    left = blended(
        [
            capsule((0.15, -0.22, 0.72), (0.17, -0.30, 0.36), 0.115, 0.088),
            capsule((0.17, -0.30, 0.36), (0.17, -0.36, 0.08), 0.085, 0.075),
            ellipsoid((0.17, -0.43, 0.065), (0.095, 0.15, 0.07)),
        ],
        0.05,
    )
    right = blended(
        [
            capsule((-0.15, -0.22, 0.72), (-0.20, -0.42, 0.48), 0.115, 0.085),
            capsule((-0.20, -0.42, 0.48), (-0.20, -0.54, 0.36), 0.085, 0.075),
            ellipsoid((-0.20, -0.60, 0.33), (0.095, 0.14, 0.07), 25),
        ],
        0.05,
    )
    paws = ((0.17, -0.43, 0.055, 0), (-0.20, -0.60, 0.295, 25), (0.30, -0.25, 0.055, 0), (-0.30, -0.25, 0.055, 0))
    toes = [
        ellipsoid((x + side * 0.055, y - 0.10, z), (0.032, 0.055, 0.045), tilt)
        for x, y, z, tilt in paws
        for side in (-1, 0, 1)
    ]
    t = np.linspace(0, 1, 9)
    curl = np.stack([0.30 * np.sin(2.6 * t) + 0.02, 0.55 + 0.14 * np.cos(2.6 * t), 0.09 + 0.02 * t], 1)
    tail = [capsule(a, b, 0.045, 0.043) for a, b in itertools.pairwise(curl)]
    tuft = ellipsoid((0.22, 0.36, 0.13), (0.07, 0.12, 0.07))
    return blended([*trunk, hind, left, right, *tail, tuft, *toes], 0.045)


def head() -> Field:
    """The face, looking a little to its right, with sunken eyes, a broad nose, and an open mouth."""
    skull = blended(
        [
            ellipsoid((0, -0.22, 1.18), (0.17, 0.19, 0.18)),
            ellipsoid((0, -0.40, 1.10), (0.105, 0.13, 0.085)),
            ellipsoid((0, -0.37, 1.00), (0.075, 0.10, 0.045), -12),
            mirrored(ellipsoid((0.085, -0.33, 1.10), (0.07, 0.09, 0.075))),
            mirrored(ellipsoid((0.075, -0.355, 1.255), (0.055, 0.05, 0.030), -20)),
            capsule((0, -0.36, 1.24), (0, -0.49, 1.15), 0.040, 0.040),
        ],
        0.045,
    )
    face = blended([skull, ellipsoid((0, -0.525, 1.135), (0.055, 0.03, 0.035))], 0.015)
    for tool, softness in (
        (mirrored(ellipsoid((0.075, -0.42, 1.215), (0.036, 0.045, 0.026))), 0.012),
        (ellipsoid((0, -0.50, 1.035), (0.075, 0.13, 0.016), -6), 0.01),
        (mirrored(ellipsoid((0.026, -0.55, 1.125), (0.012, 0.02, 0.010))), 0.008),
    ):
        face = carved(face, tool, softness)
    eyes = mirrored(ellipsoid((0.075, -0.392, 1.213), (0.028, 0.028, 0.022)))
    hollow = ellipsoid((0.158, -0.19, 1.34), (0.038, 0.03, 0.042))
    ears = mirrored(carved(ellipsoid((0.155, -0.15, 1.335), (0.06, 0.035, 0.065)), hollow, 0.01))
    return blended([face, eyes, ears], 0.012)


def mane(phase: np.ndarray) -> Field:
    """A mane in locks; ``phase`` (3,) shifts their waves."""
    shape = blended(
        [
            ellipsoid((0, -0.12, 1.10), (0.30, 0.20, 0.30)),
            ellipsoid((0, -0.06, 0.92), (0.29, 0.25, 0.30)),
            ellipsoid((0, -0.26, 0.80), (0.20, 0.16, 0.26)),
            ellipsoid((0, 0.05, 1.02), (0.22, 0.22, 0.30)),
        ],
        0.08,
    )

    def distance(points: np.ndarray) -> np.ndarray:
        x, y, z = (points - np.array((0, -0.12, 1.12))).T
        around, fall = np.arctan2(x, z + 0.15), np.hypot(x, z) + 0.8 * y
        bend = 0.5 * np.sin(9 * fall + phase[0]) + 0.3 * np.sin(21 * fall + 3 * around + phase[1])
        locks = np.abs(np.sin(8.5 * around + bend + phase[2] + 2.0 * np.floor(fall / 0.11)))
        edge = np.clip(np.abs(fall / 0.11 - np.floor(fall / 0.11) - 0.5) - 0.30, 0, 1)
        return shape(points) - 0.030 * locks + 0.018 * edge * 5 - 0.006 * np.sin(60 * fall + 30 * around)

    return distance


def lion(rng: np.random.Generator) -> Parts:
    """The figure in weathered stone: body, mane in locks, face, and the ball."""
    figure = blended([body(), mane(rng.uniform(0, 2 * np.pi, 3)), head()], 0.014)
    mesh = surface_net(figure, (-0.5, -0.85, -0.03), (0.5, 0.85, 1.55), 0.0105)
    mesh = mesh.displaced(0.0016 * waves(mesh.vertices, 0.05, rng) + 0.0008 * waves(mesh.vertices, 0.018, rng))
    sphere = ellipsoid((-0.20, -0.56, 0.135), (0.135, 0.135, 0.135))
    globe = surface_net(sphere, (-0.4, -0.75, -0.02), (0.0, -0.4, 0.3), 0.01)
    globe = globe.displaced(0.004 * np.sign(np.sin(9 * globe.vertices[:, 2] / 0.135)) * 0.5)
    shape = (1024, 1024)
    stone = textures.granite(rng, shape, (0.70, 0.66, 0.58), 1.9) / 255.0
    stone = 0.5 * stone + 0.5 * np.array((0.70, 0.65, 0.56))
    gray = np.clip(textures.fractal(rng, shape, 340.0, 7) - 0.3, 0, 1)
    image = textures.mix(stone, (0.36, 0.35, 0.32), 0.5 * gray)
    image = textures.mix(image, (0.66, 0.62, 0.36), 0.6 * textures.speckles(rng, shape, 0.05, 6.0))
    image = textures.mix(image, (0.24, 0.23, 0.21), 0.8 * textures.speckles(rng, shape, 0.03, 2.0))
    seated = joined([mesh.moved((0, 0, SEAT)), globe.moved((0, 0, SEAT))])
    yield part("lion", boxed(seated, 0.62), textures.finish(image), smooth=True)
