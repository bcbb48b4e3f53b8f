"""The demo's camera: from a still on disk to a video that is read back."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from core.errors.fields import NotThisModel
from jobs.params.video import VideoParams
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.spec import Stage
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.runtime.registry import encoder
from pipelines.weights.lockfile import Lock
from tests.support.media.videos import DecodedVideo, decode_video, psnr, scene, seen

SPEC = load_catalog().get("demo-camera")
STILL = (800, 600)
SMALL = {"width": 192, "height": 128, "duration_seconds": 1.0}
MOVES = ["cinematic motion", "zoom in", "zoom out", "pan left", "pan right", "tilt up", "tilt down", "orbit", "static"]


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("still") / "still.png"
    scene(STILL).save(file)
    return file


def run(still: Path, seed: int = 42, log: list[tuple[float, Stage]] | None = None, **params: Any) -> RawOutput:
    reports = [] if log is None else log
    context = RunContext(seed=seed, progress=lambda part, stage: reports.append((part, stage)), warn=lambda text: None)
    pipeline = load(SPEC, Path(), Lock(), "cpu")
    return pipeline.run(VideoParams(**{**SMALL, **params}), Inputs({"input_image": still}), context)


def shown(still: Path, **options: Any) -> np.ndarray:
    """The frames of `run` in RGB."""
    return seen(run(still, **options).arrays["frames"])


def covered(still: Path, size: tuple[int, int]) -> np.ndarray:
    """The still as it has to be in the first frame."""
    with Image.open(still) as image:
        return np.asarray(ImageOps.fit(image.convert("RGB"), size, Image.Resampling.LANCZOS))


def render_frames(raw: RawOutput, folder: Path, container: str) -> DecodedVideo:
    outputs = encoder(SPEC)(raw, VideoParams(output_format=container), folder)
    return decode_video((folder / outputs.files[0].path).read_bytes(), container)


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("width", "height", "seconds", "container"),
    [
        (896, 512, 2.0, "mp4"),
        pytest.param(896, 512, 2.0, "webm", marks=pytest.mark.long),
        *((*shape, container) for shape in ((320, 576, 0.5), (512, 512, 0.1)) for container in ("mp4", "webm")),
    ],
)
def test_frames_size_and_duration_as_asked_and_the_still_first(
    still: Path, tmp_path: Path, container: str, width: int, height: int, seconds: float
) -> None:
    raw = run(still, width=width, height=height, duration_seconds=seconds)
    made = render_frames(raw, tmp_path, container)

    assert (round(seconds * 24), height, width, 3) == made.frames.shape
    assert seconds == pytest.approx(made.duration, abs=0.5 / 24)
    assert psnr(covered(still, (width, height)), made.frames[0]) >= 30
    assert () == raw.warnings


@pytest.mark.parametrize("prompt", MOVES)
def test_every_move_starts_at_the_still_itself(still: Path, prompt: str) -> None:
    assert psnr(covered(still, (192, 128)), shown(still, prompt=prompt)[0]) > 35


@pytest.mark.long
def test_prompts_choose_different_moves(still: Path) -> None:
    ends = {prompt: shown(still, prompt=prompt)[-6] for prompt in MOVES}

    alike = [(one, other) for one in MOVES for other in MOVES if one < other and psnr(ends[one], ends[other]) > 30]
    assert [] == alike


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("prompt", "left", "top", "extent"),
    [
        ("zoom in", 0.5, 0.5, 1 / 1.16),
        ("pan right", 1.0, 0.5, 1 / 1.16),
        ("pan left", 0.0, 0.5, 1 / 1.16),
        ("tilt up", 0.5, 0.0, 1 / 1.16),
        ("fast zoom in, down", 0.5, 1.0, 1 / 1.24),
    ],
)
def test_where_two_seconds_end(still: Path, prompt: str, left: float, top: float, extent: float) -> None:
    """`left` and `top`: the part of the room to move that lies before the last view."""
    whole = Image.fromarray(covered(still, (576, 384)))
    x, y = left * (1 - extent) * whole.width, top * (1 - extent) * whole.height
    box = (x, y, x + extent * whole.width, y + extent * whole.height)
    expected = np.asarray(whole.resize((192, 128), Image.Resampling.LANCZOS, box=box))

    assert psnr(expected, shown(still, prompt=prompt, duration_seconds=2.0)[-1]) > 30


def test_a_camera_that_backs_away_shows_the_still_smaller(still: Path) -> None:
    last = shown(still, prompt="zoom out", duration_seconds=2.0)[-1]
    width, height = round(192 / 1.1), round(128 / 1.1)
    x, y = (192 - width) // 2, (128 - height) // 2

    assert psnr(covered(still, (width, height)), last[y : y + height, x : x + width]) > 20
    assert last[:, :2].std() > 0


@pytest.mark.parametrize("prompt", ["zoom in", "zoom out, left", "pan right", "cinematic motion"])
def test_a_dot_glides_without_jitter(tmp_path: Path, prompt: str) -> None:
    """Its path has no corner: from frame to frame the step changes by a fraction of a pixel."""
    across, along = np.meshgrid(np.arange(384), np.arange(256))
    dot = 255 * np.exp(-((across - 150.0) ** 2 + (along - 100.0) ** 2) / (2 * 8**2))
    Image.fromarray(dot.astype(np.uint8)).convert("RGB").save(tmp_path / "dot.png")

    frames = shown(tmp_path / "dot.png", prompt=prompt, duration_seconds=2.0)[..., 0].astype(float)
    axes = np.meshgrid(np.arange(192), np.arange(128))
    places = np.array([[(frame * axis).sum() / frame.sum() for axis in axes] for frame in frames])

    assert np.abs(np.diff(places, n=2, axis=0)).max() < 0.25
    assert np.abs(places[-1] - places[0]).max() > 1


def test_the_last_frame_of_an_orbit_is_the_first(still: Path) -> None:
    frames = shown(still, prompt="orbit", duration_seconds=1.0)

    assert psnr(frames[0], frames[-1]) > 40
    assert psnr(frames[0], frames[len(frames) // 4]) < 30


def test_the_seed_decides_the_drift_and_repeats_it(still: Path) -> None:
    first, again, other = (shown(still, seed=seed) for seed in (1, 1, 4))

    assert np.array_equal(first, again)
    assert not np.array_equal(first[-1], other[-1])
    assert psnr(first[0], other[0]) > 60


def test_every_frame_is_reported(still: Path) -> None:
    log: list[tuple[float, Stage]] = []
    run(still, log=log)

    assert (0.0, "prepare") == log[0]
    assert 25 == len(log)
    assert sorted(set(log)) == log
    assert {"step"} == {stage for _, stage in log[1:-1]}
    assert (24 / 25, "encode") == log[-1]


def test_a_cancel_lands_at_the_next_frame(still: Path) -> None:
    log: list[float] = []

    def stop(part: float, stage: Stage) -> None:
        log.append(part)
        if len(log) == 3:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        load(SPEC, Path(), Lock(), "cpu").run(
            VideoParams(**SMALL), Inputs({"input_image": still}), RunContext(seed=1, progress=stop, warn=print)
        )
    assert 3 == len(log)


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    Image.new("RGBA", (96, 64), (255, 0, 0, 0)).save(tmp_path / "clear.png")

    assert 255 == shown(tmp_path / "clear.png", prompt="zoom out").min()


@pytest.mark.matrix
@pytest.mark.parametrize("size", [(1, 1), (2000, 3), (64, 64), (1537, 1023)])
def test_stills_of_any_shape(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size, "#804020").save(tmp_path / "odd.png")

    for prompt in ("zoom out and left", "fast pan right", "orbit"):
        frames = shown(tmp_path / "odd.png", prompt=prompt, duration_seconds=10, width=64, height=64)
        assert (240, 64, 64, 3) == frames.shape
        assert np.abs(frames.astype(int) - (0x80, 0x40, 0x20)).max() <= 1


def test_what_it_has_no_use_for_is_said(still: Path) -> None:
    raw = run(still, negative_prompt="blur", num_inference_steps=9, guidance_scale=2, quality="ultra")

    assert [
        "demo-camera does not use `negative_prompt`; it was ignored",
        "demo-camera does not use `num_inference_steps`; it was ignored",
        "demo-camera does not use `guidance_scale`; it was ignored",
        "demo-camera has no preset 'ultra'; its standard one was used",
    ] == list(raw.warnings)


def test_without_a_still_there_is_no_film() -> None:
    with pytest.raises(NotThisModel, match="input_image"):
        load(SPEC, Path(), Lock(), "cpu").run(
            VideoParams(), Inputs(), RunContext(seed=1, progress=lambda part, stage: None, warn=print)
        )


def test_it_runs_without_torch() -> None:
    code = "import pipelines.video.camera, pipelines.video.encode, sys; sys.exit('torch' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


@pytest.mark.contract("B10", "B57")
def test_a_film_has_the_sounds_that_its_prompt_names(still: Path, tmp_path: Path) -> None:
    asked = {"prompt": "slow zoom in, thunder and rain", "sound": True}
    raw, quiet = run(still, **asked), run(still, prompt="slow zoom in")
    (output,) = encoder(SPEC)(raw, VideoParams(), tmp_path).files
    with av.open(str(tmp_path / output.path)) as film:
        heard = np.concatenate([frame.to_ndarray() for frame in film.decode(audio=0)], axis=1)

    assert (48_000, 2) == raw.arrays["sound"].shape
    assert 0.05 < np.abs(heard).max() <= 1.1
    assert abs(heard.shape[1] - 48_000) < 2 * 1024  # AAC's frames
    assert ("sound made apart: thunder and rain",) == tuple(warning[:34] for warning in raw.warnings)
    assert raw.arrays["frames"].tobytes() == quiet.arrays["frames"].tobytes()
    assert "sound" not in quiet.arrays
    assert raw.arrays["sound"].tobytes() == run(still, **asked).arrays["sound"].tobytes()


def test_a_prompt_without_a_sound_leaves_the_film_silent(still: Path) -> None:
    raw = run(still, prompt="zoom in", sound=True)
    assert ({"frames"}, "demo-camera found no sound") == (set(raw.arrays), raw.warnings[0][:26])
