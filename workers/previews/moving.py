"""Previews of an uploaded film or recording, decoded without threads and only as far as they need it."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from time import process_time

import av
import numpy as np
from av.error import FFmpegError
from PIL import Image

from core.errors.inputs import InputTooLarge, InputUnreadable
from pipelines.audio.waveform import draw_waveform
from pipelines.previews.films import (
    POSTER_SIDE,
    SHORT_FPS,
    SHORT_SECONDS,
    SHORT_SIDE,
    STRIP_FRAMES,
    STRIP_SIDE,
    is_flat,
    picture_of,
    short_film,
    strip,
)
from pipelines.previews.pictures import write_poster, write_thumbnail
from pipelines.previews.sounds import peaks, peaks_file
from pipelines.runtime.protocol import PreviewFile
from workers.ingest.film_reader import check_film_size, film_stream, is_known, open_media, upright

AHEAD = 48
"""Frames that are decoded after a key frame at most, to come nearer to a time."""
SPACING = 0.5
"""Seconds between the frames of a strip where the film does not say how long it is, as browsers record them."""
MOST_SHORT = 600
"""Frames that are decoded for a short film at most."""
STRIP_SHARE, ALL_SHARE = 0.4, 0.75
"""Shares of the processor time that is allowed: after the first the strip is done, after the second the rest."""
BLOCK = 16
"""Samples that are one part when peaks are searched."""
Moving = tuple[tuple[PreviewFile, ...], int | None, int | None, float | None]


def has_film(source: Path, media_type: str) -> bool:
    """Return whether a file has moving pictures; a cover of an album is none."""
    with open_media(source, media_type) as container:
        return film_stream(container) is not None


def draw_film(source: Path, media_type: str, stem: str, folder: Path, allowed: float) -> Moving:
    """Draw the previews of a film; returns them, its upright size, and its seconds where it says them.

    `allowed` are seconds of processor time: of a film that takes more, fewer frames are looked at. Raises
    `InputTooLarge`, `InputUnreadable` where no frame can be decoded, and FFmpeg's errors.
    """
    with open_media(source, media_type) as container:
        stream = film_stream(container)
        assert stream is not None
        check_film_size(stream)
        seconds = _seconds(container)
        pictures: list[Image.Image] = []
        shown: Image.Image | None = None
        for frame in _frames_at(container, stream, _times(seconds), STRIP_SHARE * allowed):
            picture = upright(picture_of(frame, STRIP_SIDE), frame)
            if shown is None or (is_flat(pictures[0]) and all(map(is_flat, pictures)) and not is_flat(picture)):
                shown = upright(picture_of(frame, POSTER_SIDE), frame)
            pictures.append(picture)
        if shown is None:
            raise InputUnreadable("No frame of this film can be decoded.")
        pictures += pictures[-1:] * (STRIP_FRAMES - len(pictures))
        rate = min(Fraction(SHORT_FPS), stream.average_rate or Fraction(SHORT_FPS))
        made = (
            write_thumbnail(shown, stem, folder),
            write_poster(shown, stem, folder),
            strip([picture.resize(pictures[0].size) for picture in pictures], stem, folder),
            short_film(_beginning(container, stream, rate, ALL_SHARE * allowed), rate, stem, folder, threads=1),
        )
    with Image.open(folder / made[1].path) as image:
        is_turned = (image.width > image.height) != (stream.width > stream.height)
    size = (stream.height, stream.width) if is_turned else (stream.width, stream.height)
    return made, *size, seconds


def draw_sound(source: Path, media_type: str, stem: str, folder: Path, allowed: float) -> Moving:
    """Draw the peaks of a recording and a picture of them; returns them and its seconds.

    Raises `InputTooLarge` where that takes more than `allowed` seconds of processor time, `InputUnreadable` for a file
    without a sample, and FFmpeg's errors.
    """
    low: list[np.ndarray] = []
    high: list[np.ndarray] = []
    samples = rate = 0
    with open_media(source, media_type) as container:
        for frame in container.decode(_sound_stream(container)):
            if process_time() > ALL_SHARE * allowed:
                raise InputTooLarge("This recording is too long for a picture of its waveform.")
            planes = _planes(frame)
            rate, samples = frame.sample_rate, samples + planes.shape[1]
            edges = np.arange(0, planes.shape[1], BLOCK)
            low.append(np.minimum.reduceat(planes.min(axis=0), edges))
            high.append(np.maximum.reduceat(planes.max(axis=0), edges))
    if not low or not rate:
        raise InputUnreadable("This recording has no samples.")
    pairs = peaks(np.concatenate(low), np.concatenate(high))
    loudness = np.abs(pairs.astype(np.float32)).max(axis=1) / 127
    made = peaks_file(pairs, stem, folder), write_thumbnail(draw_waveform(loudness), stem, folder)
    return made, None, None, samples / rate


def _sound_stream(container: av.container.InputContainer) -> av.AudioStream:
    if not container.streams.audio or not is_known(container.streams.audio[0]):
        raise InputUnreadable("This file has no sound that can be decoded.")
    stream = container.streams.audio[0]
    stream.codec_context.thread_count = 1
    return stream


def _seconds(container: av.container.InputContainer) -> float | None:
    return container.duration / av.time_base if container.duration and container.duration > 0 else None


def _times(seconds: float | None) -> list[float]:
    """Return the times of the strip's frames, from the beginning to just before the end."""
    span = SPACING if seconds is None else seconds / STRIP_FRAMES
    first = 0.0 if seconds is None else span / 2
    return [first + span * number for number in range(STRIP_FRAMES)]


