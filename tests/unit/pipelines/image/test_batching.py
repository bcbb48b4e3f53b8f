from typing import Any

import pytest

from jobs.params.image import ImageParams
from jobs.params.speech import SpeechParams
from pipelines.image.batching import images_at_once, jobs_at_once
from tests.support.checkpoints.specs import spec


@pytest.mark.parametrize(
    ("batch", "asked", "expected"),
    [
        ({}, {"num_images": 4}, 1),
        ({"images": 4}, {}, 1),
        ({"images": 4}, {"num_images": 3}, 3),
        ({"images": 4}, {"num_images": 8}, 4),
        ({"images": 8, "pixels": 2**20}, {"num_images": 8, "width": 512, "height": 512}, 4),
        ({"images": 8, "pixels": 2**20}, {"num_images": 8, "width": 1024, "height": 1024}, 1),
        ({"images": 8, "pixels": 2**10}, {"num_images": 8, "width": 1024, "height": 1024}, 1),
    ],
)
def test_the_catalog_bounds_images_and_pixels(batch: dict[str, int], asked: dict[str, int], expected: int) -> None:
    assert expected == images_at_once(spec(batch=batch), ImageParams(prompt="x", **asked))


@pytest.mark.parametrize(
    ("batch", "asked", "expected"),
    [
        ({"images": 4}, {}, 1),
        ({"jobs": 4}, {}, 4),
        ({"jobs": 4}, {"num_images": 2}, 1),
        ({"jobs": 4}, {"input_image": "upl_1"}, 1),
        ({"jobs": 4}, {"logo_url": "upl_1"}, 1),
        ({"jobs": 4, "pixels": 2**21}, {}, 2),
        ({"jobs": 4, "pixels": 2**21}, {"quality": "pro"}, 1),
        ({"jobs": 4}, {"quality": "fast"}, 1),
    ],
)
def test_jobs_of_one_image_share_a_run(batch: dict[str, int], asked: dict[str, Any], expected: int) -> None:
    presets = {"pro": {"width": 2048, "height": 2048}, "fast": {"cache": "first-block"}}
    assert expected == jobs_at_once(spec(batch=batch, quality=presets), ImageParams(prompt="x", **asked))


@pytest.mark.parametrize(("kind", "expected"), [("first-block", 1), ("taylorseer", 2)])
def test_a_verdict_on_the_whole_batch_is_for_one_image(kind: str, expected: int) -> None:
    entry = spec(batch={"images": 4}, quality={"fast": {"cache": kind}})

    assert expected == images_at_once(entry, ImageParams(prompt="x", quality="fast", num_images=2))
    assert 2 == images_at_once(entry, ImageParams(prompt="x", num_images=2))


def test_other_modalities_make_one_at_once() -> None:
    entry = spec(batch={"images": 4, "jobs": 4})
    assert (1, 1) == (images_at_once(entry, SpeechParams(text="x")), jobs_at_once(entry, SpeechParams(text="x")))
