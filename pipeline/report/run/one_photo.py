"""The errors of a network that predicts depth from one photo, beside those of simpler predictors."""

from __future__ import annotations

from typing import Any

from ....learned.mono.weights import MonoWeights, Part, Predictor
from ..words import plural

_PREDICTORS: dict[Predictor, str] = {
    "constant": "One depth",
    "plane": "One plane",
    "pretrained": "Before",
    "learned": "After",
}
_PARTS: dict[Part, str] = {"train": "Learned from", "validation": "Said when to stop", "test": "Held out"}


def one_photo_errors(mono: MonoWeights | None) -> dict[str, Any] | None:
    """The errors of every predictor on every part of the photos; ``None`` if no network was trained."""
    if mono is None or not mono.errors:
        return None
    return {
        "parts": [f"{title}, {plural(len(getattr(mono, part)), 'photo')}" for part, title in _PARTS.items()],
        "rows": {title: [mono.error(predictor, part) for part in _PARTS] for predictor, title in _PREDICTORS.items()},
        "most": max(error.median for error in mono.errors) or 1.0,
    }
