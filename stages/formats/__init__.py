"""Conversions to and from other programs' files; they live here and nowhere else."""
