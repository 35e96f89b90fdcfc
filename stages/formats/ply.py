"""PLY files (Turk 1994): points with colors and normals, and triangles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..dense import Cloud, Mesh
from ..failure import StageFailure
from ..scene import Scene

_OLD = ("char", "uchar", "short", "ushort", "int", "uint", "float", "double")
_NEW = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")
SCALARS = {name: np.dtype(new).str[1:] for old, new in zip(_OLD, _NEW, strict=True) for name in (old, new)}
"""NumPy's name of each of PLY's number types."""

ENCODINGS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "="}
POSITION, NORMAL, COLOR = ("x", "y", "z"), ("nx", "ny", "nz"), ("red", "green", "blue")


@dataclass(frozen=True, eq=False)
class Ply:
    """Contents of a PLY file of a cloud or a mesh.

    Attributes:
        points: positions, shape (P, 3), float32 or float64 as in the file.
        colors: RGB, uint8, shape (P, 3), or none.
        normals: shape (P, 3), or none.
        faces: vertex indices of triangles, int32, shape (F, 3), or none.
        scalars: all other numeric properties of the vertices by name, shape (P,).
    """

    points: np.ndarray
    colors: np.ndarray | None = None
    normals: np.ndarray | None = None
    faces: np.ndarray | None = None
    scalars: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class _Element:
    """An element of the header: name, count, and (name, type, type of the list's length) of its properties."""

    name: str
    count: int
    properties: tuple[tuple[str, str, str | None], ...]


def write_ply(
    path: str | Path,
    points: np.ndarray,
    colors: np.ndarray | None = None,
    normals: np.ndarray | None = None,
    faces: np.ndarray | None = None,
    scalars: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a cloud, or a mesh of triangles, as little-endian binary.

    Positions and normals are written in single precision if they are float32, in double precision otherwise.

    Args:
        points: positions, shape (P, 3).
        colors: RGB, 0 to 255, shape (P, 3).
        normals: shape (P, 3).
        faces: vertex indices of triangles, shape (F, 3).
        scalars: further properties of the points by name, written in their dtype, shape (P,).
    """
    fields = _fields(POSITION, points)
    if normals is not None:
        fields += _fields(NORMAL, normals)
    if colors is not None:
        fields += [(name, "u1") for name in COLOR]
    scalars = scalars or {}
    fields += [(name, column.dtype.str[1:]) for name, column in scalars.items()]
    vertices = np.empty(len(points), [(name, f"<{kind}") for name, kind in fields])
    for names, columns in ((POSITION, points), (NORMAL, normals), (COLOR, colors)):
        if columns is not None:
            for name, column in zip(names, np.asarray(columns).T, strict=True):
                vertices[name] = column
    for name, column in scalars.items():
        vertices[name] = column
    stated = {SCALARS[name]: name for name in _OLD}
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    header += [f"property {stated[kind]} {name}" for name, kind in fields]
    triangles = np.empty(0 if faces is None else len(faces), [("length", "u1"), ("indices", "<i4", 3)])
    if faces is not None:
        triangles["length"], triangles["indices"] = 3, faces
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    text = "\n".join([*header, "end_header", ""])
    Path(path).write_bytes(text.encode() + vertices.tobytes() + triangles.tobytes())


def _fields(names: tuple[str, ...], columns: np.ndarray) -> list[tuple[str, str]]:
    kind = "f4" if np.asarray(columns).dtype == np.float32 else "f8"
    return [(name, kind) for name in names]


def read_ply(path: str | Path) -> Ply:
    """Read the vertices and faces of a PLY file, binary or ascii; other elements are ignored.

    Polygons are split into triangles around their first corner. Colors between 0 and 1 become 0 to 255.

    Raises:
        StageFailure: ``damaged-ply`` if it is no PLY file or ends early, ``mixed-polygons`` if its lists are not all
            of one length.
    """
    data = Path(path).read_bytes()
    try:
        encoding, elements, at = _header(data)
        tables: dict[str, np.ndarray] = {}
        values = np.array(data[at:].split(), np.float64) if encoding == "=" else None
        at = at if values is None else 0
        for element in elements:
            if values is None:
                tables[element.name], at = _binary(data, at, element, encoding)
            else:
                tables[element.name], at = _ascii(values, at, element)
        vertices = tables["vertex"]
        points = _columns(vertices, POSITION)
        if points is None:
            raise KeyError("x, y, z")
    except (ValueError, IndexError, KeyError) as error:
        raise StageFailure(
            "damaged-ply", "The file is no PLY file of vertices, or it ends early.", file=str(path), reason=str(error)
        ) from error
    colors = _columns(vertices, COLOR)
    if colors is not None and colors.dtype.kind == "f":
        colors = np.rint(colors * 255.0)
    faces = tables.get("face")
    lists = next((name for name in ("vertex_indices", "vertex_index") if name in (_names(faces))), None)
    return Ply(
        points=points,
        colors=None if colors is None else colors.astype(np.uint8),
        normals=_columns(vertices, NORMAL),
        faces=None if faces is None or lists is None else _triangles(faces[lists]),
        scalars={name: column for name in _names(vertices) if (column := _scalar(vertices, name)) is not None},
    )


def write_cloud_ply(cloud: Cloud, path: str | Path) -> None:
    """Write a cloud with normals and colors, and for each point its ``views`` (ushort) and ``spread`` (float)."""
    scalars = {"views": cloud.views, "spread": cloud.spread}
    write_ply(path, cloud.points, cloud.colors, cloud.normals, scalars=scalars)


def read_cloud_ply(path: str | Path) -> Cloud:
    """Read a cloud; missing properties are zero, missing colors white.

    Raises:
        StageFailure: as :func:`read_ply`.
    """
    ply = read_ply(path)
    none = np.zeros(len(ply.points))
    return Cloud(
        points=ply.points,
        normals=np.zeros(ply.points.shape) if ply.normals is None else ply.normals,
        colors=np.full(ply.points.shape, 255) if ply.colors is None else ply.colors,
        views=ply.scalars.get("views", none),
        spread=ply.scalars.get("spread", none),
    )


def write_mesh_ply(mesh: Mesh, path: str | Path) -> None:
    """Write a mesh with normals and colors of its vertices; PLY has no standard for textures."""
    write_ply(path, mesh.vertices, mesh.colors, mesh.normals, mesh.triangles)


def read_mesh_ply(path: str | Path) -> Mesh:
    """Read a mesh; missing normals are zero, missing colors white.

    Raises:
        StageFailure: as :func:`read_ply`.
    """
    ply = read_ply(path)
    return Mesh(
        vertices=ply.points,
        triangles=np.zeros((0, 3)) if ply.faces is None else ply.faces,
        normals=np.zeros(ply.points.shape) if ply.normals is None else ply.normals,
        colors=np.full(ply.points.shape, 255) if ply.colors is None else ply.colors,
    )


def _names(table: np.ndarray | None) -> tuple[str, ...]:
    return () if table is None else table.dtype.names or ()


def _scalar(table: np.ndarray, name: str) -> np.ndarray | None:
    """A property that is neither a list nor part of position, normal or color."""
    known = name in (*POSITION, *NORMAL, *COLOR) or name.startswith("length of ")
    column = None if known or table[name].ndim > 1 else table[name]
    return None if column is None else column.astype(column.dtype.newbyteorder("="))


def _columns(table: np.ndarray, names: tuple[str, ...]) -> np.ndarray | None:
    if not set(names) <= set(_names(table)):
        return None
    columns = np.stack([table[name] for name in names], axis=1)
    return columns.astype(columns.dtype.newbyteorder("="))


def _triangles(polygons: np.ndarray) -> np.ndarray:
    """Fans of triangles of polygons with K corners each, (F, K) -> (F (K - 2), 3)."""
    corners = polygons.shape[1]
    fans = np.stack([np.zeros(max(corners - 2, 0), int), np.arange(1, corners - 1), np.arange(2, corners)], axis=1)
    return polygons[:, fans].reshape(-1, 3).astype(np.int32)


def _header(data: bytes) -> tuple[str, list[_Element], int]:
    """Byte order, elements, and offset of the data."""
    end = data.index(b"end_header")
    start = data.index(b"\n", end) + 1
    encoding, elements = "", []
    first, *lines = data[:end].decode("ascii", "replace").splitlines()
    if first.strip() != "ply":
        raise ValueError("it does not begin with 'ply'")
    for line in lines:
        match line.split():
            case ["format", name, _]:
                encoding = ENCODINGS[name]
            case ["element", name, count]:
                elements.append(_Element(name, int(count), ()))
            case ["property", *kinds, name]:
                length, kind = (SCALARS[kinds[1]], kinds[2]) if kinds[0] == "list" else (None, kinds[0])
                last = elements[-1]
                elements[-1] = _Element(last.name, last.count, (*last.properties, (name, SCALARS[kind], length)))
            case _:  # comments
                pass
    return encoding, elements, start


def _binary(data: bytes, at: int, element: _Element, order: str) -> tuple[np.ndarray, int]:
    """The element's table and where the next one begins. Lists are taken to be as long as the first row's."""
    fields: list[tuple[str, str] | tuple[str, str, int]] = []
    lists: dict[str, int] = {}
    for name, kind, length in element.properties:
        if length is not None:
            here = at + np.dtype(fields).itemsize
            lists[name] = int(np.frombuffer(data, order + length, 1, here)[0]) if element.count else 0
            fields.append((f"length of {name}", order + length))
        fields.append((name, order + kind) if length is None else (name, order + kind, (lists[name],)))  # type: ignore[arg-type]
    row = np.dtype(fields)
    body = data[at : at + element.count * row.itemsize]
    table = np.frombuffer(body, row) if row.itemsize else np.empty(element.count, row)
    _check_lists(table, lists, element)
    if len(table) < element.count:
        raise ValueError(f"{len(table)} of {element.count} rows of {element.name}")
    return table, at + len(body)


def _ascii(values: np.ndarray, at: int, element: _Element) -> tuple[np.ndarray, int]:
    """The same, from the numbers of a text."""
    fields: list[tuple[str, str, tuple[int, ...]]] = []
    lists: dict[str, int] = {}
    columns: dict[str, slice | int] = {}
    width = 0
    for name, kind, length in element.properties:
        if length is None:
            fields.append((name, kind, ()))
            columns[name], width = width, width + 1
            continue
        lists[name] = int(values[at + width]) if element.count else 0
        fields += [(f"length of {name}", length, ()), (name, kind, (lists[name],))]
        columns[f"length of {name}"] = width
        columns[name] = slice(width + 1, width + 1 + lists[name])
        width += 1 + lists[name]
    end = at + element.count * width
    rows = values[at:end].reshape(element.count, width)
    table = np.empty(element.count, fields)
    for name, where in columns.items():
        table[name] = rows[:, where]
    _check_lists(table, lists, element)
    return table, end


def _check_lists(table: np.ndarray, lists: dict[str, int], element: _Element) -> None:
    for name, length in lists.items():
        if (table[f"length of {name}"] != length).any():
            raise StageFailure(
                "mixed-polygons",
                f"The lists {name} of the PLY element {element.name} are not all of one length.",
                hint="Triangulate the mesh before.",
            )


def write_scene_ply(scene: Scene, path: str | Path, *, cameras: bool = False) -> None:
    """Write the points of a scene with their colors, for viewing.

    Args:
        cameras: also draw each camera as a red pyramid.
    """
    if not cameras or not len(scene.names):
        write_ply(path, scene.points, scene.colors)
        return
    corners, faces = _pyramids(scene)
    write_ply(
        path,
        np.concatenate([scene.points, corners]),
        np.concatenate([scene.colors, np.tile(np.array([255, 0, 0], np.uint8), (len(corners), 1))]),
        faces=len(scene.points) + faces,
    )


def _pyramids(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Corners (5 N, 3) and triangles (6 N, 3) of one pyramid per photo, a twentieth of the scene's extent high."""
    around = np.concatenate([scene.centers, scene.points])
    height = 0.05 * float(np.linalg.norm(np.percentile(around, 90, axis=0) - np.percentile(around, 10, axis=0))) or 1.0
    rays = []
    for camera in (scene.camera(photo) for photo in range(len(scene.names))):
        w, h = camera.width, camera.height
        pixels = np.array([[0, 0, 1], [w, 0, 1], [w, h, 1], [0, h, 1]])
        rays.append(np.concatenate([np.zeros((1, 3)), height * pixels @ np.linalg.inv(camera.matrix).T]))
    in_camera = np.stack(rays) - scene.translations[:, None]
    corners = np.einsum("nji,nkj->nki", scene.rotations, in_camera)
    shape = np.array([[0, 2, 1], [0, 3, 2], [0, 4, 3], [0, 1, 4], [1, 2, 3], [1, 3, 4]])
    faces = shape + 5 * np.arange(len(scene.names))[:, None, None]
    return corners.reshape(-1, 3), faces.reshape(-1, 3)
