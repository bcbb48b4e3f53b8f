"""Previews of steps that real pipelines show: of what is made, and without changing it."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from jobs.params.image import ImageParams
from jobs.params.video import VideoParams
from pipelines.catalog.loader import load_catalog
from pipelines.image.diffusers_image import DiffusersImage
from pipelines.runtime.protocol import Draw, Inputs, RawOutput, RunContext
from pipelines.video.diffusers_video import DiffusersVideo
from tests.support.checkpoints import tiny_videos
from tests.support.checkpoints.image_runs import asked, image, loaded
from tests.support.checkpoints.specs import spec

DEMO = load_catalog(None).get("demo-shapes")
STEPS = 6


class Steps:
    """A job that is followed: its steps from `since` on are drawn, those before it are not."""

    def __init__(self, since: int = 1) -> None:
        self.since = since
        self.offered: list[tuple[int, int]] = []
        self.drawn: list[NDArray[np.uint8]] = []

    def context(self, seed: int = 1) -> RunContext:
        return RunContext(seed=seed, progress=lambda part, stage: None, warn=lambda text: None, show_step=self.show)

    def show(self, step: int, of: int, draw: Draw) -> None:
        self.offered.append((step, of))
        if step >= self.since:
            self.drawn.append(draw())


def only(raw: RawOutput) -> NDArray[np.uint8]:
    (made,) = raw.arrays.values()
    return made


def shrunk(picture: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    small = Image.fromarray(picture).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small, np.float64)


def test_a_preview_looks_like_what_is_made() -> None:
    """The demo model, whose weights are real: half of its steps foresee the image, and no other one."""
    pipeline = DiffusersImage(DEMO, Path(DEMO.source.shipped).resolve(), "cpu")  # type: ignore[union-attr]
    made, seen = [], []
    for prompt in ("a red circle on a blue background", "a green square on a white background"):
        steps = Steps(since=STEPS // 2)
        params = ImageParams(prompt=prompt, width=256, height=256, num_inference_steps=STEPS)
        made.append(shrunk(only(pipeline.run(params, Inputs(), steps.context())), 32))
        seen.append(steps.drawn)
        assert [(step, STEPS) for step in range(2, STEPS + 1)] == steps.offered
        assert [(32, 32, 3)] * (STEPS // 2 + 1) == [picture.shape for picture in steps.drawn]
    for number in (0, 1):
        distances = [np.abs(picture - made[number]).mean() for picture in seen[number]]
        others = [np.abs(picture - made[1 - number]).mean() for picture in seen[number]]
        assert max(distances) < 30 < min(others)


@pytest.mark.long
def test_drawing_changes_nothing_and_is_done_once_for_each_ask(weights_dir: Path) -> None:
    pipeline = loaded("zimage", weights_dir)
    followed = Steps()
    shown = only(pipeline.run(asked(num_inference_steps=STEPS), Inputs(), followed.context()))
    assert np.array_equal(image(pipeline, num_inference_steps=STEPS), shown)
    assert [(32, 32, 3)] * (STEPS - 1) == [picture.shape for picture in followed.drawn]
    unfollowed = Steps(since=99)
    pipeline.run(asked(num_inference_steps=STEPS, num_images=2), Inputs(), unfollowed.context())
    assert ([], 2 * (STEPS - 1)) == (unfollowed.drawn, len(unfollowed.offered))


def test_each_job_of_a_shared_run_shows_its_own(weights_dir: Path) -> None:
    pipeline = loaded("zimage", weights_dir, batch={"jobs": 2}, capabilities=["text-to-image"])
    together, alone = [Steps(), Steps()], [Steps(), Steps()]
    pairs = [(asked(), steps.context(seed)) for seed, steps in enumerate(together)]
    pipeline.run_shared([(params, msgspec.structs.replace(ctx, batch=2)) for params, ctx in pairs])  # type: ignore[attr-defined]
    for seed, steps in enumerate(alone):
        pipeline.run(asked(), Inputs(), steps.context(seed))
    for one, other in zip(together, alone, strict=True):
        assert len(one.drawn) == len(other.drawn) > 0
        assert all(
            np.abs(a.astype(int) - b.astype(int)).max() <= 1 for a, b in zip(one.drawn, other.drawn, strict=True)
        )


@pytest.mark.long
def test_a_film_shows_one_of_its_frames(tmp_path: Path) -> None:
    tiny_videos.save("wan22", tmp_path / "wan22")
    entry = spec(
        id="wan22", family="diffusers-video", modality="video", source={"path": "wan22"},
        capabilities=["text-to-video"], limits={"side_multiple": 32, "frame_step": 4}, defaults={"fps": 24},
    )  # fmt: skip
    steps = Steps()
    params = VideoParams(prompt="x", width=128, height=64, duration_seconds=0.5, num_inference_steps=3)
    DiffusersVideo(entry, tmp_path / "wan22", "cpu").run(params, Inputs(), steps.context())
    (height, width, _), *_ = [picture.shape for picture in steps.drawn]
    assert (2, width) == (len(steps.drawn), 2 * height)
