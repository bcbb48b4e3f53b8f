"""Opening films of callers: one forced demuxer, a decoder without threads, frames upright as their film says it."""

from collections.abc import Iterator
from pathlib import Path

import av
from av.error import FFmpegError
from av.stream import Disposition
from PIL import Image

from core.errors.inputs import InputTooLarge
from workers.ingest.audio_cleaner import FORMATS

DEMUXERS = FORMATS | {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/3gpp": "mov",
    "video/webm": "matroska",
    "video/matroska": "matroska",
}
"""FFmpeg's demuxer for each media type; none is chosen by content, which could name other files."""
MAX_PIXELS = 4096 * 2304
TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


def open_media(source: Path, media_type: str) -> av.container.InputContainer:
    """Open a film or a recording. Raises FFmpeg's errors."""
    return av.open(str(source), format=DEMUXERS[media_type], mode="r", options={"protocol_whitelist": "file"})


def film_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """Return the moving pictures of a file; a cover of an album is none."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and is_known(stream):
            stream.codec_context.thread_count = 1  # a decoder may start no thread
            return stream
    return None


def is_known(stream: av.AudioStream | av.VideoStream) -> bool:
    """Return whether FFmpeg has a decoder for it."""
    context: object = stream.codec_context
    return context is not None


def check_film_size(stream: av.VideoStream) -> None:
    """Raise `InputTooLarge` for frames of too many pixels."""
    if stream.width * stream.height > MAX_PIXELS:
        raise InputTooLarge(f"This film has {stream.width}x{stream.height} pixels.")


def whole_frames(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Yield the frames of a film up to a broken place. Raises FFmpeg's error where even the first one is broken."""
    count = 0
    try:
        for frame in container.decode(stream):
            yield frame
            count += 1
    except FFmpegError:
        if count == 0:
            raise


def upright(picture: Image.Image, frame: av.VideoFrame) -> Image.Image:
    """Return a picture turned as its film says: phones write how they were held."""
    turn = TURNS.get(round(frame.rotation) % 360)
    return picture if turn is None else picture.transpose(turn)
