"""The size to make for a requested size, and the way from one to the other. No torch.

A size that the model can make is made as it is. Otherwise:

- Native sizes: the one with the nearest shape is made and resized, since a model trained on one size draws nonsense at
  another.
- More pixels than the pipeline makes: fewer of about the same shape are made and resized.
- Sides outside `min_side` to `max_side`: a size of the same shape inside these limits is made and resized.
- Sides that are not multiples of what the pipeline needs: the next multiple is made and the edges are cropped, so that
  pixels stay as the model made them.

No size is refused, and a warning names every difference.
"""

from math import sqrt

import msgspec
from PIL import Image

from pipelines.catalog.sizes import Size, nearest_size
from pipelines.catalog.spec import ModelSpec


class SizePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The size to make; `finish` turns it into the size `asked`, and `warning` names the difference, if any."""

    asked: Size
    make: Size
    crop: bool = False
    warning: str | None = None

    def finish(self, image: Image.Image) -> Image.Image:
        """Return the image in the requested size: cropped around the middle, or resized with Lanczos."""
        if image.size == self.asked:
            return image
        if not self.crop:
            return image.resize(self.asked, Image.Resampling.LANCZOS)
        left, top = self.edges
        return image.crop((left, top, left + self.asked[0], top + self.asked[1]))

    @property
    def edges(self) -> Size:
        """Pixels to crop at the left and at the top, where the plan crops."""
        return (self.make[0] - self.asked[0]) // 2, (self.make[1] - self.asked[1]) // 2


def plan_size(spec: ModelSpec, asked: Size, multiple: int, most_pixels: int | None = None) -> SizePlan:
    """Return the plan for the size `asked`.

    It is for a pipeline that needs sides of multiples of `multiple` pixels and makes `most_pixels` of them at most.
    """
    limits = spec.limits
    if limits.native_sizes:
        make = nearest_size(limits.native_sizes, asked)
        reason = f"{spec.id} draws {_list(limits.native_sizes)}"
    else:
        make = _legal(asked, limits.min_side, limits.max_side, multiple)
        if most_pixels is not None and make[0] * make[1] > most_pixels:
            make = _smaller(make, most_pixels, multiple)
            reason = f"{spec.id} repaints {most_pixels:,} pixels at most; made {_text(make)}"
            return SizePlan(asked=asked, make=make, warning=f"{reason}; {_verb(make, asked)} to {_text(asked)}")
        cut = tuple(made - side for made, side in zip(make, asked, strict=True))
        if any(cut) and all(0 <= edge < multiple for edge in cut):
            warning = f"{_text(asked)} is not a multiple of {multiple}; made {_text(make)} and cropped the edges"
            return SizePlan(asked=asked, make=make, crop=True, warning=warning)
        reason = f"{spec.id} draws sides from {limits.min_side} to {limits.max_side}; made {_text(make)}"
    if make == asked:
        return SizePlan(asked=asked, make=make)
    return SizePlan(asked=asked, make=make, warning=f"{reason}; {_verb(make, asked)} to {_text(asked)}")


def _legal(asked: Size, least: int, most: int, multiple: int) -> Size:
    """Return the size nearest to `asked` in shape whose sides are multiples within the limits."""
    scale = max(1.0, least / min(asked))
    scale = min(scale, most / max(asked))
    ceiling = most // multiple * multiple

    def legal(side: int) -> int:
        target = max(round(side * scale), least)
        return max(multiple, min(-(-target // multiple) * multiple, ceiling))

    return legal(asked[0]), legal(asked[1])


def _smaller(size: Size, most_pixels: int, multiple: int) -> Size:
    """Return the largest size of about the same shape that has so many pixels, its sides multiples."""
    scale = sqrt(most_pixels / (size[0] * size[1]))
    return int(size[0] * scale) // multiple * multiple, int(size[1] * scale) // multiple * multiple


def _verb(make: Size, asked: Size) -> str:
    return "resized" if make[0] * asked[1] == make[1] * asked[0] else "stretched"


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _list(sizes: tuple[Size, ...]) -> str:
    return ", ".join(_text(size) for size in sizes)
