"""A picture of an uploaded GLB (glTF 2.0, binary), of those that are triangles with at most one picture on them.

Nothing outside the file is read, and no extension is known: a compressed mesh has no preview.
"""

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors.inputs import InputTooLarge, InputUnreadable
from pipelines.mesh.render import preview
from pipelines.mesh.surface import Mesh
from pipelines.previews.pictures import THUMBNAIL_SIDE, write_poster, write_thumbnail
from pipelines.runtime.protocol import PreviewFile

GLB = "model/gltf-binary"
GLB_MAGIC = b"glTF\x02\x00\x00\x00"
JSON_CHUNK, BINARY_CHUNK = b"JSON", b"BIN\0"
MOST_FACES, MOST_VERTICES, MOST_NODES, MOST_JSON = 500_000, 1_500_000, 10_000, 8_000_000
MOST_TEXELS = 4096 * 4096
TRIANGLES = 4
FLOAT, BYTE, SHORT, INT = 5126, 5121, 5123, 5125
"""Component types of accessors."""
INDICES = {BYTE: np.uint8, SHORT: np.uint16, INT: np.uint32}
Floats = NDArray[np.float64]


def draw_mesh(source: Path, stem: str, folder: Path) -> tuple[PreviewFile, ...]:
    """Draw a mesh; returns the thumbnail and the poster of it.

    Raises `InputTooLarge`, and `InputUnreadable` for a file that is not a GLB, or not one of those.
    """
    try:
        image = preview(read_glb(source.read_bytes()), THUMBNAIL_SIDE)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, struct.error, RecursionError) as error:
        raise InputUnreadable("This mesh cannot be drawn.") from error
    return write_thumbnail(image, stem, folder), write_poster(image, stem, folder)


def read_glb(content: bytes) -> Mesh:
    """Return the mesh of a file, in the middle of its frame. Raises as `draw_mesh`, or an error of a lookup."""
    document, binary = _chunks(content)
    parts = list(_parts(document))
    if not parts:
        raise InputUnreadable("This mesh has no triangles.")
    positions, indices, first = [], [], 0
    for primitive, matrix in parts:
        points = _array(document, binary, primitive["attributes"]["POSITION"], FLOAT, 3)
        positions.append(points @ matrix[:3, :3].T + matrix[:3, 3])
        indices.append(_indices(document, binary, primitive, len(points)) + first)
        first += len(points)
        if first > MOST_VERTICES or sum(map(len, indices)) > MOST_FACES:
            raise InputTooLarge("This mesh has too many triangles to be drawn.")
    vertices, faces = np.concatenate(positions).astype(np.float32), np.concatenate(indices).astype(np.int32)
    if not len(faces) or not np.isfinite(vertices).all() or faces.min() < 0 or faces.max() >= len(vertices):
        raise InputUnreadable("This mesh has no triangles, or coordinates that are none.")
    if len(parts) == 1 and (texture := _texture(document, binary, parts[0][0])) is not None:
        uv = _array(document, binary, parts[0][0]["attributes"]["TEXCOORD_0"], FLOAT, 2).astype(np.float32)
        if len(uv) == len(vertices) and np.isfinite(uv).all():
            return Mesh(vertices, faces, uv * (1, -1) + (0, 1), texture)  # glTF counts v downwards
    return Mesh(vertices, faces)


def _chunks(content: bytes) -> tuple[dict[str, Any], bytes]:
    length, kind = struct.unpack_from("<I4s", content, 12)
    if not content.startswith(GLB_MAGIC) or kind != JSON_CHUNK or length > MOST_JSON:
        raise InputUnreadable("This file is not a GLB.")
    document = json.loads(content[20 : 20 + length])
    size, kind = struct.unpack_from("<I4s", content, 20 + length)
    if kind != BINARY_CHUNK or document.get("extensionsRequired"):
        raise InputUnreadable("This mesh is compressed, or lies in another file.")
    return document, content[28 + length : 28 + length + size]


