"""GLB files: glTF 2.0 (Khronos Group 2021, ISO/IEC 12113) in one binary file.

glTF's y points up and its z towards the viewer; here y points down and z away, so both change sign. That is a rotation:
triangles keep their orientation. Texture coordinates start at the top-left corner in both. glTF's textures are sRGB but
its vertex colors linear: they are converted, and written with 16 bits so that none is lost. A texture would be
multiplied by vertex colors, so a textured mesh is written without. Materials are unlit: photos contain their lighting.
"""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..dense import Mesh
from ..failure import StageFailure

GLTF_FROM_WORLD = np.array([1.0, -1.0, -1.0], np.float32)
"""The factor of each axis, in both directions."""

_MAGIC, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
_TYPES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_COMPONENTS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_VERTICES, _INDICES = 34962, 34963
_TRIANGLES = 4
_OPAQUE = 65535


def write_glb(mesh: Mesh, path: str | Path) -> None:
    """Write a mesh with its normals, and its texture or else its vertex colors.

    glTF has one texture coordinate per vertex, so vertices along seams of the texture are duplicated.

    Raises:
        StageFailure: ``empty-mesh``, which glTF cannot represent.
    """
    if not len(mesh.triangles):
        raise StageFailure("empty-mesh", "A mesh without triangles cannot be written as glTF.", file=str(path))
    writer = _Writer()
    vertex, triangles, uv = _split_at_seams(mesh)
    attributes = {
        "POSITION": writer.accessor(mesh.vertices[vertex] * GLTF_FROM_WORLD, "VEC3", _VERTICES, bounds=True),
        "NORMAL": writer.accessor(mesh.normals[vertex] * GLTF_FROM_WORLD, "VEC3", _VERTICES),
    }
    shade: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    document: dict[str, Any] = {}
    if mesh.is_textured:
        attributes["TEXCOORD_0"] = writer.accessor(uv, "VEC2", _VERTICES)
        shade["baseColorTexture"] = {"index": 0}
        document["images"] = [{"mimeType": "image/png", "bufferView": writer.view(_png(mesh.texture))}]
        document["samplers"] = [{"wrapS": 33071, "wrapT": 33071}]
        document["textures"] = [{"source": 0, "sampler": 0}]
    else:
        linear = np.rint(_OPAQUE * _linear_from_srgb(mesh.colors[vertex] / 255.0)).astype(np.uint16)
        rgba = np.concatenate([linear, np.full((len(linear), 1), _OPAQUE, np.uint16)], axis=1)
        attributes["COLOR_0"] = writer.accessor(rgba, "VEC4", _VERTICES)
    indices = writer.accessor(triangles.astype(np.uint32).reshape(-1, 1), "SCALAR", _INDICES)
    document |= {
        "asset": {"version": "2.0", "generator": "Diptych"},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": indices, "material": 0, "mode": _TRIANGLES}]}],
        "materials": [{"pbrMetallicRoughness": shade, "doubleSided": True, "extensions": {"KHR_materials_unlit": {}}}],
        "accessors": writer.accessors,
        "bufferViews": writer.views,
        "buffers": [{"byteLength": len(writer.data)}],
    }
    text = _padded(json.dumps(document, separators=(",", ":")).encode(), b" ")
    data = _padded(bytes(writer.data), b"\0")
    total = 12 + 8 + len(text) + 8 + len(data)
    with Path(path).open("wb") as file:
        file.write(struct.pack("<3I", _MAGIC, 2, total))
        file.write(struct.pack("<2I", len(text), _JSON) + text)
        file.write(struct.pack("<2I", len(data), _BIN) + data)


