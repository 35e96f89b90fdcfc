"""Pure functions over arrays: rotations, projection, epipolar geometry, resection, alignment."""
