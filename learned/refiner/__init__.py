"""Keypoint refinement by a network that compares patches of two photos."""
