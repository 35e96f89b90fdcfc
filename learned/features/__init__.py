"""Features and matchers that others trained, by plug-in: networks from Kornia, weights from where they lie."""
