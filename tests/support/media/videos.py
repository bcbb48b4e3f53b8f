"""Videos read back, and compared with what went in."""

from io import BytesIO

import av
import msgspec
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from PIL import Image

from pipelines.video.color import fill_planes


class DecodedVideo(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded video: `frames` is uint8, n x height x width x 3; times are seconds, `keyframes` are frame numbers."""

    frames: np.ndarray
    fps: float
    duration: float
    codec: str
    pixel_format: str
    keyframes: tuple[int, ...]
    colors: tuple[int, int, int, int]
    """Matrix, primaries, transfer and range, as numbers of H.273 (range: 1 is limited)."""
    metadata: dict[str, str]


def decode_video(data: bytes, container: str) -> DecodedVideo:
    """Decode a whole video; `container` is "mp4" or "webm"."""
    with av.open(BytesIO(data), format=container) as file:
        (stream,) = file.streams
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        decoded = list(file.decode(stream))
        return DecodedVideo(
            frames=_rgb(decoded),
            fps=float(stream.average_rate or 0),
            duration=(file.duration or 0) / av.time_base,
            codec=context.name,
            pixel_format=context.pix_fmt or "",
            keyframes=tuple(number for number, frame in enumerate(decoded) if frame.key_frame),
            colors=(context.colorspace, context.color_primaries, context.color_trc, context.color_range),
            metadata=dict(file.metadata) | dict(stream.metadata),
        )


def seen(planes: np.ndarray) -> np.ndarray:
    """What a player makes of a video that was not encoded yet: uint8, n x height x width x 3."""
    return _rgb([av.VideoFrame.from_ndarray(frame, format="yuv420p") for frame in planes])


def planes(rgb: np.ndarray) -> np.ndarray:
    """A video of these images: n x height x width x 3, uint8, or float32 in 0 to 1."""
    count, height, width, _ = rgb.shape
    made = np.empty((count, height * 3 // 2, width), np.uint8)
    floats = rgb.astype(np.float32) / 255 if rgb.dtype == np.uint8 else rgb
    fill_planes(made, floats.transpose(0, 3, 1, 2))
    return made


def _rgb(frames: list[av.VideoFrame]) -> np.ndarray:
    reformatter = VideoReformatter()
    return np.stack(
        [
            reformatter.reformat(
                frame,
                format="rgb24",
                src_colorspace=Colorspace.ITU709,
                dst_colorspace=Colorspace.ITU709,
                src_color_range=ColorRange.MPEG,
                dst_color_range=ColorRange.JPEG,
                interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
            ).to_ndarray()
            for frame in frames
        ]
    )


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8 arrays of one shape, in dB."""
    error = np.mean((first.astype(float) - second.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(float(error), 1e-10)))


def scene(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """A still with soft and sharp edges, fine texture and strong colors: nothing in it repeats itself."""
    width, height = size
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    ground = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)).astype(float)
    ground += random.normal(0, 6, (height, width, 1))
    image = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
    for color in ("#c02020", "#1040c0", "#f0f0e8", "#102010"):
        w, h = (int(random.uniform(0.1, 0.3) * side) for side in size)
        x, y = int(random.uniform(0, width - w)), int(random.uniform(0, height - h))
        image.paste(color, (x, y, x + w, y + h))
    return image
