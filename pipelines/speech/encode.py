"""Speech as files; runs in the encoder process. Torch is imported for the first watermark only."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from core.errors.failures import EncodeFailed
from jobs.params.speech import SpeechParams
from pipelines.audio.files import FORMATS, audio_outputs
from pipelines.audio.samples import read_samples
from pipelines.runtime.output_format import choose_format
from pipelines.runtime.protocol import Outputs, RawOutput
from pipelines.speech.recording import GrowingRecording
from pipelines.speech.samples import Samples


def encode(raw: RawOutput, params: SpeechParams, folder: Path) -> Outputs:
    """Write `raw.arrays["samples"]`, of one channel, as `0.wav`, `0.mp3` and so on, and the waveform as `1.png`.

    They get speed, watermark and loudness of `params` here. Where there are `raw.arrays["parts"]`, the lengths of parts
    that were streamed, the file is made as it was streamed. Image formats give wav and a warning. Raises what
    `read_samples` and `audio_outputs` raise, `EncodeFailed`, and `ModelLoadFailed` without the watermarker.
    """
    samples, rate = read_samples(raw, channels=1)
    recording, warnings = open_recording(params, rate, folder, is_streamed="parts" in raw.arrays)
    try:
        for part in _parts(raw, samples):
            recording.add(part)
        recording.close()
    except BaseException:
        recording.abandon()
        raise
    return Outputs(files=audio_outputs(recording.path, recording.samples, rate), warnings=warnings)


def open_recording(
    params: SpeechParams, rate: int, folder: Path, *, is_streamed: bool
) -> tuple[GrowingRecording, tuple[str, ...]]:
    """Return a recording without a part in the format that `params` ask for, and warnings. Raises `EncodeFailed`."""
    name, warnings = choose_format(params.output_format, FORMATS, "wav", "audio")
    return GrowingRecording(folder, name, rate, params, is_streamed=is_streamed), warnings


def _parts(raw: RawOutput, samples: Samples) -> Iterator[Samples]:
    """Yield the parts that were streamed, else all samples. Raises `EncodeFailed`."""
    parts = raw.arrays.get("parts")
    if parts is None:
        yield samples
        return
    if parts.sum() != len(samples):
        raise EncodeFailed("The `parts` of audio are the lengths of all of its samples.")
    yield from np.split(samples, np.cumsum(parts)[:-1])
