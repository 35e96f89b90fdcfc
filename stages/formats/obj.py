"""OBJ files (Wavefront): a mesh as text, with a material (MTL) and a texture (PNG) beside it.

Texture coordinates start at the bottom-left corner in an OBJ file, so v becomes 1 - v. Vertex colors follow the
position, 0 to 1, as in MeshLab.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..dense import Mesh
from ..failure import StageFailure

_ROWS = 1 << 16
"""Lines that are formatted at a time."""


def write_obj(mesh: Mesh, path: str | Path) -> None:
    """Write a mesh; the material and the texture of a textured one get the same name with ``.mtl`` and ``.png``.

    Single precision survives a round trip exactly.
    """
    path = Path(path)
    with path.open("w", encoding="ascii", newline="\n") as file:

        def lines(form: str, rows: np.ndarray) -> None:
            for start in range(0, len(rows), _ROWS):
                part = rows[start : start + _ROWS]
                file.write((form * len(part)) % tuple(part.ravel().tolist()))

        file.write("# Diptych\n")
        if mesh.is_textured:
            Image.fromarray(mesh.texture).save(path.with_suffix(".png"))
            material = (
                f"newmtl texture\nKa 1 1 1\nKd 1 1 1\nKs 0 0 0\nillum 0\nmap_Kd {path.with_suffix('.png').name}\n"
            )
            path.with_suffix(".mtl").write_text(material, "utf-8")
            file.write(f"mtllib {path.with_suffix('.mtl').name}\nusemtl texture\n")
        lines("v %.9g %.9g %.9g %.6g %.6g %.6g\n", np.concatenate([mesh.vertices, mesh.colors / 255.0], axis=1))
        lines("vn %.9g %.9g %.9g\n", mesh.normals)
        vertex = mesh.triangles + 1
        if mesh.is_textured:
            uv = mesh.uv.reshape(-1, 2).astype(np.float64)
            lines("vt %.17g %.17g\n", np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1))
            corner = 1 + np.arange(vertex.size).reshape(-1, 3)
            lines("f %d/%d/%d %d/%d/%d %d/%d/%d\n", np.stack([vertex, corner, vertex], axis=2).reshape(-1, 9))
        else:
            lines("f %d//%d %d//%d %d//%d\n", np.repeat(vertex, 2, axis=1))


def read_obj(path: str | Path) -> Mesh:
    """Read an OBJ file of triangles with one normal per vertex, if any; without colors it is white.

    The texture is that of the first ``map_Kd`` of its material file.

    Raises:
        StageFailure: ``damaged-obj`` if it is no such file or an index is out of range.
    """
    path = Path(path)
    words: dict[str, list[list[str]]] = {}
    for line in path.read_text("utf-8", "replace").splitlines():
        name, *rest = line.split() or [""]
        words.setdefault(name, []).append(rest)
    try:
        table = np.array(words.get("v", []), np.float64).reshape(len(words.get("v", [])), -1)
        corners = [[corner.split("/") for corner in face] for face in words.get("f", [])]
        triangles = _indices(corners, 0, len(table))
        normals = np.zeros((len(table), 3))
        if "vn" in words:
            stated = np.array(words["vn"], np.float64)
            normals[triangles] = stated[_indices(corners, 2, len(stated))]
        colors = np.rint(255 * table[:, 3:6]) if table.shape[1] >= 6 else np.full((len(table), 3), 255)
        textured = {}
        if "vt" in words and "mtllib" in words:
            stated = np.array(words["vt"], np.float64)[:, :2]
            stated[:, 1] = 1 - stated[:, 1]
            textured = {
                "uv": stated[_indices(corners, 1, len(stated))],
                "texture": _texture(path.parent, " ".join(words["mtllib"][0])),
            }
        return Mesh(table[:, :3], triangles, normals, colors, **textured)
    except (ValueError, IndexError, OSError, StopIteration) as error:
        raise StageFailure("damaged-obj", "The OBJ file cannot be read.", file=str(path), reason=str(error)) from error


def _indices(corners: list[list[list[str]]], part: int, count: int) -> np.ndarray:
    """One index of every corner, from 0; negative ones count from the end, shape (F, 3)."""
    index = np.array([[int(corner[part]) for corner in face] for face in corners], np.int64).reshape(len(corners), -1)
    if len(index) and index.shape[1] != 3:
        raise ValueError("its faces are not triangles")
    index = np.where(index < 0, index + count, index - 1).reshape(-1, 3)
    if ((index < 0) | (index >= count)).any():
        raise IndexError("an index of a face is out of range")
    return index


def _texture(folder: Path, material: str) -> np.ndarray:
    lines = (line.split(maxsplit=1) for line in (folder / material).read_text("utf-8").splitlines())
    name = next(words[1] for words in lines if len(words) == 2 and words[0] == "map_Kd")
    with Image.open(folder / name.strip()) as image:
        return np.asarray(image.convert("RGB"))
