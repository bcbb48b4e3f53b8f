"""The still that a film begins with, in the size of the film. No torch."""

from pathlib import Path

from PIL import Image, ImageOps


def open_still(file: Path) -> Image.Image:
    """The picture as RGB; what is transparent becomes white, since a film has no alpha."""
    with Image.open(file) as picture:
        if not picture.has_transparency_data:
            return picture.convert("RGB")
        shown = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")


def cover(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The largest part around the middle that has the shape of `size` (width, height), resized to it with Lanczos."""
    return picture if picture.size == size else ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
