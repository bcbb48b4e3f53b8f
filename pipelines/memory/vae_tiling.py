"""Decoding of large images in tiles, so that the memory of it does not grow with the image."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def in_tiles(vae: Any, *, are_tiles_used: bool) -> Iterator[None]:
    """Within the block, have an autoencoder of diffusers encode and decode in overlapping tiles, or leave it as it is.

    The tiles have the size that the autoencoder's configuration says. Overlaps are blended, so pixels differ a little
    from those of an image that is decoded at once.
    """
    if not are_tiles_used:
        yield
        return
    vae.enable_tiling()
    try:
        yield
    finally:
        vae.disable_tiling()
