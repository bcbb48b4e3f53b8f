"""Motion control: the demo's camera follows that of a film, and VACE follows a film as diffusers has it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import WanVACEPipeline
from PIL import Image, ImageDraw, ImageOps

from core.errors.failures import ModelLoadFailed
from core.errors.fields import InvalidRequest
from jobs.params.video import VideoParams
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.spec import ModelSpec, Stage
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.video.camera import render_frames
from pipelines.video.clips import read_facts, read_frames
from pipelines.video.frames import FramePlan
from pipelines.video.motion import MOST_PIXELS, _sharpness
from pipelines.video.moves import choose_move
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import tiny_preprocessors, tiny_videos
from tests.support.checkpoints.specs import spec
from tests.support.media.films import FPS, moving_art, save_film
from tests.support.media.videos import planes, psnr, scene, seen

DEMO = load_catalog().get("demo-motion")
SIZE = (288, 192)
STILL, OTHER = scene((576, 384), seed=5), scene((576, 384))


def filmed(still: Image.Image, move: str, count: int = 12) -> list[Image.Image]:
    """What the demo's camera sees of a picture."""
    return list(render_frames(still, SIZE, FramePlan(count, FPS, (count,)), choose_move(move, 1)))


def inputs(folder: Path, frames: list[Image.Image]) -> Inputs:
    STILL.save(folder / "still.png")
    return Inputs({"input_image": folder / "still.png", "motion_video": save_film(frames, folder / "film.mp4")})


def follow(given: Inputs, log: list[tuple[float, Stage]] | None = None, seconds: float = 1.0) -> RawOutput:
    reports = [] if log is None else log
    context = RunContext(seed=1, progress=lambda part, stage: reports.append((part, stage)), warn=lambda text: None)
    params = VideoParams(width=SIZE[0], height=SIZE[1], duration_seconds=seconds)
    return load(DEMO, Path(), Lock(), "cpu").run(params, given, context)


class TestDemo:
    """The picture moves as it had if the camera of the film had filmed it."""

    @pytest.mark.contract("B51")
    def test_the_camera_moves_as_that_of_the_film(self, tmp_path: Path) -> None:
        self.test_any_move_is_followed(tmp_path, "zoom in, left, fast")

    @pytest.mark.long
    @pytest.mark.parametrize("move", ["zoom in", "zoom out", "pan right, fast", "tilt up", "zoom out, left, fast"])
    def test_any_move_is_followed(self, tmp_path: Path, move: str) -> None:
        log: list[tuple[float, Stage]] = []
        raw = follow(inputs(tmp_path, filmed(OTHER, move)), log)
        made, truth = seen(raw.arrays["frames"]), [np.asarray(frame) for frame in filmed(STILL, move)]

        assert 24 == len(made)
        assert psnr(made[0], truth[0]) > 30
        assert psnr(made[-1], truth[-1]) > psnr(made[0], truth[-1]) + 6
        assert (0.0, "prepare") == log[0]
        assert "encode" == log[-1][1]
        assert len(log) == 1 + 2 * len(made)
        assert raw.warnings[0].startswith("camera motion only: ")

    @pytest.mark.long
    def test_what_moves_in_front_does_not_count(self, tmp_path: Path) -> None:
        frames = filmed(OTHER, "static")
        for number, frame in enumerate(frames):
            ImageDraw.Draw(frame).circle((60 + 12 * number, 100), 30, fill="red")

        raw = follow(inputs(tmp_path, frames))

        made = seen(raw.arrays["frames"])
        assert psnr(made[0], made[-1]) > 26

    @pytest.mark.long
    def test_a_film_without_motion_is_said(self, tmp_path: Path) -> None:
        raw = follow(inputs(tmp_path, [Image.new("RGB", SIZE, "gray")] * 6))

        made = seen(raw.arrays["frames"])
        assert np.array_equal(made[0], made[-1])
        assert "no camera motion was found in `motion_video`; the picture stands still" in raw.warnings
        assert "`motion_video` has 0.50 s; demo-motion makes 0.50 s instead of 1 s" in raw.warnings

    @pytest.mark.long
    def test_a_longer_film_is_followed_as_far_as_is_asked(self, tmp_path: Path) -> None:
        given = inputs(tmp_path, filmed(OTHER, "zoom in"))

        raw = follow(given, seconds=0.5)

        assert (12, 24) == (raw.metadata["frames"], raw.metadata["fps"])
        assert "demo-motion follows the first 0.50 s of `motion_video`, which has 1.00 s" in raw.warnings
        assert raw.arrays["frames"].tobytes() == follow(given, seconds=0.5).arrays["frames"].tobytes()

    @pytest.mark.parametrize(("still", "over"), [((6144, 6144), 1.0), ((6144, 6144), 0.0), ((1536, 1536), 1.0)])
    def test_the_picture_around_has_a_bound(self, still: tuple[int, int], over: float) -> None:
        sharp = _sharpness(still, (1536, 1536), 4.0, over)
        assert (1536 * sharp * (1 + 2 * over)) ** 2 <= MOST_PIXELS * 1.001
        assert 1 <= sharp <= still[0] / 1536

    @pytest.mark.long
    def test_it_ends_when_its_job_is_cancelled(self, tmp_path: Path) -> None:
        def stop(part: float, stage: Stage) -> None:
            if part > 0.1:
                raise JobCancelled

        with pytest.raises(JobCancelled):
            load(DEMO, Path(), Lock(), "cpu").run(
                VideoParams(), inputs(tmp_path, filmed(OTHER, "zoom in")), RunContext(seed=1, progress=stop, warn=print)
            )

    @pytest.mark.parametrize("name", ["input_image", "motion_video"])
    def test_it_needs_a_picture_and_a_film(self, tmp_path: Path, name: str) -> None:
        given = dict(inputs(tmp_path, moving_art(2)).files)
        del given[name]
        with pytest.raises(InvalidRequest, match=f"`{name}` is required"):
            follow(Inputs(given))


