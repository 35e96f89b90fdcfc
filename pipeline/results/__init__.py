"""The output of a run: results by slot, run.json, files for other programs, comparisons of two runs."""
