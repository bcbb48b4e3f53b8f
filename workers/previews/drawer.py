"""The handle on the process that draws previews of uploads."""

from pathlib import Path

import msgspec

from workers.ingest.sanitizer import Sanitizer
from workers.ingest.sanitizer_messages import SanitizeRequest
from workers.previews.messages import DrawResult, is_expected


class Drawer:
    """Draws previews in a confined process, which is started at once and again after its death."""

    def __init__(self) -> None:
        self._process = Sanitizer("workers.previews.drawing_process")

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def draw(self, folder: Path, *, seconds: float, max_pixels: int) -> DrawResult | None:
        """Draw the previews of `source` in `folder`, within so many seconds of processor time; returns what was drawn.

        None where the process ended for no fault of the file. Every preview that is returned is a file in `folder`.
        """
        request = SanitizeRequest("image", seconds, max_pixels)
        try:
            drawn = msgspec.json.decode(self._process.ask(request, folder), type=DrawResult)
        except msgspec.MsgspecError:
            return None
        there = tuple(preview for preview in drawn.previews if is_expected(preview) and _is_file(folder / preview.path))
        return msgspec.structs.replace(drawn, previews=there, message=drawn.message[:300])


def _is_file(file: Path) -> bool:
    return file.is_file() and not file.is_symlink()
