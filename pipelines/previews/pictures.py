"""Small WebP copies of a picture. No torch.

- `thumbnail`: at most 320 pixels on its longer side.
- `web`: at most 1600 pixels. A WebP or JPEG of that size needs none: it is its own.
- `poster`: what shows a film before it plays, or a mesh where no viewer runs; at most 1600 pixels.

They keep transparency and carry no metadata.
"""

from pathlib import Path

from PIL import Image

from pipelines.runtime.protocol import PreviewFile

THUMBNAIL_SIDE, WEB_SIDE = 320, 1600
WEBP = "image/webp"
WEB_PICTURES = (WEBP, "image/jpeg")
"""Types of pictures that are their own web copy, up to that size (`jobs/previews.py` says the same to callers)."""
_FAST, _SMALL = {"quality": 80, "method": 0}, {"quality": 80, "method": 2}
"""Large pictures are written quickly, since an encoder waits for them; small ones take a millisecond more."""


def picture_previews(image: Image.Image, media_type: str, stem: str, folder: Path) -> tuple[PreviewFile, ...]:
    """Write the previews of a picture that is stored as `media_type`; returns them, the thumbnail first."""
    copy = within(image, WEB_SIDE)
    made = [write_thumbnail(copy, stem, folder)]
    if media_type not in WEB_PICTURES or copy.size != image.size:
        made.append(write_webp(copy, "web", stem, folder))
    return tuple(made)


def write_thumbnail(image: Image.Image, stem: str, folder: Path) -> PreviewFile:
    """Write the thumbnail of a picture, and return it."""
    return write_webp(within(image, THUMBNAIL_SIDE), "thumbnail", stem, folder)


def write_poster(image: Image.Image, stem: str, folder: Path) -> PreviewFile:
    """Write the poster of what a picture shows, and return it."""
    return write_webp(within(image, WEB_SIDE), "poster", stem, folder)


def write_webp(image: Image.Image, name: str, stem: str, folder: Path) -> PreviewFile:
    """Write a picture as `stem-name.webp` in `folder`, and return it."""
    file = folder / f"{stem}-{name}.webp"
    image.save(file, "WEBP", **(_SMALL if max(image.size) <= THUMBNAIL_SIDE else _FAST))
    return PreviewFile(name=name, path=file.name, media_type=WEBP, width=image.width, height=image.height)


def within(image: Image.Image, side: int) -> Image.Image:
    """Return a picture of at most `side` pixels on its longer side, as RGB or RGBA; a small one keeps its size."""
    wanted = "RGBA" if image.has_transparency_data else "RGB"
    shown = image if image.mode == wanted else image.convert(wanted)
    size = fitted(*image.size, side)
    return shown if size == image.size else shown.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """Return the size with the longer side at most `side`; neither is less than 1."""
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
