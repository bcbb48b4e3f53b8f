"""Images of meshes, without a GPU."""

from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.mesh.raster import rasterize
from pipelines.mesh.surface import Mesh, normals_of, sample

SIDE = 512
"""Side of a preview, in pixels."""
CLAY = (196, 198, 204)
"""Color of a mesh without a texture."""
FINER = 1.5
"""How much finer a preview is drawn, so that its edges are smooth."""
GROUND = (246, 246, 248)
LIGHT = (-0.45, 0.55, 0.70)
"""Direction of the light: x to the right, y up, z towards the camera."""
YAW, PITCH = -28.0, 14.0
"""Of a preview: the mesh is turned to the left and seen from above."""


def preview(mesh: Mesh, side: int, *, closed: bool = False) -> Image.Image:
    """Return the mesh from the front, a little from the side and from above: RGB, `side` x `side`; see `render`."""
    drawn = Image.fromarray(render(mesh, round(FINER * side), turned(YAW, PITCH), lit=True, closed=closed))
    ground = Image.new("RGBA", drawn.size, (*GROUND, 255))
    return Image.alpha_composite(ground, drawn).convert("RGB").resize((side, side), Image.Resampling.BOX)


def render(mesh: Mesh, side: int, turn: NDArray[np.float64], *, lit: bool, closed: bool = False) -> NDArray[np.uint8]:
    """Return the mesh after `turn` (3 x 3), seen from +z without perspective: RGBA, uint8, `side` x `side`.

    It is as large as fits with a margin of 4 %. Without `lit` the colors are those of the texture. Of a `closed` mesh,
    as `pipelines.mesh.surface` describes it, only the half of the faces is drawn that is turned towards the viewer.
    """
    points = on_screen(mesh.vertices @ turn.T, side)
    faces = mesh.faces[_is_front(points, mesh.faces)] if closed else mesh.faces
    hits = rasterize(points, faces, (side, side))
    if mesh.texture is None or mesh.uv is None:
        colors: NDArray[np.floating] = np.array([CLAY], np.float32)
    else:
        colors = sample(mesh.texture, hits.blend(mesh.uv, faces))
    if lit:
        colors = np.multiply(colors, hits.blend(_light(normals_of(mesh) @ turn.T)[:, None], faces))
    image = np.zeros((side, side, 4), np.uint8)
    opaque = np.full((len(hits.weights), 4), 255, np.uint8)
    opaque[:, :3] = np.clip(np.rint(colors), 0, 255)
    image[hits.seen] = opaque
    return image


def on_screen(points: NDArray[np.floating], side: int) -> NDArray[np.float64]:
    """Return points as `rasterize` expects them, in the middle of a square with a margin of 4 %."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    scale = 0.92 * side / max(float((high - low).max()), 1e-9)
    flat = (points[:, :2] - (low + high) / 2) * (scale, -scale) + side / 2
    return np.column_stack([flat, points[:, 2]])


def _is_front(points: NDArray[np.float64], faces: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return which faces show their outside: their corners go around clockwise where y goes down."""
    (ax, ay), (bx, by), (cx, cy) = (points[faces[:, corner], :2].T for corner in range(3))
    is_front: NDArray[np.bool_] = (bx - ax) * (cy - ay) < (by - ay) * (cx - ax)
    return is_front


def turned(yaw: float, pitch: float) -> NDArray[np.float64]:
    """Return the rotation by `yaw` degrees about y, then by `pitch` about x."""
    a, b = radians(yaw), radians(pitch)
    about_y = np.array([[cos(a), 0, sin(a)], [0, 1, 0], [-sin(a), 0, cos(a)]])
    about_x = np.array([[1, 0, 0], [0, cos(b), -sin(b)], [0, sin(b), cos(b)]])
    rotation: NDArray[np.float64] = about_x @ about_y
    return rotation


def _light(normals: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the brightness of a surface, about 0.35 to 1.08; it is soft, so that previews show shape and colors."""
    towards = np.array(LIGHT) / np.linalg.norm(LIGHT)
    lengths = np.maximum(np.linalg.norm(normals, axis=1), 1e-9)
    wrapped = (normals @ towards / lengths + 1) / 2
    brightness: NDArray[np.float32] = (0.35 + 0.73 * wrapped**1.3).astype(np.float32)
    return brightness
