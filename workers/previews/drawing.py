"""The previews of an upload, drawn in the confined process that decodes files of strangers.

The kind of a file is that of its first bytes. What a decoder cannot read has no previews, and stays as it is.
"""

import traceback
from pathlib import Path

from core.errors.base import AtelierError
from core.errors.inputs import InputUnreadable, UnsupportedMedia
from jobs.media_types import HEAD, sniff
from workers.ingest.sanitizer_messages import SOURCE, SanitizeRequest
from workers.ingest.sanitizer_process import BROKEN
from workers.previews.documents import draw_page
from workers.previews.meshes import GLB_MAGIC, draw_mesh
from workers.previews.messages import STEM, DrawResult
from workers.previews.moving import draw_film, draw_sound, has_film
from workers.previews.still import draw_picture

PDF_MAGIC = b"%PDF-"
LOOK = 1024
"""Bytes within which a PDF may begin, as its readers have it."""


def draw(request: SanitizeRequest, folder: Path) -> DrawResult:
    """Draw the previews of `source` in `folder`, beside it. Raises `MemoryError`, and `OSError` of the machine."""
    try:
        return _draw(folder / SOURCE, folder, request)
    except AtelierError as error:
        return DrawResult(code=error.code, message=error.detail)
    except (ValueError, ArithmeticError, LookupError, TypeError, SyntaxError):  # a decoder's, of this file
        traceback.print_exc()
        return DrawResult(code=InputUnreadable.code, message=BROKEN)


def _draw(source: Path, folder: Path, request: SanitizeRequest) -> DrawResult:
    with source.open("rb") as file:
        head = file.read(LOOK)
    media_type = sniff(head[:HEAD]) or ""
    if media_type.startswith("image/"):
        previews, width, height = draw_picture(source, media_type, STEM, folder, request.max_pixels)
        return DrawResult(previews=previews, width=width, height=height)
    if head.startswith(GLB_MAGIC):
        return DrawResult(previews=draw_mesh(source, STEM, folder))
    if PDF_MAGIC in head:
        return DrawResult(previews=draw_page(source, STEM, folder))
    if not media_type.startswith(("audio/", "video/")):
        raise UnsupportedMedia("No previews are made of this kind of file.")
    drawn = draw_film if has_film(source, media_type) else draw_sound
    made, wide, high, seconds = drawn(source, media_type, STEM, folder, request.seconds)
    return DrawResult(previews=made, width=wide, height=high, duration_seconds=seconds)
