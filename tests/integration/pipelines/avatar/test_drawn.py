"""The demo's avatar: how far the mouth is open in the film follows how loud the voice is."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw

from jobs.params.video import AvatarParams
from pipelines.avatar.voice import FPS, read_voice
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.spec import Stage
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.runtime.registry import encoder
from pipelines.weights.lockfile import Lock
from tests.support.media.videos import seen
from tests.support.media.voices import RATE, save_voice, syllables

SPEC = load_catalog().get("demo-avatar")
PLACE = {"face_x": 0.5, "face_y": 0.5, "face_size": 0.8}
SECONDS = 2.0


def portrait() -> Image.Image:
    """A plain face of odd sides, with a mouth where a face has it."""
    picture = Image.new("RGB", (161, 201), "#c0d0e0")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((20, 20, 141, 181), fill="#e0b090")
    for x in (56, 105):
        draw.ellipse((x - 8, 76, x + 8, 88), fill="white", outline="black")
    draw.ellipse((58, 136, 103, 142), fill="#b04050")
    return picture


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("avatar")
    portrait().save(folder / "face.png")
    voice = save_voice(folder / "voice.wav", syllables(SECONDS))
    return Inputs({"input_image": folder / "face.png", "input_audio": voice})


@pytest.fixture(scope="module")
def made(inputs: Inputs) -> RawOutput:
    return run(inputs)


def run(inputs: Inputs, log: list[tuple[float, Stage]] | None = None, **fields: float) -> RawOutput:
    reports = [] if log is None else log
    context = RunContext(seed=1, progress=lambda part, stage: reports.append((part, stage)), warn=lambda text: None)
    params = AvatarParams(input_image="a", input_audio="b", **(fields or PLACE))
    return load(SPEC, Path(), Lock(), "cpu").run(params, inputs, context)


@pytest.mark.contract("D16")
def test_the_mouth_opens_as_the_voice_is_loud(made: RawOutput, inputs: Inputs) -> None:
    frames = seen(made.arrays["frames"])
    dark = (frames.astype(int).sum(-1) < 220)[:, 120:170, 50:112].sum((1, 2))
    heard = read_voice(inputs.files["input_audio"]).heard
    loud = [float(np.sqrt((heard[round(n * 640) : round((n + 1) * 640)] ** 2).mean())) for n in range(len(frames))]

    assert np.corrcoef(dark, loud)[0, 1] > 0.8
    assert 0 == dark[loud.index(min(loud))] < max(dark)


def test_the_rest_of_the_picture_stays(made: RawOutput) -> None:
    frames = seen(made.arrays["frames"]).astype(int)

    assert np.abs(frames - frames[0])[:, :60].max() <= 2
    assert np.abs(frames - frames[0])[:, 120:170].max() > 100


def test_its_file_has_the_voice(made: RawOutput, tmp_path: Path) -> None:
    params = AvatarParams(input_image="a", input_audio="b")
    (output,) = encoder(SPEC)(made, params, tmp_path).files
    with av.open(str(tmp_path / output.path)) as film:
        heard = sum(frame.samples for frame in film.decode(audio=0))

    assert abs(heard - SECONDS * 48_000) < 2 * 1024  # AAC's frames
    assert (160, 200, SECONDS) == (output.width, output.height, output.duration)
    assert made.arrays["sound"].shape == (round(SECONDS * 48_000), 2)


def test_it_says_what_it_is_and_asks_where_the_face_is(inputs: Inputs, made: RawOutput) -> None:
    unsaid = run(inputs, face_size=0.5).warnings

    assert ["the lower face"] == [warning[:14] for warning in made.warnings]
    assert ["the lower face", "the face was t"] == [warning[:14] for warning in unsaid]


def test_a_voice_of_a_moment_makes_one_frame(inputs: Inputs, tmp_path: Path) -> None:
    short = save_voice(tmp_path / "short.wav", syllables(SECONDS)[: RATE // 100])

    assert 1 == run(Inputs({**inputs.files, "input_audio": short})).metadata["frames"]


@pytest.mark.long
def test_every_frame_is_reported_and_a_cancel_ends_it(inputs: Inputs) -> None:
    log: list[tuple[float, Stage]] = []
    run(inputs, log)

    def stop(part: float, stage: Stage) -> None:
        if part > 0.1:
            raise JobCancelled

    assert (round(SECONDS * FPS) + 1, (0.0, "prepare"), "encode") == (len(log), log[0], log[-1][1])
    with pytest.raises(JobCancelled):
        load(SPEC, Path(), Lock(), "cpu").run(
            AvatarParams(input_image="a", input_audio="b"), inputs, RunContext(seed=1, progress=stop, warn=print)
        )
