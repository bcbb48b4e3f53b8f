"""Images as files; runs in the encoder process, without torch.

- PNG: lossless, byte for byte the pixels that the model made; zlib level 6.
- WebP: quality 90, method 4: lossy, without visible loss on photographs; alpha stays lossless.
- JPEG: quality 92 with full color resolution (4:4:4), since colored edges suffer first; transparency becomes white.

Files carry no metadata, so a prompt does not travel inside a file.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors.failures import EncodeFailed
from jobs.params.base import Params
from pipelines.image.flatten import flatten_on_white
from pipelines.image.visible_mark import mark_image
from pipelines.runtime.protocol import Output, Outputs, RawOutput

_OPTIONS: dict[str, dict[str, Any]] = {
    "png": {"compress_level": 6},
    "webp": {"quality": 90, "method": 4},
    "jpeg": {"quality": 92, "subsampling": 0},
}


def encode(raw: RawOutput, params: Params, folder: Path) -> Outputs:
    """Write every image of `raw` in `params.output_format`: `0.webp`, `1.webp`, ... in `folder`.

    Raises `EncodeFailed` for an array that is not an image; a full or missing disk stays an `OSError`.
    """
    marked = getattr(params, "watermark", None) == "always"
    files = tuple(
        _write(array, marked, params.output_format, folder / f"{number}.{params.output_format}")
        for number, array in enumerate(raw.arrays.values())
    )
    return Outputs(files=files)


def _write(array: NDArray[Any], marked: bool, output_format: str, file: Path) -> Output:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape:
        raise EncodeFailed(f"An image is uint8, height x width x 3 or 4, not {array.dtype} {array.shape}.")
    image = Image.fromarray(np.ascontiguousarray(mark_image(array) if marked else array))
    if output_format == "jpeg":
        image = flatten_on_white(image)
    try:
        image.save(file, output_format.upper(), **_OPTIONS[output_format])
    except ValueError as error:
        raise EncodeFailed(f"{image.width}x{image.height} does not fit {output_format}: {error}") from error
    return Output(path=file.name, media_type=f"image/{output_format}", width=image.width, height=image.height)
