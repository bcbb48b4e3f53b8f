from typing import Any

import pytest

from pipelines.catalog.spec import ModelSpec
from pipelines.video.frames import plan_frames
from tests.support.checkpoints.specs import spec


def model(step: int, fps: int = 24, max_seconds: float = 5.0, **changes: Any) -> ModelSpec:
    limits = {"frame_step": step, "max_seconds": max_seconds}
    return spec(modality="video", limits=limits, defaults={"fps": fps}, **changes)


@pytest.mark.parametrize(
    ("step", "fps", "seconds", "frames"),
    [
        (4, 24, 2.0, 49),
        (4, 24, 5.0, 121),
        (4, 24, 0.1, 5),
        (4, 24, 51 / 24, 53),  # as near to 49: the longer one
        (4, 24, 50.9 / 24, 49),
        (8, 25, 2.0, 49),
        (8, 25, 1.0, 25),
        (1, 24, 2.0, 48),
        (1, 24, 0.1, 2),
    ],
)
def test_the_nearest_legal_number_of_frames(step: int, fps: int, seconds: float, frames: int) -> None:
    plan = plan_frames(model(step, fps), seconds)

    assert (frames, fps) == (plan.frames, plan.fps)
    assert 0 == (plan.frames - 1) % step


def test_half_a_frame_step_is_no_reason_for_a_warning() -> None:
    assert {()} == {plan_frames(model(4), n / 10).warnings for n in range(2, 51)}


@pytest.mark.parametrize(
    ("seconds", "warning"),
    [
        (10, "tiny makes 5.04 s (121 frames at 24 per second) instead of 10 s"),
        (0.1, "tiny makes 0.21 s (5 frames at 24 per second) instead of 0.1 s"),
    ],
)
def test_what_cannot_be_made_is_made_shorter_or_longer_and_said(seconds: float, warning: str) -> None:
    assert (warning,) == plan_frames(model(4), seconds).warnings


def test_without_a_frame_rate_in_the_catalogue_it_is_24() -> None:
    assert 24 == plan_frames(spec(modality="video"), 1).fps


def test_how_long_it_is() -> None:
    assert 49 / 24 == plan_frames(model(4), 2).seconds


@pytest.mark.parametrize(
    ("seconds", "clips"),
    [
        (5.0, (121,)),
        (5.2, (65, 61)),
        (8.0, (97, 97)),
        (10.0, (121, 121)),
        (12.0, (97, 97, 97)),
        (15.0, (121, 121, 121)),
    ],
)
def test_a_longer_video_is_made_of_clips_that_share_a_frame(seconds: float, clips: tuple[int, ...]) -> None:
    able = spec(
        modality="video",
        capabilities=["image-to-video"],
        limits={"frame_step": 4, "max_seconds": 15.0, "clip_seconds": 5.0},
    )

    plan = plan_frames(able, seconds)

    assert clips == plan.clips
    assert plan.frames == sum(clips) - len(clips) + 1
    words = f"tiny makes 5 s at once; made {len(clips)} clips, each from the last frame of the one before"
    assert ((words,) if len(clips) > 1 else ()) == plan.warnings


@pytest.mark.parametrize("capabilities", [["text-to-video"], ["text-to-video", "motion-control"]])
def test_clips_need_a_model_that_begins_with_a_frame(capabilities: list[str]) -> None:
    with pytest.raises(ValueError, match="clip_seconds"):
        spec(modality="video", capabilities=capabilities, limits={"clip_seconds": 5.0})
