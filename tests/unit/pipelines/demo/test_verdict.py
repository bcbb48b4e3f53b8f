"""The judge against drawings whose content is known: it must say yes to the right caption, and no to a wrong one."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.demo.draw import draw
from pipelines.demo.regions import hole_share, outline, regions
from pipelines.demo.scene import COLORS, PLACES, RELATIONS, SHAPES, SIZES, Rng, Scene, Thing, sample_scene
from pipelines.demo.verdict import Seen, describe_image, judge_image, relation


def _other(rng: Rng, names: tuple[str, ...], taken: str) -> str:
    rest = [name for name in names if name != taken]
    return rest[int(rng.integers(len(rest)))]


def test_right_on_drawn_scenes(full: bool) -> None:
    """On at least 995 of a thousand, of which the usual run draws the first 200."""
    rng = np.random.default_rng(42)
    scenes = [sample_scene(rng, 0.4) for _ in range(1000)][: 1000 if full else 200]
    right = sum(judge_image(draw(scene, rng), scene).whole for scene in scenes)
    assert right >= 0.995 * len(scenes)


@pytest.mark.long
def test_rejects_a_caption_with_any_one_part_changed() -> None:
    rng = np.random.default_rng(43)
    for _ in range(40):
        thing = Thing(
            COLORS[0], SHAPES[int(rng.integers(6))], SIZES[int(rng.integers(3))], PLACES[int(rng.integers(9))]
        )
        scene = Scene(COLORS[int(rng.integers(1, 8))], (thing,))
        image = draw(scene, rng)
        assert judge_image(image, scene).whole
        color = judge_image(image, replace(scene, things=(replace(thing, color=_other(rng, COLORS, thing.color)),)))
        shape = judge_image(image, replace(scene, things=(replace(thing, shape=_other(rng, SHAPES, thing.shape)),)))
        size = judge_image(image, replace(scene, things=(replace(thing, size=_other(rng, SIZES, str(thing.size))),)))
        place = judge_image(
            image, replace(scene, things=(replace(thing, place=_other(rng, PLACES, str(thing.place))),))
        )
        ground = judge_image(image, replace(scene, background=_other(rng, COLORS, scene.background)))
        assert (False, False, False, False, False) == (
            color.color,
            shape.shape,
            size.size,
            place.place,
            ground.background,
        )
        assert not any(verdict.whole for verdict in (color, shape, size, place, ground))
        assert color.shape
        assert shape.color


@pytest.mark.parametrize("wanted", RELATIONS)
def test_rejects_every_other_relation_and_swapped_colors(wanted: str) -> None:
    things = (Thing("red", "ring"), Thing("blue", "square"))
    image = draw(Scene("white", things, wanted), np.random.default_rng(1))
    assert [wanted] == [each for each in RELATIONS if judge_image(image, Scene("white", things, each)).whole]
    swapped = (Thing("blue", "ring"), Thing("red", "square"))
    assert not judge_image(image, Scene("white", swapped, wanted)).whole


def test_counts_things() -> None:
    one, two = (Thing("red", "ring"),), (Thing("red", "ring"), Thing("blue", "star"))
    empty = np.full((256, 256, 3), 248, np.uint8)
    assert not judge_image(empty, Scene("white", one)).count
    assert not judge_image(draw(Scene("white", two, "above")), Scene("white", one)).count
    assert not judge_image(draw(Scene("white", one)), Scene("white", two, "above")).whole


def test_a_misshapen_region_or_a_strange_color_has_no_name() -> None:
    image = np.full((256, 256, 3), 248, np.uint8)
    image[100:160, 60:200] = (215, 35, 35)
    assert "unknown" == describe_image(image).things[0].shape
    image[:] = 248
    image[100:160, 100:160] = (128, 128, 128)
    image[100:130, 100:130] = 248
    assert ("unknown", "unknown") == (describe_image(image).things[0].shape, describe_image(image).things[0].color)


def test_noise_is_not_a_shape() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (256, 256, 3)).astype(np.uint8)
    assert not judge_image(image, Scene("white", (Thing("red", "circle"),))).whole


def test_a_diagonal_pair_has_no_relation() -> None:
    first, second = Seen("red", "ring", 0.2, 0.2, 0.1), Seen("red", "ring", 0.8, 0.8, 0.1)
    assert "unknown" == relation(first, second)


def test_regions_are_joined_over_edges_only() -> None:
    mask = np.array([[1, 1, 0, 1], [0, 1, 0, 1], [1, 0, 0, 1], [1, 0, 1, 1]], bool)
    assert [2, 3, 5] == sorted(int(region.sum()) for region in regions(mask))


def test_holes_and_outlines() -> None:
    box = np.ones((40, 40), bool)
    assert 0 == hole_share(box)
    box[10:30, 10:30] = False
    assert 0.25 == hole_share(box)
    radii = outline(np.ones((41, 41), bool), angles=8)
    assert radii[0] == pytest.approx(20, abs=0.6)
    assert radii[1] == pytest.approx(20 * 2**0.5, abs=1)
