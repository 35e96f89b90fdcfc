"""From image files to photos: formats, EXIF, decoding, calibration, undistortion."""
