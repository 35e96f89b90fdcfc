"""Third-party libraries that need care on import."""
