"""Columns for camera errors that several protocols share."""

from __future__ import annotations

from .table import Column

CAMERAS = (
    Column("registered", "photos", ".0f"),
    Column("photos", "of", ".0f"),
    Column("position_least_squares_mean", "position mm", ".2f", 1000),
    Column("rotation_mean_deg", "rotation °", ".4f"),
)
"""Mean position error after alignment by a least-squares similarity (the truth is in meters), and rotation error."""
