"""Keypoints refined by a network that compares their surroundings in two photos."""
