"""What a run leaves: results by slot, run.json, files for other programs, differences of two runs."""
