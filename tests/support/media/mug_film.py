"""A film of a mug whose place is known: it stays, then moves, before a wall, seen by a camera with noise."""

from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise

import av
import msgspec
import numpy as np
from PIL import Image

from pipelines.matting.evaluate import PHOTO, PHOTO_MASK, overlap

SIZE = (256, 192)
NOISE = 2.0
"""Deviation of a channel, of 255."""


class MugFilm(msgspec.Struct, frozen=True):
    """The frames, and where the mug is in each: height x width, 0 to 1."""

    frames: Sequence[Image.Image]
    masks: Sequence[np.ndarray]


def mug_film(*, still: int = 8, moving: int = 4) -> MugFilm:
    """The mug stays for so many frames, then it moves by six pixels in each."""
    random = np.random.default_rng(7)
    with Image.open(PHOTO) as photo, Image.open(PHOTO_MASK) as mask:
        mug = np.asarray(photo.convert("RGB").resize(SIZE, Image.Resampling.BOX), np.float32)
        place = np.asarray(mask.convert("L").resize(SIZE, Image.Resampling.BOX), np.float32) / 255
    wall = np.linspace((196, 188, 176), (150, 146, 140), SIZE[1])[:, None] + np.zeros((1, SIZE[0], 1))
    frames, masks = [], []
    for number in range(still + moving):
        shift = 6 * max(0, number - still + 1)
        alpha = np.roll(place, shift, axis=1)
        seen = np.roll(mug, shift, axis=1) * alpha[..., None] + wall * (1 - alpha[..., None])
        seen += random.normal(0, NOISE, seen.shape)
        frames.append(Image.fromarray(seen.round().clip(0, 255).astype(np.uint8)))
        masks.append(alpha)
    return MugFilm(frames, masks)


def overlaps(film: MugFilm, alphas: Sequence[np.ndarray]) -> list[float]:
    """Intersection over union of each frame, of alphas in 0 to 255."""
    return [overlap(alpha.astype(np.float32) / 255, mask) for alpha, mask in zip(alphas, film.masks, strict=True)]


def transparency(webm: bytes) -> list[np.ndarray]:
    """The alpha of each frame, 0 to 255; FFmpeg's own decoder of VP9 leaves it out, libvpx's does not."""
    with av.open(BytesIO(webm), format="webm") as container:
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        packets = container.demux(container.streams.video[0])
        frames = [frame for packet in packets for frame in decoder.decode(packet if packet.size else None)]
    return [frame.reformat(format="rgba").to_ndarray()[..., 3] for frame in frames]


def flicker(alphas: Sequence[np.ndarray]) -> float:
    """Mean change of alpha, of 255, from one frame to the next of those in which nothing moves."""
    changes = [np.abs(after.astype(float) - before).mean() for before, after in pairwise(alphas)]
    return float(np.mean(changes))
