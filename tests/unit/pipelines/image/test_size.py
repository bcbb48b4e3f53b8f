import numpy as np
import pytest
from PIL import Image

from pipelines.catalog.sizes import Size
from pipelines.image.size import plan_size
from tests.support.checkpoints.specs import spec

SHAPES = spec(id="shapes", limits={"native_sizes": [[256, 256]]})
WIDE = spec(id="wide", limits={"native_sizes": [[512, 256], [256, 256], [1024, 512]]})
LARGE = spec(id="large", limits={"min_side": 512})


def image(size: Size) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values)


@pytest.mark.parametrize(
    ("model", "asked", "make", "warning"),
    [
        (spec(), (1024, 768), (1024, 768), None),
        (spec(), (64, 64), (64, 64), None),
        (spec(), (1000, 700), (1008, 704), "1000x700 is not a multiple of 16; made 1008x704 and cropped the edges"),
        (SHAPES, (256, 256), (256, 256), None),
        (SHAPES, (1024, 1024), (256, 256), "shapes draws 256x256; resized to 1024x1024"),
        (SHAPES, (1024, 512), (256, 256), "shapes draws 256x256; stretched to 1024x512"),
        (WIDE, (800, 400), (1024, 512), "wide draws 512x256, 256x256, 1024x512; resized to 800x400"),
        (WIDE, (64, 64), (256, 256), "wide draws 512x256, 256x256, 1024x512; resized to 64x64"),
        (LARGE, (64, 64), (512, 512), "large draws sides from 512 to 1024; made 512x512; resized to 64x64"),
        (LARGE, (256, 512), (512, 1024), "large draws sides from 512 to 1024; made 512x1024; resized to 256x512"),
        (LARGE, (64, 1024), (512, 1024), "large draws sides from 512 to 1024; made 512x1024; stretched to 64x1024"),
        (
            spec(limits={"max_side": 1000}),
            (1000, 1000),
            (992, 992),
            "tiny draws sides from 64 to 1000; made 992x992; resized to 1000x1000",
        ),
    ],
)
def test_what_is_made_for_what_was_asked(model, asked: Size, make: Size, warning: str | None) -> None:  # type: ignore[no-untyped-def]
    plan = plan_size(model, asked, 16)

    assert make == plan.make
    assert warning == plan.warning
    assert asked == plan.finish(image(plan.make)).size


def test_every_plan_is_legal_and_ends_in_the_size_asked_for() -> None:
    for width in range(64, 1025, 37):
        for height in (64, 65, 300, 777, 1024):
            for multiple in (8, 16, 64):
                plan = plan_size(LARGE, (width, height), multiple)
                assert all(side % multiple == 0 and 512 <= side <= 1024 for side in plan.make)
                assert (plan.warning is None) == (plan.make == plan.asked)


def test_no_more_pixels_are_made_than_the_pipeline_makes() -> None:
    plan = plan_size(spec(), (640, 320), 16, 320 * 160)
    assert ((320, 160), (640, 320)) == (plan.make, plan.finish(image(plan.make)).size)
    assert "tiny repaints 51,200 pixels at most; made 320x160; resized to 640x320" == plan.warning
    assert (320, 160) == plan_size(spec(), (320, 160), 16, 320 * 160).make


def test_cropping_leaves_the_pixels_of_the_middle_alone() -> None:
    plan = plan_size(spec(), (90, 64), 16)
    made = image(plan.make)

    assert (96, 64) == made.size
    assert np.array_equal(np.asarray(made)[:, 3:93], np.asarray(plan.finish(made)))


def test_the_size_asked_for_is_handed_through_untouched() -> None:
    made = image((64, 64))

    assert made is plan_size(spec(), (64, 64), 16).finish(made)
