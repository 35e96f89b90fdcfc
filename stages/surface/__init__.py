"""From depth maps to surfaces: fusion, clouds, meshes, textures."""
