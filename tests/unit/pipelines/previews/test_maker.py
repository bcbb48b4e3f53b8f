"""The previews that an encoder adds to the outputs of a job."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.params.cutout import CutoutParams
from jobs.params.image import ImageParams
from jobs.params.sound import SoundParams
from jobs.params.speech import SpeechParams
from jobs.params.video import VideoParams
from pipelines.cutout import encode as cutout_encoder
from pipelines.image import encode as image_encoder
from pipelines.previews.maker import PreviewMaker
from pipelines.runtime.protocol import Encode, Output, Outputs, RawOutput
from pipelines.sound import encode as sound_encoder
from pipelines.speech import encode as speech_encoder
from pipelines.video import encode as video_encoder
from tests.support.media.videos import planes


def picture(color: tuple[int, ...], width: int = 400, height: int = 200) -> np.ndarray:
    return np.full((height, width, len(color)), color, np.uint8)


def encoded(encode: Encode, raw: RawOutput, params: object, folder: Path) -> Outputs:
    with PreviewMaker(folder) as maker:
        maker.begin(raw, params.output_format)  # type: ignore[attr-defined]
        return maker.finish(encode(raw, params, folder))


def names(output: Output) -> list[str]:
    return [preview.name for preview in output.previews]


def color(folder: Path, output: Output, name: str = "thumbnail") -> tuple[int, ...]:
    (preview,) = (each for each in output.previews if each.name == name)
    with Image.open(folder / preview.path) as image:
        return tuple(image.getpixel((image.width // 2, image.height // 2)))  # type: ignore[arg-type]


def test_each_picture_has_its_own(tmp_path: Path) -> None:
    colors = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    raw = RawOutput(arrays={str(number): picture(each) for number, each in enumerate(colors)})
    outputs = encoded(image_encoder.encode, raw, ImageParams(prompt="x", output_format="png"), tmp_path)
    assert [["thumbnail", "web"]] * 3 == [names(output) for output in outputs.files]
    for expected, output in zip(colors, outputs.files, strict=True):
        assert np.abs(np.subtract(color(tmp_path, output), expected)).max() < 8
    paths = [preview.path for output in outputs.files for preview in output.previews]
    assert len(set(paths)) == len(paths)


def test_a_webp_is_its_own_web_copy(tmp_path: Path) -> None:
    raw = RawOutput(arrays={"0": picture((9, 9, 9))})
    outputs = encoded(image_encoder.encode, raw, ImageParams(prompt="x", output_format="webp"), tmp_path)
    assert ["thumbnail"] == names(outputs.files[0])


def test_a_cutout_stays_transparent(tmp_path: Path) -> None:
    raw = RawOutput(arrays={"0": picture((250, 0, 0, 0))})
    outputs = encoded(cutout_encoder.encode, raw, CutoutParams(image_url="x", output_format="png"), tmp_path)
    assert 0 == color(tmp_path, outputs.files[0])[3]


def test_a_film_has_poster_strip_and_a_short_film(tmp_path: Path) -> None:
    frames = np.zeros((24, 64, 96, 3), np.uint8)
    frames[:, :, 48:] = 255
    raw = RawOutput(arrays={"frames": planes(frames)}, metadata={"fps": 8})
    outputs = encoded(video_encoder.encode, raw, VideoParams(prompt="x"), tmp_path)
    assert ["thumbnail", "poster", "strip", "web"] == names(outputs.files[0])


def test_speech_has_its_peaks_and_a_picture_of_its_waveform(tmp_path: Path) -> None:
    samples = np.sin(np.arange(24_000) * 0.2).astype(np.float32)
    raw = RawOutput(arrays={"samples": samples}, metadata={"sample_rate": 24_000})
    params = SpeechParams(text="hello", apply_watermark=False)
    outputs = encoded(speech_encoder.encode, raw, params, tmp_path)
    assert [["peaks", "thumbnail"], ["thumbnail", "web"]] == [names(output) for output in outputs.files]
    sound, waveform = outputs.files
    assert (320, 60) == (sound.previews[1].width, sound.previews[1].height)
    assert color(tmp_path, waveform) == color(tmp_path, sound)


def test_peaks_of_stereo_are_those_of_both_channels(tmp_path: Path) -> None:
    low, high = np.full(4800, -0.25, np.float32), np.full(4800, 0.75, np.float32)
    raw = RawOutput(arrays={"samples": np.stack([low, high], axis=1)}, metadata={"sample_rate": 48_000})
    sound, _ = encoded(sound_encoder.encode, raw, SoundParams(prompt="x"), tmp_path).files
    pairs = np.frombuffer((tmp_path / sound.previews[0].path).read_bytes(), np.int8).reshape(-1, 2)
    assert {(-32, 95)} == {tuple(pair) for pair in pairs.tolist()}


def test_an_output_of_no_known_array_is_read_from_its_file(tmp_path: Path) -> None:
    def encode(raw: RawOutput, params: object, folder: Path) -> Outputs:
        Image.new("RGB", (30, 20), (0, 200, 0)).save(folder / "0.png")
        return Outputs(files=(Output(path="0.png", media_type="image/png", width=30, height=20),))

    outputs = encoded(encode, RawOutput(arrays={"x": np.zeros(3)}), ImageParams(prompt="x"), tmp_path)
    assert ["thumbnail", "web"] == names(outputs.files[0])
    assert np.abs(np.subtract(color(tmp_path, outputs.files[0]), (0, 200, 0))).max() < 8


def test_what_cannot_be_made_is_left_out_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("no such picture")

    monkeypatch.setattr("pipelines.previews.maker.picture_previews", refuse)
    raw = RawOutput(arrays={"0": picture((9, 9, 9))})
    with caplog.at_level(logging.WARNING):
        outputs = encoded(image_encoder.encode, raw, ImageParams(prompt="x", output_format="png"), tmp_path)
    assert [("0.png", ())] == [(output.path, output.previews) for output in outputs.files]
    assert any("output=0.png" in line and "no such picture" in line for line in caplog.messages)


def test_an_encoder_that_fails_fails_as_before(tmp_path: Path) -> None:
    def encode(*_: object) -> Outputs:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        encoded(encode, RawOutput(arrays={"0": picture((1, 2, 3))}), ImageParams(prompt="x"), tmp_path)
