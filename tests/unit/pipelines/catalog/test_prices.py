"""What a job costs by its model's entry."""

import msgspec
import pytest

from jobs.params.image import ImageParams
from jobs.params.video import VideoParams
from pipelines.catalog.spec import ModelSpec

ENTRY = {
    "id": "m",
    "title": "M",
    "family": "diffusers-image",
    "modality": "image",
    "licence": {"name": "MIT", "url": "https://example.com"},
    "defaults": {"num_inference_steps": 20},
    "quality": {"fast": {"num_inference_steps": 10}},
}
PICTURE = ImageParams(prompt="a", width=1000, height=500, num_images=2)
METERED = {"per_gpu_second": 0.001, "max_gpu_seconds": 60.0}


def spec(**more):
    return msgspec.convert(ENTRY | more, ModelSpec)


@pytest.mark.contract("E13")
@pytest.mark.parametrize(
    ("entry", "params", "price"),
    [
        ({}, PICTURE, 0.0),
        ({"price_usd": 0.01}, PICTURE, 0.02),
        ({"rates": {"per_megapixel_step": 0.0001}}, PICTURE, 0.0001 * 0.5 * 20 * 2),
        (
            {"rates": {"per_megapixel_step": 0.0001}},
            msgspec.structs.replace(PICTURE, quality="fast"),
            0.0001 * 0.5 * 10 * 2,
        ),
        (
            {"rates": {"per_megapixel_step": 0.0001}},
            msgspec.structs.replace(PICTURE, num_inference_steps=4),
            0.0001 * 0.5 * 4 * 2,
        ),
        (
            {"modality": "video", "price_usd": 0.1, "rates": {"per_second": 0.05}},
            VideoParams(input_image="https://example.com/a.png", duration_seconds=3.0),
            0.25,
        ),
        ({"price_usd": 0.01, "rates": METERED}, PICTURE, 0.02 + 0.06),
    ],
)
def test_a_price_is_known_before_the_job_runs(entry, params, price):
    assert price == pytest.approx(spec(**entry).price_of(params))


def test_a_metered_price_counts_seconds_up_to_its_bound():
    metered = spec(price_usd=0.01, rates=METERED)
    assert [0.02, 0.05, 0.08, 0.08] == [metered.metered_price(PICTURE, seconds) for seconds in (0.0, 30.0, 60.0, 600.0)]
    assert spec(price_usd=0.01).metered_price(PICTURE, 30.0) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"rates": {"per_second": 0.05}},
        {"rates": {"per_gpu_second": 0.05}},
        {"rates": {"max_gpu_seconds": 5.0}},
        {"rates": {"per_megapixel_step": 0.05}, "defaults": {}},
        {"rates": {"per_megapixel_step": -0.05}},
    ],
)
def test_rates_that_cannot_be_known_are_refused(wrong):
    with pytest.raises(msgspec.ValidationError):
        spec(**wrong)
