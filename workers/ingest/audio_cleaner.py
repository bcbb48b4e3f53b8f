"""The cleaner of audio: writes a clean copy as 16-bit PCM WAV, one channel, at its own sample rate or a model's."""

import io
import wave
from itertools import chain
from pathlib import Path

import av
import msgspec
from av.error import FFmpegError
from av.stream import Disposition

from core.errors.inputs import InputTooLarge, InputUnreadable, UnsupportedMedia
from jobs.media_types import HEAD, sniff
from pipelines.catalog.limits import AUDIO_SECONDS
from pipelines.catalog.requirements import check_voice_seconds

HEARD_RATE = 16_000
"""Samples a second of a recording that is written down, which is what models of speech hear."""
RATES = range(4000, 192_001)
SILENCE = 33
"""Of 32,767: audio in which nothing is louder holds no voice."""
FORMATS = {
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/mp4": "mp4",
    "audio/aac": "aac",
    "audio/webm": "matroska",
}
"""FFmpeg's demuxer for each media type. It is forced, and reads bytes: a demuxer chosen by content or name could be
one of playlists, which lead to other files."""
ID3_HEADER, ID3_SIZE = 10, 6
"""Bytes of the header of an ID3v2 tag, and where in it the size of the rest begins: four times 7 bits."""


class Recording(msgspec.Struct, frozen=True):
    """What a recording holds: its seconds, the channels of its source, and whether nothing in it is loud."""

    seconds: float
    channels: int
    is_silent: bool


def clean_audio(
    source: Path, media_type: str, target: Path, min_seconds: float = 0.0, max_seconds: float = AUDIO_SECONDS["audio"]
) -> None:
    """Write the WAV `target`.

    Raises `InputTooLarge` for more than `max_seconds`, `NotThisModel` unless the audio is longer than `min_seconds`,
    `InputUnreadable`, also for silence, and `UnsupportedMedia`, also for a film.
    """
    recording = _clean(source, media_type, target, max_seconds)
    check_voice_seconds(recording.seconds, min_seconds)


def clean_recording(source: Path, media_type: str, target: Path) -> None:
    """Write the WAV `target` of a recording or of the sound of a film, `HEARD_RATE` samples a second.

    Raises `InputTooLarge` for more than an hour, and otherwise what `clean_audio` raises.
    """
    _clean(source, media_type, target, AUDIO_SECONDS["recording"], HEARD_RATE)


def _clean(source: Path, media_type: str, target: Path, max_seconds: float, out_rate: int | None = None) -> Recording:
    """Write the WAV `target`; one of `out_rate` may come of a film."""
    content = source.read_bytes()
    if content.startswith(b"ID3"):  # some programs write this tag of MP3 before other formats too
        untagged = content[_id3_length(content) :]
        if (found := sniff(untagged[:HEAD])) in FORMATS:
            content, media_type = untagged, found
    try:
        recording = _decode(content, media_type, target, max_seconds, out_rate)
        if recording.is_silent and recording.channels > 1:  # they may cancel each other
            recording = _decode(content, media_type, target, max_seconds, out_rate, mixed=False)
    except (FFmpegError, ValueError, EOFError, IndexError) as error:
        raise InputUnreadable from error
    if recording.is_silent:
        raise InputUnreadable("This recording is silent or empty; send one with a voice.")
    return recording


def _only_stream(container: av.container.InputContainer, *, takes_films: bool) -> av.AudioStream:
    """Return the stream of a recording; its streams, not the name of its container, tell it from a film."""
    if not container.streams.audio:
        raise UnsupportedMedia("This file contains no audio; send a recording.")
    is_film = any(not stream.disposition & Disposition.attached_pic for stream in container.streams.video)
    if is_film and not takes_films:
        raise UnsupportedMedia("This file is a film; send its sound as a recording of its own.")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise UnsupportedMedia("This recording is in a codec that the service does not know; send WAV, FLAC or MP3.")
    stream.codec_context.thread_count = 1  # the decoder may start no thread
    return stream


def _decode(
    content: bytes, media_type: str, target: Path, max_seconds: float, out_rate: int | None, *, mixed: bool = True
) -> Recording:
    """Write the WAV `target`: all channels mixed, or the left one; at its own rate without `out_rate`."""
    with av.open(io.BytesIO(content), format=FORMATS[media_type], mode="r") as container:
        stream = _only_stream(container, takes_films=out_rate is not None)
        if stream.rate not in RATES:
            raise UnsupportedMedia(f"This recording has {stream.rate or 0} samples per second; send 4,000 to 192,000.")
        rate = out_rate or stream.rate
        channels = stream.codec_context.layout.nb_channels
        resampler = av.AudioResampler(format="s16", layout="mono" if mixed else "stereo", rate=rate)
        written, is_silent = 0, True
        with wave.open(str(target), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(rate)
            for decoded in chain(container.decode(stream), [None]):  # an hour of silence is a small file
                for frame in resampler.resample(decoded):
                    written += frame.samples
                    if written > max_seconds * rate:
                        raise InputTooLarge(f"This recording is too long; send at most {max_seconds:g} s.")
                    samples = _samples(frame, step=1 if mixed else 2)
                    out.writeframes(samples.tobytes())
                    is_silent = is_silent and max(max(samples, default=0), -min(samples, default=0)) < SILENCE
    return Recording(written / rate, channels, is_silent)


def _samples(frame: av.AudioFrame, *, step: int) -> memoryview:
    """Return every `step`-th 16-bit sample; NumPy's threads may not fit into this process's memory."""
    return memoryview(bytes(frame.planes[0])[: 2 * frame.samples * step]).cast("h")[::step]


def _id3_length(content: bytes) -> int:
    """Return the length of the ID3v2 tag at the start (id3.org, ID3v2.4.0, 3.1)."""
    size = 0
    for byte in content[ID3_SIZE:ID3_HEADER]:
        size = size << 7 | byte & 0x7F
    return ID3_HEADER + size
