"""The object in an image: its outline and its colors. NumPy, SciPy and Pillow; no torch.

The outline is the image's own transparency, else the part that differs from the colors along the border. Where the
server removes backgrounds, the image has been cut out before (`workers.engine.auto_cutout`).
"""

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import find_objects, label  # type: ignore[import-untyped]

from core.errors.inputs import InputUnreadable
from pipelines.mesh.fill import nearest_known

MAX_SIDE = 1024
"""Longest side of the texture that is made of the object, in pixels."""
FAINT, SOLID = 8, 250
"""Of 255: an alpha below `FAINT` is invisible; from `SOLID` on a color is the object's alone."""
DUST = 1 / 500
"""Parts with less than this share of the largest part's area are leftovers of a matte."""

NOTHING = (
    "The image shows no object to make a mesh of; "
    "send one that stands out from its background, or a cut-out with a transparent background."
)
GUESSED = "the image has no transparent background; the part that differs from its border was taken for the object"

Matte = NDArray[np.uint8]


class Cutout(msgspec.Struct, frozen=True):
    """The object, cropped to its visible part.

    `alpha` is uint8, height x width. `colors` is uint8, height x width x 3, with the object's colors extended beyond
    its edge.
    """

    alpha: Matte
    colors: NDArray[np.uint8]
    warnings: tuple[str, ...] = ()


def cutout_of(file: Path, *, whole: bool = False) -> Cutout:
    """Return the object in a clean PNG.

    Without transparency it is the part that differs from the border, or with `whole` everything. Raises
    `InputUnreadable` where there is none.
    """
    with Image.open(file, formats=["PNG"]) as opened:
        image = opened.convert("RGBA")
    image.thumbnail((2 * MAX_SIDE, 2 * MAX_SIDE), Image.Resampling.BOX)
    alpha = np.asarray(image.getchannel("A"))
    warnings: tuple[str, ...] = ()
    if (alpha == 255).all() and not whole:
        alpha, warnings = unlike_border(np.asarray(image)[..., :3]), (GUESSED,)
    alpha = without_dust(alpha)
    if not alpha.any():
        raise InputUnreadable(NOTHING, field="$.image_path")
    return _cropped(np.asarray(image)[..., :3], alpha, warnings)


def read_object_image(file: Path) -> NDArray[np.uint8]:
    """Return the object in a clean PNG as `pipelines.mesh.paint` expects it: uint8, height x width x 4.

    Without transparency the whole image is the object. Raises `InputUnreadable` where everything is transparent.
    """
    cutout = cutout_of(file, whole=True)
    return np.dstack([cutout.colors, cutout.alpha])


def unlike_border(image: NDArray[np.uint8]) -> Matte:
    """Return 255 where a color is far from the border's median color; nothing where the border is as colorful."""
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]).astype(np.float32)
    ground = np.median(border, axis=0)
    spread = float(np.quantile(np.abs(border - ground).max(axis=1), 0.9))
    distance = np.abs(image - ground).max(axis=2)
    return np.where(distance > max(24.0, 2 * spread), 255, 0).astype(np.uint8)


def without_dust(alpha: Matte) -> Matte:
    """Return the matte without specks that are tiny beside its largest part, and without invisible alpha."""
    seen = alpha >= FAINT
    labels, count = label(seen)
    if count < 2:
        return np.where(seen, alpha, 0).astype(np.uint8)
    areas = np.bincount(labels.ravel())[1:]
    kept = np.concatenate([[False], areas >= DUST * areas.max()])
    return np.where(kept[labels], alpha, 0).astype(np.uint8)


def _cropped(colors: NDArray[np.uint8], alpha: Matte, warnings: tuple[str, ...]) -> Cutout:
    """Return the cutout of the object, reduced where it is larger than a texture needs."""
    ((rows, columns),) = find_objects((alpha > 0).astype(np.int8))
    colors, alpha = colors[rows, columns], alpha[rows, columns]
    solid = alpha >= min(SOLID, int(alpha.max()))
    colors = nearest_known(colors, solid)
    scale = MAX_SIDE / max(alpha.shape)
    if scale < 1:
        size = (max(1, round(alpha.shape[1] * scale)), max(1, round(alpha.shape[0] * scale)))
        colors = np.asarray(Image.fromarray(colors).resize(size, Image.Resampling.LANCZOS))
        alpha = np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BOX))
    return Cutout(alpha, colors, warnings)
