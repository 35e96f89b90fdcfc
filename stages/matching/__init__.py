"""Which photos overlap, which of their keypoints match, two-view geometry, and tracks."""
