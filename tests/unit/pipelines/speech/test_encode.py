"""Sound as files, read back with ffmpeg's decoders."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from core.errors.failures import EncodeFailed, ModelLoadFailed
from jobs.params.speech import SpeechParams
from pipelines.audio.waveform import INK, draw_waveform
from pipelines.runtime.protocol import Outputs, RawOutput
from pipelines.speech import recording
from pipelines.speech.encode import encode
from pipelines.speech.watermark import detect_watermark

RATES = [22_050, 24_000]


def tone(rate: int, seconds: float = 1.5) -> np.ndarray:
    """A tone of 440 Hz that swells and fades."""
    time = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * 440 * time) * np.hanning(len(time))).astype(np.float32)


def encoded(
    folder: Path,
    output_format: Any,
    samples: np.ndarray,
    *,
    apply_watermark: bool = False,
    loudness: float | None = None,
    **facts: Any,
) -> Outputs:
    folder.mkdir(exist_ok=True)
    raw = RawOutput(arrays={"samples": samples}, metadata={"seed": 1, **facts})
    asked = {"output_format": output_format, "apply_watermark": apply_watermark, "loudness": loudness}
    params = SpeechParams(text="Hello", **asked)
    return encode(raw, params, folder)


def decoded(file: Path) -> tuple[np.ndarray, int, str]:
    """Samples in -1 to 1, how many are a second, and the name of the codec."""
    with av.open(file) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="flt", layout="mono", rate=stream.rate)
        frames = [frame for part in container.decode(stream) for frame in resampler.resample(part)]
        samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        return samples, stream.rate, stream.codec_context.name


@pytest.mark.parametrize("rate", RATES)
class TestFormats:
    @pytest.mark.contract("C40")
    def test_wav_holds_every_sample(self, tmp_path: Path, rate: int) -> None:
        outputs = encoded(tmp_path, "wav", tone(rate), sample_rate=rate)

        samples, read, codec = decoded(tmp_path / "0.wav")
        assert ("audio/wav", 1.5) == (outputs.files[0].media_type, outputs.files[0].duration)
        assert (rate, "pcm_s16le") == (read, codec)
        assert np.abs(tone(rate) - samples).max() < 1 / 32000

    @pytest.mark.parametrize(
        ("name", "codec", "its_rate", "media_type", "padding"),
        [
            ("mp3", "mp3float", None, "audio/mpeg", 0.001),
            ("ogg", "opus", 48_000, "audio/ogg", 0.001),
            ("flac", "flac", None, "audio/flac", 0.001),
            ("aac", "aac", None, "audio/aac", 0.15),  # ADTS does not say how much of its frames is padding
        ],
    )
    def test_compressed_it_is_as_long_and_the_same_tone(
        self, tmp_path: Path, rate: int, name: str, codec: str, its_rate: int | None, media_type: str, padding: float
    ) -> None:
        outputs = encoded(tmp_path, name, tone(rate), sample_rate=rate)

        samples, read, found = decoded(tmp_path / outputs.files[0].path)
        assert media_type == outputs.files[0].media_type
        assert ((its_rate or rate), codec) == (read, found)
        assert len(samples) / read == pytest.approx(1.5, abs=padding)
        assert np.abs(samples).max() == pytest.approx(0.5, abs=0.05)
        strongest = np.abs(np.fft.rfft(samples)).argmax() * read / len(samples)
        assert strongest == pytest.approx(440, abs=2)

    def test_pcm_is_nothing_but_24_khz_samples(self, tmp_path: Path, rate: int) -> None:
        outputs = encoded(tmp_path, "pcm", tone(rate), sample_rate=rate)

        samples = np.frombuffer((tmp_path / "0.pcm").read_bytes(), "<i2") / 32768
        assert ("audio/pcm", 1.5) == (outputs.files[0].media_type, outputs.files[0].duration)
        assert len(samples) / 24_000 == pytest.approx(1.5, abs=0.01)
        assert np.abs(np.fft.rfft(samples)).argmax() * 24_000 / len(samples) == pytest.approx(440, abs=2)

    @pytest.mark.parametrize("name", ["wav", "mp3", "ogg", "aac", "flac", "pcm"])
    def test_the_same_samples_are_the_same_bytes(self, tmp_path: Path, rate: int, name: str) -> None:
        first, again = tmp_path / "first", tmp_path / "again"
        encoded(first, name, tone(rate), sample_rate=rate)
        encoded(again, name, tone(rate), sample_rate=rate)

        for file in (f"0.{name}", "1.png"):
            assert (first / file).read_bytes() == (again / file).read_bytes()


@pytest.mark.parametrize("name", ["webp", "jpeg", "png"])
def test_a_format_of_images_gives_wav_and_a_warning(tmp_path: Path, name: str) -> None:
    outputs = encoded(tmp_path, name, tone(24_000), sample_rate=24_000)

    assert "0.wav" == outputs.files[0].path
    assert (f"`output_format` {name} is for images; this audio is wav",) == outputs.warnings


def test_too_loud_is_clipped_and_does_not_turn_over(tmp_path: Path) -> None:
    encoded(tmp_path, "wav", tone(24_000) * 4, sample_rate=24_000)

    samples, _, _ = decoded(tmp_path / "0.wav")
    assert np.abs(np.diff(samples)).max() < 0.3
    assert 1 == pytest.approx(np.abs(samples).max(), abs=0.001)


@pytest.mark.contract("C39")
@pytest.mark.parametrize("loudness", [None, -18.0, -10.0])
def test_the_watermark_is_there_when_it_is_wanted(tmp_path: Path, loudness: float | None) -> None:
    noise = (0.1 * np.random.default_rng(3).normal(size=48_000)).astype(np.float32)
    found = []
    for wanted in (True, False):
        encoded(tmp_path, "wav", noise, sample_rate=24_000, apply_watermark=wanted, loudness=loudness)
        samples, rate, _ = decoded(tmp_path / "0.wav")
        found.append(detect_watermark(samples, rate))
    assert found[0] > 0.9
    assert found[1] < 0.1


def test_without_the_watermarker_no_file_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(samples: np.ndarray, rate: int) -> np.ndarray:
        raise ModelLoadFailed("the watermarker is not installed")

    monkeypatch.setattr(recording, "add_watermark", missing)
    with pytest.raises(ModelLoadFailed):
        encoded(tmp_path, "wav", tone(24_000), sample_rate=24_000, apply_watermark=True)
    assert [] == list(tmp_path.iterdir())


class TestWaveform:
    def test_it_lies_beside_the_sound(self, tmp_path: Path) -> None:
        outputs = encoded(tmp_path, "ogg", tone(24_000), sample_rate=24_000)

        with Image.open(tmp_path / outputs.files[1].path) as image:
            assert "PNG" == image.format
            assert (outputs.files[1].width, outputs.files[1].height) == image.size
        assert ["0.ogg", "1.png"] == [file.path for file in outputs.files]

    def test_it_is_high_where_the_sound_is_loud(self) -> None:
        ink = np.all(np.asarray(draw_waveform(tone(24_000))) == INK, axis=2).sum(axis=0)
        first, middle, last = ink[: len(ink) // 8].max(), ink.max(), ink[-len(ink) // 8 :].max()
        assert middle > 3 * first
        assert middle > 3 * last

    @pytest.mark.parametrize("samples", [np.zeros(1, np.float32), np.full(5000, 9, np.float32)])
    def test_silence_and_noise_fit(self, samples: np.ndarray) -> None:
        draw_waveform(samples)


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        (np.zeros(0, np.float32), 24_000),
        (np.zeros(10, np.float64), 24_000),
        (np.zeros((2, 10), np.float32), 24_000),
        (np.full(10, np.nan, np.float32), 24_000),
        (np.zeros(10, np.float32), 0),
        (np.zeros(10, np.float32), None),
    ],
)
def test_what_is_no_sound_is_refused(tmp_path: Path, samples: np.ndarray, rate: int | None) -> None:
    with pytest.raises(EncodeFailed):
        encoded(tmp_path, "wav", samples, sample_rate=rate)


def test_a_folder_that_is_not_there_is_the_machines_fault(tmp_path: Path) -> None:
    raw = RawOutput(arrays={"samples": tone(24_000)}, metadata={"sample_rate": 24_000})
    for name in ("wav", "mp3"):
        with pytest.raises(OSError, match="No such file"):
            encode(raw, SpeechParams(text="Hello", output_format=name), tmp_path / "missing")  # type: ignore[arg-type]


def test_torch_is_not_imported() -> None:
    code = "import sys, pipelines.speech.encode; sys.exit('torch' in sys.modules or 'librosa' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
