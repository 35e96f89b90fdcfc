"""PatchMatch stereo, on a CPU by numba and on other devices by torch."""
