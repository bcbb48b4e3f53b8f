"""The picture of an avatar clip, in the size of the film, and where its face is. Pillow, no torch."""

from pathlib import Path

import msgspec
from PIL import Image

from jobs.params.video import AvatarParams
from pipelines.image.inputs import read_image

UNSAID = (
    "the face was taken to be in the middle of the picture; say where it is with `face_x`, `face_y` and `face_size`"
)
LEAST = 16
"""Pixels of a side of a face, where the picture has so many."""

Box = tuple[int, int, int, int]


class Portrait(msgspec.Struct, frozen=True):
    """An RGB picture of even sides, and the square around its face: left, top, right and bottom in pixels."""

    picture: Image.Image
    face: Box

    @property
    def side(self) -> int:
        """Of the square, in pixels."""
        return self.face[2] - self.face[0]


def read_portrait(file: Path, params: AvatarParams, max_side: int) -> Portrait:
    """Read a clean picture, made smaller to `max_side` at most; the square is moved into the picture."""
    picture = read_image(file)
    scale = min(1.0, max_side / max(picture.size))
    width, height = (max(2, round(side * scale) // 2 * 2) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    side = min(max(LEAST, round(params.face_size * height)), width, height)
    left = _within(round(params.face_x * width - side / 2), width - side)
    top = _within(round(params.face_y * height - side / 2), height - side)
    return Portrait(picture, (left, top, left + side, top + side))


def face_warnings(params: AvatarParams) -> tuple[str, ...]:
    """Return a sentence for a request that does not say where the face is."""
    usual = {field.name: field.default for field in msgspec.structs.fields(AvatarParams)}
    names = ("face_x", "face_y", "face_size")
    return (UNSAID,) if all(getattr(params, name) == usual[name] for name in names) else ()


def _within(value: int, most: int) -> int:
    return min(max(value, 0), most)
