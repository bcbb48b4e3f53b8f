"""Joining films: every frame, the size and the rate of the first one."""

from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from core.errors.fields import NotThisModel
from jobs.params.join import JoinParams
from jobs.params.video import VideoParams
from pipelines.catalog.limits import Limits
from pipelines.catalog.spec import ModelSpec
from pipelines.join.film_join import FilmJoin
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.video.encode import encode
from tests.support.checkpoints.specs import spec
from tests.support.media.recordings import hum
from tests.support.media.videos import planes, psnr, scene, seen

MODEL = spec(id="film-join", modality="join", capabilities=[])


def film(
    folder: Path, number: int, *, count: int = 6, fps: int = 12, size: tuple[int, int] = (96, 64), tone: int = 0
) -> np.ndarray:
    """Write a film, whose window moves over a still of its own, with a tone of so many hertz; its frames."""
    still = np.asarray(scene((size[0] + count, size[1]), seed=number))
    frames = np.stack([still[:, place : place + size[0]] for place in range(count)])
    heard = {"sound": hum(tone, count / fps)} if tone else {}
    raw = RawOutput(arrays={"frames": planes(frames), **heard}, metadata={"fps": fps})
    (output,) = encode(raw, VideoParams(), folder).files
    (folder / output.path).rename(folder / f"films.{number}.mp4")
    return frames


def joined(folder: Path, count: int = 2, model: ModelSpec = MODEL) -> tuple[RawOutput, list[float]]:
    inputs = Inputs({f"films.{number}": folder / f"films.{number}.mp4" for number in range(count)})
    reports: list[float] = []
    context = RunContext(seed=1, progress=lambda part, stage: reports.append(part), warn=lambda text: None)
    return FilmJoin(model, folder, "cpu").run(JoinParams(films=("a",) * count), inputs, context), reports


def test_all_frames_of_all_films_are_there(tmp_path):
    films = [film(tmp_path, number, count=count) for number, count in enumerate((6, 4, 5))]
    raw, reports = joined(tmp_path, 3)
    assert {"seed": 1, "fps": 12, "frames": 15, "films": 3} == raw.metadata
    assert ((), sorted(reports)) == (raw.warnings, reports)
    made = seen(raw.arrays["frames"])
    for place, frame in enumerate(np.concatenate(films)):
        assert psnr(frame, made[place]) > 27


def test_other_rates_take_as_long_as_before(tmp_path):
    film(tmp_path, 0, count=12, fps=12)
    other = film(tmp_path, 1, count=12, fps=24)
    raw, _ = joined(tmp_path)
    assert 12 + 6 == raw.metadata["frames"]
    assert ("film 2 has 24 frames a second; it is shown at 12, as the first one",) == raw.warnings
    made = seen(raw.arrays["frames"])[12:]
    assert all(psnr(other[2 * place], frame) > 27 for place, frame in enumerate(made))


def test_other_sizes_are_cropped_to_the_first(tmp_path):
    film(tmp_path, 0)
    wide = film(tmp_path, 1, size=(160, 64))
    raw, _ = joined(tmp_path)
    assert ("film 2 has 160x64; it was made 96x64, as the first one",) == raw.warnings
    made = seen(raw.arrays["frames"])[6:]
    assert (6, 64, 96, 3) == made.shape
    assert psnr(wide[0][:, 32:128], made[0]) > 25


def test_films_that_are_too_long_together_are_refused(tmp_path):
    film(tmp_path, 0)
    film(tmp_path, 1)
    short = msgspec.structs.replace(MODEL, limits=Limits(max_seconds=0.9))
    with pytest.raises(NotThisModel, match=r"have 1 s together, and a joined one at most 0\.9 s"):
        joined(tmp_path, model=short)


@pytest.mark.matrix
@pytest.mark.parametrize("name", ["mp4", "webm"])
def test_each_film_keeps_its_sound_and_one_without_is_silent(tmp_path, name):
    tones = (0, 440, 0, 1200)
    for number, tone in enumerate(tones):
        film(tmp_path, number, count=12, tone=tone)
    raw, _ = joined(tmp_path, 4)
    assert (4 * 48_000, 2) == raw.arrays["sound"].shape
    (output,) = encode(raw, VideoParams(output_format=name), tmp_path).files
    with av.open(str(tmp_path / output.path)) as made:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in made.decode(audio=0)]).astype(float)
    with av.open(str(tmp_path / output.path)) as made:
        assert 48 == len(list(made.decode(video=0)))
    for number, tone in enumerate(tones):
        second = heard[number * 48_000 + 4_800 : (number + 1) * 48_000 - 4_800]
        if tone:
            spectrum = np.abs(np.fft.rfft(second))
            assert tone == pytest.approx(np.argmax(spectrum) * 48_000 / len(second), abs=2)
            assert 0.25 < np.abs(second).max() < 0.5
        else:
            assert np.abs(second).max() < 0.01


def test_films_without_sound_are_joined_without(tmp_path):
    film(tmp_path, 0)
    film(tmp_path, 1)
    raw, _ = joined(tmp_path)
    assert ["frames"] == list(raw.arrays)
