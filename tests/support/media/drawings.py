"""Flat art, and SVGs as pixels: what vectorizing takes and what it makes."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from tests.support.media.videos import psnr

SIZE = (320, 240)
COLORS = ("#FFFFFF", "#DC1E28", "#143CC8", "#FAC800")
LIKE, UNLIKE = 24.0, 16.0
"""Decibels. A tracing of `flat_art` is at least so like it; what is mirrored, moved by a sixteenth, without one of its
shapes or in other colors is at most so like it."""
SHAPES = ("disk", "box", "triangle")


def flat_art(*, without: str = "", smooth: int = 4) -> Image.Image:
    """A red disk, a blue box and a yellow triangle on white, with smooth edges."""
    scale = SIZE[0] * smooth / 512
    image = Image.new("RGB", (SIZE[0] * smooth, SIZE[1] * smooth), COLORS[0])
    draw = ImageDraw.Draw(image)
    if without != "disk":
        draw.ellipse([side * scale for side in (40, 40, 300, 300)], fill=COLORS[1])
    if without != "box":
        draw.rectangle([side * scale for side in (250, 150, 480, 350)], fill=COLORS[2])
    if without != "triangle":
        draw.polygon([side * scale for side in (60, 350, 180, 180, 300, 350)], fill=COLORS[3])
    return image.resize(SIZE, Image.Resampling.LANCZOS)


def noise(side: int) -> Image.Image:
    """A square whose every pixel has a color of its own."""
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, (side, side, 3), dtype=np.uint8))


def png(image: Image.Image) -> bytes:
    """The picture as a file."""
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def rendered(svg: bytes) -> np.ndarray:
    """The pixels of an SVG, RGBA, drawn by resvg."""
    import resvg_py  # here, so that those who only draw do not need it

    with Image.open(BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg.decode())))) as image:
        return np.asarray(image.convert("RGBA"))


def likeness(svg: bytes, image: Image.Image) -> float:
    """How like an SVG on white is to a picture of its size, in decibels."""
    drawn = Image.fromarray(rendered(svg))
    white = Image.new("RGBA", drawn.size, "white")
    return psnr(np.asarray(image.convert("RGB")), np.asarray(Image.alpha_composite(white, drawn).convert("RGB")))


def sharpness(pixels: np.ndarray) -> float:
    """How steep the edges of a picture are: the step of gray between neighbors, of the steepest in two hundred."""
    steps = np.abs(np.diff(np.asarray(Image.fromarray(pixels).convert("L"), float), axis=1))
    return float(np.sort(steps, axis=None)[-steps.size // 200 :].mean())
