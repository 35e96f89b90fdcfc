"""Depth of a view from its neighbours by a network."""
