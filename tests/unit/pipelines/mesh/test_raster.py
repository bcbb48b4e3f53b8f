"""Which triangle a pixel shows."""

import numpy as np
import pytest

from pipelines.mesh import raster
from pipelines.mesh.raster import rasterize

SQUARE = np.array([[0, 1, 2], [0, 2, 3]])


def square(x: float, y: float, side: float, z: float) -> np.ndarray:
    return np.array([[x, y, z], [x + side, y, z], [x + side, y + side, z], [x, y + side, z]], float)


def test_a_square_covers_the_pixels_whose_centres_are_in_it() -> None:
    seen = rasterize(square(2, 3, 4, 0), SQUARE, (10, 9)).seen

    expected = np.zeros((9, 10), bool)
    expected[3:7, 2:6] = True
    assert np.array_equal(expected, seen)


@pytest.mark.parametrize("turn", [1, -1])
def test_both_sides_are_seen(turn: int) -> None:
    assert 16 == rasterize(square(2, 3, 4, 0), SQUARE[:, ::turn], (10, 9)).seen.sum()


@pytest.mark.parametrize("order", [1, -1])
def test_the_nearer_one_is_shown(order: int) -> None:
    points = np.concatenate([square(0, 0, 8, 1.0), square(2, 2, 3, 1.001)])
    faces = np.concatenate([SQUARE, SQUARE + 4])[::order]
    hits = rasterize(points, faces, (8, 8))

    near = faces[hits.face].min(axis=2) >= 4
    assert 9 == near.sum()
    assert near[2:5, 2:5].all()


def test_surfaces_that_cross_are_cut_where_they_do() -> None:
    level, slope = square(0, 0, 16, 0.0), square(0, 0, 16, 0.0)
    slope[:, 2] = slope[:, 0] - 8
    hits = rasterize(np.concatenate([level, slope]), np.concatenate([SQUARE, SQUARE + 4]), (16, 16))

    assert np.array_equal(np.arange(16)[None, :].repeat(16, 0) >= 8, hits.face >= 2)


def test_values_are_blended_between_the_corners() -> None:
    hits = rasterize(square(0, 0, 8, 0), SQUARE, (8, 8))
    places = hits.blend(square(0, 0, 8, 0)[:, :2], SQUARE).reshape(8, 8, 2)

    assert np.allclose(np.arange(8) + 0.5, places[3, :, 0])
    assert np.allclose(np.arange(8) + 0.5, places[:, 5, 1])
    assert np.allclose(1, hits.weights.sum(axis=1))


def test_what_is_outside_the_image_is_left_out() -> None:
    assert not rasterize(square(20, 20, 4, 0), SQUARE, (8, 8)).seen.any()
    assert rasterize(square(-50, -50, 100, 0), SQUARE, (8, 8)).seen.all()


def test_triangles_without_an_area_are_not_drawn() -> None:
    points = np.array([[1, 1, 0], [5, 5, 0], [3, 3, 0], [1, 1, 0]], float)
    assert not rasterize(points, np.array([[0, 1, 2], [0, 0, 3]]), (8, 8)).seen.any()
    assert not rasterize(points, np.zeros((0, 3), int), (8, 8)).seen.any()


def test_many_in_groups_are_as_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    points, faces = generator.random((90, 3)) * 40, np.arange(90).reshape(30, 3)
    at_once = rasterize(points, faces, (40, 40))
    monkeypatch.setattr(raster, "CANDIDATES", 50)

    assert np.array_equal(at_once.face, rasterize(points, faces, (40, 40)).face)
