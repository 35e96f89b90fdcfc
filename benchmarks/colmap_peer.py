"""COLMAP's own pipeline through pycolmap, as the peer in benchmarks: extract, match exhaustively, map incrementally.

Run as a program so that its time and memory are its own:

    python benchmarks/colmap_peer.py PHOTOS OUT [--camera PINHOLE,fx,fy,cx,cy]

It writes the largest model to OUT/sparse (COLMAP binary) and the seconds of each step to OUT/seconds.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import cv2  # noqa: F401  (before pycolmap: see diptych.stages.colmap)
import pycolmap


def main() -> None:
    """Run the peer and write its model and timings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--camera", help="MODEL,params: known intrinsics, held fixed")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.out, ignore_errors=True)
    (arguments.out / "models").mkdir(parents=True)
    database = arguments.out / "database.db"
    seconds: dict[str, float] = {}

    reader, mapper = pycolmap.ImageReaderOptions(), pycolmap.IncrementalPipelineOptions()
    mapper.min_model_size = 3
    if arguments.camera:
        model, *params = arguments.camera.split(",")
        reader.camera_model, reader.camera_params = model, ",".join(params)
        mapper.ba_refine_focal_length = mapper.ba_refine_extra_params = False

    started = time.perf_counter()
    pycolmap.extract_features(
        database, arguments.photos, camera_mode=pycolmap.CameraMode.SINGLE, reader_options=reader,
        device=pycolmap.Device.cpu,
    )  # fmt: skip
    seconds["extract"] = time.perf_counter() - started
    started = time.perf_counter()
    pycolmap.match_exhaustive(database, device=pycolmap.Device.cpu)
    seconds["match"] = time.perf_counter() - started
    started = time.perf_counter()
    models = pycolmap.incremental_mapping(database, arguments.photos, arguments.out / "models", mapper)
    seconds["map"] = time.perf_counter() - started

    (arguments.out / "seconds.json").write_text(json.dumps(seconds))
    if models:
        sparse = arguments.out / "sparse"
        sparse.mkdir()
        max(models.values(), key=lambda each: each.num_reg_images()).write_binary(sparse)


if __name__ == "__main__":
    main()
