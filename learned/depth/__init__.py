"""Depth of a view from its neighbors by a network."""
