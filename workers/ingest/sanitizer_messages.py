"""What the CPU worker and the sanitizer process say to each other; this module loads no decoder."""

import msgspec

from jobs.params.media import FilmFrame, MediaKind

SOURCE = "source"
"""The name of the file to decode, in the folder of its request."""
WAITING_SECONDS = 45.0
"""How much longer than its processor time a decoder may take by the clock, on a busy machine or a slow disk."""
NO_ROOM = "no_room"
"""The code of a result without a verdict: the clean copy did not fit on this machine."""


class SanitizeRequest(msgspec.Struct, frozen=True):
    """A request to clean `source`, of this kind, within so many seconds of processor time.

    `max_pixels` limits an image, whose sides have at least `min_side`; audio must be longer than `min_seconds`, a film
    at most `max_seconds` long. The file must have one of the media `types`; without any, one that its kind accepts.
    With a `frame` the file is a film, and the copy that picture of it. A mask must have something transparent.
    """

    kind: MediaKind
    seconds: float
    max_pixels: int
    min_seconds: float = 0.0
    types: tuple[str, ...] = ()
    max_seconds: float | None = None
    min_side: int = 0
    frame: FilmFrame | None = None
    is_mask: bool = False


class SanitizeResult(msgspec.Struct, frozen=True):
    """The media type of the clean copy; or the code of the input's error and its message."""

    media_type: str = ""
    code: str = ""
    message: str = ""