def _frames_at(
    container: av.container.InputContainer, stream: av.VideoStream, times: list[float], allowed: float
) -> Iterator[av.VideoFrame]:
    """Yield the frame at each time, or one nearly so: between key frames only some frames are decoded.

    Each has its part of `allowed` seconds of processor time, after which the one that is decoded has to do.
    """
    start = float((stream.start_time or 0) * (stream.time_base or 0))
    for place, time in enumerate(times, 1):
        until = allowed * place / len(times)
        with suppress(FFmpegError):
            container.seek(int((start + time) * av.time_base), backward=True)
        found = None
        with suppress(FFmpegError):  # what follows a broken place may be whole
            for number, frame in enumerate(container.decode(stream)):
                found = frame
                if number >= AHEAD or frame.pts is None or frame.time >= start + time or process_time() > until:
                    break
        if found is not None:
            yield found


def _beginning(
    container: av.container.InputContainer, stream: av.VideoStream, rate: Fraction, allowed: float
) -> Iterator[av.VideoFrame]:
    """Yield the frames of the first seconds, `rate` a second, as many as `allowed` seconds of processor time give."""
    container.seek(0, backward=True)
    wanted, begin = 0, None
    with suppress(FFmpegError):
        for number, frame in enumerate(container.decode(stream)):
            time = number / float(rate) if frame.pts is None else frame.time
            begin = time if begin is None else begin
            if time - begin >= SHORT_SECONDS or number >= MOST_SHORT or (number and process_time() > allowed):
                return
            if time - begin >= wanted / float(rate) - 1e-6:
                wanted += 1
                yield _turned(frame)


def _turned(frame: av.VideoFrame) -> av.VideoFrame:
    if not frame.rotation:
        return frame
    picture = upright(picture_of(frame, SHORT_SIDE), frame)
    return av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")


def _planes(frame: av.AudioFrame) -> np.ndarray:
    """Return the samples of a frame in -1 to 1: float32, channels x samples."""
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = array.reshape(-1, frame.layout.nb_channels).T
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - 128) / 128
    scale = 2.0 ** (8 * array.dtype.itemsize - 1)
    scaled: np.ndarray = array.astype(np.float32) / np.float32(scale)
    return scaled
