"""Small copies of a film: a poster, a strip of ten frames, a short film of low resolution. No torch.

- `poster`: the first of the strip's frames that shows more than one color, else the first of all; WebP.
- `strip`: ten frames from the beginning to the end, side by side in one WebP, each at most 160 pixels wide and high.
- `web`: the first five seconds as MP4 (H.264), at most 480 pixels and 12 frames a second, without sound.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import overload

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from pipelines.previews.pictures import fitted, write_poster, write_thumbnail, write_webp
from pipelines.runtime.protocol import PreviewFile

STRIP_FRAMES, STRIP_SIDE = 10, 160
SHORT_SECONDS, SHORT_FPS, SHORT_SIDE = 5.0, 12, 480
POSTER_SIDE = 1600
_FLAT = 4.0
"""Standard deviation, of 255, up to which a frame counts as one color: the black that many films begin with."""
_MATRIX_BT709 = 1
_WHITE, _NEUTRAL = 235, 128
"""White in planes of limited range: of Y, and of Cb and Cr."""
_OPTIONS = {"crf": "28", "preset": "superfast", "mbtree": "0"}


class OnWhite(Sequence[NDArray[np.uint8]]):
    """The frames of a film with transparency as they are on white, each composed when it is read."""

    def __init__(self, frames: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> None:
        self._frames, self._alpha = frames, alpha

    def __len__(self) -> int:
        return len(self._frames)

    @overload
    def __getitem__(self, number: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, number: slice) -> "OnWhite": ...
    def __getitem__(self, number: int | slice) -> "NDArray[np.uint8] | OnWhite":
        if isinstance(number, slice):
            return OnWhite(self._frames[number], self._alpha[number])
        planes, share = self._frames[number].astype(np.float32), self._alpha[number].astype(np.float32) / 255
        height, width = share.shape
        small = share.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
        shares = np.concatenate([share.ravel(), small.ravel(), small.ravel()]).reshape(planes.shape)
        white = np.full(planes.shape, _NEUTRAL, np.float32)
        white[:height] = _WHITE
        return np.asarray(planes * shares + white * (1 - shares) + 0.5, np.uint8)


def film_previews(frames: NDArray[np.uint8] | OnWhite, fps: int, stem: str, folder: Path) -> tuple[PreviewFile, ...]:
    """Write the previews of the frames that a video is encoded from, as `pipelines/video/color.py` describes them."""
    shown = [frames[number] for number in strip_numbers(len(frames))]
    pictures = [picture_of(_frame(planes), STRIP_SIDE, matrix=Colorspace.ITU709) for planes in shown]
    first = picture_of(_frame(shown[poster_number(pictures)]), POSTER_SIDE, matrix=Colorspace.ITU709)
    step = ceil(fps / SHORT_FPS)
    chosen = (_frame(planes) for planes in frames[: max(1, round(SHORT_SECONDS * fps)) : step])
    return (
        write_thumbnail(first, stem, folder),
        write_poster(first, stem, folder),
        strip(pictures, stem, folder),
        short_film(chosen, Fraction(fps, step), stem, folder),
    )


def strip_numbers(count: int) -> list[int]:
    """Return the numbers of ten frames out of `count`, in order, from the first to the last."""
    return [round(part * (count - 1) / (STRIP_FRAMES - 1)) for part in range(STRIP_FRAMES)]


def poster_number(pictures: Sequence[Image.Image]) -> int:
    """Return which picture shows more than one color, the first of them; 0 where none does."""
    return next((number for number, picture in enumerate(pictures) if not is_flat(picture)), 0)


def is_flat(picture: Image.Image) -> bool:
    """Return whether a picture shows one color, or nearly so."""
    return bool(np.asarray(picture).std(axis=(0, 1)).max() <= _FLAT)


def strip(pictures: Sequence[Image.Image], stem: str, folder: Path) -> PreviewFile:
    """Write pictures of one size side by side, and return the strip."""
    width, height = pictures[0].size
    sheet = Image.new("RGB", (width * len(pictures), height))
    for number, picture in enumerate(pictures):
        sheet.paste(picture, (number * width, 0))
    return write_webp(sheet, "strip", stem, folder)


def picture_of(frame: av.VideoFrame, side: int, *, matrix: Colorspace | None = None) -> Image.Image:
    """Return a frame as RGB, at most `side` pixels; `matrix` is that of its colors where the frame does not say it."""
    width, height = fitted(frame.width, frame.height, side)
    rgb = frame.reformat(width=width, height=height, format="rgb24", src_colorspace=matrix)
    return Image.fromarray(rgb.to_ndarray())


def short_film(
    frames: Iterable[av.VideoFrame], fps: Fraction, stem: str, folder: Path, *, threads: int = 2
) -> PreviewFile:
    """Write the frames as a small MP4 of `fps` frames a second, and return it; there is at least one frame.

    With one thread the encoder starts none.
    """
    file = folder / f"{stem}-web.mp4"
    options = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(file, "w", format="mp4", options=options) as container:
        stream: VideoStream | None = None
        for number, small in enumerate(_small_frames(frames)):
            small.pts, small.time_base = number, 1 / fps
            if stream is None:
                stream = _stream(container, small, fps, threads)
            container.mux(stream.encode(small))
        assert stream is not None
        container.mux(stream.encode(None))
        width, height = stream.width, stream.height
    return PreviewFile(name="web", path=file.name, media_type="video/mp4", width=width, height=height)


def _small_frames(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    size: tuple[int, int] | None = None
    for frame in frames:
        if size is None:
            width, height = fitted(frame.width, frame.height, SHORT_SIDE)
            size = max(2, width & ~1), max(2, height & ~1)  # 4:2:0 needs even sides
        yield frame.reformat(width=size[0], height=size[1], format="yuv420p")


def _stream(container: av.container.OutputContainer, first: av.VideoFrame, fps: Fraction, threads: int) -> VideoStream:
    stream = container.add_stream("libx264", rate=fps, options=_OPTIONS | {"threads": str(threads)})
    assert isinstance(stream, VideoStream)
    stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
    context = stream.codec_context
    context.color_range = ColorRange.MPEG
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.colorspace = _MATRIX_BT709
    return stream


def _frame(planes: NDArray[np.uint8]) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")
