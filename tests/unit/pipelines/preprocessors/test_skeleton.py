"""Skeletons as OpenPose draws them: which joint has which color, and what is left out."""

import numpy as np
import pytest

from pipelines.preprocessors.skeleton import COCO_JOINTS, Point, draw_people

SHOULDERS: dict[int, Point] = {5: (300.0, 100.0), 6: (200.0, 100.0)}


def joints(**places: Point) -> list[Point | None]:
    return [places.get(f"j{number}") for number in range(COCO_JOINTS)]


def person(places: dict[int, Point]) -> list[Point | None]:
    return [places.get(number) for number in range(COCO_JOINTS)]


@pytest.mark.parametrize(
    ("places", "at", "color"),
    [
        ({0: (256.0, 40.0)}, (256, 40), (255, 0, 0)),
        (SHOULDERS, (200, 100), (255, 170, 0)),
        (SHOULDERS, (300, 100), (85, 255, 0)),
        (SHOULDERS, (250, 100), (255, 85, 0)),
        (SHOULDERS, (225, 100), (153, 0, 0)),
        (SHOULDERS, (275, 100), (153, 51, 0)),
        ({6: (100.0, 100.0), 8: (100.0, 200.0)}, (100, 150), (153, 102, 0)),
        ({12: (100.0, 300.0), 14: (100.0, 400.0), 16: (100.0, 500.0)}, (100, 450), (0, 153, 102)),
        ({0: (256.0, 40.0), 1: (300.0, 30.0)}, (278, 35), (153, 0, 153)),
        ({4: (100.0, 100.0)}, (100, 100), (255, 0, 170)),
        ({3: (100.0, 100.0)}, (100, 100), (255, 0, 85)),
    ],
)
def test_limbs_and_joints_have_openposes_colors(places, at, color):
    picture = draw_people([person(places)], (512, 512))
    assert color == picture.getpixel(at)


def test_strokes_grow_with_the_picture():
    small, large = (draw_people([person({0: (side / 2, side / 2)})], (side, side)) for side in (512, 2048))
    areas = [int(np.asarray(picture).any(axis=2).sum()) for picture in (small, large)]
    assert 12 < areas[1] / areas[0] < 20


def test_what_is_not_seen_is_not_drawn():
    assert draw_people([], (64, 64)).getbbox() is None
    assert draw_people([person({})], (64, 64)).getbbox() is None
    assert (0, 0, 0) == draw_people([person({5: (10.0, 30.0), 7: (50.0, 30.0)})], (64, 64)).getpixel((30, 50))
