"""The cache: results by their content, found by keys that include everything they depend on."""
