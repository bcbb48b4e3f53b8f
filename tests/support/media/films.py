"""Small films that are drawn, as files of this service's own encoder, which are like clean copies."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.params.video import VideoParams
from pipelines.runtime.protocol import RawOutput
from pipelines.video.encode import encode
from tests.support.media.drawings import flat_art
from tests.support.media.recordings import hum
from tests.support.media.videos import planes

FPS = 12


def moving_art(count: int, size: tuple[int, int] = (160, 120)) -> list[Image.Image]:
    """Flat art that moves three pixels to the right with each frame."""
    art = np.asarray(flat_art().resize(size, Image.Resampling.LANCZOS))
    return [Image.fromarray(np.roll(art, 3 * number, axis=1)) for number in range(count)]


def film_of(frames: Sequence[Image.Image], *, tone: int = 0) -> bytes:
    """An MP4 of these frames, twelve a second, with a tone of so many hertz."""
    heard = {"sound": hum(tone, len(frames) / FPS)} if tone else {}
    pixels = np.stack([np.asarray(frame.convert("RGB")) for frame in frames])
    raw = RawOutput(arrays={"frames": planes(pixels), **heard}, metadata={"fps": FPS})
    with tempfile.TemporaryDirectory() as folder:
        (output,) = encode(raw, VideoParams(), Path(folder)).files
        return (Path(folder) / output.path).read_bytes()


def save_film(frames: Sequence[Image.Image], file: Path, *, tone: int = 0) -> Path:
    """Write `film_of`."""
    file.write_bytes(film_of(frames, tone=tone))
    return file
