"""From scene radiance to the JPEG of a small camera: lens, sensor, tone curve, EXIF."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from .camera_path import Lens

SENSOR_WIDTH = 13.2
"""Width of the imagined sensor in millimeters (the one-inch type, 13.2 x 8.8 mm)."""

FULL_WELL = 8.0
"""Where the sensor saturates; white on the photo is 1."""


def develop(radiance: np.ndarray, exposure: float, rng: np.random.Generator) -> np.ndarray:
    """Linear radiance (H, W, 3) to an sRGB photo (H, W, 3) in uint8.

    In the order of a real camera: a slight blur and vignetting of the lens, photon and read noise of the sensor, then
    the filmic curve that rolls off the highlights.
    """
    height, width = radiance.shape[:2]
    light = cv2.GaussianBlur(np.minimum(radiance * exposure, FULL_WELL), (0, 0), 0.45 * width / 960)
    y, x = np.mgrid[:height, :width]
    radius = np.hypot(x - width / 2, y - height / 2) / np.hypot(width / 2, height / 2)
    light = light * (1 - 0.14 * radius**2)[..., None]
    light = light + np.sqrt(np.maximum(light, 0) * 6e-5 + 1.5e-6) * rng.standard_normal(light.shape)
    return (srgb(filmic(np.maximum(light, 0))) * 255 + 0.5).astype(np.uint8)


def filmic(light: np.ndarray) -> np.ndarray:
    """A straight line up to 0.45, then an exponential roll-off to 1, with the same slope where they meet."""
    shoulder, rest = 0.45, 1 - 0.45
    return np.where(light < shoulder, light, 1 - rest * np.exp(-np.maximum(light - shoulder, 0) / rest))


def srgb(linear: np.ndarray) -> np.ndarray:
    """The transfer curve of sRGB (IEC 61966-2-1), 0..1."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def save(path: Path, pixels: np.ndarray, lens: Lens, number: int) -> None:
    """Write the JPEG with the EXIF that a camera would write: focal lengths rounded, as cameras do."""
    height, width = pixels.shape[:2]
    exif = Image.Exif()
    moment = f"2025:06:14 16:{20 + number // 6:02d}:{10 * (number % 6):02d}"
    exif.update(
        {0x010F: "Diptych", 0x0110: "Path Tracer One", 0x0112: 1, 0x0131: "data_samples/render.py", 0x0132: moment}
    )
    exif.get_ifd(0x8769).update(
        {
            0x829A: IFDRational(1, 320),
            0x829D: IFDRational(8, 1),
            0x8827: 200,
            0x9003: moment,
            0x920A: IFDRational(round(lens.focal * SENSOR_WIDTH * 10), 10),
            0xA002: width,
            0xA003: height,
            0xA20E: IFDRational(round(width / SENSOR_WIDTH * 1000), 100),
            0xA20F: IFDRational(round(width / SENSOR_WIDTH * 1000), 100),
            0xA210: 3,
            # Equivalent to 36 x 24 mm is what has the same angle over the diagonal (CIPA).
            0xA405: round(lens.focal * width * np.hypot(36, 24) / np.hypot(width, height)),
        }
    )
    Image.fromarray(pixels).save(path, quality=92, subsampling=0, exif=exif)