def _parts(document: dict[str, Any]) -> Any:
    """Yield each primitive of triangles of the scene and the matrix of its node."""
    nodes, meshes = document.get("nodes", []), document["meshes"]
    scenes = document.get("scenes", [])
    roots = scenes[document.get("scene", 0)].get("nodes", []) if scenes else range(len(nodes))
    left = [(number, np.eye(4)) for number in roots]
    seen = 0
    while left:
        number, above = left.pop(0)
        seen += 1
        if seen > MOST_NODES:
            raise InputTooLarge("This mesh has too many nodes to be drawn.")
        node = nodes[number]
        matrix = above @ _matrix(node)
        left += [(child, matrix) for child in node.get("children", [])]
        if "mesh" in node:
            for primitive in meshes[node["mesh"]]["primitives"]:
                if primitive.get("mode", TRIANGLES) == TRIANGLES:
                    yield primitive, matrix


def _matrix(node: dict[str, Any]) -> Floats:
    """Return the transformation of a node (glTF 2.0, 3.5.2)."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = np.array(node.get("rotation", (0, 0, 0, 1)), np.float64)
    matrix = np.eye(4)
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix[:3, :3] = turn * np.array(node.get("scale", (1, 1, 1)), np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def _array(document: dict[str, Any], binary: bytes, number: int, component: int, width: int) -> NDArray[Any]:
    """Return an accessor's values, n x width; they may be interleaved with others."""
    accessor = document["accessors"][number]
    kind = {1: "SCALAR", 2: "VEC2", 3: "VEC3"}[width]
    if accessor["componentType"] != component or accessor["type"] != kind or "sparse" in accessor:
        raise InputUnreadable("This mesh has values of a kind that is not drawn.")
    view = document["bufferViews"][accessor["bufferView"]]
    dtype = np.dtype(INDICES.get(component, np.float32)).newbyteorder("<")
    count, item = int(accessor["count"]), dtype.itemsize * width
    stride = int(view.get("byteStride", item))
    begin = int(view.get("byteOffset", 0)) + int(accessor.get("byteOffset", 0))
    if view.get("buffer", 0) != 0 or count < 1 or stride < item or begin < 0:
        raise InputUnreadable("This mesh lies in another file.")
    if begin + (count - 1) * stride + item > len(binary):
        raise InputUnreadable("This mesh is incomplete.")
    values: NDArray[Any] = np.ndarray((count, width), dtype, binary, begin, (stride, dtype.itemsize))
    return values


def _indices(document: dict[str, Any], binary: bytes, primitive: dict[str, Any], points: int) -> NDArray[np.int64]:
    if "indices" not in primitive:
        return np.arange(points - points % 3).reshape(-1, 3)
    component = document["accessors"][primitive["indices"]]["componentType"]
    if component not in INDICES:
        raise InputUnreadable("This mesh has indices of a kind that does not exist.")
    flat = _array(document, binary, primitive["indices"], component, 1)[:, 0].astype(np.int64)
    return flat[: len(flat) - len(flat) % 3].reshape(-1, 3)


def _texture(document: dict[str, Any], binary: bytes, primitive: dict[str, Any]) -> NDArray[np.uint8] | None:
    """Return the picture of a primitive's color, if it has one that lies in this file."""
    materials = document.get("materials", [])
    material = materials[primitive["material"]] if "material" in primitive else {}
    found = material.get("pbrMetallicRoughness", {}).get("baseColorTexture")
    if found is None or found.get("texCoord", 0) != 0 or "TEXCOORD_0" not in primitive["attributes"]:
        return None
    image = document["images"][document["textures"][found["index"]]["source"]]
    view = document["bufferViews"][image["bufferView"]]
    begin = int(view.get("byteOffset", 0))
    with Image.open(io.BytesIO(binary[begin : begin + int(view["byteLength"])]), formats=["PNG", "JPEG"]) as opened:
        if opened.width * opened.height > MOST_TEXELS:
            raise InputTooLarge("The picture on this mesh is too large to be drawn.")
        return np.asarray(opened.convert("RGB"))
