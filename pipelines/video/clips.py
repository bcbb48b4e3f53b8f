"""Clean copies of films, as ingest leaves them: what they are, and their frames as RGB. PyAV, no torch."""

from collections.abc import Iterator
from pathlib import Path

import av
import msgspec
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

MOST_BYTES = 4 * 2**30
"""Of the frames of a film that is made, as planes: half a minute of 1920x1080 at 24 a second is 2.2 GB."""
_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class ClipFacts(msgspec.Struct, frozen=True):
    """What a clean copy says of its film: frames, frames a second, and width and height in pixels."""

    file: Path
    frames: int
    fps: int
    size: tuple[int, int]

    def count_at(self, fps: int) -> int:
        """Return how many frames it has at another rate."""
        return max(1, round(self.frames * fps / self.fps))


def read_facts(file: Path) -> ClipFacts:
    """Return the facts of a clean copy."""
    with av.open(str(file), format="mp4") as container:
        stream = container.streams.video[0]
        rate = stream.average_rate
        assert rate is not None, "a clean copy has its rate"
        return ClipFacts(file, stream.frames, round(rate), (stream.width, stream.height))


def read_frames(clip: ClipFacts) -> Iterator[NDArray[np.uint8]]:
    """Yield each frame as height x width x 3."""
    with av.open(str(clip.file), format="mp4") as container:
        for frame in container.decode(video=0):
            yield _rgb(frame)


def read_planes(clip: ClipFacts) -> Iterator[NDArray[np.uint8]]:
    """Yield each frame as it is stored, in planes as `pipelines.video.color.empty_video` has them."""
    with av.open(str(clip.file), format="mp4") as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="yuv420p"), np.uint8)


def rgb_of(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the height x width x 3 of a frame in planes."""
    return _rgb(av.VideoFrame.from_ndarray(np.ascontiguousarray(planes), format="yuv420p"))


def _rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
    rgb = frame.reformat(
        format="rgb24",
        src_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=_EXACT,
    )
    return np.asarray(rgb.to_ndarray(), np.uint8)
