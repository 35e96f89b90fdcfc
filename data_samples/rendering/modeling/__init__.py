"""Meshes, shapes, plants and textures that the scenes are built of."""
