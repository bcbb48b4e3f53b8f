"""Previews of an uploaded picture: upright, in sRGB, of its first frame."""

from pathlib import Path

from pipelines.previews.pictures import picture_previews
from pipelines.runtime.protocol import PreviewFile
from workers.ingest.image_cleaner import read_image


def draw_picture(
    source: Path, media_type: str, stem: str, folder: Path, max_pixels: int
) -> tuple[tuple[PreviewFile, ...], int, int]:
    """Draw the previews of a picture; returns them and its upright size. Raises what `read_image` raises."""
    image = read_image(source, media_type, max_pixels)
    return picture_previews(image, media_type, stem, folder), image.width, image.height
