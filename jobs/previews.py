"""Previews: small copies of an output or of an upload, stored beside it."""

import msgspec

WEB_SIDE = 1600
"""The longer side of a `web` copy of a picture at most, in pixels."""
WEB_PICTURES = ("image/webp", "image/jpeg")
"""Types of pictures that are their own web copy, up to that size."""


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """One stored preview: its name, where it is and what it is.

    `name` is `thumbnail`, `poster`, `strip`, `web` or `peaks`. Sides are in pixels; the width of `peaks` is the number
    of pairs.
    """

    name: str
    key: str
    media_type: str
    bytes: int
    width: int | None = None
    height: int | None = None
