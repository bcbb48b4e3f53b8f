"""The cleaner of films: writes a clean copy as H.264 in MP4, upright, at a constant rate, with its sound.

The sound is lossless (ALAC), 16 bits at 48,000 samples a second, and begins with the first frame.

The copy is 4:2:0 in BT.709 and limited range, as `pipelines/video/encode.py` writes films, so that frames of films that
were made here keep their values but for the encoding. Its quality is far above that of what is made from it.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import chain, islice
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from core.errors.fields import NotThisModel
from core.errors.inputs import InputTooLarge, InputUnreadable, UnsupportedMedia
from jobs.params.media import FilmFrame
from workers.ingest.film_reader import TURNS, check_film_size, film_stream, open_media, upright, whole_frames
from workers.ingest.film_sound import LAYOUT, RATE, read_sound, sound_stream

Sound = Callable[[int], Iterator[NDArray[np.int16]]]
"""Yields at most so many samples of the sound of a film."""
MAX_SECONDS = 60.0
"""Seconds of a film at most, whatever its model takes."""
TOLERANCE = 0.25
"""Seconds by which a film may be longer than is said: models of frames in fours make 121 of them for 5 s."""
TOO_LONG = f"This film is too long; send at most {MAX_SECONDS:g} s."
NO_FRAME = "No frame of this film can be decoded."
RATES = 1, 60
"""Frames a second of the clean copy: at least, and at most."""
_OPTIONS = {"crf": "12", "preset": "ultrafast", "threads": "1", "mbtree": "0", "chroma_sample_location": "center"}
_MATRIX_BT709, _UNKNOWN = 1, 2
"""`AVCOL_SPC_BT709` and `AVCOL_SPC_UNSPECIFIED`."""
_HD = 720
"""Lines from which a film that does not name its colors has those of BT.709, and below those of BT.601."""
_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def clean_film(source: Path, media_type: str, target: Path, max_seconds: float | None = None) -> None:
    """Write the MP4 `target`.

    Raises `NotThisModel` for more than `max_seconds`, `InputTooLarge`, `InputUnreadable` and `UnsupportedMedia`.
    """
    try:
        with open_media(source, media_type) as container:
            stream = _stream(container)
            rate, frames = _rate(stream), whole_frames(container, stream)
            first = next(frames, None)
            if first is None:
                raise InputUnreadable(NO_FRAME)
            begin = 0.0 if first.pts is None else float(first.time)
            sound = partial(read_sound, source, media_type, begin) if sound_stream(container) else None
            _write(_at_rate(chain([first], frames), rate, max_seconds), rate, target, sound)
    except (FFmpegError, ValueError, EOFError) as error:
        raise InputUnreadable from error


def clean_frame(source: Path, media_type: str, target: Path, which: FilmFrame) -> None:
    """Write one picture of a film as the PNG `target`. Raises what `clean_film` raises."""
    try:
        with open_media(source, media_type) as container:
            stream = _stream(container)
            until = (stream.frames + 1) // 2 if which == "middle" and stream.frames else None
            frame = _last_of(islice(whole_frames(container, stream), until))
            _picture(frame).save(target, "PNG", compress_level=1)
    except (FFmpegError, ValueError, EOFError) as error:
        raise InputUnreadable from error


def _last_of(frames: Iterator[av.VideoFrame]) -> av.VideoFrame:
    last: av.VideoFrame | None = None
    for number, frame in enumerate(frames):
        if number > MAX_SECONDS * RATES[1]:
            raise InputTooLarge(TOO_LONG)
        last = frame
    if last is None:
        raise InputUnreadable(NO_FRAME)
    return last


def _picture(frame: av.VideoFrame) -> Image.Image:
    """Return a frame as RGB, upright."""
    rgb = frame.reformat(
        format="rgb24", src_colorspace=_matrix_of(frame), dst_color_range=ColorRange.JPEG, interpolation=_EXACT
    )
    return upright(Image.fromarray(rgb.to_ndarray()), frame)


def _stream(container: av.container.InputContainer) -> av.VideoStream:
    stream = film_stream(container)
    if not container.streams:
        raise InputUnreadable(NO_FRAME)
    if stream is None:
        raise UnsupportedMedia("This file has no moving pictures that the service can decode; send MP4 with H.264.")
    check_film_size(stream)
    return stream


def _rate(stream: av.VideoStream) -> int:
    """Return whole frames a second, the nearest to those of the film."""
    return min(max(round(stream.average_rate or stream.guessed_rate or 24), RATES[0]), RATES[1])


def _at_rate(frames: Iterator[av.VideoFrame], rate: int, max_seconds: float | None) -> Iterator[av.VideoFrame]:
    """Yield the frames as often as a constant rate shows them: phones write them at any time."""
    count, begin = 0, None
    latest: av.VideoFrame | None = None
    for number, frame in enumerate(frames):
        time = number / rate if frame.pts is None else float(frame.time)
        begin = time if begin is None else begin
        place = round((time - begin) * rate)
        _check_seconds((place + 1) / rate, max_seconds)
        while latest is not None and count < place:
            yield latest
            count += 1
        latest = frame
    if latest is None:
        raise InputUnreadable(NO_FRAME)
    yield latest


def _check_seconds(seconds: float, max_seconds: float | None) -> None:
    if max_seconds is not None and seconds > max_seconds + TOLERANCE:
        raise NotThisModel(f"The model takes films of at most {max_seconds:g} s, and this one is longer; cut it.")
    if seconds > MAX_SECONDS + TOLERANCE:
        raise InputTooLarge(TOO_LONG)


def _write(frames: Iterator[av.VideoFrame], rate: int, target: Path, sound: Sound | None) -> None:
    with av.open(str(target), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream: VideoStream | None = None
        heard: av.AudioStream | None = None
        for number, frame in enumerate(frames):
            planes = _planes(frame)
            if stream is None:
                stream = _described(container.add_stream("libx264", rate=rate, options=_OPTIONS), planes, rate)
                heard = None if sound is None else container.add_stream("alac", rate=RATE, layout=LAYOUT)
            elif (planes.width, planes.height) != (stream.width, stream.height):
                planes = planes.reformat(width=stream.width, height=stream.height)
            planes.pts, planes.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(planes))
        assert stream is not None, "there is at least one frame"
        container.mux(stream.encode(None))
        if sound is not None and heard is not None:
            _write_sound(sound(round((number + 1) * RATE / rate)), heard, container)


def _write_sound(
    pieces: Iterator[NDArray[np.int16]], stream: av.AudioStream, container: av.container.OutputContainer
) -> None:
    place = 0
    for piece in pieces:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), format="s16p", layout=LAYOUT)
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), place
        container.mux(stream.encode(frame))
        place += piece.shape[1]
    container.mux(stream.encode(None))


def _described(stream: VideoStream, first: av.VideoFrame, rate: int) -> VideoStream:
    stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
    context = stream.codec_context
    context.gop_size = rate
    context.color_range = ColorRange.MPEG
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.colorspace = _MATRIX_BT709
    return stream


def _planes(frame: av.VideoFrame) -> av.VideoFrame:
    """Return a frame as the copy has it: upright, of even sides."""
    turned = round(frame.rotation) % 360 in TURNS
    source = _matrix_of(frame)
    if turned:
        frame = av.VideoFrame.from_ndarray(np.asarray(_picture(frame)), format="rgb24")
        source = Colorspace.ITU709
    width, height = max(2, frame.width & ~1), max(2, frame.height & ~1)
    return frame.reformat(
        width=width,
        height=height,
        format="yuv420p",
        src_colorspace=source,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=_EXACT,
    )


def _matrix_of(frame: av.VideoFrame) -> Colorspace:
    """Return the matrix of a frame's colors, in PyAV's numbers, which are swscale's."""
    named = frame.colorspace
    if named == _MATRIX_BT709 or (named == _UNKNOWN and frame.height >= _HD):
        return Colorspace.ITU709
    return Colorspace.ITU601
