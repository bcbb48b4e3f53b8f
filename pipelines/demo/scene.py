"""Content of a demo image: one or two plain objects on a plain background, described in words only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COLORS = ("red", "green", "blue", "yellow", "purple", "orange", "white", "black")
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
SIZES = ("small", "medium", "large")
PLACES = (
    "top left",
    "top",
    "top right",
    "left",
    "center",
    "right",
    "bottom left",
    "bottom",
    "bottom right",
)
RELATIONS = ("left of", "right of", "above", "below")

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Thing:
    """One object; a size or a place of `None` is the painter's choice (medium, center)."""

    color: str
    shape: str
    size: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """A background color and one thing, or two with the first standing `relation` the second."""

    background: str
    things: tuple[Thing, ...]
    relation: str | None = None


def sample_one(rng: Rng) -> Scene:
    """Return a scene of one object; 60 % of draws name a size, 75 % a place."""
    background, color = _distinct_colors(rng, 2)
    size = _pick(rng, SIZES) if rng.random() < 0.6 else None
    place = _pick(rng, PLACES) if rng.random() < 0.75 else None
    return Scene(background, (Thing(color, _pick(rng, SHAPES), size, place),))


def sample_two(rng: Rng) -> Scene:
    """Return a scene of two objects that differ in shape or color; a fifth of them has a named size."""
    while True:
        background, first, second = _distinct_colors(rng, 3)
        if rng.random() < 0.1:
            second = first
        things = tuple(
            Thing(color, _pick(rng, SHAPES), _pick(rng, SIZES) if rng.random() < 0.2 else None)
            for color in (first, second)
        )
        if (things[0].color, things[0].shape) != (things[1].color, things[1].shape):
            return Scene(background, things, _pick(rng, RELATIONS))


def sample_scene(rng: Rng, two_share: float) -> Scene:
    """Return a scene of two objects with probability `two_share` (0..1), else of one."""
    return sample_two(rng) if rng.random() < two_share else sample_one(rng)


def _pick(rng: Rng, names: tuple[str, ...]) -> str:
    return names[int(rng.integers(len(names)))]


def _distinct_colors(rng: Rng, count: int) -> list[str]:
    return [COLORS[int(index)] for index in rng.permutation(len(COLORS))[:count]]
