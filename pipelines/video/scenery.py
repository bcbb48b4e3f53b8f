"""The still of a video that has none: the shapes and colors that its prompt names, drawn on a plain background.

What the prompt leaves open, the seed decides.
"""

import re

import numpy as np
from PIL import Image

from pipelines.demo.captions import SHAPE_WORDS
from pipelines.demo.draw import RGB, draw
from pipelines.demo.scene import COLORS, SHAPES, Scene, Thing

MOST_SHAPES = 2
_SHAPE_OF = {word.split()[0]: shape for shape, words in SHAPE_WORDS.items() for word in words}


def draw_still(prompt: str, seed: int, size: tuple[int, int]) -> Image.Image:
    """Draw the scene of a prompt as RGB of `size` (width, height): in its middle, the background all around."""
    rng = np.random.default_rng(seed)
    scene = read_scene(prompt, rng)
    side = min(size)
    still = Image.new("RGB", size, RGB[scene.background])
    still.paste(Image.fromarray(draw(scene, side=side)), ((size[0] - side) // 2, (size[1] - side) // 2))
    return still


def read_scene(prompt: str, rng: np.random.Generator) -> Scene:
    """Return the scene that a prompt names.

    The color before "background", else one that is left over at the end, is the background's; each shape has the last
    color before it.
    """
    words = re.findall("[a-z]+", prompt.lower())
    shapes = _shapes(words)
    colors = [place for place, word in enumerate(words) if word in COLORS]
    ground = _ground(words, colors, len(shapes))
    free = [place for place in colors if place != ground]
    taken: set[str] = {words[ground]} if ground is not None else set()
    things: list[Thing] = []
    for place, shape in shapes or [(len(words), SHAPES[int(rng.integers(len(SHAPES)))])]:
        before = [color for color in free if color < place]
        color = words[before[-1]] if before else _other(taken, rng)
        things.append(Thing(color, shape))
        taken.add(color)
    background = words[ground] if ground is not None else _other(taken, rng)
    return Scene(background, tuple(things), "left of" if len(things) > 1 else None)


def unread(prompt: str) -> tuple[str, ...]:
    """Return what of a prompt is not drawn: sentences without their subject, none where it names a shape."""
    count = len([word for word in re.findall("[a-z]+", prompt.lower()) if word in _SHAPE_OF])
    if not count:
        return ("found no shape in the prompt",)
    return ("draws two shapes at most",) if count > MOST_SHAPES else ()


def _shapes(words: list[str]) -> list[tuple[int, str]]:
    found = [(place, _SHAPE_OF[word]) for place, word in enumerate(words) if word in _SHAPE_OF]
    return found[:MOST_SHAPES]


def _ground(words: list[str], colors: list[int], shapes: int) -> int | None:
    if "background" in words:
        before = [place for place in colors if place < words.index("background")]
        return before[-1] if before else None
    return colors[-1] if len(colors) > shapes else None


def _other(taken: set[str], rng: np.random.Generator) -> str:
    left = [color for color in COLORS if color not in taken]
    return left[int(rng.integers(len(left)))]
