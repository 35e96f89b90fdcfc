"""Check of a given calibration against the photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..failure import StageFailure
from ..scene import Pairs, Photos, Scene, TwoView
from ..stage import Context
from .bundle import adjust
from .bundle_options import BundleOptions

_COST_RATIO = 0.7
"""A fitted focal length counts if it lowers the cost to this share."""

_WRONG, _DOUBTFUL = 1.5, 1.02
"""Factors between the given and the fitted focal length above which it is a failure or a warning."""

_HINT = "Check the given calibration, or leave it out so that the focal length is estimated."


def check_pairs(photos: Photos, pairs: Pairs, two_views: Sequence[TwoView]) -> None:
    """Check the pairs whose calibration is given: an essential matrix must fit most of their matches.

    Raises:
        StageFailure: ``wrong-calibration`` when most matches belong to pairs that fit only without it.
    """
    known = np.array([photos.camera(photo).focal == "calibrated" for photo in range(len(photos))])
    matches = {"calibrated": 0, "uncalibrated": 0}
    for pair, view in zip(pairs.indices, two_views, strict=True):
        if known[pair].all() and view.kind in matches:
            matches[view.kind] += len(view)
    if matches["uncalibrated"] > matches["calibrated"]:
        raise StageFailure(
            "wrong-calibration",
            "Most matches fit the photos' geometry only without the given calibration.",
            hint=_HINT,
            with_it=matches["calibrated"],
            without=matches["uncalibrated"],
        )


def check_scene(scene: Scene, context: Context) -> None:
    """Refine the given focal lengths of a finished model, and compare them with the given ones.

    Warns of a small difference that lowers the cost clearly.

    Raises:
        StageFailure: ``wrong-calibration`` when the photos fit another focal length far better.
    """
    given = [camera for camera, each in enumerate(scene.cameras) if each.focal == "calibrated"]
    if not given or len(scene.names) < 3:
        return
    options = BundleOptions(refine=("focal",), loss="soft_l1", max_iterations=100)
    fitted, report = adjust(scene, options, fixed_cameras=np.zeros(len(scene.cameras), bool), threads=context.threads)
    if report.cost_after > _COST_RATIO * report.cost_before:
        return
    for camera in given:
        given_focal, found = (np.mean(each.cameras[camera].focal_lengths) for each in (scene, fitted))
        factor = max(given_focal / found, found / given_focal)
        sentence = f"The photos fit a focal length of {found:.0f} pixels, not the given {given_focal:.0f}."
        if factor > _WRONG:
            raise StageFailure("wrong-calibration", sentence, hint=_HINT)
        if factor > _DOUBTFUL:
            context.warn(f"{sentence} {_HINT}")
