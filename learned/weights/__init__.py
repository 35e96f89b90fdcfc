"""Weights of networks: reading and writing them, and those that Diptych ships."""
