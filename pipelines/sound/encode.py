"""Sounds as files; runs in the encoder process, without torch."""

from pathlib import Path

from jobs.params.sound import SoundParams
from pipelines.audio.files import FORMATS, write_audio
from pipelines.audio.samples import read_samples
from pipelines.runtime.output_format import choose_format
from pipelines.runtime.protocol import Outputs, RawOutput


def encode(raw: RawOutput, params: SoundParams, folder: Path) -> Outputs:
    """Write `raw.arrays["samples"]`, of one channel or two, and their waveform; image formats give wav and a warning.

    Raises what `read_samples` and `write_audio` raise.
    """
    name, warnings = choose_format(params.output_format, FORMATS, "wav", "sound")
    samples, rate = read_samples(raw, channels=2)
    return Outputs(files=write_audio(samples, rate, name, folder), warnings=warnings)
