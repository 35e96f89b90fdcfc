"""Top floor: wires stages into a graph, runs, caches and reports."""
