"""How networks are trained: one loop for every task."""
