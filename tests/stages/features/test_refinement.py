"""Which view of a track stays."""

from __future__ import annotations

import numpy as np
from diptych.stages.features.refinement import fixed_views
from diptych.stages.scene import Tracks


def test_the_view_that_shares_most_with_the_others_stays() -> None:
    # Photo 1 sees all of 0's and of 2's tracks; those two share only one.
    sets = [(0, 1), (0, 1), (0, 1), (1, 2), (1, 2), (0, 1, 2)]
    track = np.concatenate([[i] * len(photos) for i, photos in enumerate(sets)])
    photo = np.concatenate(sets)
    tracks = Tracks(track, photo, np.arange(len(track)))
    fixed = fixed_views(tracks, np.arange(len(sets)))
    np.testing.assert_array_equal(tracks.track[fixed], np.arange(len(sets)))
    assert tracks.photo[fixed[-1]] == 1
    np.testing.assert_array_equal(tracks.photo[fixed[:3]], 0)  # two that share alike: the first
    np.testing.assert_array_equal(fixed_views(tracks, np.array([5, 1])), fixed[[5, 1]])
    assert len(fixed_views(Tracks(np.empty(0), np.empty(0), np.empty(0)), np.empty(0, np.int64))) == 0
