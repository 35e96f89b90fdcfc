"""Image sizes for camera files that do not state them, from photos nearby."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def photo_size(folder: Path, name: str) -> tuple[int, int] | None:
    """Width and height of a photo in the folder, the one above, or ``images`` in either; None if it is not there."""
    for base in (folder, folder.parent):
        for path in (base / name, base / "images" / name):
            if path.is_file():
                with Image.open(path) as image:
                    return image.size
    return None
