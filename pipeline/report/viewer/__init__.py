"""What the 3D viewer of a page draws."""
