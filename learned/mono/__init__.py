"""Depth from a single photo, by a small network that learns each scene from the points of its own sparse model."""
