"""The drawing script: sizes, places, colors, and edges that are smooth."""

import numpy as np
import pytest

from pipelines.demo.draw import RGB, arrange, draw
from pipelines.demo.scene import COLORS, PLACES, RELATIONS, SHAPES, SIZES, Scene, Thing, sample_scene


def test_an_image_is_square_rgb_of_the_asked_side() -> None:
    image = draw(Scene("blue", (Thing("red", "circle"),)), side=64)
    assert (64, 64, 3) == image.shape
    assert np.uint8 == image.dtype


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_has_its_color_and_leaves_the_corners_alone(shape: str) -> None:
    image = draw(Scene("white", (Thing("green", shape, "large"),)))
    assert RGB["white"] == tuple(image[0, 0])
    assert RGB["green"] in {tuple(pixel) for pixel in image.reshape(-1, 3)}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_as_wide_as_its_radius_says_and_centred(shape: str) -> None:
    image = draw(Scene("black", (Thing("white", shape, "large"),)))
    rows, columns = np.nonzero(image[..., 0] > 128)
    assert 0.21 * 256 * 2 == pytest.approx(columns.max() - columns.min() + 1, rel=0.08)
    assert 128 == pytest.approx((columns.max() + columns.min() + 1) / 2, abs=2)
    assert 128 == pytest.approx((rows.max() + rows.min() + 1) / 2, abs=3)


def test_edges_are_anti_aliased() -> None:
    image = draw(Scene("black", (Thing("white", "circle"),)))
    between = ((image[..., 0] > 40) & (image[..., 0] < 220)).sum()
    assert 100 < between < 500


def test_sizes_and_places_differ() -> None:
    radii = [arrange(Scene("black", (Thing("red", "ring", size),)))[0].radius for size in SIZES]
    assert sorted(set(radii)) == radii
    centers = {
        (placed.x, placed.y)
        for place in PLACES
        for placed in arrange(Scene("black", (Thing("red", "ring", None, place),)))
    }
    assert 9 == len(centers)


@pytest.mark.parametrize("relation", RELATIONS)
def test_two_things_stand_as_their_relation_says(relation: str) -> None:
    first, second = arrange(Scene("black", (Thing("red", "ring"), Thing("blue", "star")), relation))
    assert (
        relation
        == {
            (True, False, False, False): "left of",
            (False, True, False, False): "right of",
            (False, False, True, False): "above",
            (False, False, False, True): "below",
        }[(first.x < second.x, first.x > second.x, first.y < second.y, first.y > second.y)]
    )


def test_two_large_things_never_touch() -> None:
    rng = np.random.default_rng(0)
    for relation in RELATIONS:
        scene = Scene("black", (Thing("red", "square", "large"), Thing("blue", "circle", "large")), relation)
        for _ in range(50):
            first, second = arrange(scene, rng)
            assert first.radius + second.radius < max(abs(first.x - second.x), abs(first.y - second.y))


def test_variations_are_small_and_repeat_with_the_seed() -> None:
    scene = Scene("yellow", (Thing("purple", "cross", "small", "top left"),))
    plain, varied = arrange(scene)[0], arrange(scene, np.random.default_rng(1))[0]
    assert plain != varied
    assert plain.x == pytest.approx(varied.x, abs=0.021)
    assert plain.radius == pytest.approx(varied.radius, rel=0.041)
    assert (draw(scene, np.random.default_rng(1)) == draw(scene, np.random.default_rng(1))).all()


def test_no_thing_has_the_color_of_its_background() -> None:
    rng = np.random.default_rng(0)
    scenes = [sample_scene(rng, 0.5) for _ in range(500)]
    assert all(thing.color != scene.background for scene in scenes for thing in scene.things)
    assert set(COLORS) == {scene.background for scene in scenes}
    assert {None, *RELATIONS} == {scene.relation for scene in scenes}
