"""Keys and store: results by their content, found again by everything that they depend on."""
