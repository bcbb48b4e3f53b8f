"""The sound of a film for its clean copy: 16 bits, two channels, in step with its frames."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from workers.ingest.film_reader import is_known, open_media

RATE, LAYOUT = 48_000, "stereo"
GAP = RATE // 10
"""Samples that may be missing between two frames of sound without a silence: times are rounded."""
Samples = NDArray[np.int16]
"""2 x n: a row for each channel."""


def sound_stream(container: av.container.InputContainer) -> av.AudioStream | None:
    """Return the first sound of a film that FFmpeg has a decoder for."""
    for stream in container.streams.audio:
        if is_known(stream):
            stream.codec_context.thread_count = 1  # a decoder may start no thread
            return stream
    return None


def read_sound(source: Path, media_type: str, begin: float, most: int) -> Iterator[Samples]:
    """Yield the sound of a film from its second `begin` on, up to `most` samples or a broken place."""
    left = most
    for piece in _pieces(source, media_type, begin, most):
        taken = piece[:, :left]
        left -= taken.shape[1]
        if taken.size:
            yield taken
        if left == 0:
            return


def _pieces(source: Path, media_type: str, begin: float, most: int) -> Iterator[Samples]:
    place: int | None = None
    resampler = av.AudioResampler(format="s16p", layout=LAYOUT, rate=RATE)
    with open_media(source, media_type) as container:
        for frame in _whole_frames(container):
            at = (place or 0) if frame.time is None else round((frame.time - begin) * RATE)
            missing = at - (min(0, at) if place is None else place)
            if place is None or missing > GAP:
                yield from _silence(min(missing, most))
                place = at
            for samples in _resampled(resampler, frame):
                yield samples[:, max(0, -place) :]
                place += samples.shape[1]
    if place is not None:
        yield from _resampled(resampler, None)


def _whole_frames(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    """Yield the frames of the sound up to a broken place."""
    stream = sound_stream(container)
    assert stream is not None, "a film without sound is not read for it"
    try:
        yield from container.decode(stream)
    except (FFmpegError, ValueError):
        return


def _resampled(resampler: av.AudioResampler, frame: av.AudioFrame | None) -> Iterator[Samples]:
    """Yield samples; none of a frame of another form than the first, so that its film is not refused for it."""
    try:
        parts = resampler.resample(frame)
    except (FFmpegError, ValueError):
        return
    for part in parts:
        yield np.asarray(part.to_ndarray(), np.int16)


def _silence(samples: int) -> Iterator[Samples]:
    for done in range(0, samples, RATE):
        yield np.zeros((2, min(RATE, samples - done)), np.int16)
