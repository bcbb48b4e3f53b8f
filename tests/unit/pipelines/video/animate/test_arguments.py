"""The arguments of Wan-Animate-2: the pipeline makes the size of the picture, in whole segments."""

from math import sqrt

import pytest
from PIL import Image

from pipelines.video.animate.arguments import shown_arguments
from pipelines.video.frames import FramePlan

SIDES = range(64, 1537, 32)
"""Those that a request may have."""


def made(width: int, height: int, area: int) -> tuple[int, int]:
    """The size that the pipeline makes of a picture and an area, as `WanAnimate2ProcessImagesInputStep` has it."""
    shape = height / width
    return int(sqrt(area / shape)) // 16 * 16, int(sqrt(area * shape)) // 16 * 16


def test_every_size_is_made_as_it_is() -> None:
    missed = 0
    for width in SIDES:
        for height in SIDES:
            given = shown_arguments(Image.new("1", (width, height)), [], FramePlan(5, 24, (5,)))
            area = given["width"] * given["height"]
            assert isinstance(area, int)
            assert (width, height) == made(width, height, area)
            missed += (width, height) != made(width, height, width * height)
    assert 50 == missed, "with the area itself, rows would be missing of so many sizes"


@pytest.mark.parametrize("frames", range(5, 242, 4))
def test_a_film_has_whole_segments(frames: int) -> None:
    steps = (frames - 1) // 4
    count = -(-steps // 20)
    clips = tuple((steps + place) // count * 4 + 1 for place in reversed(range(count)))

    given = shown_arguments(Image.new("RGB", (64, 64)), [], FramePlan(frames, 24, clips))

    segment = given["segment_frame_length"]
    assert segment % 4 == 1
    assert segment <= 81
    assert count == -(-(frames - 1) // (segment - 1))
    assert -(frames - 1) % (segment - 1) < frames, "the pipeline fills a segment up with frames that the film has"
