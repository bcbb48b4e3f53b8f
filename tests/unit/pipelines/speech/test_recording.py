"""Recordings that grow: what was read of one while it was made is the beginning of what is stored."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from jobs.params.speech import SpeechParams
from pipelines.audio.files import FORMATS
from pipelines.runtime.protocol import RawOutput
from pipelines.speech.encode import encode, open_recording
from pipelines.speech.recording import HEADER_BYTES

RATE = 24_000


def tone(seconds: float = 3.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 330 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def params(output_format: Any, speed: float = 1.0, loudness: float | None = -18) -> SpeechParams:
    asked = {"output_format": output_format, "speed": speed, "loudness": loudness}
    return SpeechParams(text="Hello", apply_watermark=False, stream=True, **asked)


def seconds(content: bytes) -> float:
    with av.open(BytesIO(content)) as opened:
        return sum(frame.samples / frame.sample_rate for frame in opened.decode(audio=0))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("speed", "loudness"), [(1.0, None), (1.5, -18)])
def test_the_stored_file_is_what_was_streamed(tmp_path: Path, name: str, speed: float, loudness: float | None) -> None:
    parts, grown = np.array_split(tone(), 6), []
    recording, _ = open_recording(params(name, speed, loudness), RATE, tmp_path, is_streamed=True)
    for part in parts:
        recording.add(part)
        grown.append(recording.path.read_bytes())
    recording.close()

    (tmp_path / "stored").mkdir()
    arrays = {"samples": tone(), "parts": np.array([len(part) for part in parts])}
    raw = RawOutput(arrays=arrays, metadata={"seed": 1, "sample_rate": RATE})
    encode(raw, params(name, speed, loudness), tmp_path / "stored")
    stored = (tmp_path / "stored" / f"0.{name}").read_bytes()

    assert recording.path.read_bytes() == stored
    for before, after in zip(grown, [*grown[1:], stored], strict=True):
        assert len(before) <= len(after)
        assert before[HEADER_BYTES:] == after[HEADER_BYTES : len(before)]
    assert len(grown[2]) > len(grown[0])


@pytest.mark.parametrize("name", ["wav", "ogg", "mp3", "flac"])
def test_what_is_there_by_now_can_be_played(tmp_path: Path, name: str) -> None:
    recording, _ = open_recording(params(name), RATE, tmp_path, is_streamed=True)
    recording.add(tone(2.0))
    assert seconds(recording.path.read_bytes()) == pytest.approx(2.0, abs=0.45)  # Ogg holds two pages back
    recording.abandon()


def test_parts_that_are_not_all_of_the_samples_are_refused(tmp_path: Path) -> None:
    arrays = {"samples": tone(), "parts": np.array([5])}
    with pytest.raises(Exception, match="lengths of all"):
        encode(RawOutput(arrays=arrays, metadata={"seed": 1, "sample_rate": RATE}), params("wav"), tmp_path)


def test_it_needs_no_torch() -> None:
    code = "import sys, pipelines.speech.recording; sys.exit('torch' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
