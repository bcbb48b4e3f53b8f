from typing import Any

import pytest

from jobs.params.image import ImageParams
from jobs.params.media import LoraChoice
from jobs.params.video import VideoParams
from pipelines.diffusion.sampling_settings import (
    SamplingSettings,
    choose,
    ignored_field_warnings,
    unsupported_field_warnings,
)
from tests.support.checkpoints.specs import spec

HUB = {"repo": "a/b", "revision": "1" * 40}
MODEL = spec(
    defaults={"num_inference_steps": 4, "guidance_scale": 5.0},
    loras={"quick": {"source": HUB, "file": "x.safetensors"}},
    quality={"fast": {"num_inference_steps": 2, "lora": "quick"}, "pro": {"guidance_scale": 0.0}},
)
QUICK = (("quick", 1.0),)


def test_the_requests_loras_are_beside_the_presets() -> None:
    asked = (LoraChoice(lora="style", weight=0.5), LoraChoice(lora="quick", weight=0.8))

    beside = choose(MODEL, ImageParams(prompt="a cat", quality="fast", loras=asked[:1]))
    both = choose(MODEL, ImageParams(prompt="a cat", quality="fast", loras=asked))

    assert (*QUICK, ("style", 0.5)) == beside.loras
    assert (("quick", 0.8), ("style", 0.5)) == both.loras


@pytest.mark.parametrize("type_", [ImageParams, VideoParams])
@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ({}, SamplingSettings(4, 5.0, ())),
        ({"quality": "fast"}, SamplingSettings(2, 5.0, QUICK)),
        ({"quality": "pro"}, SamplingSettings(4, 0.0, ())),
        ({"quality": "ultra"}, SamplingSettings(4, 5.0, ())),
        ({"quality": "fast", "num_inference_steps": 9, "guidance_scale": 0}, SamplingSettings(9, 0, QUICK)),
    ],
)
def test_the_caller_then_the_preset_then_the_defaults(
    type_: Any, asked: dict[str, Any], chosen: SamplingSettings
) -> None:
    assert chosen == choose(MODEL, type_(prompt="a cat", **asked))


def test_what_they_all_leave_out_is_the_pipelines_choice() -> None:
    assert SamplingSettings(None, None, ()) == choose(spec(), VideoParams())


def test_what_is_set_and_not_used_is_said() -> None:
    params = VideoParams(negative_prompt="", num_inference_steps=3, guidance_scale=0, quality="ultra")

    assert [
        "tiny does not use `guidance_scale`; it was ignored",
        "tiny has no preset 'ultra'; its standard one was used",
    ] == list(ignored_field_warnings(MODEL, params, frozenset({"num_inference_steps"})))


@pytest.mark.parametrize(
    ("words", "guidance", "said"), [("dogs", 1, 1), ("dogs", 1.5, 0), ("dogs", None, 0), ("", 1, 0)]
)
def test_a_negative_prompt_needs_guidance(words: str, guidance: float | None, said: int) -> None:
    assert said == len(list(unsupported_field_warnings(words, guidance)))
