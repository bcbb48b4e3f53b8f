"""Audio as files; runs in the encoder process. Torch is imported for the first watermark only.

- WAV: 16-bit PCM.
- MP3: LAME, 96 kbit/s, one channel.
- OGG: Opus, 64 kbit/s, 48,000 samples a second, which is Opus's own rate.
- AAC: 96 kbit/s, in ADTS frames.
- FLAC: lossless, 16 bit.
- PCM: 16-bit samples, little endian, 24,000 a second, without a header, as OpenAI's clients expect it.

Each comes with an image of its waveform. The same samples give the same bytes with the same libraries, and no file
carries metadata.
"""

import wave
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
from numpy.typing import NDArray

from core.errors.failures import EncodeFailed
from jobs.params.speech import SpeechParams
from pipelines.runtime.output_format import choose_format
from pipelines.runtime.protocol import Output, Outputs, RawOutput
from pipelines.speech.samples import change_tempo
from pipelines.speech.watermark import add_watermark
from pipelines.speech.waveform import SIZE, draw_waveform


class _Format(msgspec.Struct, frozen=True):
    media_type: str
    codec: str | None = None
    bits_per_second: int | None = None
    rate: int | None = None
    """Samples a second; `None` keeps the rate of the samples."""
    container: str | None = None
    """ffmpeg's name of the container, where it is not the format's."""


_FORMATS = {
    "wav": _Format("audio/wav"),
    "mp3": _Format("audio/mpeg", "libmp3lame", 96_000),
    "ogg": _Format("audio/ogg", "libopus", 64_000, 48_000),
    "aac": _Format("audio/aac", "aac", 96_000, container="adts"),
    "flac": _Format("audio/flac", "flac"),
    "pcm": _Format("audio/pcm", "pcm_s16le", rate=24_000, container="s16le"),
}


def encode(raw: RawOutput, params: SpeechParams, folder: Path) -> Outputs:
    """Write `raw.arrays["samples"]` as `0.wav`, `0.mp3` and so on in `folder`, and the waveform as `1.png`.

    The samples are float32 in -1 to 1 with one axis, `raw.metadata["sample_rate"]` of them per second; they get the
    speed and the watermark of `params` here. Image formats give wav and a warning. Raises `EncodeFailed` for an array
    that is not audio, and `ModelLoadFailed` without the watermarker; a full or missing disk stays an `OSError`.
    """
    name, warnings = choose_format(params.output_format, _FORMATS, "wav", "audio")
    samples, rate = raw.arrays.get("samples"), raw.metadata.get("sample_rate")
    if samples is None or samples.dtype != np.float32 or samples.ndim != 1 or not len(samples):
        raise EncodeFailed("Audio is `samples`: float32, one axis, at least one.")
    if not isinstance(rate, int) or rate < 1:
        raise EncodeFailed("Audio needs its `sample_rate`, a whole number.")
    if not np.isfinite(samples).all():
        raise EncodeFailed("The model computed samples that are not finite; it made no audio.")
    samples = change_tempo(samples, rate, params.speed)
    if params.apply_watermark:
        samples = add_watermark(samples, rate)
    file = folder / f"0.{name}"
    pcm = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    try:
        _write(pcm, rate, file, _FORMATS[name])
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, OSError):
            raise
        raise EncodeFailed(f"The audio could not be encoded as {name}: {error}") from error
    draw_waveform(np.asarray(samples)).save(folder / "1.png", optimize=True)
    return Outputs(files=(_audio_output(file, name, len(samples) / rate), _waveform_output()), warnings=warnings)


def _audio_output(file: Path, name: str, seconds: float) -> Output:
    duration = round(seconds, 6)
    return Output(path=file.name, media_type=_FORMATS[name].media_type, duration=duration, picture="1.png")


def _waveform_output() -> Output:
    return Output(path="1.png", media_type="image/png", width=SIZE[0], height=SIZE[1])


def _write(pcm: NDArray[np.int16], rate: int, file: Path, format_: _Format) -> None:
    if format_.codec is None:
        with file.open("wb") as stream, wave.open(stream, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(rate)
            out.writeframes(pcm.astype("<i2").tobytes())
    else:
        _compress(pcm, rate, file, format_, format_.codec)


def _compress(pcm: NDArray[Any], rate: int, file: Path, format_: _Format, codec: str) -> None:
    with av.open(file, "w", format=format_.container or file.suffix[1:], options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(codec, rate=format_.rate or rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        if format_.bits_per_second is not None:
            stream.bit_rate = format_.bits_per_second
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[None, :], format="s16", layout="mono")
        frame.sample_rate = rate
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