@pytest.fixture(scope="module")
def weights(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tiny_videos.save("vace", folder / "vace")
    tiny_preprocessors.save(folder)
    return folder


def vace(**changes: Any) -> ModelSpec:
    entry = {
        "id": "vace",
        "family": "diffusers-video",
        "modality": "video",
        "source": {"path": "vace"},
        "capabilities": ["text-to-video", "image-to-video", "first-last-frame", "references", "motion-control"],
        "limits": {"frame_step": 4, "side_multiple": 32, "max_side": 128, "max_references": 2},
        "defaults": {"fps": 16},
    }
    return spec(**entry | changes)


class TestVace:
    """A film of poses, as diffusers' guide has it: the film under a white mask, the picture as a reference."""

    @pytest.mark.long
    def test_frames_equal_those_of_diffusers(self, weights: Path, tmp_path: Path) -> None:
        raw = self.check(vace(), weights, tmp_path, lambda frame: frame)
        assert raw.warnings[0].startswith("`motion_video` is followed as it is given")
        assert "`motion_video` has 0.33 s; vace makes 0.31 s instead of 2 s" in raw.warnings

    @pytest.mark.long
    def test_poses_are_found_in_a_film_of_people(self, weights: Path, tmp_path: Path) -> None:
        entry = vace(preprocessors=tiny_preprocessors.entry_of("pose"))
        poses = partial(tiny_preprocessors.poses_of, weights, with_people=False)
        made = [
            self.check(entry, weights, tmp_path, *how).arrays["frames"]
            for how in ((poses, False), (lambda frame: frame, True))
        ]
        assert not np.array_equal(*made)

    def check(
        self,
        entry: ModelSpec,
        weights: Path,
        folder: Path,
        drawn: Callable[[Image.Image], Image.Image],
        as_given: bool = False,
    ) -> RawOutput:
        given = inputs(folder, moving_art(4))
        context = RunContext(seed=1, progress=lambda part, stage: None, warn=lambda text: None)
        params = VideoParams(
            prompt="a", width=64, height=96, duration_seconds=2, num_inference_steps=2, motion_as_given=as_given
        )
        lock = Lock({bundle.key: lock_directory(bundle, bundle.directory(weights)) for bundle in entry.bundles})

        raw = load(entry, weights, lock, "cpu").run(params, given, context)

        film = [Image.fromarray(frame) for frame in read_frames(read_facts(given.files["motion_video"]))]
        fitted = [ImageOps.fit(film[place], (64, 96), Image.Resampling.LANCZOS) for place in (0, 1, 2, 2, 3)]
        pipe = WanVACEPipeline.from_pretrained(weights / "vace", dtype=torch.float32)
        pipe.set_progress_bar_config(disable=True)
        own = pipe(
            prompt="a",
            video=[drawn(frame) for frame in fitted],
            mask=[Image.new("L", (64, 96), "white")] * 5,
            reference_images=[STILL],
            width=64,
            height=96,
            num_frames=5,
            num_inference_steps=2,
            generator=torch.Generator().manual_seed(1),
            output_type="np",
        ).frames[0]
        assert np.array_equal(planes(own), raw.arrays["frames"])
        return raw

    def test_a_model_that_follows_no_film_is_refused(self, weights: Path, tmp_path: Path) -> None:
        tiny_videos.save("wan22", tmp_path / "vace")
        entry = vace(capabilities=["text-to-video", "motion-control"])
        with pytest.raises(ModelLoadFailed, match="cannot follow a film; remove `motion-control`"):
            load(entry, tmp_path, Lock({"vace": lock_directory(entry, tmp_path / "vace")}), "cpu")
