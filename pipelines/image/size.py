"""The size to make for a requested size, and the way from one to the other. No torch.

A size that the model can make is made as it is. Otherwise:

- Native sizes: the one with the nearest shape is made and resized, since a model trained on one size draws nonsense at
  another.
- Sides outside `min_side` to `max_side`: a size of the same shape inside these limits is made and resized.
- Sides that are not multiples of what the pipeline needs: the next multiple is made and the edges are cropped, so that
  pixels stay as the model made them.

No size is refused, and a warning names every difference.
"""

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


def plan_size(spec: ModelSpec, asked: Size, multiple: int) -> SizePlan:
    """Return the plan for the size `asked`, for a pipeline that needs multiples of `multiple` pixels."""
    limits = spec.limits
    if limits.native_sizes:
        make = nearest_size(limits.native_sizes, asked)
        reason = f"{spec.id} draws {_list(limits.native_sizes)}"
    else:
        make = _legal(asked, limits.min_side, limits.max_side, multiple)
        cut = tuple(made - side for made, side in zip(make, asked, strict=True))
        if any(cut) and all(0 <= edge < multiple for edge in cut):
            warning = f"{_text(asked)} is not a multiple of {multiple}; made {_text(make)} and cropped the edges"
            return SizePlan(asked=asked, make=make, crop=True, warning=warning)
        reason = f"{spec.id} draws sides from {limits.min_side} to {limits.max_side}; made {_text(make)}"
    if make == asked:
        return SizePlan(asked=asked, make=make)
    verb = "resized" if make[0] * asked[1] == make[1] * asked[0] else "stretched"
    return SizePlan(asked=asked, make=make, warning=f"{reason}; {verb} to {_text(asked)}")


def _legal(asked: Size, least: int, most: int, multiple: int) -> Size:
    """Return the size nearest to `asked` in shape whose sides are multiples within the limits."""
    scale = max(1.0, least / min(asked))
    scale = min(scale, most / max(asked))
    ceiling = most // multiple * multiple

    def legal(side: int) -> int:
        target = max(round(side * scale), least)
        return max(multiple, min(-(-target // multiple) * multiple, ceiling))

    return legal(asked[0]), legal(asked[1])


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _list(sizes: tuple[Size, ...]) -> str:
    return ", ".join(_text(size) for size in sizes)
