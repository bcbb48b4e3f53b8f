"""Videos as files; runs in the encoder process, without torch.

- MP4: H.264 (libx264, crf 18, preset fast), index first (faststart), so that a player can begin before all of it has
  arrived.
- WebM: VP9 (libvpx, constant quality 24, cpu-used 4).

Sound, where there is some, is AAC in MP4 and Opus in WebM, 160 kbit/s for two channels.

Both are 4:2:0 with BT.709 colors in limited range and chroma in the middle of its pixels (`pipelines/video/color.py`),
and tagged so. They have a keyframe at least every second. They carry no metadata, so a prompt does not travel inside a
file.

The same frames give the same bytes with the same libraries. The number of threads is fixed, since x264 decides
differently with another one. Its macroblock tree is off, since it reads uninitialized memory for widths that are not
multiples of 128.
"""

from fractions import Fraction
from pathlib import Path

import av
import msgspec
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc
from av.video.stream import VideoStream
from numpy.typing import NDArray

from core.errors.failures import EncodeFailed
from jobs.params.video import VideoParams
from pipelines.image.visible_mark import mark_planes
from pipelines.runtime.output_format import choose_format
from pipelines.runtime.protocol import Output, Outputs, RawOutput

SOUND_RATE = 48_000
"""Samples of sound a second."""
SOUND_BITS = 160_000
_MATRIX_BT709 = 1
"""`AVCOL_SPC_BT709`. PyAV's `Colorspace` has swscale's numbers, which differ."""
_CHROMA = {"chroma_sample_location": "center"}
"""An option, since PyAV has no attribute for it."""


class _Format(msgspec.Struct, frozen=True):
    codec: str
    sound: str
    options: dict[str, str]
    container: dict[str, str] = {}


_FORMATS = {
    "mp4": _Format(
        "libx264", "aac", {"crf": "18", "preset": "fast", "threads": "4", "mbtree": "0"}, {"movflags": "+faststart"}
    ),
    "webm": _Format(
        "libvpx-vp9",
        "libopus",
        {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1", "threads": "4"},
    ),
}


def encode(raw: RawOutput, params: VideoParams, folder: Path) -> Outputs:
    """Write `raw.arrays["frames"]` as `0.mp4` or `0.webm` in `folder`.

    The frames are uint8, n x height * 3/2 x width: planes of even sides. `raw.metadata["fps"]` is the frame rate.
    `raw.arrays["sound"]`, if it is there, is int16, n x 2: 48,000 samples a second, from the first frame on. Image
    formats give mp4 and a warning. Raises `EncodeFailed` for arrays that are not a video; a full or missing disk stays
    an `OSError`.
    """
    name, warnings = choose_format(params.output_format, _FORMATS, "mp4", "video")
    frames = raw.arrays.get("frames")
    fps = raw.metadata.get("fps")
    if frames is None or frames.dtype != np.uint8 or frames.ndim != 3 or frames.shape[1] % 3 or 0 in frames.shape:
        raise EncodeFailed("A video is `frames`: uint8, n x height * 3/2 x width.")
    sound = raw.arrays.get("sound")
    if sound is not None and (sound.dtype != np.int16 or sound.ndim != 2 or sound.shape[1] != 2):
        raise EncodeFailed("The sound of a video is `sound`: int16, n x 2.")
    if not isinstance(fps, int) or fps < 1:
        raise EncodeFailed("A video needs its `fps`, a whole number of frames per second.")
    count, width, height = len(frames), frames.shape[2], frames.shape[1] * 2 // 3
    if width % 2:
        raise EncodeFailed(f"{width}x{height} has an odd side; a video needs even ones.")
    if params.watermark == "always":
        frames = mark_planes(frames)
    file = folder / f"0.{name}"
    try:
        _write(frames, sound, (width, height), fps, file, _FORMATS[name])
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, OSError):
            raise
        raise EncodeFailed(f"{width}x{height} could not be encoded as {name}: {error}") from error
    output = Output(
        path=file.name, media_type=f"video/{name}", width=width, height=height, duration=round(count / fps, 6)
    )
    return Outputs(files=(output,), warnings=warnings)


def _write(
    frames: NDArray[np.uint8],
    sound: NDArray[np.int16] | None,
    size: tuple[int, int],
    fps: int,
    file: Path,
    format_: _Format,
) -> None:
    options = {"fflags": "+bitexact", **format_.container}
    with av.open(file, "w", format=file.suffix[1:], options=options) as container:
        stream = container.add_stream(format_.codec, rate=fps, options=format_.options | _CHROMA)
        assert isinstance(stream, VideoStream)
        _describe(stream, *size, fps)
        track = None if sound is None else _SoundTrack(container, format_.sound, sound, fps)
        for number, planes in enumerate(frames, 1):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
            if track is not None:
                track.write_until(number)
        container.mux(stream.encode(None))
        if track is not None:
            track.end()


class _SoundTrack:
    """The sound of a film that is being written, frame by frame beside the pictures, as players read them."""

    def __init__(self, container: av.container.OutputContainer, codec: str, sound: NDArray[np.int16], fps: int) -> None:
        stream = container.add_stream(codec, rate=SOUND_RATE, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = SOUND_BITS
        self._container, self._stream, self._sound, self._fps = container, stream, sound, fps
        self._place = 0

    def write_until(self, number: int) -> None:
        """Write what is heard until the end of so many frames."""
        end = round(number * SOUND_RATE / self._fps)
        samples = np.ascontiguousarray(self._sound[self._place : end]).reshape(1, -1)
        if samples.size:
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
            frame.sample_rate, frame.time_base, frame.pts = SOUND_RATE, Fraction(1, SOUND_RATE), self._place
            self._container.mux(self._stream.encode(frame))
        self._place = end

    def end(self) -> None:
        """Write what the encoder still has."""
        self._container.mux(self._stream.encode(None))


def _describe(stream: VideoStream, width: int, height: int, fps: int) -> None:
    """Set size, pixel format, a keyframe every second, and the color tags for players."""
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.gop_size = fps
    context.color_range = ColorRange.MPEG
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.colorspace = _MATRIX_BT709
