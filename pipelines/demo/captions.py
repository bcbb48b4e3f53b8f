"""Captions of scenes in many forms: parts in any order, either article, synonyms, commas or prepositions."""

from __future__ import annotations

import re

from pipelines.demo.scene import COLORS, Rng, Scene, Thing
from pipelines.diffusion.prompt_scope import quote

SHAPE_WORDS = {
    "circle": ("circle", "circle", "circle", "circle", "disc", "disk", "dot"),
    "square": ("square", "square", "square", "square", "square", "box"),
    "triangle": ("triangle",),
    "star": ("star",),
    "cross": ("cross", "cross", "cross", "cross", "cross", "plus", "plus sign"),
    "ring": ("ring", "ring", "ring", "ring", "ring", "hoop"),
}
SIZE_WORDS = {
    "small": ("small", "small", "small", "tiny", "little"),
    "medium": ("medium", "medium", "medium", "medium sized"),
    "large": ("large", "large", "large", "big", "huge"),
}
ROW_WORDS = {"top": ("top", "top", "top", "upper"), "bottom": ("bottom", "bottom", "bottom", "lower")}
PLACE_PHRASES = {
    "top": ("at the top", "at the top", "in the top", "top", "in the top middle", "at the top center"),
    "left": ("on the left", "on the left", "at the left", "left", "on the left side", "to the left"),
    "center": (
        *("in the center", "in the center", "center", "in the middle"),
        *("in the centre", "centered", "centre"),  # codespell:ignore
    ),
    "right": ("on the right", "on the right", "at the right", "right", "on the right side", "to the right"),
    "bottom": ("at the bottom", "at the bottom", "in the bottom", "bottom", "in the bottom middle", "bottom center"),
}
CORNER_PHRASES = ("in the {}", "in the {}", "at the {}", "{}", "in the {} corner", "{} corner", "on the {}")
BACKGROUND_PHRASES = (
    "on a {} background",
    "on a {} background",
    "on a {} background",
    "on {}",
    "on {}",
    "against a {} background",
    "against {}",
    "with a {} background",
    "over a {} background",
    "on the {} background",
    ", {} background",
)
RELATION_PHRASES = {
    "left of": ("to the left of", "to the left of", "left of", "on the left of", "at the left of"),
    "right of": ("to the right of", "to the right of", "right of", "on the right of", "at the right of"),
    "above": ("above", "above", "above", "over", "on top of"),
    "below": ("below", "below", "below", "under", "beneath", "underneath"),
}
SIDES = {
    "left of": ("on the left", "on the right"),
    "right of": ("on the right", "on the left"),
    "above": ("at the top", "at the bottom"),
    "below": ("at the bottom", "at the top"),
}
LOOSE_PHRASES = ("and", "next to", "beside")
ARTICLES = ("a", "a", "a", "a", "a", "one", "the", "")
OPENINGS = ("a picture of", "an image of", "a drawing of", "draw", "show me", "there is", "please draw")


def caption(scene: Scene, rng: Rng, strict: bool = False) -> str:
    """Return one phrasing of the scene, in lower case; `strict` excludes those that omit a part."""
    words = _say_one(scene, rng, strict) if scene.relation is None else _say_two(scene, rng, strict)
    if not strict and rng.random() < 0.06:
        words = f"{_pick(rng, OPENINGS)} {words}"
    return " ".join(words.split()).replace(" ,", ",").strip(" ,")


def vocabulary() -> list[str]:
    """Return every word that a caption can hold, sorted."""
    tables = (SHAPE_WORDS, SIZE_WORDS, ROW_WORDS, PLACE_PHRASES, RELATION_PHRASES, SIDES)
    phrases = [phrase for table in tables for phrases in table.values() for phrase in phrases]
    phrases += [*BACKGROUND_PHRASES, *CORNER_PHRASES, *LOOSE_PHRASES, *ARTICLES, *OPENINGS, *COLORS, "an that is in"]
    return sorted({word for phrase in phrases for word in phrase.replace("{}", " ").split()})


