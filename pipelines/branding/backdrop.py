"""A cut-out over something else: a color, with a soft shadow, or another picture."""

import msgspec
import numpy as np
from PIL import Image, ImageColor, ImageFilter, ImageOps


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """A shadow: how dark it is (0 to 1), its blur and its offset as shares of the picture's sides."""

    opacity: float
    blur: float
    dx: float
    dy: float


def on_color(cutout: Image.Image, color: str, shadow: Shadow | None = None) -> Image.Image:
    """Return an RGBA cut-out as RGB on a hex color, its shadow between the two."""
    ground = Image.new("RGBA", cutout.size, (*ImageColor.getrgb(color)[:3], 255))
    if shadow is not None:
        ground = Image.alpha_composite(ground, _cast(cutout, shadow))
    return Image.alpha_composite(ground, cutout).convert("RGB")


def over(cutout: Image.Image, background: Image.Image) -> Image.Image:
    """Return an RGBA cut-out, its own pixels in its own size, over a background that is cropped to that size."""
    ground = ImageOps.fit(background.convert("RGBA"), cutout.size, Image.Resampling.LANCZOS)
    return Image.alpha_composite(ground, cutout).convert("RGB")


def _cast(cutout: Image.Image, shadow: Shadow) -> Image.Image:
    """Return the shadow of a cut-out: black, as opaque as it is dark."""
    width, height = cutout.size
    offset = round(shadow.dx * width), round(shadow.dy * height)
    moved = Image.new("L", cutout.size)
    moved.paste(cutout.getchannel("A"), offset)
    blurred = np.asarray(moved.filter(ImageFilter.GaussianBlur(shadow.blur * width)), np.float32)
    cast = Image.new("RGBA", cutout.size)
    cast.putalpha(Image.fromarray(np.round(blurred * shadow.opacity).astype(np.uint8)))
    return cast
