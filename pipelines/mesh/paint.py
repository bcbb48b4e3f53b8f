"""Projection of the input image onto its mesh as a texture.

The image is projected from the front, and mirrored from behind, onto what is visible from there. Surfaces that are
hidden, or seen only at a grazing angle, take the colors of well-seen places near them on the mesh.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter  # type: ignore[import-untyped]
from scipy.spatial import cKDTree  # type: ignore[import-untyped]

from core.errors.failures import EncodeFailed
from pipelines.mesh.fill import nearest_known
from pipelines.mesh.raster import rasterize
from pipelines.mesh.render import on_screen
from pipelines.mesh.surface import Mesh, sample
from pipelines.mesh.unwrap import Texels, texels_of, unwrap

MAX_FACES = 30_000
"""Triangles of a painted mesh; xatlas takes a second for 3,000."""
MIN_SIDE, MAX_SIDE = 512, 2048
"""Limits of the texture's side, in texels."""
GRAZING = 0.15
"""Cosine below which a surface is seen too obliquely to use its color."""
BEHIND = 0.03
"""How far a texel may lie behind the nearest surface and still belong to it; the mesh is 2 long."""
BESIDE = 2
"""Pixels around an occluder that count as hidden too: an image mixes both colors at an edge."""
DEPTHS = 1024
"""Side of the depth images."""
NEIGHBORS, SAMPLES = 8, 200_000
"""Texels that an unseen one takes its color from, and the most texels that are searched."""
OPAQUE = 128
"""Of 255: from here on the image shows the object."""

Floats = NDArray[np.float32]


def painted(mesh: Mesh, image: NDArray[np.uint8]) -> Mesh:
    """Return the mesh with `uv` and a square texture that has room for the image twice.

    `image` is uint8, height x width x 4, as wide and as high as the mesh seen from +z. Raises `EncodeFailed` for
    another array.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 4 or 0 in image.shape:
        raise EncodeFailed("An `image` to paint with is uint8, height x width x 4.")
    solid = image[..., 3] >= OPAQUE
    if not solid.any():
        raise EncodeFailed("The image to paint with is transparent.")
    side = _texture_side(image)
    laid_out = unwrap(mesh, side)
    texels = texels_of(laid_out, side)
    uv = _on_image(texels.places, mesh.vertices)
    colors = sample(nearest_known(np.ascontiguousarray(image[..., :3]), solid), uv)
    confidence = _cosines(laid_out, texels) ** 3
    confidence[sample(image[..., 3:], uv)[:, 0] < OPAQUE] = 0
    colors = _filled(colors, confidence, texels.places)
    texture = np.zeros((side, side, 3), np.uint8)
    texture[texels.seen] = np.clip(np.rint(colors), 0, 255)
    assert laid_out.uv is not None
    return Mesh(laid_out.vertices, laid_out.faces, laid_out.uv, nearest_known(texture, texels.seen))


def _texture_side(image: NDArray[np.uint8]) -> int:
    """Return a power of two, since some viewers downscale other textures."""
    side = MIN_SIDE
    while side < MAX_SIDE and side < 1.4 * max(image.shape):
        side *= 2
    return side


def _on_image(places: Floats, vertices: Floats) -> Floats:
    """Return where places are in an image that is as wide and as high as the mesh, 0 to 1, v up."""
    low, high = vertices[:, :2].min(axis=0), vertices[:, :2].max(axis=0)
    parts: Floats = np.clip((places[:, :2] - low) / np.maximum(high - low, 1e-9), 0, 1).astype(np.float32)
    return parts


def _cosines(mesh: Mesh, texels: Texels) -> Floats:
    """Return the cosine of the angle between surface and line of sight, from the front or from behind.

    It is 0 where neither sees the surface, or only obliquely.
    """
    cosines = np.zeros(len(texels.places), np.float32)
    for towards in (1, -1):
        facing = texels.normals[:, 2] * towards
        shown = (facing > GRAZING) & _is_nearest(mesh, texels.places, towards)
        cosines[shown] = facing[shown]
    return cosines


def _is_nearest(mesh: Mesh, places: Floats, towards: int) -> NDArray[np.bool_]:
    """Return whether nothing of the mesh is before each place, seen along z from the front (1) or from behind (-1)."""
    screen = on_screen(np.concatenate([mesh.vertices, places]), DEPTHS)
    screen[:, 2] *= towards
    corners, spots = screen[: len(mesh.vertices)], screen[len(mesh.vertices) :]
    hits = rasterize(corners, mesh.faces, (DEPTHS, DEPTHS))
    depth = np.full((DEPTHS, DEPTHS), -np.inf)
    depth[hits.seen] = hits.blend(corners[:, 2:], mesh.faces)[:, 0]
    depth = maximum_filter(depth, 2 * BESIDE + 1)
    column, row = np.clip(spots[:, :2].astype(np.int64), 0, DEPTHS - 1).T
    nearest: NDArray[np.bool_] = spots[:, 2] >= depth[row, column] - BEHIND
    return nearest


def _filled(colors: Floats, confidence: Floats, places: Floats) -> Floats:
    """Return `colors` with those of confidence 0 replaced by the nearest others.

    Nearer and better seen colors weigh more.
    """
    known, unknown = np.flatnonzero(confidence > 0), np.flatnonzero(confidence == 0)
    if not len(known) or not len(unknown):
        return colors
    asked = known[:: -(-len(known) // SAMPLES)]
    count = min(NEIGHBORS, len(asked))
    distance, nearest = cKDTree(places[asked]).query(places[unknown], k=count)
    distance, nearest = distance.reshape(-1, count), asked[nearest.reshape(-1, count)]
    weights = confidence[nearest] / (distance + 1e-3) ** 2
    filled = colors.copy()
    filled[unknown] = np.einsum("kn,knc->kc", weights / weights.sum(axis=1, keepdims=True), colors[nearest])
    return filled
