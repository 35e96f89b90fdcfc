"""Studies: variants of a recipe on the same photos, what they share made once, and what the difference is."""
