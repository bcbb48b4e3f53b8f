"""The cleaner of audio: writes a clean copy as 16-bit PCM WAV, one channel, at its own sample rate."""

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
"""Of 32,767: audio in which nothing is louder holds no voice."""
FORMATS = {"audio/wav": "wav", "audio/mpeg": "mp3", "audio/ogg": "ogg", "audio/flac": "flac", "audio/mp4": "mp4"}
"""FFmpeg's demuxer for each media type. It is forced, and reads bytes: a demuxer chosen by content or name could be
one of playlists, which lead to other files."""


def clean_audio(source: Path, media_type: str, target: Path, min_seconds: float = 0.0) -> None:
    """Write the WAV `target`.

    Raises `InputTooLarge` for more than a minute, `NotThisModel` unless the audio is longer than `min_seconds`,
    `InputUnreadable`, also for silence, and `UnsupportedMedia`.
    """
    try:
        with av.open(io.BytesIO(source.read_bytes()), format=FORMATS[media_type], mode="r") as container:
            if not container.streams.audio:
                raise UnsupportedMedia("This file contains no audio; send a recording.")
            seconds = _decode(container, container.streams.audio[0], target)
    except (FFmpegError, ValueError, EOFError, IndexError) as error:
        raise InputUnreadable from error
    check_voice_seconds(seconds, min_seconds)


def _decode(container: av.container.InputContainer, stream: av.AudioStream, target: Path) -> float:
    """Write the WAV `target`, and return its seconds."""
    rate = stream.rate or 0
    if rate not in RATES:
        raise UnsupportedMedia(f"This recording has {rate} samples per second; send 4,000 to 192,000.")
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
        raise InputUnreadable("This recording is silent or empty; send one with a voice.")
    return written / rate


def _loudest(content: bytes) -> int:
    """Return the largest magnitude of 16-bit samples; NumPy's threads may not fit into this process's memory."""
    samples = memoryview(content).cast("h")
    return max(max(samples, default=0), -min(samples, default=0))
