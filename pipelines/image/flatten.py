"""Removal of transparency from images. No torch."""

from PIL import Image


def flatten_on_white(image: Image.Image) -> Image.Image:
    """Return the image as RGB; its transparent parts show white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
