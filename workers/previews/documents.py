"""The first page of a PDF, drawn by PDFium, which runs no script of a document and reads no font of the system here."""

from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]

from core.errors.inputs import InputUnreadable
from pipelines.previews.pictures import WEB_SIDE, write_poster, write_thumbnail
from pipelines.runtime.protocol import PreviewFile

LARGEST_SCALE = 4.0
"""Pixels of a point at most: a page the size of a stamp is not enlarged without end."""


def draw_page(source: Path, stem: str, folder: Path) -> tuple[PreviewFile, ...]:
    """Draw the first page; returns its thumbnail and its poster.

    Raises `InputUnreadable` for a document without a page that can be drawn, and for one that needs a password.
    """
    try:
        document = pypdfium2.PdfDocument(source.read_bytes())
        page = document[0]
        longest = max(page.get_size())
        if longest <= 0:
            raise InputUnreadable("The first page of this document has no size.")
        drawn = page.render(scale=min(WEB_SIDE / longest, LARGEST_SCALE)).to_pil().convert("RGB")
    except (pypdfium2.PdfiumError, IndexError, ValueError) as error:
        raise InputUnreadable("The first page of this document cannot be drawn.") from error
    return write_thumbnail(drawn, stem, folder), write_poster(drawn, stem, folder)
