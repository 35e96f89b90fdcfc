"""Structure from motion: mappers, triangulation, bundle adjustment."""
