"""The video models that ship, as the family and the API read them."""

import pytest

from pipelines.catalog.loader import load_catalog
from pipelines.runtime.registry import FAMILIES, encoder
from pipelines.video.encode import encode
from pipelines.video.frames import plan_frames

VIDEOS = load_catalog().of("video")
WAN = load_catalog().get("wan2.2-ti2v-5b")


def test_the_demos_come_last_and_need_no_weights() -> None:
    demos = [(f"demo-{name}", "demo", ()) for name in ("camera", "scene", "morph", "motion")]
    assert demos == [(video.id, video.tier, video.bundles) for video in VIDEOS[-4:]]
    assert "wan2.2-ti2v-5b" == VIDEOS[0].id


@pytest.mark.parametrize(("seconds", "frames"), [(2, 49), (5, 121)])
def test_wan_makes_the_lengths_that_it_was_trained_on(seconds: float, frames: int) -> None:
    plan = plan_frames(WAN, seconds)

    assert (frames, 24, (frames,), ()) == (plan.frames, plan.fps, plan.clips, plan.warnings)


def test_no_model_that_ignores_a_last_frame_claims_to_end_there() -> None:
    assert "first-last-frame" not in WAN.capabilities


def test_every_film_is_encoded_as_one_and_has_time_for_it() -> None:
    for video in VIDEOS:
        assert encode is encoder(video)
        assert video.deadlines.encode >= 600
        assert video.family in FAMILIES
