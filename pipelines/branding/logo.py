"""A logo on a picture: in one corner, at half opacity."""

from PIL import Image

OPACITY = 0.5
SHARE = 0.18
"""The most of the picture's width and of its height that a logo has."""
MARGIN = 0.03
"""The distance to the edges, of the picture's shorter side."""


def stamp(picture: Image.Image, logo: Image.Image, corner: str) -> Image.Image:
    """Return the picture, RGB or RGBA, with the logo in a corner (`bottom_right`); a small logo is not enlarged."""
    mark = logo.convert("RGBA")
    mark.thumbnail((max(1, round(picture.width * SHARE)), max(1, round(picture.height * SHARE))))
    mark.putalpha(mark.getchannel("A").point(lambda alpha: round(alpha * OPACITY)))
    layer = Image.new("RGBA", picture.size)
    layer.paste(mark, logo_place(picture.size, mark.size, corner))
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert(picture.mode)


def logo_place(size: tuple[int, int], logo: tuple[int, int], corner: str) -> tuple[int, int]:
    """Return the left and upper edge of a logo of a size in a picture of a size."""
    margin = round(min(size) * MARGIN)
    vertical, _, horizontal = corner.partition("_")
    left = margin if horizontal == "left" else size[0] - logo[0] - margin
    top = margin if vertical == "top" else size[1] - logo[1] - margin
    return max(0, left), max(0, top)
