"""Procedural sample scenes, path-traced to photos with exact truth."""
