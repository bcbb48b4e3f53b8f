"""Limits of a model, as its entry declares them."""

from typing import Any

import msgspec
import pytest

from pipelines.catalog.limits import Limits, ServiceLimits, service_limits
from tests.support.checkpoints.specs import spec


@pytest.mark.parametrize(
    ("limits", "asked", "made"),
    [
        ({}, 2.0, 2.0),
        ({"max_seconds": 5}, 7.0, 5.0),
        ({"min_seconds": 3}, 2.0, 3.0),
        ({"durations": [4, 8, 12]}, 9.0, 8.0),
        ({"durations": [4, 8]}, 6.0, 4.0),
        ({"durations": [6], "max_seconds": 5}, 1.0, 6.0),
    ],
)
def test_the_nearest_duration_is_made(limits: dict[str, Any], asked: float, made: float) -> None:
    assert made == msgspec.convert(limits, Limits).nearest_seconds(asked)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"limits": {"min_seconds": 5, "max_seconds": 4}}, "`min_seconds` is above `max_seconds`"),
        ({"limits": {"inputs": {"text-to-image": [1, 0]}}}, "`inputs` has a least number above the most"),
        ({"limits": {"inputs": {"text-to-video": [0, 0]}}}, "which this model does not do"),
        ({"limits": {"inputs": {"text-to-image": [0, 1]}}}, "needs a capability that takes pictures"),
        ({"limits": {"input_types": ["image/heic"]}}, "Invalid enum value"),
        ({"unsupported": {"prompt": "truncate"}}, "Invalid enum value"),
        ({"limits": {"resolutions": ["2K"]}}, "`resolutions` has '2K', whose sides are above `max_side`"),
        ({"quality": {"fast": {"width": 512}}}, "`width` and `height` go together"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(entry: dict[str, Any], complaint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=complaint):
        spec(**entry)


@pytest.mark.parametrize(
    ("modality", "limits"),
    [
        ("image", {}),
        ("avatar", {"max_audio_seconds": 60.0}),
        ("speech", {"max_audio_seconds": 60.0}),
        ("transcript", {"max_audio_seconds": 3600.0}),
        ("upscale", {"max_output_pixels": 64_000_000, "max_output_side": 16_383}),
        ("vectorize", {"max_paths": 5000, "max_output_bytes": 4_000_000}),
        ("embedding", {"max_texts": 256}),
    ],
)
def test_limits_of_the_service_are_those_of_a_modality(modality: Any, limits: dict[str, Any]) -> None:
    assert ServiceLimits(**limits) == service_limits(modality)
