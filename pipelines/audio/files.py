"""Audio as files, which grow as samples are written, with an image of the waveform beside each.

- WAV: 16-bit PCM.
- MP3: LAME, 96 kbit/s for a channel.
- OGG: Opus, 64 kbit/s for a channel, 48,000 samples a second, which is Opus's own rate.
- AAC: 96 kbit/s for a channel, in ADTS frames.
- FLAC: lossless, 16 bit.
- PCM: 16-bit samples, little endian, 24,000 a second, without a header, as OpenAI's clients expect it.

The same samples in the same parts give the same bytes with the same libraries, and no file carries metadata. Samples
beyond -1 to 1 are clipped.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import av
import msgspec
import numpy as np
from numpy.typing import NDArray

from core.errors.failures import EncodeFailed
from pipelines.audio.samples import pcm_of
from pipelines.audio.waveform import SIZE, draw_waveform
from pipelines.runtime.protocol import Output

PAGE_MICROSECONDS = 200_000
"""Of Opus in one page of a file that is streamed; a player gets whole pages."""
_UNKNOWN = 0xFFFF_FFFF
_WAV_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


class AudioFormat(msgspec.Struct, frozen=True):
    """A kind of file: its media type, and what ffmpeg is asked for."""

    media_type: str
    codec: str | None = None
    bits_per_second: int | None = None
    """Of each channel."""
    rate: int | None = None
    """Samples a second; `None` keeps the rate of the samples."""
    container: str | None = None
    """ffmpeg's name of the container, where it is not the format's."""


FORMATS = {
    "wav": AudioFormat("audio/wav"),
    "mp3": AudioFormat("audio/mpeg", "libmp3lame", 96_000),
    "ogg": AudioFormat("audio/ogg", "libopus", 64_000, 48_000),
    "aac": AudioFormat("audio/aac", "aac", 96_000, container="adts"),
    "flac": AudioFormat("audio/flac", "flac"),
    "pcm": AudioFormat("audio/pcm", "pcm_s16le", rate=24_000, container="s16le"),
}


class AudioFile(Protocol):
    """A file of audio that is being written; its own file stays open when it is closed."""

    def write(self, samples: NDArray[np.float32]) -> None:
        """Write the next samples: one axis, or n x channels. Raises `EncodeFailed`."""

    def close(self) -> None:
        """Write what is left. Raises `EncodeFailed`."""


def open_audio(file: BinaryIO, name: str, rate: int, *, channels: int = 1, is_streamed: bool = False) -> AudioFile:
    """Begin a file of the format `name`, a key of `FORMATS`. Raises `EncodeFailed`.

    With `is_streamed` it can be read while it grows: each part reaches the file at once. Only what a header says of the
    length of the whole is written when it is closed.
    """
    if FORMATS[name].codec is None:
        return _Wav(file, rate, channels)
    with _encode_errors(name):
        return _Compressed(file, name, rate, channels, is_streamed=is_streamed)


def write_audio(samples: NDArray[np.float32], rate: int, name: str, folder: Path) -> tuple[Output, Output]:
    """Write `0.<name>` in `folder`, a key of `FORMATS`, and the waveform as `1.png`.

    Raises `EncodeFailed` where the codec refuses the samples; a full or missing disk stays an `OSError`.
    """
    path = folder / f"0.{name}"
    with path.open("wb", buffering=0) as file:
        audio = open_audio(file, name, rate, channels=1 if samples.ndim == 1 else samples.shape[1])
        audio.write(samples)
        audio.close()
    return audio_outputs(path, samples, rate)


def audio_outputs(path: Path, samples: NDArray[np.float32], rate: int) -> tuple[Output, Output]:
    """Return a file of these samples as an output, and the image of its waveform, which is drawn beside it."""
    draw_waveform(np.asarray(samples)).save(path.with_name("1.png"), optimize=True)
    media_type, duration = FORMATS[path.suffix[1:]].media_type, round(len(samples) / rate, 6)
    made = Output(path=path.name, media_type=media_type, duration=duration, picture="1.png")
    return made, Output(path="1.png", media_type="image/png", width=SIZE[0], height=SIZE[1])


@contextmanager
def _encode_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, OSError):
            raise
        raise EncodeFailed(f"The audio could not be encoded as {name}: {error}") from error


class _Wav:
    """A WAV file, of unknown length until it is closed."""

    def __init__(self, file: BinaryIO, rate: int, channels: int) -> None:
        self._file, self._rate, self._channels, self._bytes = file, rate, channels, 0
        file.write(self._header(_UNKNOWN, _UNKNOWN))

    def write(self, samples: NDArray[np.float32]) -> None:
        pcm = pcm_of(samples)
        self._file.write(pcm.tobytes())
        self._bytes += pcm.nbytes

    def close(self) -> None:
        self._file.seek(0)
        self._file.write(self._header(self._bytes + _WAV_HEADER.size - 8, self._bytes))

    def _header(self, riff: int, data: int) -> bytes:
        width = 2 * self._channels
        rates = (self._rate, width * self._rate, width, 16)
        return _WAV_HEADER.pack(b"RIFF", riff, b"WAVE", b"fmt ", 16, 1, self._channels, *rates, b"data", data)


class _Compressed:
    """A file that ffmpeg's codecs and containers make."""

    def __init__(self, file: BinaryIO, name: str, rate: int, channels: int, *, is_streamed: bool) -> None:
        format_ = FORMATS[name]
        assert format_.codec is not None
        options = {"fflags": "+bitexact"}
        if is_streamed:
            options |= {"flush_packets": "1"}
            # What LAME says of the whole file in its first frame would be written when it is closed.
            options |= {"mp3": {"write_xing": "0"}, "ogg": {"page_duration": str(PAGE_MICROSECONDS)}}.get(name, {})
        self._name, self._layout = name, "mono" if channels == 1 else "stereo"
        self._container = av.open(file, "w", format=format_.container or name, options=options)
        stream = self._container.add_stream(format_.codec, rate=format_.rate or rate, layout=self._layout)
        assert isinstance(stream, av.AudioStream)
        if format_.bits_per_second is not None:
            stream.bit_rate = format_.bits_per_second * channels
        self._stream, self._rate, self._pts = stream, rate, 0

    def write(self, samples: NDArray[np.float32]) -> None:
        pcm = np.ascontiguousarray(pcm_of(samples)).reshape(1, -1)
        with _encode_errors(self._name):
            frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout=self._layout)
            frame.sample_rate, frame.pts = self._rate, self._pts
            self._pts += len(samples)
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        with _encode_errors(self._name):
            self._container.mux(self._stream.encode(None))
            self._container.close()
