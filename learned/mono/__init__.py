"""Depth from a single photo, by a small network fine-tuned to each scene with its sparse model."""
