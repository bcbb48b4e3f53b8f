"""Videos as files; runs in the encoder process, without torch.

- MP4: H.264 (libx264, crf 18, preset fast), index first (faststart), so that a player can begin before all of it has
  arrived.
- WebM: VP9 (libvpx, constant quality 24, cpu-used 4), with transparency as a second VP9 stream in the same track.
- MOV: ProRes 4444, 10 bits, for editing programs; transparency is lossless.

Sound, where there is some, is AAC in MP4 and Opus in WebM, 160 kbit/s for two channels, and PCM in MOV.

MP4 and WebM are 4:2:0; all have BT.709 colors in limited range and chroma in the middle of its pixels
(`pipelines/video/color.py`), and are tagged so. They have a keyframe at least every second. They carry no metadata, so
a prompt does not travel inside a file.

The same frames give the same bytes with the same libraries. The number of threads is fixed, since x264 decides
differently with another one. Its macroblock tree is off, since it reads uninitialized memory for widths that are not
multiples of 128.
"""

from collections.abc import Iterator
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
from pipelines.image.visible_mark import mark_alpha, mark_planes
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
    """An encoder, its pixel formats without and with transparency (empty: it has none), and its options."""

    codec: str
    sound: str
    opaque: str
    transparent: str
    options: dict[str, str]
    container: dict[str, str] = {}
    media_type: str = ""


_FORMATS = {
    "mp4": _Format(
        "libx264",
        "aac",
        "yuv420p",
        "",
        {"crf": "18", "preset": "fast", "threads": "4", "mbtree": "0"},
        {"movflags": "+faststart"},
        "video/mp4",
    ),
    "webm": _Format(
        "libvpx-vp9",
        "libopus",
        "yuv420p",
        "yuva420p",
        {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1", "threads": "4"},
        media_type="video/webm",
    ),
    "mov": _Format(
        "prores_ks",
        "pcm_s16le",
        "yuv444p10le",
        "yuva444p10le",
        {"profile": "4444", "threads": "4"},
        media_type="video/quicktime",
    ),
}
TRANSPARENT = tuple(name for name, one in _FORMATS.items() if one.transparent)
"""The formats that have transparency."""


def encode(raw: RawOutput, params: VideoParams, folder: Path) -> Outputs:
    """Write `raw.arrays["frames"]` as `0.mp4` or `0.webm` in `folder`.

    The frames are uint8, n x height * 3/2 x width: planes of even sides. `raw.metadata["fps"]` is the frame rate.
    `raw.arrays["sound"]`, if it is there, is int16, n x 2: 48,000 samples a second, from the first frame on. Image
    formats give mp4 and a warning. Raises `EncodeFailed` for arrays that are not a video; a full or missing disk stays
    an `OSError`.
    """
    name, warnings = choose_format(params.output_format, ("mp4", "webm"), "mp4", "video")
    made = encode_film(raw, name, folder, is_marked=params.watermark == "always")
    return Outputs(files=(made,), warnings=warnings)


def encode_film(raw: RawOutput, name: str, folder: Path, *, is_marked: bool) -> Output:
    """Write `raw` as `encode` does, in the format `name`: mp4, webm or mov.

    `raw.arrays["alpha"]`, for one of `TRANSPARENT`, is uint8, n x height x width: 0 is transparent. Raises like
    `encode`.
    """
    film = _film_of(raw)
    if film.alpha is not None and name not in TRANSPARENT:
        raise EncodeFailed(f"{name} has no transparency.")
    if is_marked:
        film = film.marked()
    file = folder / f"0.{name}"
    try:
        _write(film, file, _FORMATS[name])
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, OSError):
            raise
        raise EncodeFailed(f"{film.width}x{film.height} could not be encoded as {name}: {error}") from error
    return Output(
        path=file.name,
        media_type=_FORMATS[name].media_type,
        width=film.width,
        height=film.height,
        duration=round(len(film.frames) / film.fps, 6),
    )


class _Film(msgspec.Struct, frozen=True):
    """The arrays of a film, each of which has the shape that it should have."""

    frames: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    sound: NDArray[np.int16] | None
    fps: int

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.frames.shape[2])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.frames.shape[1]) * 2 // 3

    def marked(self) -> "_Film":
        """Return a copy with the visible mark, which is opaque."""
        alpha = None if self.alpha is None else mark_alpha(self.alpha)
        return msgspec.structs.replace(self, frames=mark_planes(self.frames), alpha=alpha)

    def pictures(self, pixels: str) -> Iterator[av.VideoFrame]:
        """Yield the frames in this pixel format."""
        for number, planes in enumerate(self.frames):
            if self.alpha is None:
                frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            else:
                frame = _with_alpha(planes, self.alpha[number])
            yield frame if frame.format.name == pixels else frame.reformat(format=pixels)


def _film_of(raw: RawOutput) -> _Film:
    """Return the film of these arrays. Raises `EncodeFailed`."""
    frames, alpha, sound = (raw.arrays.get(name) for name in ("frames", "alpha", "sound"))
    fps = raw.metadata.get("fps")
    if frames is None or frames.dtype != np.uint8 or frames.ndim != 3 or frames.shape[1] % 3 or 0 in frames.shape:
        raise EncodeFailed("A video is `frames`: uint8, n x height * 3/2 x width.")
    if sound is not None and (sound.dtype != np.int16 or sound.ndim != 2 or sound.shape[1] != 2):
        raise EncodeFailed("The sound of a video is `sound`: int16, n x 2.")
    if not isinstance(fps, int) or fps < 1:
        raise EncodeFailed("A video needs its `fps`, a whole number of frames per second.")
    film = _Film(frames, alpha, sound, fps)
    if film.width % 2:
        raise EncodeFailed(f"{film.width}x{film.height} has an odd side; a video needs even ones.")
    if alpha is not None and (alpha.dtype != np.uint8 or alpha.shape != (len(frames), film.height, film.width)):
        raise EncodeFailed("The transparency of a video is `alpha`: uint8, n x height x width.")
    return film


def _with_alpha(planes: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> av.VideoFrame:
    """Return a frame in yuva420p, of which PyAV makes none of an array."""
    height, width = alpha.shape
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    frame = av.VideoFrame(width, height, "yuva420p")
    for plane, values in zip(frame.planes, (planes[:height], *chroma, alpha), strict=True):
        lines = np.zeros((plane.height, plane.line_size), np.uint8)
        lines[:, : values.shape[1]] = values
        plane.update(lines.tobytes())
    return frame


def _write(film: _Film, file: Path, format_: _Format) -> None:
    options = {"fflags": "+bitexact", **format_.container}
    pixels = format_.opaque if film.alpha is None else format_.transparent
    with av.open(file, "w", format=file.suffix[1:], options=options) as container:
        stream = container.add_stream(format_.codec, rate=film.fps, options=format_.options | _CHROMA)
        assert isinstance(stream, VideoStream)
        _describe(stream, film, pixels)
        track = None if film.sound is None else _SoundTrack(container, format_.sound, film.sound, film.fps)
        for number, frame in enumerate(film.pictures(pixels), 1):
            container.mux(stream.encode(frame))
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


def _describe(stream: VideoStream, film: _Film, pixels: str) -> None:
    """Set size, pixel format, a keyframe every second, and the color tags for players."""
    stream.width, stream.height, stream.pix_fmt = film.width, film.height, pixels
    context = stream.codec_context
    context.gop_size = film.fps
    context.color_range = ColorRange.MPEG
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.colorspace = _MATRIX_BT709
