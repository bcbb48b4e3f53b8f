"""What the process that draws previews answers; this module loads no decoder."""

import msgspec

from pipelines.runtime.protocol import PreviewFile

STEM = "preview"
"""What the names of the files begin with."""
TYPES = {
    "thumbnail": ("webp", "image/webp"),
    "poster": ("webp", "image/webp"),
    "strip": ("webp", "image/webp"),
    "peaks": ("bin", "application/octet-stream"),
}
WEB_TYPES = (("webp", "image/webp"), ("mp4", "video/mp4"))
"""The endings and media types of each preview; `web` is a picture or a film."""


class DrawResult(msgspec.Struct, frozen=True, kw_only=True):
    """The previews that were drawn, and what the decoder saw of the file; or the code and the message of its error."""

    previews: tuple[PreviewFile, ...] = ()
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    code: str = ""
    message: str = ""


def is_expected(preview: PreviewFile) -> bool:
    """Return whether a file may be what it says: the process that names it has read a file of a stranger."""
    known = [TYPES[preview.name]] if preview.name in TYPES else WEB_TYPES if preview.name == "web" else ()
    return any(
        preview.path == f"{STEM}-{preview.name}.{ending}" and preview.media_type == media_type
        for ending, media_type in known
    )
