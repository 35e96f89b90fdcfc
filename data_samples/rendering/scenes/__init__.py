"""The sample scenes; ``build()`` of the module named like a scene returns it."""
