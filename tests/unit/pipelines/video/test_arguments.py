from typing import Any

import pytest

from jobs.params.video import VideoParams
from pipelines.catalog.spec import ModelSpec
from pipelines.image.size import plan_size
from pipelines.video.arguments import call_arguments
from pipelines.video.frames import plan_frames
from tests.support.checkpoints.specs import spec

WAN = frozenset({"prompt", "negative_prompt", "width", "height", "num_frames", "num_inference_steps", "guidance_scale"})
LTX = WAN | {"frame_rate"}
MODEL = spec(
    modality="video",
    capabilities=["text-to-video", "negative-prompt"],
    limits={"frame_step": 4, "max_side": 1280, "max_seconds": 5},
    defaults={"num_inference_steps": 50, "guidance_scale": 5.0, "fps": 24},
    quality={"fast": {"num_inference_steps": 30}, "pro": {"guidance_scale": 6.0}},
)


def arguments(
    model: ModelSpec = MODEL, accepts: frozenset[str] = WAN, **params: Any
) -> tuple[dict[str, Any], tuple[str, ...]]:
    asked = VideoParams(**params)
    size = plan_size(model, (asked.width, asked.height), 32)
    return call_arguments(model, asked, size, plan_frames(model, asked.duration_seconds), accepts)


def test_defaults_of_the_request_and_of_the_model() -> None:
    assert (
        {
            "prompt": "cinematic motion",
            "width": 896,
            "height": 512,
            "num_frames": 49,
            "num_inference_steps": 50,
            "guidance_scale": 5.0,
        },
        (),
    ) == arguments()


def test_the_frame_rate_where_the_pipeline_wants_to_know() -> None:
    assert 24 == arguments(accepts=LTX)[0]["frame_rate"]


@pytest.mark.parametrize(
    ("asked", "steps", "guidance"),
    [
        ({"quality": "fast"}, 30, 5.0),
        ({"quality": "pro"}, 50, 6.0),
        ({"quality": "fast", "num_inference_steps": 7}, 7, 5.0),
        ({"quality": "pro", "guidance_scale": 0}, 50, 0),
    ],
)
def test_request_beats_preset_and_preset_beats_default(asked: dict[str, Any], steps: int, guidance: float) -> None:
    made, warnings = arguments(**asked)

    assert (steps, guidance, ()) == (made["num_inference_steps"], made["guidance_scale"], warnings)


def test_a_preset_that_the_model_does_not_have() -> None:
    assert ("tiny has no preset 'ultra'; its standard one was used",) == arguments(quality="ultra")[1]


def test_a_negative_prompt() -> None:
    assert "blur" == arguments(negative_prompt="blur")[0]["negative_prompt"]
    assert "negative_prompt" not in arguments(negative_prompt="")[0]
    unsupported = "`negative_prompt` has no effect at a `guidance_scale` of 1; it needs more than 1"
    assert (unsupported,) == arguments(negative_prompt="blur", guidance_scale=1)[1]


def test_a_negative_prompt_for_a_model_that_ignores_it() -> None:
    made, warnings = arguments(model=spec(modality="video"), negative_prompt="blur")

    assert "negative_prompt" not in made
    assert ("tiny does not use `negative_prompt`; it was ignored",) == warnings


def test_what_the_pipeline_does_not_take() -> None:
    made, warnings = arguments(accepts=frozenset({"prompt"}), guidance_scale=3)

    assert {"prompt": "cinematic motion"} == made
    assert ("tiny does not use `guidance_scale`; it was ignored",) == warnings


def test_sizes_and_durations_that_cannot_be_made_are_said() -> None:
    made, warnings = arguments(width=1536, height=768, duration_seconds=9)

    assert (1280, 640, 121) == (made["width"], made["height"], made["num_frames"])
    assert (
        "tiny draws sides from 64 to 1280; made 1280x640; resized to 1536x768",
        "tiny makes 5.04 s (121 frames at 24 per second) instead of 9 s",
    ) == warnings