def unread(prompt: str) -> tuple[str, ...]:
    """Return what of a prompt the model cannot draw: sentences without their subject, none for a prompt of its world.

    A word is known where its letters and digits, which are all that the tokenizer keeps, are words of the vocabulary.
    """
    known, words = set(vocabulary()), prompt.lower().split()
    parts = {word: re.findall("[a-z0-9]+", word) for word in words}
    unknown = [word for word in words if not known.issuperset(parts[word]) or re.search(r"[^\W_a-z0-9]", word)]
    shapes, colors = (sum(part in names for word in words for part in parts[word]) for names in (_SHAPES, COLORS))
    said = [f"does not know {quote(unknown)}"] if unknown else []
    if not shapes:
        said.append("found no shape in the prompt")
    elif shapes > 2:
        said.append("draws two shapes at most")
    elif colors <= shapes:
        said.append("needs a color for each shape and one for the background")
    return tuple(said)


_SHAPES = {name.split()[0] for names in SHAPE_WORDS.values() for name in names}


def _say_one(scene: Scene, rng: Rng, strict: bool) -> str:
    thing = scene.things[0]
    said, ground = _say_thing(thing, rng), _say_ground(scene.background, rng)
    where = _say_place(thing.place, rng) if thing.place else ""
    if not strict and rng.random() < 0.1:
        return f"{said} {where}"
    if rng.random() < 0.12:
        parts = [_bare(thing, rng), f"{scene.background} background", *([where] if where else [])]
        return ", ".join(parts[int(index)] for index in rng.permutation(len(parts)))
    if not where:
        return f"{said} {ground}" if rng.random() < 0.75 else f"{ground}, {said}"
    order = rng.random()
    if order < 0.4:
        return f"{said} {where} {ground}"
    if order < 0.6:
        return f"{said} {ground} {where}"
    if order < 0.85:
        return f"{ground}, {said} {where}"
    return f"{where}, {said} {ground}"


def _say_two(scene: Scene, rng: Rng, strict: bool) -> str:
    assert scene.relation is not None
    first, second = (_say_thing(thing, rng) for thing in scene.things)
    ground = _say_ground(scene.background, rng)
    form = rng.random()
    if not strict and scene.relation == "left of" and form < 0.15:
        pair = f"{first} {_pick(rng, LOOSE_PHRASES)} {second}"
    elif form < 0.25:
        here, there = SIDES[scene.relation]
        pair = f"{first} {here} and {second} {there}"
    else:
        pair = f"{first} {_pick(rng, RELATION_PHRASES[scene.relation])} {second}"
    return f"{pair} {ground}" if rng.random() < 0.7 else f"{ground}, {pair}"


def _say_thing(thing: Thing, rng: Rng) -> str:
    bare = _bare(thing, rng)
    article = _pick(rng, ARTICLES)
    return f"{'an' if article == 'a' and bare[0] in 'aeiou' else article} {bare}".strip()


def _bare(thing: Thing, rng: Rng) -> str:
    shape = _pick(rng, SHAPE_WORDS[thing.shape])
    size = _pick(rng, SIZE_WORDS[thing.size]) if thing.size else ""
    order = rng.random()
    if order < 0.04:
        return f"{size} {shape} in {thing.color}".strip()
    if order < 0.08:
        return f"{size} {shape} that is {thing.color}".strip()
    if order < 0.14:
        return f"{thing.color} {size} {shape}"
    return f"{size} {thing.color} {shape}".strip()


def _say_place(place: str, rng: Rng) -> str:
    if " " not in place:
        return _pick(rng, PLACE_PHRASES[place])
    row, column = place.split()
    return _pick(rng, CORNER_PHRASES).format(f"{_pick(rng, ROW_WORDS[row])} {column}")


def _say_ground(color: str, rng: Rng) -> str:
    phrase = _pick(rng, BACKGROUND_PHRASES)
    if color == "orange":
        phrase = phrase.replace(" a {}", " an {}")
    return phrase.format(color)


def _pick(rng: Rng, phrases: tuple[str, ...]) -> str:
    return phrases[int(rng.integers(len(phrases)))]
