"""A clean copy of a recording: 16-bit PCM WAV, one channel, at its own rate."""

import io
import wave
from itertools import chain
from pathlib import Path

import av
from av.error import FFmpegError

from core.errors import InputTooLarge, InputUnreadable, UnsupportedMedia
from pipelines.catalog.requirements import check_voice_seconds

MAX_SECONDS = 60
RATES = range(4000, 192_001)
SILENCE = 33
"""Of 32,767: a recording in which nothing is louder holds no voice."""
FORMATS = {"audio/wav": "wav", "audio/mpeg": "mp3", "audio/ogg": "ogg", "audio/flac": "flac", "audio/mp4": "mp4"}
"""FFmpeg's demuxer for each media type. It is forced, and reads bytes: one chosen by content or name could be a
playlist that leads to other files."""


def clean_sound(source: Path, media_type: str, target: Path, min_seconds: float = 0.0) -> None:
    """Write the WAV `target`. Raises `InputTooLarge` past a minute, `NotThisModel` unless it is longer than
    `min_seconds`, `InputUnreadable`, for a silent one too, and `UnsupportedMedia`.
    """
    try:
        with av.open(io.BytesIO(source.read_bytes()), format=FORMATS[media_type], mode="r") as container:
            if not container.streams.audio:
                raise UnsupportedMedia("This file has no sound in it.")
            seconds = _decode(container, container.streams.audio[0], target)
    except (FFmpegError, ValueError, EOFError, IndexError) as error:
        raise InputUnreadable from error
    check_voice_seconds(seconds, min_seconds)


def _decode(container: av.container.InputContainer, stream: av.AudioStream, target: Path) -> float:
    """Write it; how many seconds it has."""
    rate = stream.rate or 0
    if rate not in RATES:
        raise UnsupportedMedia(f"This recording has {rate} samples a second; send 4,000 to 192,000.")
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    written, is_silent = 0, True
    with wave.open(str(target), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        for decoded in chain(container.decode(stream), [None]):  # an hour of silence is a small file
            for frame in resampler.resample(decoded):
                written += frame.samples
                if written > MAX_SECONDS * rate:
                    raise InputTooLarge(f"This recording is too long; send at most {MAX_SECONDS} s.")
                content = bytes(frame.planes[0])[: 2 * frame.samples]
                out.writeframes(content)
                is_silent = is_silent and _loudest(content) < SILENCE
    if is_silent:
        raise InputUnreadable("There is no voice in this recording: it is silent, or empty.")
    return written / rate


def _loudest(content: bytes) -> int:
    """Of 16-bit samples. No numpy: in a process with so little memory it may find no room for its threads."""
    samples = memoryview(content).cast("h")
    return max(max(samples, default=0), -min(samples, default=0))
