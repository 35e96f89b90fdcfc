"""Keypoints and descriptors of one photo, and their refinement over tracks."""
