"""The drawn silhouettes as closed meshes."""

import numpy as np
import pytest
import trimesh

from pipelines.mesh.inflate import Shape, relief_of
from tests.support.media.silhouettes import DRAWN, HOLES, PARTS, silhouette


def solid(shape: Shape) -> trimesh.Trimesh:
    """Return the mesh as a reader that welds equal vertices has it."""
    return trimesh.Trimesh(shape.vertices, shape.faces, process=True)


@pytest.mark.parametrize("max_faces", [600, 20_000])
@pytest.mark.parametrize("name", DRAWN)
def test_every_silhouette_becomes_a_closed_mesh(name: str, max_faces: int) -> None:
    shape = relief_of(silhouette(name), max_faces)
    mesh = solid(shape)

    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0
    assert 0 < len(shape.faces) <= max_faces
    assert np.abs(shape.vertices).max() <= 1
    assert np.allclose(0, mesh.bounds.mean(axis=0), atol=1e-5)
    assert (np.float32, np.int32, np.float32) == (shape.vertices.dtype, shape.faces.dtype, shape.uv.dtype)


@pytest.mark.matrix
@pytest.mark.parametrize("name", sorted(set(DRAWN) - {"corners that touch"}))
def test_holes_and_parts_are_kept(name: str) -> None:
    """Of a closed surface, V - E + F is 2 for every part less 2 for every hole through it."""
    assert 2 * PARTS.get(name, 1) - 2 * HOLES.get(name, 0) == solid(relief_of(silhouette(name), 100_000)).euler_number


def test_the_outline_is_the_silhouettes() -> None:
    """Seen from the front it covers what the silhouette covers."""
    alpha = silhouette("mug")
    shape = relief_of(alpha, 50_000)
    corners = shape.vertices[shape.faces][..., :2]
    across, along = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.abs(across[:, 0] * along[:, 1] - across[:, 1] * along[:, 0]).sum() / 4  # front and back

    side = np.ptp(np.nonzero(alpha > 100)[1]) + 1, np.ptp(np.nonzero(alpha > 100)[0]) + 1
    assert (alpha / 255).sum() * (2 / max(side)) ** 2 == pytest.approx(area, rel=0.02)


def test_a_disc_becomes_a_flattened_ball() -> None:
    shape = relief_of(silhouette("ball"), 50_000)
    x, y, z = shape.vertices.T

    inner = np.hypot(x, y) < 0.9
    assert np.allclose(0.6 * np.sqrt(1 - x[inner] ** 2 - y[inner] ** 2), np.abs(z[inner]), atol=0.02)


def test_every_vertex_shows_the_image_where_it_is() -> None:
    shape = relief_of(silhouette("to the edges"), 20_000)
    x, y, _ = shape.vertices.T

    assert np.allclose(shape.uv[:, 0] * 2 - 1, x, atol=0.02)
    assert np.allclose(shape.uv[:, 1] * 300 / 160 - 150 / 160, y, atol=0.02)


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (2, 3), (700, 5)])
@pytest.mark.parametrize("max_faces", [500, 50_000])
def test_images_of_any_shape(size: tuple[int, int], max_faces: int) -> None:
    mesh = solid(relief_of(np.full(size, 255, np.uint8), max_faces))

    assert mesh.is_watertight
    assert mesh.volume > 0
    assert len(mesh.faces) <= max_faces


@pytest.mark.parametrize("seed", range(12))
def test_noise_is_closed_too(seed: int) -> None:
    generator = np.random.default_rng(seed)
    alpha = (255 * (generator.random(generator.integers(2, 50, 2)) < (0.2, 0.5, 0.9)[seed % 3])).astype(np.uint8)
    mesh = solid(relief_of(alpha, 20_000))

    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0