def read_glb(path: str | Path) -> Mesh:
    """Read the first primitive of a GLB file: triangles without node transform or sparse accessors.

    A mesh without vertex colors is white.

    Raises:
        StageFailure: ``damaged-glb`` if it is no GLB file, ends early, or holds no such mesh.
    """
    try:
        document, data = _chunks(Path(path).read_bytes())
        part = document["meshes"][0]["primitives"][0]
        if part.get("mode", _TRIANGLES) != _TRIANGLES:
            raise ValueError("its mesh is not made of triangles")
        read = {name: _accessor(document, data, index) for name, index in part["attributes"].items()}
        triangles = _accessor(document, data, part["indices"]).reshape(-1, 3)
        vertices = read["POSITION"] * GLTF_FROM_WORLD
        colors = np.full(vertices.shape, 255)
        if "COLOR_0" in read:
            linear = read["COLOR_0"][:, :3]
            white = np.iinfo(linear.dtype).max if linear.dtype.kind == "u" else 1.0
            colors = np.rint(255 * _srgb_from_linear(linear / white))
        textured = {}
        if "TEXCOORD_0" in read:
            view = document["bufferViews"][document["images"][0]["bufferView"]]
            start = view.get("byteOffset", 0)
            with Image.open(io.BytesIO(data[start : start + view["byteLength"]])) as image:
                textured = {"uv": read["TEXCOORD_0"][triangles], "texture": np.asarray(image.convert("RGB"))}
        return Mesh(vertices, triangles, read["NORMAL"] * GLTF_FROM_WORLD, colors, **textured)
    except (ValueError, KeyError, IndexError, TypeError, struct.error, OSError) as error:
        raise StageFailure("damaged-glb", "The GLB file cannot be read.", file=str(path), reason=str(error)) from error


class _Writer:
    """The binary chunk of a GLB file under construction, with its buffer views and accessors."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, content: bytes, target: int | None = None) -> int:
        """Add a buffer view, aligned to four bytes; returns its index."""
        self.data += bytes(-len(self.data) % 4)
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content)})
        if target is not None:
            self.views[-1]["target"] = target
        self.data += content
        return len(self.views) - 1

    def accessor(self, rows: np.ndarray, kind: str, target: int, bounds: bool = False) -> int:
        """Add an array (N, width of ``kind``); returns the index of its accessor."""
        rows = np.ascontiguousarray(rows)
        component = next(code for code, dtype in _COMPONENTS.items() if rows.dtype == dtype)
        view = self.view(rows.tobytes(), target)
        entry: dict[str, Any] = {"bufferView": view, "componentType": component, "count": len(rows), "type": kind}
        if component == 5123:
            entry["normalized"] = True
        if bounds:
            entry |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        self.accessors.append(entry)
        return len(self.accessors) - 1


def _split_at_seams(mesh: Mesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertex index of each written vertex, triangles of written vertices, and texture coordinates of these."""
    if not mesh.is_textured:
        return np.arange(len(mesh.vertices)), mesh.triangles, np.zeros((0, 2), np.float32)
    corners = np.column_stack([mesh.triangles.ravel(), mesh.uv.reshape(-1, 2).view(np.uint32)])
    different, index = np.unique(corners, axis=0, return_inverse=True)
    uv = np.ascontiguousarray(different[:, 1:].astype(np.uint32)).view(np.float32)
    return different[:, 0].astype(np.int64), index.reshape(-1, 3), uv


def _chunks(content: bytes) -> tuple[dict[str, Any], bytes]:
    magic, version, total = struct.unpack_from("<3I", content)
    if magic != _MAGIC or version != 2:
        raise ValueError("it does not begin as a GLB file of version 2")
    if total > len(content):
        raise ValueError(f"it ends after {len(content)} of {total} bytes")
    at, found = 12, {}
    while at < total:
        length, kind = struct.unpack_from("<2I", content, at)
        found[kind] = content[at + 8 : at + 8 + length]
        at += 8 + length
    return json.loads(found[_JSON]), found[_BIN]


def _accessor(document: dict[str, Any], data: bytes, index: int) -> np.ndarray:
    entry = document["accessors"][index]
    view = document["bufferViews"][entry["bufferView"]]
    width, dtype = _TYPES[entry["type"]], np.dtype(_COMPONENTS[entry["componentType"]])
    start = view.get("byteOffset", 0) + entry.get("byteOffset", 0)
    stride = view.get("byteStride", width * dtype.itemsize)
    if start + (entry["count"] - 1) * stride + width * dtype.itemsize > len(data):
        raise ValueError("an accessor reaches beyond the end")
    shape, strides = (entry["count"], width), (stride, dtype.itemsize)
    return np.ndarray(shape, dtype, data, start, strides)


def _png(image: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image).save(content, format="PNG")
    return content.getvalue()


def _padded(content: bytes, filler: bytes) -> bytes:
    return content + filler * (-len(content) % 4)


def _linear_from_srgb(srgb: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, values 0 to 1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _srgb_from_linear(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)
