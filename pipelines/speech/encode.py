"""Speech as files; runs in the encoder process. Torch is imported for the first watermark only."""

from pathlib import Path

from jobs.params.speech import SpeechParams
from pipelines.audio.files import FORMATS, read_samples, write_audio
from pipelines.runtime.output_format import choose_format
from pipelines.runtime.protocol import Outputs, RawOutput
from pipelines.speech.samples import change_tempo
from pipelines.speech.watermark import add_watermark


def encode(raw: RawOutput, params: SpeechParams, folder: Path) -> Outputs:
    """Write `raw.arrays["samples"]`, of one channel, as `0.wav`, `0.mp3` and so on, and the waveform as `1.png`.

    They get the speed and the watermark of `params` here. Image formats give wav and a warning. Raises what
    `read_samples` and `write_audio` raise, and `ModelLoadFailed` without the watermarker.
    """
    name, warnings = choose_format(params.output_format, FORMATS, "wav", "audio")
    samples, rate = read_samples(raw, channels=1)
    samples = change_tempo(samples, rate, params.speed)
    if params.apply_watermark:
        samples = add_watermark(samples, rate)
    return Outputs(files=write_audio(samples, rate, name, folder), warnings=warnings)
