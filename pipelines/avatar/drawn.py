"""The family `demo-avatar`: the lower face of a still moves with a voice. Pillow and NumPy, one core, no weights.

How loud the voice is opens the mouth, and the balance of its high and low sounds makes it wide or round.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from jobs.params.video import AvatarParams
from pipelines.avatar.clip import make_clip
from pipelines.avatar.face import Portrait, face_warnings, read_portrait
from pipelines.avatar.voice import FPS, HEARD_RATE, Voice, read_voice
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.video.bending import Field, bent

SAID = "the lower face of the picture is moved with the voice; no model draws how lips form sounds"
CELLS = 24
GRID = 25
"""Places of the field of displacements along a side of the face."""
MOUTH = 0.74
"""How far down the face the mouth is."""
WIDTH = 0.34
"""Of the mouth, as a part of the face."""
DROP = 0.09
"""How far the lower lip goes at most, as a part of the face."""
QUIET = 0.08
"""Of the loudest: below it the mouth is shut."""
LOW, HIGH = (200, 1000), (1600, 4000)
"""Hertz of round and of wide sounds."""
INSIDE = (52, 18, 20)
LARGER = 4
"""How many times as large the mouth is drawn as it is shown, against jagged edges."""

Track = NDArray[np.float32]


class DrawnAvatar:
    """A film of `input_image` whose mouth follows `input_audio`."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec

    def run(self, params: AvatarParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return `frames` and `sound`; report after every frame."""
        ctx.progress(0.0, "prepare")
        voice = read_voice(inputs.files["input_audio"])
        portrait = read_portrait(inputs.files["input_image"], params, self.spec.limits.max_side)
        frames = spoken_frames(portrait, *mouth_track(voice))
        return make_clip(frames, portrait.picture.size, voice, (SAID, *face_warnings(params)), ctx)


def mouth_track(voice: Voice) -> tuple[Track, Track]:
    """Return for each frame how far the mouth is open, 0 to 1, and how wide it is, -1 (round) to 1."""
    hop, count = HEARD_RATE // FPS, voice.frames
    padded = np.pad(voice.heard, (0, max(0, (count + 1) * hop - len(voice.heard))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * hop)[::hop][:count]
    loudness = np.sqrt((windows**2).mean(1))
    opened = np.clip(loudness / max(float(np.percentile(loudness, 92)), 1e-6), 0, 1)
    opened[opened < QUIET] = 0
    spectra = np.abs(np.fft.rfft(windows * np.hanning(2 * hop), axis=1))
    hertz = np.fft.rfftfreq(2 * hop, 1 / HEARD_RATE)
    low, high = (spectra[:, (hertz > least) & (hertz < most)].sum(1) for least, most in (LOW, HIGH))
    wide = (high - low / 3) / (high + low / 3 + 1e-9)
    return _smoothed(opened), _smoothed(wide)


def spoken_frames(portrait: Portrait, opened: Track, wide: Track) -> Iterator[Image.Image]:
    """Yield the picture once for each place of the track."""
    still = portrait.picture.crop(portrait.face)
    jaw, spread = _fields()
    for drop, width in zip(opened.tolist(), wide.tolist(), strict=True):
        frame = portrait.picture.copy()
        face = bent(still, jaw * drop + spread * drop * width, CELLS)
        frame.paste(_with_mouth(face, drop, width), portrait.face[:2])
        yield frame


def _fields() -> tuple[Field, Field]:
    """Return where the face goes as the mouth opens, and as it widens; its upper part and its edges stay."""
    down, right = np.mgrid[0 : 1 : GRID * 1j, 0 : 1 : GRID * 1j].astype(np.float32)
    x, y = (right - 0.5) / WIDTH, (down - MOUTH) / WIDTH
    edges = np.sin(np.pi * right) * np.minimum(1, 8 * (1 - down)) * np.clip((down - 0.35) * 8, 0, 1)
    near = np.exp(-(x**2) * 1.2 - y**2 * 1.6) * edges
    below = 1 / (1 + np.exp(-12 * y))
    jaw = np.stack([np.zeros_like(x), near * DROP * (below - 0.2 * (1 - below))])
    return jaw.astype(np.float32), np.stack([near * x * 0.05, np.zeros_like(x)]).astype(np.float32)


def _with_mouth(face: Image.Image, drop: float, width: float) -> Image.Image:
    """Return the face with the dark inside of the mouth, as high as the lips are apart."""
    side = face.width
    half, height = side * WIDTH * (0.32 + 0.06 * width), drop * DROP * side * 0.9
    if height < 1 / LARGER:
        return face
    middle, top = side / 2, side * MOUTH - 0.15 * height
    edges = (middle - half, top, middle + half, top + height)
    mask = Image.new("L", (side * LARGER, side * LARGER))
    ImageDraw.Draw(mask).ellipse([edge * LARGER for edge in edges], fill=255)
    made = face.copy()
    made.paste(INSIDE, (0, 0), mask.resize(face.size, Image.Resampling.BOX))
    return made


def _smoothed(track: Track) -> Track:
    padded = np.pad(track, 1, "edge")
    return (padded[:-2] / 4 + padded[1:-1] / 2 + padded[2:] / 4).astype(np.float32)
