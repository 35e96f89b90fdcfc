"""No refinement, for comparisons in which only the refiner differs."""

from __future__ import annotations

from ..scene import Features
from ..stage import Stage


class Unrefined(Stage):
    """Return the features unchanged."""

    slot = "features"

    def run(self, features: Features) -> Features:
        """The features of one photo, unchanged."""
        return features
