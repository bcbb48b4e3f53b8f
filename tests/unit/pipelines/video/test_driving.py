"""How much of a driving film is followed."""

from pathlib import Path

import pytest

from pipelines.video.clips import ClipFacts
from pipelines.video.driving import plan_driven
from tests.support.checkpoints.specs import spec

MODEL = spec(
    modality="video",
    capabilities=["motion-control"],
    limits={"frame_step": 4, "max_seconds": 10.0, "clip_seconds": 3.375},
    defaults={"fps": 24},
)


@pytest.mark.parametrize(
    ("has", "seconds", "goes_on", "clips"),
    [
        (240, 2.0, True, (49,)),
        (240, 8.0, True, (65, 65, 65)),
        (240, 8.0, False, (81,)),
        (96, 8.0, True, (49, 49)),
        (96, 8.0, False, (81,)),
    ],
)
def test_a_film_is_followed_in_one_clip_or_through_all(
    has: int, seconds: float, goes_on: bool, clips: tuple[int, ...]
) -> None:
    film = ClipFacts(Path("film.mp4"), has, 24, (64, 64))

    plan = plan_driven(MODEL, seconds, film, goes_on=goes_on)

    assert clips == plan.clips
    assert plan.frames == sum(clips) - len(clips) + 1
    assert any("made" in warning for warning in plan.warnings) == (len(clips) > 1)
    assert any("`motion_video`" in warning for warning in plan.warnings)
