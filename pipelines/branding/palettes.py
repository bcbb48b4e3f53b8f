"""Palettes in words, for a model's prompt, and palettes taken from a picture."""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.branding.colors import Lab, palette_lab, to_lab, to_rgb

NAMES = {
    "black": "#000000",
    "white": "#FFFFFF",
    "gray": "#808080",
    "silver": "#C0C0C0",
    "red": "#E6212B",
    "burgundy": "#800020",
    "orange": "#FF7A1A",
    "brown": "#7B4A22",
    "beige": "#E8DCC0",
    "gold": "#D4A017",
    "yellow": "#FFE11A",
    "olive": "#708238",
    "green": "#1E9E3A",
    "mint": "#98E8C1",
    "teal": "#008080",
    "turquoise": "#30D5C8",
    "sky blue": "#7EC8F2",
    "blue": "#2563EB",
    "navy": "#101F5C",
    "purple": "#7A2FBF",
    "lavender": "#C4B1F0",
    "magenta": "#D6249F",
    "pink": "#FFA6C9",
    "coral": "#FF6F61",
}
"""Names that models of images know, with a color of each."""

PaletteMode = Literal["similar", "complementary", "radical"]
TURNS: dict[str, float] = {"similar": 0.0, "complementary": 180.0, "radical": 120.0}
"""How far each mode turns the hues, in degrees."""
COLORS = 4
"""Colors that are taken from a picture."""
MOST_NAMES, LEAST_SHARE = 3, 0.05
"""Colors of a picture that are named, and the share of its pixels that each has at least."""
_SIDE = 128
_VISIBLE = 128


def in_words(palette: tuple[str, ...]) -> str:
    """Return the names of the colors nearest to a palette's, each once: `coral and blue`."""
    return _listed(tuple(NAMES)[place] for place in _nearest(palette_lab(palette)))


def color_names(pictures: Sequence[Image.Image]) -> str:
    """Return the names of the main colors of RGB pictures together, the commonest first: `white, gray and teal`."""
    pixels = [np.asarray(one.resize((_SIDE, _SIDE), Image.Resampling.BOX)).reshape(-1, 3) for one in pictures]
    counts = np.bincount(_nearest(to_lab(np.concatenate(pixels))), minlength=len(NAMES))
    order = np.argsort(-counts, kind="stable")[:MOST_NAMES]
    return _listed(tuple(NAMES)[place] for place in order if counts[place] >= LEAST_SHARE * counts.sum())


def _nearest(colors: Lab) -> NDArray[np.intp]:
    """Return for each color, n x 3, the place of the nearest one of `NAMES`."""
    known = palette_lab(tuple(NAMES.values()))
    nearest: NDArray[np.intp] = np.linalg.norm(colors[:, None] - known[None], axis=-1).argmin(axis=1)
    return nearest


def _listed(found: Iterable[str]) -> str:
    names = tuple(dict.fromkeys(found))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def guided(prompt: str, palette: tuple[str, ...]) -> str:
    """Return the prompt with the palette in words behind it."""
    return f"{prompt.rstrip(' .,;')}, in {in_words(palette)}"


def palette_of(subject: Image.Image, mode: PaletteMode) -> tuple[str, ...]:
    """Return the main colors of what is visible in an RGBA picture, with their hues turned as the mode says.

    Nothing visible gives a middle gray.
    """
    small = subject.convert("RGBA")
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small).reshape(-1, 4)
    seen = pixels[pixels[:, 3] >= _VISIBLE, :3]
    if not len(seen):
        return ("#808080",)
    drawn = Image.fromarray(np.ascontiguousarray(seen[None]))
    reduced = drawn.quantize(COLORS, Image.Quantize.MEDIANCUT)
    flat = reduced.getpalette() or []
    numbers, counts = np.unique(np.asarray(reduced), return_counts=True)
    main = np.array([flat[3 * number : 3 * number + 3] for number in numbers[np.argsort(-counts)]], np.uint8)
    lab = to_lab(main)
    turn = np.deg2rad(TURNS[mode])
    a, b = lab[:, 1].copy(), lab[:, 2].copy()
    lab[:, 1], lab[:, 2] = a * np.cos(turn) - b * np.sin(turn), a * np.sin(turn) + b * np.cos(turn)
    return tuple(f"#{red:02X}{green:02X}{blue:02X}" for red, green, blue in to_rgb(lab))
