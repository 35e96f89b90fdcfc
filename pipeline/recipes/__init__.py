"""Built-in recipes, as TOML."""
