"""Comparison with ground truth: cameras, depth maps, clouds and meshes."""
