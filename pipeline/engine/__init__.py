"""Recipe, graph and runner: what runs, in which order, on what."""
