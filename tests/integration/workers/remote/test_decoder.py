"""Files of a backend: decoded in the confined process, in the size that was asked for, or refused."""

import io
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.settings import Settings
from pipelines.image.size import SizePlan
from tests.support.servers.openai_backend import png, tone
from workers.remote.decoder import RemoteDecoder
from workers.remote.outcomes import RemoteAway

ASKED = SizePlan(asked=(40, 20), make=(40, 20))


@pytest.fixture(scope="module")
def decoder() -> Iterator[RemoteDecoder]:
    running = RemoteDecoder(Settings())
    yield running
    running.close()


def written(folder: Path, content: bytes) -> Path:
    file = folder / "0"
    file.write_bytes(content)
    return file


def test_pixels_are_those_of_the_file(decoder: RemoteDecoder, tmp_path: Path) -> None:
    raw = decoder.images([written(tmp_path, png(40, 20))], ASKED)
    assert (20, 40, 3) == raw.arrays["0"].shape
    assert [[[200, 30, 40]]] == np.unique(raw.arrays["0"].reshape(-1, 3), axis=0)[None].tolist()
    assert () == raw.warnings


def test_another_size_is_resized_and_said(decoder: RemoteDecoder, tmp_path: Path) -> None:
    raw = decoder.images([written(tmp_path, png(80, 80))], ASKED)
    assert (20, 40, 3) == raw.arrays["0"].shape
    assert ("the backend made 80x80; resized to 40x20",) == raw.warnings


def test_a_recording_is_samples_between_one_and_minus_one(decoder: RemoteDecoder, tmp_path: Path) -> None:
    raw = decoder.speech(written(tmp_path, tone(1.0, rate=22_050)))
    samples = raw.arrays["samples"]
    assert (22_050, 22_050, np.float32) == (len(samples), raw.metadata["sample_rate"], samples.dtype)
    assert 8000 / 32768 == pytest.approx(np.abs(samples).max(), rel=1e-3)


def test_speech_may_be_longer_than_an_input(decoder: RemoteDecoder, tmp_path: Path) -> None:
    raw = decoder.speech(written(tmp_path, tone(70.0, rate=8000)))
    assert 560_000 == len(raw.arrays["samples"])


def test_what_is_no_picture_is_a_bad_answer(decoder: RemoteDecoder, tmp_path: Path) -> None:
    for number, content in enumerate((b"<html>", png(40, 20)[:60], tone())):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(RemoteAway, match="bad_answer"):
            decoder.images([written(folder, content)], ASKED)


def test_silence_is_a_bad_answer(decoder: RemoteDecoder, tmp_path: Path) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(16_000))
    with pytest.raises(RemoteAway, match="silent"):
        decoder.speech(written(tmp_path, file.getvalue()))
