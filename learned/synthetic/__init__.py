"""Procedural multi-view training scenes with exact depth, generated during the training."""
